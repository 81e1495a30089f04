/**
 * The service's end of its pipe: writes a frame to descriptor 4, blocks until the result with its id comes from
 * descriptor 3. Frame format: protocol/frame.ts.
 *
 * A frame that nobody waits for goes out with the next one, in one write: each write wakes the kernel, which costs more
 * than all the rest. So before this task waits or ends, everything has gone out, in the order it was written.
 */
import fs from 'node:fs';
import process from 'node:process';
import { HEADER_BYTES, MAX_FRAME_BYTES } from '../../protocol/bounds.ts';
import { copyBytes, readUint16, readUint32 } from '../../protocol/bytes.ts';
import { SystemError } from '../../protocol/errno.ts';
import { OFFSET_FLAGS, OFFSET_HANDLE, OFFSET_ID } from '../../protocol/frame.ts';

const NOTHING = 0;
const FROM_KERNEL = 3;
const TO_KERNEL = 4;
const READ_BYTES = 256 * 1024;
const POSTED_BYTES = 64 * 1024;

/**
 * What carries bytes to the kernel and back. Both answer how many bytes they have moved; a read of 0: the kernel is
 * gone.
 */
export interface Wire {
  write(bytes: Buffer, at: number, length: number): number;
  read(target: Buffer, at: number, length: number): number;
}

/** The engine looks functions of a module with many up at every call. */
const { readSync, writeSync } = fs;

/** What is played in the place of the kernel (services/lib/rehearsal.ts); null: this is no rehearsal. */
let played: Wire | null = null;

/*
 * In a rehearsal the host is asked too, for nothing: so that the engine gets to know this way as well, and finds
 * nothing new in it afterwards. A write of no bytes is none, and descriptor 0 is always at its end.
 */
function write(bytes: Buffer, at: number, length: number): number {
  const count = writeSync(TO_KERNEL, bytes, at, played === null ? length : 0);
  return played === null ? count : played.write(bytes, at, length);
}

function read(target: Buffer, at: number, length: number): number {
  const count = readSync(played === null ? FROM_KERNEL : NOTHING, target, at, length, null);
  return played === null ? count : played.read(target, at, length);
}

/** Puts something else in the place of the kernel while `work` is done. */
export function withWire<T>(other: Wire, work: () => T): T {
  played = other;
  try {
    return work();
  } finally {
    played = null;
    first = 0;
    filled = 0;
    posted = 0;
    early.clear();
  }
}

/** A result as it lies in the pipe's buffer; valid until the next read. */
export interface RawResult {
  errno: number;
  handle: number;
  buffer: Buffer;
  /** Start of the frame's header. */
  start: number;
  /** End of the frame's body. */
  end: number;
}

let input = Buffer.allocUnsafeSlow(READ_BYTES);
let first = 0;
let filled = 0;
const output = Buffer.allocUnsafeSlow(POSTED_BYTES);
let posted = 0;
let lastId = 0;
const current: RawResult = { errno: 0, handle: 0, buffer: input, start: 0, end: 0 };
/** Results of other calls that came while one was waited for. */
const early = new Map<number, Buffer>();

process.on('exit', () => flushFrames());

/** The kernel is gone: nothing is left to do. */
function endOfPipe(): never {
  posted = 0;
  process.exit(0);
}

/** A fresh call id; 0 is kept for posted calls. */
export function nextId(): number {
  lastId = lastId === 0xffffffff ? 1 : lastId + 1;
  return lastId;
}

/** Writes a whole frame, now. EMSGSIZE: it is over the bound, and would end this task. */
export function writeFrame(frame: Buffer): void {
  postFrame(frame);
  flushFrames();
}

/** Writes a whole frame that goes out with the next one. EMSGSIZE as above. */
export function postFrame(frame: Buffer): void {
  if (frame.length > HEADER_BYTES + MAX_FRAME_BYTES) {
    throw new SystemError('EMSGSIZE', `a message has at most ${MAX_FRAME_BYTES} bytes, this has ${frame.length}`);
  }
  if (frame.length > output.length - posted) flushFrames();
  if (frame.length > output.length) {
    writeAll(frame, frame.length);
    return;
  }
  posted += copyBytes(frame, output, posted, 0, frame.length);
}

/** Sends what has been posted. */
export function flushFrames(): void {
  const length = posted;
  posted = 0;
  writeAll(output, length);
}

function writeAll(bytes: Buffer, length: number): void {
  let at = 0;
  while (at < length) {
    try {
      at += write(bytes, at, length - at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EPIPE') endOfPipe();
      throw error;
    }
  }
}

function fill(wanted: number): void {
  if (first + wanted > input.length) {
    const target = wanted > input.length ? Buffer.allocUnsafeSlow(HEADER_BYTES + MAX_FRAME_BYTES) : input;
    input.copy(target, 0, first, filled);
    input = target;
    filled -= first;
    first = 0;
  }
  while (filled - first < wanted) {
    const count = read(input, filled, input.length - filled);
    if (count === 0) endOfPipe();
    filled += count;
  }
}

/** Blocks until the result of call `id` is there. The answer is reused by the next call of this function. */
export function readResult(id: number): RawResult {
  const waiting = takeResult(id);
  if (waiting !== undefined) return waiting;
  flushFrames();
  for (;;) {
    if (first === filled) {
      first = 0;
      filled = 0;
    }
    fill(HEADER_BYTES);
    const size = HEADER_BYTES + readUint32(input, first);
    fill(size);
    const start = first;
    first += size;
    const arrived = readUint32(input, start + OFFSET_ID);
    if (arrived === id) return describe(input, start, start + size);
    // A frame without an id only wakes this task, so that a debugger is heard.
    if (arrived !== 0) early.set(arrived, Buffer.from(input.subarray(start, start + size)));
  }
}

/** The result of call `id` if it came while another one was waited for; never blocks. Can be taken once. */
export function takeResult(id: number): RawResult | undefined {
  const waiting = early.get(id);
  if (waiting === undefined) return undefined;
  early.delete(id);
  return describe(waiting, 0, waiting.length);
}

function describe(buffer: Buffer, start: number, end: number): RawResult {
  current.errno = readUint16(buffer, start + OFFSET_FLAGS);
  current.handle = readUint32(buffer, start + OFFSET_HANDLE);
  current.buffer = buffer;
  current.start = start;
  current.end = end;
  return current;
}
