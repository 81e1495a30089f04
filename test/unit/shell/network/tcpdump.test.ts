/** tcpdump: filters, lines, files; and the answers that traceroute collects. */
import { describe, expect, it } from 'vitest';
import { parseFilter } from '../../../../services/shell/network/tcpdump/filter.ts';
import { framed, viewFrame } from '../../../../services/shell/network/tcpdump/packet.ts';
import { clockText, PacketText } from '../../../../services/shell/network/tcpdump/text.ts';
import { hopLine, note, type Probe } from '../../../../services/shell/network/traceroute.ts';
import { ARP_REPLY, ARP_REQUEST, buildArp } from '../../../../wire/arp.ts';
import { buildDhcp, DHCP, DHCP_OPTION } from '../../../../wire/dhcp.ts';
import { buildEthernet, ETHERTYPE } from '../../../../wire/ethernet.ts';
import { buildIcmp, ICMP, parseQuote, quote } from '../../../../wire/icmp.ts';
import { buildIpv4, PROTOCOL } from '../../../../wire/ipv4.ts';
import { PcapReader, pcapFileHeader, pcapRecord } from '../../../../wire/pcap.ts';
import { buildTcp, FLAG } from '../../../../wire/tcp.ts';
import { buildUdp } from '../../../../wire/udp.ts';
import { Random } from '../../../support/random.ts';

const GUEST = 0x0a00020f;
const ROUTER = 0x0a000202;
const link = Buffer.from('525400123456', 'hex');

function packetOf(protocol: number, payload: Buffer, source = GUEST, destination = ROUTER): Buffer {
  const fields = { source, destination, protocol, timeToLive: 64, identification: 7 };
  return buildIpv4(fields, payload, 65535)[0] ?? Buffer.alloc(0);
}

const frameOf = (packet: Buffer): Buffer => buildEthernet(link, link, ETHERTYPE.IPV4, packet);

function tcpFrame(flags: number, sequence: number, acknowledgment: number, data = '', back = false): Buffer {
  const [source, destination] = back ? [ROUTER, GUEST] : [GUEST, ROUTER];
  const [sourcePort, destinationPort] = back ? [80, 40000] : [40000, 80];
  const segment = {
    ...{ sourcePort, destinationPort, sequence, acknowledgment, flags, window: 1000 },
    ...{ segmentSize: (flags & FLAG.SYN) === 0 ? undefined : 1460, windowShift: undefined },
    data: Buffer.from(data),
  };
  return frameOf(packetOf(PROTOCOL.TCP, buildTcp(source, destination, segment), source, destination));
}

const udp = (port: number, data: Buffer): Buffer =>
  frameOf(packetOf(PROTOCOL.UDP, buildUdp(GUEST, 5000, ROUTER, port, data)));

const echo = frameOf(
  packetOf(PROTOCOL.ICMP, buildIcmp({ type: ICMP.ECHO_REQUEST, code: 0, rest: 0x00050001, data: Buffer.alloc(56) })),
);
const arpRequest = buildEthernet(
  Buffer.alloc(6, 0xff),
  link,
  ETHERTYPE.ARP,
  buildArp({ operation: ARP_REQUEST, senderLink: link, sender: GUEST, targetLink: Buffer.alloc(6), target: ROUTER }),
);

const lineOf = (frame: Buffer, numeric = true, verbose = false): string =>
  new PacketText({ numeric, verbose }).of(viewFrame(frame));

describe('lines', () => {
  it('of a connection count from its beginning', () => {
    const text = new PacketText({ numeric: true, verbose: false });
    const frames = [
      tcpFrame(FLAG.SYN, 1000, 0),
      tcpFrame(FLAG.SYN | FLAG.ACK, 5000, 1001, '', true),
      tcpFrame(FLAG.PSH | FLAG.ACK, 1001, 5001, 'GET / HTTP/1.1\r\n\r\n'),
      tcpFrame(FLAG.FIN | FLAG.ACK, 5001, 1019, '', true),
    ];
    expect(frames.map((frame) => text.of(viewFrame(frame)))).toEqual([
      'IP 10.0.2.15.40000 > 10.0.2.2.80: Flags [S], seq 1000, win 1000, options [mss 1460], length 0',
      'IP 10.0.2.2.80 > 10.0.2.15.40000: Flags [S.], seq 5000, ack 1, win 1000, options [mss 1460], length 0',
      'IP 10.0.2.15.40000 > 10.0.2.2.80: Flags [P.], seq 1:19, ack 1, win 1000, length 18: HTTP: GET / HTTP/1.1',
      'IP 10.0.2.2.80 > 10.0.2.15.40000: Flags [F.], seq 1, ack 19, win 1000, length 0',
    ]);
  });

  it('of datagrams, ICMP and ARP', () => {
    expect(lineOf(udp(9, Buffer.alloc(100)))).toBe('IP 10.0.2.15.5000 > 10.0.2.2.9: UDP, length 100');
    expect(lineOf(echo)).toBe('IP 10.0.2.15 > 10.0.2.2: ICMP echo request, id 5, seq 1, length 64');
    expect(lineOf(arpRequest)).toBe('ARP, Request who-has 10.0.2.2 tell 10.0.2.15, length 46');
    const reply = buildArp({ operation: ARP_REPLY, senderLink: link, sender: ROUTER, targetLink: link, target: GUEST });
    expect(lineOf(buildEthernet(link, link, ETHERTYPE.ARP, reply))).toBe(
      'ARP, Reply 10.0.2.2 is-at 52:54:00:12:34:56, length 46',
    );
    const data = quote(packetOf(PROTOCOL.UDP, buildUdp(GUEST, 5000, ROUTER, 53, Buffer.alloc(9))));
    const error = buildIcmp({ type: ICMP.UNREACHABLE, code: 3, rest: 0, data });
    expect(lineOf(frameOf(packetOf(PROTOCOL.ICMP, error, ROUTER, GUEST)), false)).toBe(
      'IP 10.0.2.2 > 10.0.2.15: ICMP 10.0.2.2 udp port domain unreachable, length 36',
    );
    expect(lineOf(buildEthernet(link, link, 0x86dd, Buffer.alloc(46)))).toBe('ethertype 0x86dd, length 60');
  });

  it('of names and addresses that are asked for', () => {
    const query = Buffer.from('00070100000100000000000007657861' + '6d706c6503636f6d0000010001', 'hex');
    expect(lineOf(udp(53, query), false)).toBe('IP 10.0.2.15.5000 > 10.0.2.2.domain: 7+ A? example.com. (29)');
    const answer = Buffer.from(
      '000781800001000100000000076578616d706c6503636f6d0000010001c00c000100010000003c00040a000005',
      'hex',
    );
    expect(lineOf(udp(53, answer), false)).toMatch(/: 7 1\/0\/0 A 10\.0\.0\.5 \(45\)$/);
    const options = new Map([[DHCP_OPTION.MESSAGE_TYPE, Buffer.from([DHCP.DISCOVER])]]);
    const fields = {
      operation: 1,
      transaction: 1,
      broadcast: true,
      clientAddress: 0,
      yourAddress: 0,
      clientLink: link,
      options,
    };
    expect(lineOf(udp(67, buildDhcp(fields, 0)))).toMatch(
      /: BOOTP\/DHCP, Request from 52:54:00:12:34:56, length 300, Discover$/,
    );
  });

  it('tell more with -v, above all of wrong check sums', () => {
    const frame = tcpFrame(FLAG.ACK, 1, 1);
    expect(lineOf(frame, true, true)).toMatch(
      /^IP \(tos 0x0, ttl 64, id 7, offset 0, flags \[none\], proto TCP \(6\), length 40\)\n {4}10.* cksum correct, Flags/,
    );
    frame[40] = 0xff;
    expect(lineOf(frame, true, true)).toContain('cksum INCORRECT');
  });

  it('are made of anything', () => {
    const random = new Random();
    const frames = [
      tcpFrame(FLAG.SYN, 1, 0),
      udp(53, Buffer.alloc(60)),
      udp(68, Buffer.alloc(300)),
      echo,
      arpRequest,
    ] as const;
    const text = new PacketText({ numeric: false, verbose: true });
    for (let round = 0; round < 3000; round += 1) {
      const frame = Buffer.from(random.pick(frames)).subarray(0, 14 + random.below(300));
      for (let change = 0; change < 3 && frame.length > 0; change += 1)
        frame[random.below(frame.length)] = random.below(256);
      expect(text.of(viewFrame(frame)), `seed ${random.seed}`).not.toBe('');
    }
  });
});

describe('filters', () => {
  const frames = { tcp: tcpFrame(FLAG.ACK, 1, 1), udp: udp(53, Buffer.alloc(20)), icmp: echo, arp: arpRequest };
  const wanted = (filter: string): string => {
    const test = parseFilter(
      filter.split(' ').filter((word) => word !== ''),
      () => [ROUTER],
    );
    return Object.entries(frames)
      .filter(([, frame]) => test(viewFrame(frame)))
      .map(([name]) => name)
      .join(' ');
  };

  it('let through what they say', () => {
    const cases = {
      '': 'tcp udp icmp arp',
      tcp: 'tcp',
      'port 53': 'udp',
      'src port 80': '',
      'dst port 80 or arp': 'tcp arp',
      'host 10.0.2.2': 'tcp udp icmp arp',
      'src host router': '',
      'not ip': 'arp',
      'tcp or udp and port 53': 'udp',
      'tcp or (udp and port 53)': 'tcp udp',
      '!(tcp || udp)&&ip': 'icmp',
      'udp port 80': '',
      'net 10.0.2.0/24 and not arp': 'tcp udp icmp',
      'src net 10.0.3.0/24': '',
    };
    for (const [filter, names] of Object.entries(cases)) expect(wanted(filter), filter).toBe(names);
  });

  it('that make no sense are refused', () => {
    for (const filter of [
      'host',
      'port x',
      'port 70000',
      'tcp and',
      '(tcp',
      'tcp)',
      'tcp udp',
      'foo',
      'src tcp',
      '( '.repeat(100),
    ])
      expect(() => wanted(filter), filter).toThrow('filter');
  });
});

describe('files', () => {
  const time = 1_700_000_000_123_456_789n;

  it('are read as they were written, in pieces of any length', () => {
    const file = Buffer.concat([pcapFileHeader(), pcapRecord(time, echo), pcapRecord(time, arpRequest, 99)]);
    for (const size of [1, 7, 1000]) {
      const reader = new PcapReader();
      const frames = [];
      for (let at = 0; at < file.length; at += size) frames.push(...reader.add(file.subarray(at, at + size)));
      expect(frames.map(({ time, length, data }) => [time, length, data.toString('hex')])).toEqual([
        [time, echo.length, echo.toString('hex')],
        [time, 99, arpRequest.toString('hex')],
      ]);
      expect([reader.isAtBoundary, reader.linkType]).toEqual([true, 1]);
    }
    expect(clockText(time)).toBe('22:13:20.123456');
  });

  it('of big-endian machines with microseconds too', () => {
    const words = [0xa1b2c3d4, 0x00020004, 0, 0, 65535, 101, 5, 123456, 2, 2];
    const file = Buffer.alloc(words.length * 4 + 2);
    for (const [index, word] of words.entries()) file.writeUInt32BE(word, 4 * index);
    const reader = new PcapReader();
    expect(reader.add(file)[0]?.time).toBe(5_123_456_000n);
    expect(reader.linkType).toBe(101);
  });

  it('that are none, or broken, are refused', () => {
    expect(() => new PcapReader().add(Buffer.alloc(24))).toThrow(RangeError);
    const long = pcapRecord(time, echo);
    long.writeUInt32LE(0x7fffffff, 8);
    expect(() => new PcapReader().add(Buffer.concat([pcapFileHeader(), long]))).toThrow(RangeError);
  });

  it('get a frame around bare packets', () => {
    expect(lineOf(framed(packetOf(PROTOCOL.UDP, buildUdp(GUEST, 1, ROUTER, 2, Buffer.alloc(3)))))).toMatch(
      /UDP, length 3$/,
    );
  });
});

describe('traceroute', () => {
  const destination = 0x01020304;
  const answer = (type: number, code: number, port: number, from: number, own = 5000) => {
    const data = quote(
      packetOf(PROTOCOL.UDP, buildUdp(GUEST, own, destination, port, Buffer.alloc(32)), GUEST, destination),
    );
    const message = buildIcmp({ type, code, rest: 0, data });
    return {
      from: { address: from, port: 0 },
      to: { address: GUEST, port: 0 },
      timeToLive: 64,
      length: message.length,
      data: message,
    };
  };
  const probes = (): Probe[] => [1, 2, 3].map((port) => ({ port, sentAt: 100, answer: null }));

  it('knows its own probes', () => {
    const own = probes();
    note(own, answer(11, 0, 1, ROUTER), destination, 5000, 101);
    note(own, answer(11, 0, 2, ROUTER, 5001), destination, 5000, 101);
    note(own, answer(11, 0, 9, ROUTER), destination, 5000, 101);
    note(own, answer(3, 1, 3, GUEST), destination, 5000, 112.34);
    note(own, answer(3, 3, 3, destination), destination, 5000, 120);
    expect(hopLine(1, own)).toBe(' 1  10.0.2.2  1.00 ms  *  10.0.2.15  12.3 ms !H');
    const last = probes();
    for (const { port } of last) note(last, answer(3, 3, port, destination), destination, 5000, 100.5);
    expect(hopLine(12, last)).toBe('12  1.2.3.4  0.500 ms  0.500 ms  0.500 ms');
  });

  it('does not take quotations for packets', () => {
    expect(parseQuote(Buffer.alloc(40))).toBeNull();
    expect(parseQuote(Buffer.alloc(20, 0x45))).toBeNull();
    expect(parseQuote(Buffer.alloc(0))).toBeNull();
  });
});
