/** Frames on the wire between a driver and its user: whatever comes is refused or gives frames that lie in it. */
import { describe, expect, it } from 'vitest';
import { SystemError } from '../../../protocol/errno.ts';
import {
  batchOf,
  type FrameBatch,
  frameCount,
  frameLength,
  framesOf,
  MAX_ETHERNET_FRAME_BYTES,
  MAX_FRAMES,
  MAX_RECEIVED_BYTES,
  MAX_RECEIVED_FRAMES,
  net,
  type PlacedFrames,
  placedFrames,
} from '../../../protocol/net.ts';
import { placed } from '../../support/frames.ts';
import { Random } from '../../support/random.ts';

const sent = (wire: unknown): FrameBatch => net.methods.transmit.request.fromWire(wire, []);
const received = (wire: unknown): PlacedFrames => net.methods.receive.reply.fromWire(wire, []);
const frames = (...lengths: number[]): Buffer[] => lengths.map((length, index) => Buffer.alloc(length, index + 1));

describe('frames to send', () => {
  it('come out as they went in', () => {
    for (const lengths of [[], [0], [1514], [60, 61, 1514, 0, 14], Array(MAX_FRAMES).fill(1514)]) {
      const batch = sent(net.methods.transmit.request.toWire(batchOf(frames(...lengths)), []));
      expect(framesOf(batch).map((frame) => Buffer.from(frame))).toEqual(frames(...lengths));
      expect([frameCount(batch), lengths.map((_, index) => frameLength(batch, index))]).toEqual([
        lengths.length,
        lengths,
      ]);
    }
  });

  it('are refused when the lengths and the bytes do not agree, or there are too many', () => {
    const two = Buffer.from([2, 0]);
    const wrong: unknown[] = [
      ...[null, [], [Buffer.alloc(2)], [Buffer.alloc(2), two, 1], ['ab', two], [Buffer.alloc(2), [2]]],
      ...[
        [Buffer.alloc(1), two],
        [Buffer.alloc(3), two],
        [Buffer.alloc(2), Buffer.from([2])],
        [Buffer.alloc(2), Buffer.alloc(0)],
      ],
      [Buffer.alloc(1515), Buffer.from([1515 & 0xff, 1515 >> 8])],
      [Buffer.alloc(0), Buffer.alloc(2 * MAX_FRAMES + 2)],
      [Buffer.alloc(MAX_FRAMES * MAX_ETHERNET_FRAME_BYTES + 1), two],
    ];
    for (const wire of wrong) expect(() => sent(wire), JSON.stringify(wire)?.slice(0, 60)).toThrow(SystemError);
  });
});

describe('frames that were received', () => {
  it('come out as they went in, wherever they lie', () => {
    for (const lengths of [[], [60], [1514, 60, 0, 700]]) {
      const wire = net.methods.receive.reply.toWire(placed(frames(...lengths), 5), []);
      expect(placedFrames(received(wire)).map((frame) => Buffer.from(frame))).toEqual(frames(...lengths));
    }
  });

  it('are refused when they do not lie in the bytes, or are too many', () => {
    const place = (start: number, length: number): Buffer => {
      const bytes = Buffer.alloc(6);
      bytes.writeUInt32LE(start);
      bytes.writeUInt16LE(length, 4);
      return bytes;
    };
    const wrong: unknown[] = [
      ...[null, [], [7], [Buffer.alloc(4000)], [Buffer.alloc(100), place(0, 60).subarray(1)]],
      ...[
        [Buffer.alloc(100), place(41, 60)],
        [Buffer.alloc(100), place(2 ** 32 - 1, 1)],
        [Buffer.alloc(2000), place(0, 1515)],
        [Buffer.alloc(MAX_RECEIVED_BYTES + 1), place(0, 60)],
      ],
      [Buffer.alloc(100), Buffer.alloc(6 * MAX_RECEIVED_FRAMES + 6)],
    ];
    for (const wire of wrong) expect(() => received(wire), JSON.stringify(wire)?.slice(0, 60)).toThrow(SystemError);
    expect(placedFrames(received([Buffer.alloc(100), place(40, 60)]))).toHaveLength(1);
  });

  it('may be one that lies as a card keeps it; a length that cannot be stands for none', () => {
    const kept = (length: number): Buffer => {
      const bytes = Buffer.alloc(256, 7);
      bytes.writeUInt16LE(length, 2);
      return bytes;
    };
    const frames = (bytes: Buffer): Uint8Array[] => placedFrames(received([bytes]));
    expect(frames(kept(64))).toEqual([Buffer.alloc(60, 7)]);
    expect(frames(kept(256))).toEqual([Buffer.alloc(252, 7)]);
    for (const length of [0, 3, 257, 1519, 0xffff]) expect(frames(kept(length)), `${length} bytes`).toEqual([]);
    for (const count of [0, 1, 3]) expect(frames(kept(64).subarray(0, count))).toEqual([]);
  });

  it('never lie anywhere else, whatever comes', () => {
    const random = new Random();
    let accepted = 0;
    for (let round = 0; round < 1000; round++) {
      const places = random.bytes(6 * random.below(3) + (random.below(4) === 0 ? 1 : 0));
      for (let at = 0; at + 6 <= places.length; at += 6) places.fill(0, at + 2, at + 4);
      for (let at = 5; at < places.length; at += 6) places[at] = random.below(8);
      try {
        for (const frame of placedFrames(received([random.bytes(random.below(90_000)), places])))
          expect(frame.length, `seed ${random.seed}`).toBeLessThanOrEqual(MAX_ETHERNET_FRAME_BYTES);
        accepted++;
      } catch (error) {
        expect(error, `seed ${random.seed}`).toBeInstanceOf(SystemError);
      }
    }
    expect(accepted, `seed ${random.seed}`).toBeGreaterThan(0);
    expect(accepted, `seed ${random.seed}`).toBeLessThan(1000);
  });
});
