/** The envelope of messages: where its fields are, and what is no message. */
import { describe, expect, it } from 'vitest';
import { HEADER_BYTES, MAX_FRAME_BYTES, MAX_MSGPACK_DEPTH, MAX_RIGHTS } from '../../../protocol/bounds.ts';
import { decode, encodeFrame, encodeMessage } from '../../../protocol/codec.ts';
import { SystemError } from '../../../protocol/errno.ts';
import {
  dataOffset,
  ENVELOPE_AT,
  ENVELOPE_BYTES,
  ENVELOPE_TIMEOUT,
  MAX_DATA_BYTES,
  MIN_MESSAGE_BYTES,
  messageRights,
} from '../../../protocol/message.ts';
import { Random } from '../../support/random.ts';

const head = { interface: 0x0102, method: 0x0304, timeoutMilliseconds: 0x05060708, port: 0x090a0b0c, rights: [] };

describe('messages', () => {
  it('are msgpack that any library reads', () => {
    const frame = encodeMessage(0x27, 0, 1, 2, { ...head, rights: [0x11223344, 5] }, ['data', null]);
    expect(frame.readUInt32LE(0)).toBe(frame.length - HEADER_BYTES);
    const [envelope, data] = decode(frame, HEADER_BYTES, frame.length) as [Buffer, unknown];
    const fields = ['00000000'.repeat(4), '0201', '0403', '08070605', '0c0b0a09', '00000000'].join('');
    expect(Buffer.from(envelope).toString('hex')).toBe(`${fields}4433221105000000`);
    expect(data).toEqual(['data', null]);
    expect(messageRights(frame, 0, frame.length)).toBe(2);
    expect(decode(frame, dataOffset(0, 2), frame.length)).toEqual(['data', null]);
  });

  it('carry up to eight rights and data up to the bound', () => {
    const rights = Array.from({ length: MAX_RIGHTS }, (_, index) => index + 1);
    const bytes = MAX_DATA_BYTES - 5;
    const frame = encodeMessage(0x24, 0, 1, 2, { ...head, rights }, Buffer.alloc(bytes));
    expect(frame.length).toBe(HEADER_BYTES + MAX_FRAME_BYTES);
    expect(messageRights(frame, 0, frame.length)).toBe(MAX_RIGHTS);
    const nine = encodeMessage(0x24, 0, 1, 2, { ...head, rights: [...rights, 9] }, null);
    expect(messageRights(nine, 0, nine.length)).toBe(-1);
  });

  it('take a time limit in whole milliseconds, whatever is left of a fraction', () => {
    const frame = encodeMessage(1, 0, 1, 1, { ...head, timeoutMilliseconds: 20.75 }, null);
    expect(frame.readUInt32LE(ENVELOPE_AT + ENVELOPE_TIMEOUT)).toBe(20);
  });

  it('are refused when anything about the envelope is wrong', () => {
    const good = encodeMessage(0x24, 0, 1, 2, { ...head, rights: [1] }, null);
    expect(messageRights(good, 0, good.length)).toBe(1);
    const change = (at: number, value: number): number => {
      const frame = Buffer.from(good);
      frame[at] = value;
      return messageRights(frame, 0, frame.length);
    };
    expect(change(HEADER_BYTES, 0x93), 'array of three').toBe(-1);
    expect(change(HEADER_BYTES + 1, 0xc5), 'bin 16').toBe(-1);
    for (const length of [0, 31, 33, 34, 35, 37, 68, 255]) {
      expect(change(HEADER_BYTES + 2, length), `envelope of ${length} bytes`).toBe(-1);
    }
    expect(change(HEADER_BYTES + 2, ENVELOPE_BYTES), 'without rights').toBe(0);
    for (let end = HEADER_BYTES; end < good.length; end++) {
      expect(messageRights(good, 0, end), `cut at ${end}`).toBe(-1);
    }
    const empty = encodeFrame(0x24, 0, 1, 2, [Buffer.alloc(ENVELOPE_BYTES)]);
    expect(messageRights(empty, 0, empty.length), 'no data').toBe(-1);
    expect(MIN_MESSAGE_BYTES).toBe(ENVELOPE_AT + ENVELOPE_BYTES + 1);
  });

  it('are judged without an exception, whatever the bytes', () => {
    const random = new Random();
    const good = encodeMessage(0x24, 0, 1, 2, { ...head, rights: [1, 2, 3] }, { a: [1, 2, 3] });
    for (let round = 0; round < 20_000; round++) {
      const frame = random.below(2) === 0 ? random.bytes(HEADER_BYTES + random.below(120)) : Buffer.from(good);
      for (let changes = random.below(4); changes > 0; changes--) frame[random.below(frame.length)] = random.below(256);
      const rights = messageRights(frame, 0, frame.length);
      const what = `seed ${random.seed} round ${round}`;
      expect(Number.isInteger(rights) && rights >= -1 && rights <= MAX_RIGHTS, what).toBe(true);
      if (rights >= 0) expect(dataOffset(0, rights), what).toBeLessThan(frame.length);
    }
  });
});

describe('codec', () => {
  const nested = (depth: number): unknown => {
    let value: unknown = 1;
    for (let level = 0; level < depth; level++) value = [value];
    return value;
  };

  it('decodes to the bound of nesting and no further', () => {
    for (const [depth, fits] of [
      [MAX_MSGPACK_DEPTH, true],
      [MAX_MSGPACK_DEPTH + 1, false],
    ] as const) {
      const frame = encodeFrame(1, 0, 1, 0, nested(depth));
      const read = () => decode(frame, HEADER_BYTES, frame.length);
      if (fits) expect(read()).toEqual(nested(depth));
      else expect(read).toThrow(/EBADMSG.*nested too deep/);
    }
  });

  it('copies byte strings, so that a buffer can be used again', () => {
    const frame = encodeFrame(1, 0, 1, 0, [Buffer.from('abc')]);
    const [bytes] = decode(frame, HEADER_BYTES, frame.length) as [Uint8Array];
    frame.fill(0);
    expect(Buffer.from(bytes).toString()).toBe('abc');
  });

  it('sends undefined as nil, since there is no undefined in msgpack', () => {
    const frame = encodeFrame(1, 0, 1, 0, { a: undefined, b: [undefined] });
    expect(decode(frame, HEADER_BYTES, frame.length)).toEqual({ a: null, b: [null] });
  });

  it('does not let a map touch the prototype of objects', () => {
    const body = Buffer.concat([
      Buffer.from([0x81, 0xa9]),
      Buffer.from('__proto__'),
      Buffer.from([0x81, 0xa1, 0x78, 1]),
    ]);
    const value = decode(body, 0, body.length) as Record<string, unknown>;
    expect(({} as Record<string, unknown>).x).toBeUndefined();
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
  });

  it('answers malformed bytes with EBADMSG', () => {
    expect(() => decode(Buffer.from([0xc1]), 0, 1)).toThrow(SystemError);
    expect(() => decode(Buffer.alloc(0), 0, 0)).toThrow(/cut short/);
  });

  it('answers maps whose keys are no names with EBADMSG, and decodes the next value', () => {
    for (const key of [[0x90], [0x80], [0x91, 0x01], [0xc4, 0x01, 0x00]]) {
      const body = Buffer.from([0x81, ...key, 0x01]);
      let outcome = 'decoded';
      try {
        decode(body, 0, body.length);
      } catch (error) {
        outcome = error instanceof SystemError ? error.code : String(error);
      }
      expect(['decoded', 'EBADMSG'], body.toString('hex')).toContain(outcome);
      expect(decode(Buffer.from([0x92, 0x01, 0x02]), 0, 3)).toEqual([1, 2]);
    }
    expect(() => decode(Buffer.from([0x81, 0x90, 0x01]), 0, 3)).toThrow(/EBADMSG/);
  });
});
