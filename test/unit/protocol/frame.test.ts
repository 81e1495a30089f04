/** Cutting a byte stream into frames, however it is chunked, and frames over the bound. */
import { describe, expect, it } from 'vitest';
import { HEADER_BYTES, MAX_FRAME_BYTES } from '../../../protocol/bounds.ts';
import {
  emptyFrame,
  FrameCutter,
  OFFSET_FLAGS,
  OFFSET_HANDLE,
  OFFSET_ID,
  OFFSET_LENGTH,
  OFFSET_TYPE,
  writeHeader,
} from '../../../protocol/frame.ts';
import { Random } from '../../support/random.ts';

function frame(body: Buffer, id = 1): Buffer {
  const whole = Buffer.alloc(HEADER_BYTES + body.length);
  writeHeader(whole, 0, body.length, 2, 3, id, 4);
  body.copy(whole, HEADER_BYTES);
  return whole;
}

/** A cutter that copies what it is given. */
function collector(): { cutter: FrameCutter; frames: Buffer[]; overflows: number[] } {
  const frames: Buffer[] = [];
  const overflows: number[] = [];
  const cutter = new FrameCutter(
    (buffer, start, end) => frames.push(Buffer.from(buffer.subarray(start, end))),
    (length) => overflows.push(length),
  );
  return { cutter, frames, overflows };
}

describe('frame headers', () => {
  it('have their fields where the protocol says', () => {
    const header = Buffer.alloc(HEADER_BYTES + 3);
    writeHeader(header, 3, 0x01020304, 0x0506, 0x0708, 0x090a0b0c, 0xfffefdfc);
    expect(header.subarray(3).toString('hex')).toBe('0403020106050807' + '0c0b0a09fcfdfeff');
    expect([OFFSET_LENGTH, OFFSET_TYPE, OFFSET_FLAGS, OFFSET_ID, OFFSET_HANDLE]).toEqual([0, 4, 6, 8, 12]);
    expect(emptyFrame(0x8000, 11, 7, 9).toString('hex')).toBe('0000000000800b000700000009000000');
  });
});

describe('FrameCutter', () => {
  it('finds the same frames however the stream is chunked', () => {
    const random = new Random();
    for (let round = 0; round < 60; round++) {
      const what = `seed ${random.seed} round ${round}`;
      const sent = Array.from({ length: 1 + random.below(30) }, (_, index) =>
        frame(random.bytes(random.pick([0, 1, 15, 16, 17, 300, 5000, 40_000])), index + 1),
      );
      const stream = Buffer.concat(sent);
      const { cutter, frames, overflows } = collector();
      const largest = random.pick([1, 7, 16, 100, 4096, 65_536, stream.length]);
      // One buffer for all chunks, as the kernel has it, so that a frame kept too long would be overwritten.
      const buffer = Buffer.alloc(largest + 5);
      for (let at = 0; at < stream.length; ) {
        const count = Math.min(1 + random.below(largest), stream.length - at);
        const start = random.below(5);
        stream.copy(buffer, start, at, at + count);
        cutter.feed(buffer, start, start + count);
        at += count;
      }
      expect(frames.length, what).toBe(sent.length);
      expect(Buffer.concat(frames).equals(stream), what).toBe(true);
      expect([cutter.pending, overflows], what).toEqual([0, []]);
    }
  });

  it('takes the longest body, in pieces, and refuses a longer one as soon as its header is there', () => {
    const { cutter, frames, overflows } = collector();
    const longest = frame(Buffer.alloc(MAX_FRAME_BYTES, 7));
    for (let at = 0; at < longest.length; at += 100_000)
      cutter.feed(longest, at, Math.min(at + 100_000, longest.length));
    expect(frames.map(({ length }) => length)).toEqual([longest.length]);
    const header = Buffer.alloc(HEADER_BYTES);
    writeHeader(header, 0, MAX_FRAME_BYTES + 1, 1, 0, 1, 0);
    cutter.feed(header, 0, HEADER_BYTES - 1);
    expect([overflows, cutter.pending]).toEqual([[], HEADER_BYTES - 1]);
    cutter.feed(header, HEADER_BYTES - 1, HEADER_BYTES);
    expect(overflows).toEqual([MAX_FRAME_BYTES + 1]);
    cutter.feed(frame(Buffer.alloc(3)), 0, HEADER_BYTES + 3);
    expect([frames.length, overflows.length, cutter.pending], 'nothing after a lost stream').toEqual([1, 1, 0]);
  });

  it('hands on what came before an over-long frame in the same chunk', () => {
    const { cutter, frames, overflows } = collector();
    const bad = Buffer.alloc(HEADER_BYTES, 0xff);
    const stream = Buffer.concat([frame(Buffer.from('abc')), bad, frame(Buffer.from('def'))]);
    cutter.feed(stream, 0, stream.length);
    expect([frames.length, overflows]).toEqual([1, [0xffffffff]]);
  });

  it('keeps half a frame for as long as it takes, and no more memory than the frame needs', () => {
    const { cutter, frames } = collector();
    const whole = frame(Buffer.alloc(100_000, 1));
    for (let at = 0; at < 50_000; at += 1000) cutter.feed(whole, at, at + 1000);
    expect([frames.length, cutter.pending]).toEqual([0, 50_000]);
    cutter.feed(whole, 50_000, whole.length);
    expect([frames.length, cutter.pending]).toEqual([1, 0]);
  });

  it('drops everything after close, also when it is closed by what it hands on', () => {
    const frames: number[] = [];
    const cutter = new FrameCutter(
      (buffer, start) => {
        frames.push(buffer.readUInt32LE(start + OFFSET_ID));
        cutter.close();
      },
      () => {},
    );
    const stream = Buffer.concat([frame(Buffer.alloc(4), 1), frame(Buffer.alloc(4), 2)]);
    cutter.feed(stream, 0, stream.length);
    cutter.feed(stream, 0, 10);
    expect([frames, cutter.pending]).toEqual([[1], 0]);
  });
});
