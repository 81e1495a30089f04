/**
 * Checks a vector of port operations as it comes from a task (protocol/vector.ts), and makes a program of it for a run:
 * numbers one after the other, PACKED unpacked, byte strings in a list. The whole vector is checked before the first
 * access: a bad operation refuses it, a port outside the bitmap is a fault, and in both cases nothing reaches a device.
 */

import type { Width } from '../../hw/device.ts';
import {
  MAX_NAME_BYTES,
  MAX_POLL_MICROSECONDS,
  MAX_VECTOR_BYTES,
  MAX_VECTOR_OPERATIONS,
} from '../../protocol/bounds.ts';
import { readUint16, readUint32 } from '../../protocol/bytes.ts';
import { vectorOperation as op, PACKED_HEAD_BYTES, packedOperandBytes } from '../../protocol/vector.ts';

/** Where the results of a vector are to be kept, and how many bytes they take at most. */
export interface Keep {
  readonly key: string;
  readonly tag: number;
  readonly mostBytes: number;
}

/**
 * A checked vector. `code`: each operation is its number, its port or line, and the operands; of KEEP only its number.
 * For a byte string stands its index in `blocks`, where it begins there, how many bytes it has and how many accesses
 * with zero follow; for the vector of ON_INTERRUPT its index in `armed`.
 */
export interface VectorProgram {
  readonly code: readonly number[];
  readonly blocks: Buffer[];
  readonly armed: readonly VectorProgram[];
  readonly keep: Keep | null;
}

/** Numbers that an operation takes in a program. */
export const PROGRAM_WORDS: readonly number[] = [0, 2, 2, 2, 3, 3, 3, 3, 3, 3, 6, 6, 6, 5, 4, 2, 1, 3, 3, 0, 5, 2];

/** What the check found: a program; a malformed operation; or a port that is not allowed. */
export type VectorCheck =
  | { kind: 'ok'; program: VectorProgram }
  | { kind: 'invalid' }
  | { kind: 'fault'; port: number; width: Width };

/** Elements that an operation takes in a vector. */
const WORDS: readonly number[] = [0, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 5, 4, 2, 3, 3, 3, 3, 5, 2];

const INVALID: VectorCheck = { kind: 'invalid' };

/** Width of the accesses of an operation. */
export function widthOf(code: number): Width {
  if (code > op.WRITE_BLOCK32) return 1;
  const step = (code - 1) % 3;
  return step === 0 ? 1 : step === 1 ? 2 : 4;
}

const isNumber = (value: unknown, most: number): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most;

const isName = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && Buffer.byteLength(value) <= MAX_NAME_BYTES;

const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);

/**
 * Operations of a vector that is carried out when a line interrupts: none that waits, and none that changes the line.
 */
const isAtOnce = (code: number): boolean =>
  code < op.POLL8 || code === op.CHECK8 || code === op.KEEP || code === op.PACKED || code === op.ANSWER;

/** What a task may touch: I/O ports by its permission bitmap, and lines of its own. */
export interface Permissions {
  allows(port: number, width: number): boolean;
  owns(irq: number): boolean;
}

/** Checks every operation of a vector. */
export function checkVector(words: unknown, permissions: Permissions): VectorCheck {
  return new Checker(permissions, false).check(words);
}

/** Makes the byte strings of a program its own, so that it can be carried out later than at once. */
export function ownBlocks({ blocks, armed }: VectorProgram): void {
  for (const [index, block] of blocks.entries()) blocks[index] = Buffer.from(block);
  for (const inner of armed) ownBlocks(inner);
}

class Checker {
  private readonly permissions: Permissions;
  private readonly isArmed: boolean;
  private readonly code: number[] = [];
  private readonly blocks: Buffer[] = [];
  private readonly armed: VectorProgram[] = [];
  private keep: Keep | null = null;
  private operations = 0;
  private bytesRead = 0;
  private bytesWritten = 0;
  /** Why the vector is refused, as soon as that is known. */
  private refusal: VectorCheck | null = null;

  constructor(permissions: Permissions, isArmed: boolean) {
    this.permissions = permissions;
    this.isArmed = isArmed;
  }

  check(words: unknown): VectorCheck {
    if (!Array.isArray(words)) return INVALID;
    for (let at = 0; at < words.length; ) {
      const code: unknown = words[at];
      if (!isNumber(code, op.ANSWER) || code === 0 || (this.isArmed ? !isAtOnce(code) : code === op.ANSWER))
        return INVALID;
      const length = WORDS[code] ?? 0;
      if (length > words.length - at) return INVALID;
      if (!this.operation(code, words, at)) return this.refusal ?? INVALID;
      at += length;
    }
    // A number takes 9 bytes at most, a byte string 5 more than it holds.
    const mostBytes = this.bytesRead + 9 * (this.operations + 4);
    const { code, blocks, armed, keep } = this;
    return { kind: 'ok', program: { code, blocks, armed, keep: keep && { ...keep, mostBytes } } };
  }

  private operation(code: number, words: readonly unknown[], at: number): boolean {
    const first: unknown = words[at + 1];
    const second: unknown = words[at + 2];
    if (++this.operations > MAX_VECTOR_OPERATIONS) return false;
    if (code === op.PACKED) return this.packed(first, second);
    if (code === op.ANSWER) {
      if (at + 2 !== words.length || !isNumber(first, 0xffff_ffff)) return false;
      this.code.push(code, first);
      return true;
    }
    if (code >= op.WRITE_BLOCK8 && code <= op.WRITE_BLOCK32) return this.writeBlock(code, first, second);
    if (code <= op.CHECK8 || code === op.AWAIT8)
      return isNumber(first, 0xffff) && this.access(code, first, second, words[at + 3], words[at + 4]);
    if (code === op.KEEP) {
      if (at !== 0 || !isName(first) || !isNumber(second, Number.MAX_SAFE_INTEGER)) return false;
      this.keep = { key: first, tag: second, mostBytes: 0 };
      this.code.push(code);
      return true;
    }
    if (!isNumber(first, 15) || !this.permissions.owns(first)) return false;
    if (code === op.INTERRUPT) {
      if (!isNumber(second, MAX_POLL_MICROSECONDS)) return false;
      this.code.push(code, first, second);
    } else if (code === op.ON_INTERRUPT) {
      const inner = new Checker(this.permissions, true).check(second);
      if (inner.kind !== 'ok') {
        this.refusal = inner;
        return false;
      }
      this.code.push(code, first, this.armed.push(inner.program) - 1);
    } else this.code.push(code, first);
    return true;
  }

  private writeBlock(code: number, port: unknown, bytes: unknown): boolean {
    if (!isNumber(port, 0xffff) || !(bytes instanceof Uint8Array) || bytes.length % widthOf(code) !== 0) return false;
    const block = this.blocks.push(bufferOf(bytes)) - 1;
    return this.writes(code, port, block, 0, bytes.length, 0);
  }

  private writes(code: number, port: number, block: number, start: number, count: number, zeros: number): boolean {
    const width = widthOf(code);
    this.bytesWritten += count + zeros * width;
    if (this.bytesWritten > MAX_VECTOR_BYTES) return false;
    this.code.push(code, port, block, start, count, zeros);
    return this.allowed(port, width);
  }

  /** Everything but blocks that are written. */
  private access(code: number, port: number, second: unknown, third: unknown, fourth: unknown): boolean {
    const width = widthOf(code);
    if (code <= op.READ32) this.code.push(code, port);
    else if (code <= op.WRITE32) {
      if (!isNumber(second, 256 ** width - 1)) return false;
      this.code.push(code, port, second);
    } else if (code <= op.READ_BLOCK32) {
      if (!isNumber(second, MAX_VECTOR_BYTES)) return false;
      this.bytesRead += second * width;
      if (this.bytesRead > MAX_VECTOR_BYTES) return false;
      this.code.push(code, port, second);
    } else {
      if (!isNumber(second, 255) || !isNumber(third, 255)) return false;
      if (code === op.CHECK8) this.code.push(code, port, second, third);
      else {
        if (!isNumber(fourth, MAX_POLL_MICROSECONDS)) return false;
        this.code.push(code, port, second, third, fourth);
      }
    }
    return this.allowed(port, width);
  }

  private allowed(port: number, width: Width): boolean {
    if (this.permissions.allows(port, width)) return true;
    this.refusal = { kind: 'fault', port, width };
    return false;
  }

  private packed(packed: unknown, data: unknown): boolean {
    if (!(packed instanceof Uint8Array) || !(data instanceof Uint8Array)) return false;
    const bytes = bufferOf(packed);
    const block = this.blocks.push(bufferOf(data)) - 1;
    let taken = 0;
    for (let at = 0; at < bytes.length; ) {
      const code = bytes[at] ?? 0;
      const operandBytes = packedOperandBytes[code];
      const operands = at + PACKED_HEAD_BYTES;
      if (operandBytes === undefined || operands + operandBytes > bytes.length) return false;
      if ((this.isArmed && !isAtOnce(code)) || ++this.operations > MAX_VECTOR_OPERATIONS) return false;
      const port = readUint16(bytes, at + 1);
      if (code >= op.WRITE_BLOCK8 && code <= op.WRITE_BLOCK32) {
        const count = readUint32(bytes, operands);
        if (count > data.length - taken) return false;
        if (!this.writes(code, port, block, taken, count, readUint16(bytes, operands + 4))) return false;
        taken += count;
      } else if (code >= op.POLL8) {
        const time = code === op.CHECK8 ? 0 : readUint32(bytes, operands + 2);
        if (!this.access(code, port, bytes[operands], bytes[operands + 1], time)) return false;
      } else {
        const value = operandBytes === 0 ? 0 : bytes.readUIntLE(operands, operandBytes);
        if (!this.access(code, port, value, undefined, undefined)) return false;
      }
      at = operands + operandBytes;
    }
    return taken === data.length;
  }
}
