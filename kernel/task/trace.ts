/**
 * The last frames of a task, kept cheaply on the hot path (numbers into a ring) and put into words only for a crash
 * record.
 */
import { HEADER_BYTES } from '../../protocol/bounds.ts';
import { readUint16, readUint32 } from '../../protocol/bytes.ts';
import { errorName } from '../../protocol/errno.ts';
import { OFFSET_FLAGS, OFFSET_HANDLE, OFFSET_ID, OFFSET_TYPE, RESULT } from '../../protocol/frame.ts';
import { methodName } from '../../protocol/interfaces.ts';
import { ENVELOPE_AT, ENVELOPE_INTERFACE, ENVELOPE_METHOD } from '../../protocol/message.ts';
import { systemCallName } from '../../protocol/syscall.ts';

/** Frames kept. */
const FRAMES = 32;
/** Numbers per frame: type, flags, id, handle, body bytes, interface × 65536 + method. */
const FIELDS = 6;

/** Ring of the last frames in both directions. */
export class FrameTrace {
  private readonly numbers = new Uint32Array(FRAMES * FIELDS);
  private readonly times = new Float64Array(FRAMES);
  private count = 0;

  /** Notes a frame; `now` is the uptime in milliseconds. */
  note(buffer: Buffer, start: number, end: number, now: number): void {
    const slot = this.count++ % FRAMES;
    const at = slot * FIELDS;
    this.times[slot] = now;
    this.numbers[at] = readUint16(buffer, start + OFFSET_TYPE);
    this.numbers[at + 1] = readUint16(buffer, start + OFFSET_FLAGS);
    this.numbers[at + 2] = readUint32(buffer, start + OFFSET_ID);
    this.numbers[at + 3] = readUint32(buffer, start + OFFSET_HANDLE);
    this.numbers[at + 4] = end - start - HEADER_BYTES;
    const envelope = start + ENVELOPE_AT;
    this.numbers[at + 5] =
      end - envelope >= 20 && buffer[start + HEADER_BYTES + 1] === 0xc4
        ? readUint16(buffer, envelope + ENVELOPE_INTERFACE) * 0x10000 + readUint16(buffer, envelope + ENVELOPE_METHOD)
        : 0;
  }

  /** The frames in words, oldest first. */
  describe(): string[] {
    const first = Math.max(0, this.count - FRAMES);
    const lines: string[] = [];
    for (let index = first; index < this.count; index++) lines.push(this.line(index % FRAMES));
    return lines;
  }

  private line(slot: number): string {
    const [type = 0, flags = 0, id = 0, handle = 0, bytes = 0, method = 0] = this.numbers.subarray(
      slot * FIELDS,
      slot * FIELDS + FIELDS,
    );
    const time = `${((this.times[slot] ?? 0) / 1000).toFixed(6)} s`;
    const message = method === 0 ? '' : ` ${methodName(method >>> 16, method & 0xffff)}`;
    const size = bytes === 0 ? '' : ` ${bytes} bytes`;
    const number = handle === 0 ? '' : ` handle 0x${handle.toString(16)}`;
    if (type === RESULT) {
      const status = flags === 0 ? 'ok' : errorName(flags);
      return `${time} <- result of ${id}: ${status}${message}${number}${size}`;
    }
    const status = flags === 0 ? '' : ` ${errorName(flags)}`;
    return `${time} -> ${id === 0 ? 'posted' : id} ${systemCallName(type) ?? `call ${type}`}${status}${message}${number}${size}`;
  }
}
