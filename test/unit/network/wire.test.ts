import { describe, expect, it } from 'vitest';
import { formatIpv4, isUnicast, parseIpv4 } from '../../../wire/address.ts';
import { ARP_REQUEST, buildArp, parseArp } from '../../../wire/arp.ts';
import { addWords, checksum, finishChecksum } from '../../../wire/checksum.ts';
import { BOOT_REQUEST, buildDhcp, DHCP, DHCP_OPTION, option32, parseDhcp } from '../../../wire/dhcp.ts';
import { buildDnsError, DNS_ERROR, parseDnsHeader, questionEnd } from '../../../wire/dns.ts';
import { buildEthernet, ETHERTYPE, parseEthernet } from '../../../wire/ethernet.ts';
import { buildIcmp, ICMP, parseIcmp, quote } from '../../../wire/icmp.ts';
import { buildIpv4, PROTOCOL, parseIpv4Packet } from '../../../wire/ipv4.ts';
import { buildTcp, FLAG, parseTcp, sequenceAdd, sequenceDifference, type TcpSegment } from '../../../wire/tcp.ts';
import { buildUdp, parseUdp } from '../../../wire/udp.ts';
import { Random } from '../../support/random.ts';

const A = parseIpv4('10.0.2.15');
const B = parseIpv4('192.168.0.199');

/** The packet, or a failed test. */
function some<T>(value: T | null): T {
  if (value === null) throw new Error('was refused');
  return value;
}

function hex(text: string): Buffer {
  return Buffer.from(text.replace(/\s/g, ''), 'hex');
}

describe('addresses', () => {
  it('are read and written', () => {
    expect(A).toBe(0x0a00020f);
    expect(formatIpv4(0xffff_fffe)).toBe('255.255.255.254');
    for (const bad of ['', '1.2.3', '1.2.3.4.5', '1.2.3.256', '1.2.3.x', '1.2.3.-1']) {
      expect(() => parseIpv4(bad)).toThrow(RangeError);
    }
  });

  it('can be of one host, or not', () => {
    const addresses = ['1.2.3.4', '223.1.1.1', '0.0.0.0', '127.0.0.1', '224.0.0.1', '255.255.255.255'];
    expect(addresses.map((address) => isUnicast(parseIpv4(address)))).toEqual([true, true, false, false, false, false]);
  });
});

describe('the Internet check sum', () => {
  it('is that of RFC 1071, and of a real header', () => {
    expect(addWords(0, hex('0001 f203 f4f5 f6f7'))).toBe(0x2ddf0);
    expect(finishChecksum(0x2ddf0)).toBe(0x220d);
    expect(checksum(hex('4500 0073 0000 4000 4011 b861 c0a8 0001 c0a8 00c7'))).toBe(0);
    expect(checksum(hex('01'))).toBe(0xfeff);
  });
});

describe('Ethernet', () => {
  it('frames are padded, and taken apart again', () => {
    const frame = buildEthernet(hex('ffffffffffff'), hex('020000000001'), ETHERTYPE.ARP, hex('1234'));
    expect(frame.toString('hex')).toBe(`ffffffffffff02000000000108061234${'00'.repeat(44)}`);
    expect(some(parseEthernet(frame))).toMatchObject({ type: ETHERTYPE.ARP, source: hex('020000000001') });
  });

  it('frames without a type are none of ours', () => {
    expect(parseEthernet(hex('ffffffffffff 020000000001 0040 ff'))).toBeNull();
    expect(parseEthernet(Buffer.alloc(13, 0xff))).toBeNull();
  });
});

describe('ARP', () => {
  const bytes = hex('0001 0800 06 04 0001 020000000001 0a00020f 000000000000 0a000202');

  it('packets are taken apart and put together', () => {
    const packet = some(parseArp(bytes));
    expect(packet).toMatchObject({ operation: ARP_REQUEST, sender: A, target: parseIpv4('10.0.2.2') });
    expect(buildArp(packet)).toEqual(bytes);
  });

  it('packets for other addresses are refused', () => {
    for (const [offset, value] of [
      [1, 6],
      [2, 0x86],
      [4, 8],
      [5, 16],
    ] as const) {
      const bad = Buffer.from(bytes);
      bad[offset] = value;
      expect(parseArp(bad)).toBeNull();
    }
    expect(parseArp(bytes.subarray(0, 27))).toBeNull();
  });
});

describe('IPv4', () => {
  const fields = { source: A, destination: B, protocol: PROTOCOL.UDP, timeToLive: 9, identification: 77 };

  it('packets are taken apart and put together', () => {
    const [packet = Buffer.alloc(0)] = buildIpv4(fields, Buffer.from('hello'), 1500);
    const padded = Buffer.concat([packet, Buffer.alloc(9)]);
    expect(some(parseIpv4Packet(padded))).toMatchObject({
      ...fields,
      moreFragments: false,
      fragmentOffset: 0,
      payload: Buffer.from('hello'),
      bytes: packet,
    });
  });

  it('packets with wrong lengths, version or check sum are refused', () => {
    const [packet = Buffer.alloc(0)] = buildIpv4(fields, Buffer.from('hello'), 1500);
    const spoilt = (offset: number, value: number): Buffer => {
      const bad = Buffer.from(packet);
      bad[offset] = value;
      bad.writeUInt16BE(0, 10);
      bad.writeUInt16BE(checksum(bad.subarray(0, 20)), 10);
      return bad;
    };
    expect(parseIpv4Packet(spoilt(8, 1))).not.toBeNull();
    for (const [offset, value] of [
      [0, 0x65],
      [0, 0x44],
      [0, 0x47],
      [3, 26],
      [3, 19],
    ] as const)
      expect(parseIpv4Packet(spoilt(offset, value)), `${offset} ${value}`).toBeNull();
    const wrongSum = Buffer.from(packet);
    wrongSum[8] = 1;
    expect(parseIpv4Packet(wrongSum)).toBeNull();
    expect(parseIpv4Packet(packet.subarray(0, 19))).toBeNull();
  });

  it('large packets become fragments', () => {
    const payload = new Random(1).bytes(4000);
    const fragments = buildIpv4(fields, payload, 1500).map((bytes) => some(parseIpv4Packet(bytes)));
    expect(fragments.map((each) => [each.fragmentOffset, each.moreFragments, each.payload.length])).toEqual([
      [0, true, 1480],
      [1480, true, 1480],
      [2960, false, 1040],
    ]);
    expect(Buffer.concat(fragments.map((each) => each.payload))).toEqual(payload);
    expect(() => buildIpv4(fields, Buffer.alloc(65_516), 1500)).toThrow(RangeError);
  });
});

describe('ICMP', () => {
  it('messages are taken apart and put together', () => {
    const message = { type: ICMP.ECHO_REQUEST, code: 0, rest: 0x0001_0002, data: Buffer.from('abc') };
    const bytes = buildIcmp(message);
    expect(parseIcmp(bytes)).toEqual(message);
    bytes[9] = 0;
    expect(parseIcmp(bytes)).toBeNull();
    expect(parseIcmp(Buffer.alloc(7))).toBeNull();
  });

  it('errors quote the header with its options and eight bytes', () => {
    const packet = Buffer.alloc(64);
    packet[0] = 0x46;
    expect(quote(packet)).toHaveLength(32);
    expect(quote(packet.subarray(0, 30))).toHaveLength(30);
  });
});

describe('UDP', () => {
  it('datagrams are taken apart and put together', () => {
    const bytes = buildUdp(A, 1234, B, 53, Buffer.from('abc'));
    const padded = Buffer.concat([bytes, Buffer.alloc(20)]);
    expect(parseUdp(padded, A, B)).toEqual({ sourcePort: 1234, destinationPort: 53, data: Buffer.from('abc') });
    expect(parseUdp(bytes, A, A)).toBeNull();
    bytes.writeUInt16BE(0, 6);
    expect(parseUdp(bytes, A, A)).not.toBeNull();
    for (const length of [7, 12]) {
      bytes.writeUInt16BE(length, 4);
      expect(parseUdp(bytes, A, B)).toBeNull();
    }
  });

  it('never goes out with a check sum of 0, which would mean none', () => {
    for (let port = 0; port <= 0xffff; port++) {
      if (buildUdp(A, port, B, 53, Buffer.alloc(0)).readUInt16BE(6) === 0) expect.fail(`port ${port}`);
    }
  });
});

describe('TCP', () => {
  const segment: TcpSegment = {
    sourcePort: 1,
    destinationPort: 2,
    sequence: 0xffff_fff0,
    acknowledgment: 5,
    flags: FLAG.SYN | FLAG.ACK,
    window: 1000,
    segmentSize: 1460,
    windowShift: 7,
    data: Buffer.from('x'),
  };

  it('segments are taken apart and put together', () => {
    expect(parseTcp(buildTcp(A, B, segment), A, B)).toEqual(segment);
    const plain = { ...segment, segmentSize: undefined, windowShift: undefined };
    expect(parseTcp(buildTcp(A, B, plain), A, B)).toEqual(plain);
    expect(parseTcp(buildTcp(A, B, segment), B, B)).toBeNull();
  });

  it('segments with wrong lengths or options are refused', () => {
    const withOptions = (options: string): TcpSegment | null => {
      const bytes = buildTcp(A, B, { ...segment, data: Buffer.alloc(0) });
      bytes.set(hex(options), 20);
      bytes.writeUInt16BE(0, 16);
      const pseudo = [A >>> 16, A & 0xffff, B >>> 16, B & 0xffff, PROTOCOL.TCP, bytes.length];
      bytes.writeUInt16BE(
        finishChecksum(
          addWords(
            pseudo.reduce((sum, word) => sum + word),
            bytes,
          ),
        ),
        16,
      );
      return parseTcp(bytes, A, B);
    };
    expect(withOptions('0101 0204 0200 0101')).toMatchObject({ segmentSize: 512, windowShift: undefined });
    expect(withOptions('0303 ff00 0204 0200')).toMatchObject({ segmentSize: undefined, windowShift: 14 });
    expect(withOptions('0203 0200 0000 0000')).toMatchObject({ segmentSize: undefined });
    for (const bad of ['0101 0101 0101 0102', '0101 0101 0800 0101', '0101 0101 0101 0803', '0209 0000 0000 0000']) {
      expect(withOptions(bad), bad).toBeNull();
    }
    const bytes = buildTcp(A, B, segment);
    for (const offset of [0x40, 0xf0]) {
      bytes[12] = offset;
      expect(parseTcp(bytes, A, B)).toBeNull();
    }
    expect(parseTcp(bytes.subarray(0, 19), A, B)).toBeNull();
  });

  it('sequence numbers go round', () => {
    expect(sequenceAdd(0xffff_ffff, 2)).toBe(1);
    expect([sequenceDifference(1, 0xffff_ffff), sequenceDifference(0xffff_ffff, 1)]).toEqual([2, -2]);
  });
});

describe('DHCP', () => {
  const message = {
    operation: BOOT_REQUEST,
    transaction: 0xdead_beef,
    broadcast: true,
    clientAddress: 0,
    yourAddress: A,
    clientLink: hex('020000000001'),
    options: new Map([
      [DHCP_OPTION.MESSAGE_TYPE as number, Buffer.from([DHCP.DISCOVER])],
      [DHCP_OPTION.REQUESTED_ADDRESS, hex('0a00020f')],
    ]),
  };

  it('messages are taken apart and put together', () => {
    const bytes = buildDhcp(message, B);
    expect(bytes).toHaveLength(300);
    expect(parseDhcp(bytes)).toEqual(message);
    expect(option32(message, DHCP_OPTION.REQUESTED_ADDRESS)).toBe(A);
    expect(option32(message, DHCP_OPTION.MESSAGE_TYPE)).toBeUndefined();
  });

  it('options may be padded, split and without an end, and not longer than the message', () => {
    const bytes = buildDhcp(message, B).subarray(0, 250);
    const rewritten = (options: string): ReadonlyMap<number, Buffer> | undefined => {
      bytes.fill(0, 240);
      bytes.set(hex(options), 240);
      return parseDhcp(bytes)?.options;
    };
    expect(rewritten('00 35 01 02 00 35 02 03 04 00')?.get(53)).toEqual(hex('020304'));
    expect(rewritten('ff 35 01 02')?.size).toBe(0);
    expect(rewritten('35 09 00 00 00 00 00 00 00 00')).toBeUndefined();
    expect(rewritten('00 00 00 00 00 00 00 00 00 35')).toBeUndefined();
  });

  it('messages of other kinds are refused', () => {
    for (const offset of [1, 2, 236]) {
      const bad = buildDhcp(message, B);
      bad[offset] = 0x77;
      expect(parseDhcp(bad)).toBeNull();
    }
    expect(parseDhcp(Buffer.alloc(239))).toBeNull();
  });
});

describe('DNS', () => {
  const query = hex('1234 0100 0001 0000 0000 0001 03777777 03766f73 00 0001 0001 00002904d0000000000000');

  it('queries have a header and a question', () => {
    expect(parseDnsHeader(query)).toEqual({ identifier: 0x1234, response: false });
    expect(questionEnd(query)).toBe(25);
    expect(parseDnsHeader(query.subarray(0, 11))).toBeNull();
    for (const end of [12, 14, 20, 21, 24]) expect(questionEnd(query.subarray(0, end)), `${end}`).toBeNull();
    const two = Buffer.from(query);
    two[5] = 2;
    expect(questionEnd(two)).toBeNull();
    const compressed = Buffer.from(query);
    compressed[12] = 0xc0;
    expect(questionEnd(compressed)).toBeNull();
    expect(questionEnd(Buffer.concat([query.subarray(0, 12), Buffer.alloc(1000, 1)]))).toBeNull();
  });

  it('errors repeat the question and nothing else', () => {
    expect(buildDnsError(query, DNS_ERROR.SERVER).toString('hex')).toBe(
      '12348182000100000000000003777777 03766f73 0000010001'.replace(/ /g, ''),
    );
    expect(buildDnsError(query.subarray(0, 13), DNS_ERROR.FORMAT).toString('hex')).toBe('123481810000000000000000');
  });
});

describe('no bytes', () => {
  it('make a parser throw, or read beyond them', () => {
    const parsers = [
      parseEthernet,
      parseArp,
      parseIpv4Packet,
      parseIcmp,
      (each: Buffer) => parseUdp(each, A, B),
      (each: Buffer) => parseTcp(each, A, B),
      parseDhcp,
      parseDnsHeader,
      questionEnd,
    ];
    const random = new Random();
    for (let round = 0; round < 20_000; round++) {
      const bytes = random.bytes(random.below(80));
      try {
        for (const parse of parsers) parse(bytes);
      } catch (error) {
        expect.fail(`seed ${random.seed}, ${bytes.toString('hex')}: ${error}`);
      }
    }
  });
});
