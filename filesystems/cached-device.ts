/**
 * A block device with a cache of bounded size in front of another one: writes go through at once, small reads are kept
 * in pieces with their surroundings and read ahead, large ones pass. So what is above need not care how small its
 * requests are, and always sees what it has written.
 */
import { SystemError } from '../protocol/errno.ts';
import { type BlockDevice, SECTOR_BYTES } from './block-device.ts';

/** Sectors of a piece (16 KiB). */
const PIECE_SECTORS = 32;

/** Pieces read at once when they follow the one read last. */
const PIECES_AHEAD = 4;

/** Reads of so many sectors pass: they are large enough as they are. */
const DIRECT_SECTORS = 128;

/** See the head of this file. */
export class CachedDevice implements BlockDevice {
  readonly sectors: number;
  readonly readOnly: boolean;
  private readonly device: BlockDevice;
  private readonly capacity: number;
  /** By number of the piece, in the order of last use. */
  private readonly pieces = new Map<number, Buffer>();
  private expected = -1;

  /** `capacity`: bytes kept at most. */
  constructor(device: BlockDevice, capacity: number) {
    this.device = device;
    this.sectors = device.sectors;
    this.readOnly = device.readOnly;
    this.capacity = Math.max(PIECES_AHEAD, Math.floor(capacity / (PIECE_SECTORS * SECTOR_BYTES)));
  }

  read(sector: number, count: number): Uint8Array {
    if (count >= DIRECT_SECTORS || count <= 0 || sector < 0 || sector + count > this.sectors)
      return this.device.read(sector, count);
    const result = Buffer.allocUnsafe(count * SECTOR_BYTES);
    for (let at = sector; at < sector + count; ) {
      const index = Math.floor(at / PIECE_SECTORS);
      const first = index * PIECE_SECTORS;
      const end = Math.min(sector + count, first + PIECE_SECTORS);
      const piece = this.piece(index);
      const target = (at - sector) * SECTOR_BYTES;
      // Not all of the piece can be read, but this part of it may be.
      if (piece === undefined) result.set(this.device.read(at, end - at), target);
      else piece.copy(result, target, (at - first) * SECTOR_BYTES, (end - first) * SECTOR_BYTES);
      at = end;
    }
    return result;
  }

  write(sector: number, data: Uint8Array): void {
    const end = sector + data.length / SECTOR_BYTES;
    const [from, to] = [Math.floor(sector / PIECE_SECTORS), Math.floor((end - 1) / PIECE_SECTORS)];
    try {
      this.device.write(sector, data);
    } catch (error) {
      for (let index = from; index <= to; index++) this.pieces.delete(index);
      throw error;
    }
    for (let index = from; index <= to; index++) {
      const first = index * PIECE_SECTORS;
      const [begin, stop] = [Math.max(sector, first), Math.min(end, first + PIECE_SECTORS)];
      const part = data.subarray((begin - sector) * SECTOR_BYTES, (stop - sector) * SECTOR_BYTES);
      this.pieces.get(index)?.set(part, (begin - first) * SECTOR_BYTES);
    }
  }

  flush(): void {
    this.device.flush();
  }

  /** A piece, read if need be; undefined: it cannot be read as a whole. */
  private piece(index: number): Buffer | undefined {
    const known = this.pieces.get(index);
    if (known !== undefined) {
      this.pieces.delete(index);
      this.pieces.set(index, known);
      return known;
    }
    const ahead = index === this.expected ? PIECES_AHEAD : 1;
    const first = index * PIECE_SECTORS;
    const count = Math.min(ahead * PIECE_SECTORS, this.sectors - first);
    let bytes: Uint8Array;
    try {
      bytes = this.device.read(first, count);
    } catch (error) {
      if (error instanceof SystemError) return undefined;
      throw error;
    }
    this.expected = index + ahead;
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const pieceBytes = PIECE_SECTORS * SECTOR_BYTES;
    // Backwards, so that the one that is wanted now goes last.
    for (let at = Math.ceil(count / PIECE_SECTORS) - 1; at >= 0; at--)
      this.keep(index + at, buffer.subarray(at * pieceBytes, (at + 1) * pieceBytes));
    return this.pieces.get(index);
  }

  private keep(index: number, bytes: Buffer): void {
    this.pieces.delete(index);
    this.pieces.set(index, bytes);
    if (this.pieces.size <= this.capacity) return;
    const [oldest] = this.pieces.keys();
    if (oldest !== undefined) this.pieces.delete(oldest);
  }
}
