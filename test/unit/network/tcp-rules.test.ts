/** The rules that recordings are held to find each breach, and nothing in a connection as it should be. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseIpv4 } from '../../../wire/address.ts';
import { ARP_REQUEST, buildArp } from '../../../wire/arp.ts';
import { buildEthernet, ETHERTYPE } from '../../../wire/ethernet.ts';
import { buildIpv4, PROTOCOL } from '../../../wire/ipv4.ts';
import { pcapFileHeader, pcapRecord } from '../../../wire/pcap.ts';
import { buildTcp, FLAG, type TcpSegment } from '../../../wire/tcp.ts';
import { breachesOf } from '../../support/network/tcp-rules.ts';

const OURS = Buffer.from('525400123456', 'hex');
const THEIRS = Buffer.from('020000000001', 'hex');
const us = parseIpv4('10.0.3.2');
const them = parseIpv4('10.0.3.1');
const { SYN, ACK, FIN, RST } = FLAG;

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vros-rules-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

type Part = Partial<TcpSegment> & { readonly length?: number };
type Step = readonly [who: 'we' | 'they', part: Part, seconds?: number];

function frameOf(ours: boolean, part: Part): Buffer {
  const [source, destination] = ours ? [us, them] : [them, us];
  const segment: TcpSegment = {
    ...{ sourcePort: ours ? 80 : 4000, destinationPort: ours ? 4000 : 80, sequence: 0, acknowledgment: 0 },
    ...{ flags: ACK, window: 5000, segmentSize: undefined, windowShift: undefined },
    data: Buffer.alloc(part.length ?? 0),
    ...part,
  };
  const fields = { source, destination, protocol: PROTOCOL.TCP, identification: 1 };
  const [packet = Buffer.alloc(0)] = buildIpv4(
    { ...fields, timeToLive: 64, typeOfService: 0, dontFragment: true },
    buildTcp(source, destination, segment),
    1500,
  );
  const [to, from] = ours ? [THEIRS, OURS] : [OURS, THEIRS];
  return buildEthernet(to, from, ETHERTYPE.IPV4, packet);
}

/** What is found in a recording of frames, each a millisecond, or so many seconds, after the one before. */
function judge(frames: readonly (readonly [frame: Buffer, seconds?: number | undefined])[]): string[] {
  const file = path.join(folder, 'frames.pcap');
  let time = 1_000_000_000n;
  const records = frames.map(([frame, seconds = 0.001]) => {
    time += BigInt(Math.round(seconds * 1e9));
    return pcapRecord(time, frame);
  });
  fs.writeFileSync(file, Buffer.concat([pcapFileHeader(), ...records]));
  return breachesOf(file, '52:54:00:12:34:56').map((line) => line.replace(/^[^:]*(?::\d+ → [^:]*:\d+)?: /, ''));
}

function judgeSteps(steps: readonly Step[]): string[] {
  return judge(steps.map(([who, part, seconds]) => [frameOf(who === 'we', part), seconds]));
}

/** They connect with sequence number 1,000, we answer with 7,000; a segment holds 1,000 bytes, their window 5,000. */
const handshake: readonly Step[] = [
  ['they', { flags: SYN, sequence: 999, segmentSize: 1000 }],
  ['we', { flags: SYN | ACK, sequence: 6999, acknowledgment: 1000, segmentSize: 1000 }],
  ['they', { sequence: 1000, acknowledgment: 7000 }],
];

describe('rules of TCP', () => {
  it('find nothing in a connection as it should be', () => {
    const whole: readonly Step[] = [
      ...handshake,
      ['they', { sequence: 1000, acknowledgment: 7000, length: 100 }],
      ['we', { sequence: 7000, acknowledgment: 1100, length: 1000 }],
      ['we', { sequence: 8000, acknowledgment: 1100, length: 1000 }],
      ['they', { sequence: 1100, acknowledgment: 7000 }],
      ['we', { sequence: 7000, acknowledgment: 1100, length: 1000 }],
      ['they', { sequence: 1100, acknowledgment: 9000, window: 0 }],
      ['we', { sequence: 9000, acknowledgment: 1100, length: 1 }, 2],
      ['they', { sequence: 1100, acknowledgment: 9001 }],
      ['we', { flags: FIN | ACK, sequence: 9001, acknowledgment: 1100 }],
      ['they', { flags: FIN | ACK, sequence: 1100, acknowledgment: 9002 }],
      ['we', { sequence: 9002, acknowledgment: 1101 }],
    ];
    expect(judgeSteps(whole)).toEqual([]);
  });

  const breaches: Readonly<Record<string, { steps: readonly Step[]; found: string }>> = {
    'data beyond the window': {
      steps: [0, 1, 2, 3, 4, 5].map((index) => [
        'we',
        { sequence: 7000 + index * 1000, acknowledgment: 1000, length: 1000 },
      ]),
      found: "1000 bytes beyond the peer's window",
    },
    'a segment that is too long': {
      steps: [['we', { sequence: 7000, acknowledgment: 1000, length: 1001 }]],
      found: '1001 bytes of data and 0 of options, MSS 1000',
    },
    'an acknowledgement of what has not come': {
      steps: [['we', { sequence: 7000, acknowledgment: 1001 }]],
      found: 'acknowledges what the peer has not sent',
    },
    'an acknowledgement that goes back': {
      steps: [
        ['they', { sequence: 1000, acknowledgment: 7000, length: 100 }],
        ['we', { sequence: 7000, acknowledgment: 1100, window: 4900 }],
        ['we', { sequence: 7000, acknowledgment: 1050, window: 4950 }],
      ],
      found: 'acknowledges less than before, by 50',
    },
    'a window that shrinks': {
      steps: [['we', { sequence: 7000, acknowledgment: 1000, window: 4999 }]],
      found: 'its window shrinks by 1',
    },
    'data behind its end': {
      steps: [
        ['we', { flags: FIN | ACK, sequence: 7000, acknowledgment: 1000 }],
        ['we', { sequence: 7001, acknowledgment: 1000, length: 10 }],
      ],
      found: 'sends behind its FIN',
    },
    'a life after its reset': {
      steps: [
        ['we', { flags: RST, sequence: 7000 }],
        ['we', { sequence: 7000, acknowledgment: 1000 }],
      ],
      found: 'goes on after its own RST',
    },
    'an acknowledgement too late': {
      steps: [
        ['they', { sequence: 1000, acknowledgment: 7000, length: 100 }],
        ['we', { sequence: 7000, acknowledgment: 1100 }, 0.8],
      ],
      found: 'acknowledges after 0.800 s',
    },
    'a storm': {
      steps: Array.from({ length: 17 }, () => ['we', { sequence: 7000, acknowledgment: 1000, length: 1000 }]),
      found: 'sent 16 times',
    },
  };

  it.each(Object.keys(breaches))('find %s', (name) => {
    const { steps = [], found = '' } = breaches[name] ?? {};
    expect(judgeSteps([...handshake, ...steps])).toEqual([found]);
  });

  it('find an initial window of more than ten segments and a probe', () => {
    const wide = handshake.map(([who, part]): Step => [who, { ...part, window: 60_000 }]);
    const burst = Array.from(
      { length: 12 },
      (_, index): Step => ['we', { sequence: 7000 + index * 1000, acknowledgment: 1000, length: 1000, window: 60_000 }],
    );
    expect(judgeSteps([...wide, ...burst])).toEqual(['12000 bytes in the initial window']);
  });

  it('take no notice of damaged segments', () => {
    const damaged = frameOf(false, { sequence: 1000, acknowledgment: 7000, length: 100 });
    damaged[60] = 1;
    const frames: (readonly [Buffer, number?])[] = handshake.map(([who, part]) => [frameOf(who === 'we', part)]);
    expect(judge([...frames, [damaged], [frameOf(true, { sequence: 7000, acknowledgment: 1000 }), 2]])).toEqual([]);
  });
});

describe('rules of ARP', () => {
  it('find requests for one address in the same second', () => {
    const request = (target: string): Buffer =>
      buildEthernet(
        Buffer.alloc(6, 0xff),
        OURS,
        ETHERTYPE.ARP,
        buildArp({
          ...{ operation: ARP_REQUEST, senderLink: OURS, sender: us, targetLink: Buffer.alloc(6) },
          target: parseIpv4(target),
        }),
      );
    expect(judge([[request('10.0.3.7')], [request('10.0.3.8')], [request('10.0.3.7'), 1]])).toEqual([]);
    expect(judge([[request('10.0.3.7')], [request('10.0.3.7'), 0.5]])).toEqual([
      'asks for 10.0.3.7 again after 0.500 s',
    ]);
  });
});
