/**
 * Requests that have been carried out and may not have been answered (docs/vrfs.md, "Exactly once"): the newest 64,
 * with what each was answered. They travel in the journal, in the record of the operations they stand for and in every
 * header.
 */
import { SystemError } from '../../protocol/errno.ts';
import type { RequestNumber, RequestResult } from '../file-system.ts';
import { readU53, writeU53 } from './metadata.ts';

/** Requests that are remembered. */
export const MAX_NOTES = 64;

/** Numbers in a result at most. */
export const MAX_RESULT = 4;

const FIXED_BYTES = 20;

/** Bytes that all notes take at most. */
export const MAX_NOTES_BYTES: number = MAX_NOTES * (FIXED_BYTES + 8 * MAX_RESULT);

/** See the head of this file. */
export class Notes {
  /** By sender and sequence number, the oldest first. */
  private readonly results = new Map<string, readonly [RequestNumber, RequestResult]>();

  get size(): number {
    return this.results.size;
  }

  /** EINVAL: the result has more than MAX_RESULT numbers. */
  add(request: RequestNumber, result: RequestResult): void {
    if (result.length > MAX_RESULT)
      throw new SystemError('EINVAL', `the result of a request has at most ${MAX_RESULT} numbers`);
    const key = `${request.sender}:${request.sequence}`;
    this.results.delete(key);
    this.results.set(key, [request, [...result]]);
    const [oldest] = this.results.keys();
    if (this.results.size > MAX_NOTES && oldest !== undefined) this.results.delete(oldest);
  }

  addAll(others: Notes): void {
    for (const [request, result] of others.results.values()) this.add(request, result);
  }

  get(request: RequestNumber): RequestResult | undefined {
    return this.results.get(`${request.sender}:${request.sequence}`)?.[1];
  }

  clear(): void {
    this.results.clear();
  }

  get bytes(): number {
    let bytes = 0;
    for (const [, result] of this.results.values()) bytes += FIXED_BYTES + 8 * result.length;
    return bytes;
  }

  /** Writes them from `at` on; answers the place behind them. */
  write(bytes: Buffer, at: number): number {
    let place = at;
    for (const [{ sender, sequence }, result] of this.results.values()) {
      writeU53(bytes, place, sender);
      writeU53(bytes, place + 8, sequence);
      bytes.writeUInt32LE(result.length, place + 16);
      place += FIXED_BYTES;
      for (const value of result) place = bytes.writeDoubleLE(value, place);
    }
    return place;
  }

  /** Reads `count` of them; undefined: they are no notes. */
  static read(bytes: Buffer, at: number, count: number): { notes: Notes; end: number } | undefined {
    const notes = new Notes();
    let place = at;
    for (let index = 0; index < count; index++) {
      if (place + FIXED_BYTES > bytes.length) return undefined;
      const request = { sender: readU53(bytes, place), sequence: readU53(bytes, place + 8) };
      const length = bytes.readUInt32LE(place + 16);
      place += FIXED_BYTES;
      if (!Number.isSafeInteger(request.sender) || !Number.isSafeInteger(request.sequence)) return undefined;
      if (length > MAX_RESULT || place + 8 * length > bytes.length) return undefined;
      const start = place;
      notes.add(
        request,
        Array.from({ length }, (_, number) => bytes.readDoubleLE(start + 8 * number)),
      );
      place += 8 * length;
    }
    return { notes, end: place };
  }
}
