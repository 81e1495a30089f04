/** Frames that no honest guest sends, into the network `user`, with a host that does whatever it likes. */

import { expect } from 'vitest';
import { addWords, checksum, finishChecksum } from '../../../wire/checksum.ts';
import { FLAG } from '../../../wire/tcp.ts';
import type { Random } from '../../support/random.ts';
import { type FakeStream, GUEST, UserBench } from './user-bench.ts';

const HEAP_ALLOWED_BYTES = 128 * 1024 * 1024;
const LIVE_TCP = 512;
const LIVE_UDP = 256;
const LIVE_QUERIES = 64;
const REMOTES = [
  '192.0.2.1',
  '10.0.2.2',
  '10.0.2.3',
  '10.0.2.77',
  '127.0.0.1',
  '224.0.0.1',
  '255.255.255.255',
] as const;

/** The frames that a guest puts on the cable. */
function record(act: (bench: UserBench) => void): Buffer[] {
  const bench = new UserBench();
  const frames: Buffer[] = [];
  bench.network.receive = (frame) => frames.push(Buffer.from(frame));
  act(bench);
  return frames;
}

/** One well-formed frame, or more where it takes fragments. */
function honest(random: Random): Buffer[] {
  const to = random.pick(REMOTES);
  const port = random.pick([53, 67, 80, random.below(65_536)]);
  const data = random.bytes(random.below(random.pick([4, 4, 50, 50, 100, 1400, random.pick([100, 4000])])));
  return record((bench) => {
    switch (random.below(6)) {
      case 0:
        bench.arp(1 + random.below(2), random.pick([GUEST, '10.0.2.16', '0.0.0.0']), to);
        break;
      case 1:
        bench.ipv4(random.pick([1, 2, 6, 17, 132]), to, data, { timeToLive: random.below(3) });
        break;
      case 2:
        bench.udp(random.below(2000), to, port, data);
        break;
      default:
        bench.tcp(to, {
          sourcePort: 1 + random.below(700),
          destinationPort: 80,
          sequence: random.pick([0, 1, 2, 100, 0x7fff_ffff, 0xffff_ffff, random.below(2 ** 32)]),
          acknowledgment: random.pick([0, 2, 3, random.below(2 ** 32)]),
          flags: random.pick([FLAG.SYN, FLAG.SYN, FLAG.ACK, FLAG.ACK | FLAG.FIN, FLAG.RST, random.below(256)]),
          window: random.below(65_536),
          segmentSize: random.pick([undefined, 0, 1, 1460]),
          windowShift: random.pick([undefined, 0, 14]),
          data: random.below(2) === 0 ? Buffer.alloc(0) : data.subarray(0, 1400),
        });
    }
  });
}

/**
 * Changes, cuts or lengthens a frame. Half of the time the check sums are made right again, so that it gets further.
 */
function spoil(frame: Buffer, random: Random): Buffer {
  const spoilt = Buffer.concat([frame, random.bytes(random.below(2) * random.below(40))]);
  for (let count = random.below(5); count > 0; count--) spoilt[random.below(spoilt.length)] = random.below(256);
  const cut = random.below(4) === 0 ? spoilt.subarray(0, random.below(spoilt.length)) : spoilt;
  if (random.below(2) === 0) mend(cut);
  return cut;
}

function mend(frame: Buffer): void {
  const headerBytes = ((frame[14] ?? 0) & 0x0f) * 4;
  const packet = frame.subarray(14);
  if (packet.length < headerBytes || headerBytes < 20) return;
  packet.writeUInt16BE(0, 10);
  packet.writeUInt16BE(checksum(packet.subarray(0, headerBytes)), 10);
  const payload = packet.subarray(headerBytes, Math.max(headerBytes, packet.readUInt16BE(2)));
  const offset = { 1: 2, 6: 16, 17: 6 }[packet[9] ?? 0];
  if (offset === undefined || payload.length < offset + 2) return;
  payload.writeUInt16BE(0, offset);
  const pseudo = packet[9] === 1 ? 0 : addWords((packet[9] ?? 0) + payload.length, packet.subarray(12, 20));
  payload.writeUInt16BE(finishChecksum(addWords(pseudo, payload)), offset);
}

/** What a host's socket may do at any time. */
function disturb(stream: FakeStream, random: Random): void {
  if (stream.destroyed) return;
  switch (random.below(6)) {
    case 0:
      stream.handler.connected();
      break;
    case 1:
      if (!stream.paused) stream.handler.data(random.bytes(random.below(3000)));
      break;
    case 2:
      stream.drain();
      break;
    case 3:
      stream.handler.ended();
      break;
    case 4:
      stream.destroyed = true;
      stream.handler.failed(random.pick(['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT']));
      break;
    default:
      if (stream.hasEnded) {
        stream.destroyed = true;
        stream.handler.closed();
      }
  }
}

/** Puts frames into a network, and checks that it stays within its bounds and works afterwards. */
export function fuzzNetwork(random: Random, count: number): void {
  const bench = new UserBench();
  const label = `seed ${random.seed}`;
  const heapBefore = process.memoryUsage().heapUsed;
  for (let done = 0; done < count; ) {
    const frames = honest(random);
    for (const frame of frames) {
      const input = random.below(8) === 0 ? frame : spoil(frame, random);
      try {
        bench.network.receive(input);
      } catch (error) {
        expect.fail(`${label}, frame ${done} ${input.toString('hex')}: ${error}`);
      }
      done++;
    }
    const { streams, sockets } = bench.host;
    const stream = streams[random.below(streams.length)];
    if (stream !== undefined) disturb(stream, random);
    const socket = sockets[random.below(sockets.length)];
    if (socket?.closed === false) socket.handler.data(random.bytes(random.below(100)));
    if (random.below(100) === 0) bench.wait(random.below(1000));
    if (bench.frames.length > 10_000) expect.fail(`${label}: ${bench.frames.length} frames at once`);
    bench.frames.length = 0;
    if (streams.length > 2000) streams.splice(0, streams.length, ...streams.filter((each) => !each.destroyed));
    if (sockets.length > 2000) sockets.splice(0, sockets.length, ...sockets.filter((each) => !each.closed));
    if (stream !== undefined) stream.written.length = 0;
    if (socket !== undefined) socket.sent.length = 0;
  }
  const { tcp, udp } = bench.network.flows;
  expect(tcp, label).toBeLessThanOrEqual(LIVE_TCP);
  expect(udp, label).toBeLessThanOrEqual(LIVE_UDP);
  expect(bench.host.streams.filter((each) => !each.destroyed).length, label).toBeLessThanOrEqual(LIVE_TCP);
  const open = bench.host.sockets.filter((each) => !each.closed).length;
  expect(open, label).toBeLessThanOrEqual(LIVE_UDP + LIVE_QUERIES);
  expect(process.memoryUsage().heapUsed - heapBefore, label).toBeLessThan(HEAP_ALLOWED_BYTES);

  // An honest guest is served all the same.
  bench.introduce();
  bench.take();
  bench.network.close();
  const { stream, sequence } = bench.connect('192.0.2.200', 60_000);
  const data = Buffer.from('hello');
  bench.tcp('192.0.2.200', { sourcePort: 60_000, flags: FLAG.ACK, sequence: 101, acknowledgment: sequence, data });
  expect(stream.text, label).toBe('hello');
}
