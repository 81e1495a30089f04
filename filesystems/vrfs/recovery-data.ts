/**
 * Whether the data that records of the journal speak of is on the disk. It is read in large pieces, each once: the
 * records themselves name it block by block.
 */
import { SystemError } from '../../protocol/errno.ts';
import type { BlockDevice } from '../block-device.ts';
import { crc32c } from '../crc32c.ts';
import type { Geometry } from './geometry.ts';
import type { JournalRecord } from './journal-record.ts';
import { BLOCK_BYTES, readBlocks } from './metadata.ts';

/** Blocks read at a time at most. */
const PIECE_BLOCKS = 160;

/** Neighbouring blocks; their checks, once they have been read. */
interface Piece {
  readonly start: number;
  count: number;
  checks: readonly number[] | null;
}

/** The data of some records. */
export class RecoveryData {
  private readonly device: BlockDevice;
  private readonly geometry: Geometry;
  /** In the order of their blocks. */
  private readonly pieces: Piece[] = [];

  constructor(device: BlockDevice, geometry: Geometry, records: readonly JournalRecord[]) {
    this.device = device;
    this.geometry = geometry;
    const blocks = records.flatMap(({ extents }) =>
      extents
        .filter((extent) => this.isInside(extent))
        .flatMap(({ start, checks }) => checks.map((_, at) => start + at)),
    );
    for (const block of blocks.sort((a, b) => a - b)) {
      const last = this.pieces.at(-1);
      if (last !== undefined && block < last.start + last.count) continue;
      if (last !== undefined && block === last.start + last.count && last.count < PIECE_BLOCKS) last.count++;
      else this.pieces.push({ start: block, count: 1, checks: null });
    }
  }

  private isInside({ start, checks }: JournalRecord['extents'][number]): boolean {
    return start >= this.geometry.dataStart && start + checks.length <= this.geometry.dataEnd;
  }

  /** Whether all data of one of the records is there. Throws SystemError EIO. */
  holds({ extents }: JournalRecord): boolean {
    return extents.every(
      (extent) =>
        this.isInside(extent) && extent.checks.every((check, at) => this.checkOf(extent.start + at) === check),
    );
  }

  private checkOf(block: number): number {
    const piece = this.pieceOf(block);
    piece.checks ??= this.read(piece);
    return piece.checks?.[block - piece.start] ?? this.readOne(block);
  }

  /** The piece with a block, which is in one. */
  private pieceOf(block: number): Piece {
    let [low, high] = [0, this.pieces.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.pieces[middle]?.start ?? 0) <= block) low = middle;
      else high = middle - 1;
    }
    const found = this.pieces[low];
    if (found === undefined) throw new Error(`block ${block} is in no piece`);
    return found;
  }

  /** null: it cannot be read as a whole. */
  private read({ start, count }: Piece): number[] | null {
    try {
      const bytes = readBlocks(this.device, start, count);
      return Array.from({ length: count }, (_, at) => crc32c(bytes, at * BLOCK_BYTES, (at + 1) * BLOCK_BYTES));
    } catch (error) {
      if (error instanceof SystemError) return null;
      throw error;
    }
  }

  private readOne(block: number): number {
    return crc32c(readBlocks(this.device, block, 1), 0, BLOCK_BYTES);
  }
}
