/**
 * msgpack in and out. Encoding leaves room in front of the value for the frame header and the envelope, so that a
 * message is built in one buffer; decoding checks the bytes first (protocol/msgpack-check.ts). msgpackr is used in its
 * pure JavaScript form: its add-on costs each process 15 ms and four threads at start.
 */
import { Packr } from 'msgpackr/pack';
import { Unpackr } from 'msgpackr/unpack';
import { HEADER_BYTES } from './bounds.ts';
import { copyBytes } from './bytes.ts';
import { SystemError } from './errno.ts';
import { writeHeader } from './frame.ts';
import { ENVELOPE_AT, ENVELOPE_BYTES, writeEnvelope } from './message.ts';
import { checkMsgpack } from './msgpack-check.ts';

/** msgpackr's encode option: the low byte says how many bytes to leave free in front of the value. */
const RESERVE_START_SPACE = 2048;
/** msgpackr's encode option: the next value takes the place of this one. */
const RESET_BUFFER_MODE = 1024;

const packr = new Packr({ useRecords: false, variableMapSize: true, encodeUndefinedAsNil: true });
const unpackrOptions = { useRecords: false, mapsAsObjects: true, int64AsType: 'number' } as const;
const unpackr = new Unpackr({ ...unpackrOptions, copyBuffers: true });
const unpackrInPlace = new Unpackr({ ...unpackrOptions, copyBuffers: false });

/**
 * msgpack of a value, with `reserved` (at most 255) free bytes in front. The bytes are valid until the next value is
 * encoded.
 */
export function encodeAfter(reserved: number, value: unknown): Buffer {
  return packr.encode(value, RESET_BUFFER_MODE + RESERVE_START_SPACE + reserved);
}

/** A whole frame with one value as its body; valid until the next value is encoded. */
export function encodeFrame(type: number, flags: number, id: number, handle: number, value: unknown): Buffer {
  const frame = encodeAfter(HEADER_BYTES, value);
  writeHeader(frame, 0, frame.length - HEADER_BYTES, type, flags, id, handle);
  return frame;
}

/** What a message is sent with, besides its data. */
export interface MessageHead {
  readonly interface: number;
  readonly method: number;
  readonly timeoutMilliseconds: number;
  readonly port: number;
  readonly rights: readonly number[];
}

/** A whole frame that carries a message (protocol/message.ts); valid until the next value is encoded. */
export function encodeMessage(
  type: number,
  flags: number,
  id: number,
  handle: number,
  head: MessageHead,
  data: unknown,
): Buffer {
  const frame = encodeAfter(ENVELOPE_AT + ENVELOPE_BYTES + 4 * head.rights.length, data);
  writeHeader(frame, 0, frame.length - HEADER_BYTES, type, flags, id, handle);
  writeEnvelope(frame, 0, head.interface, head.method, head.timeoutMilliseconds, head.port, head.rights);
  return frame;
}

/**
 * Decodes the bytes `start` to `end` as one msgpack value. Byte strings in the result are copies. Throws SystemError
 * EBADMSG when the bytes are not well formed or nested too deep.
 */
export function decode(buffer: Buffer, start: number, end: number): unknown {
  const head = byteStringHead(buffer[start]);
  if (head === 0) return decodeWith(unpackr, buffer, start, end);
  check(buffer, start, end);
  return copyOf(buffer, start + head, end);
}

/** The same, but byte strings in the result are part of `buffer`: for values that are used before it changes. */
export function decodeInPlace(buffer: Buffer, start: number, end: number): unknown {
  return decodeWith(unpackrInPlace, buffer, start, end);
}

function check(buffer: Buffer, start: number, end: number): void {
  const wrong = checkMsgpack(buffer, start, end);
  if (wrong !== null) throw new SystemError('EBADMSG', `msgpack: ${wrong}`);
}

function decodeWith(decoder: Unpackr, buffer: Buffer, start: number, end: number): unknown {
  check(buffer, start, end);
  try {
    return decoder.unpack(buffer, { start, end });
  } catch (error) {
    // Well formed, but not to be had as a value: a map whose keys are arrays, for example.
    throw new SystemError('EBADMSG', `msgpack: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/**
 * Bytes in front of the content when a value is a byte string (bin 8, 16, 32), else 0: most large messages are one, and
 * need no decoder.
 */
function byteStringHead(mark: number | undefined): number {
  if (mark === 0xc4) return 2;
  if (mark === 0xc5) return 3;
  return mark === 0xc6 ? 5 : 0;
}

/** A copy, made without clearing the memory first. */
function copyOf(buffer: Buffer, start: number, end: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(end - start);
  copyBytes(buffer, copy, 0, start, end);
  return copy;
}
