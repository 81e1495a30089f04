/**
 * A bounded cache of blocks with transactions, shared by the formats. Look-up, insertion and eviction take constant
 * time: a map finds a block, a linked list keeps the order of last use.
 *
 * A block is clean (equal to the disk, and may be evicted) or pinned: changed since it was written back last.
 * `operation` runs one operation of a file system; if it throws, every block it changed, and everything it told `undo`
 * about, is as before. `changed` lists what operations have changed since `taken`, for whoever makes it permanent: a
 * journal, or a log in the recovery store.
 *
 * A block that was read with a check is remembered with it: asked for with another check it is checked again, and what
 * was checked as one thing cannot be changed as another. So a damaged file system in which one block serves two
 * purposes is noticed.
 */
import { SystemError } from '../protocol/errno.ts';
import { type BlockDevice, SECTOR_BYTES } from './block-device.ts';

/** Checks a block; throws when it is damaged. */
export type Verify = (bytes: Buffer, block: number) => void;

/** A block in the cache; the clean ones are in a list from the least to the most recently used. */
interface Entry {
  readonly block: number;
  bytes: Buffer;
  verify: Verify | undefined;
  pinned: boolean;
  older: Entry | null;
  newer: Entry | null;
}

/** What a block was before it was changed; null: not in the cache. */
interface Before {
  readonly bytes: Buffer | null;
  readonly verify: Verify | undefined;
  pinned: boolean;
}

/** A block changed since `taken`. */
export interface ChangedBlock {
  readonly block: number;
  readonly bytes: Buffer;
  /** What it was when `taken` was called last, if it has not been written back since then. */
  readonly base: Buffer | null;
  readonly verify: Verify | undefined;
}

/** See the head of this file. */
export class BlockCache {
  readonly blockBytes: number;
  private readonly device: BlockDevice;
  private readonly capacity: number;
  private readonly sectorsPerBlock: number;
  private readonly entries = new Map<number, Entry>();
  private readonly pins = new Map<number, Entry>();
  /** Ends of the list of clean blocks. */
  private oldest: Entry | null = null;
  private newest: Entry | null = null;
  /** Blocks changed since `taken`. */
  private before = new Map<number, Before>();
  private undos: (() => void)[] = [];
  /** The same for the operation under way. */
  private operationBefore: Map<number, Before> | null = null;
  private operationUndos: (() => void)[] = [];

  /** `capacity`: clean blocks kept at most. How many are pinned is up to whoever writes them back. */
  constructor(device: BlockDevice, blockBytes: number, capacity: number) {
    this.device = device;
    this.blockBytes = blockBytes;
    this.capacity = Math.max(1, capacity);
    this.sectorsPerBlock = blockBytes / SECTOR_BYTES;
  }

  /** Blocks in the cache. */
  get size(): number {
    return this.entries.size;
  }

  /** Blocks that are changed and not written back, with their content. */
  get pinned(): ReadonlyMap<number, Buffer> {
    return new Map([...this.pins].map(([block, { bytes }]) => [block, bytes]));
  }

  /** Whether a block is changed and not written back. */
  isPinned(block: number): boolean {
    return this.pins.has(block);
  }

  /** Blocks changed since `taken`, but for those of an operation under way. */
  get changedCount(): number {
    return this.before.size;
  }

  /** Blocks that the operation under way has changed. */
  get operationCount(): number {
    return this.operationBefore?.size ?? 0;
  }

  /**
   * The content of a block, which must not be changed; it is valid until the next change. `verify` sees it when it
   * comes from the disk.
   */
  read(block: number, verify?: Verify): Buffer {
    return this.entry(block, verify).bytes;
  }

  private entry(block: number, verify: Verify | undefined): Entry {
    const known = this.entries.get(block);
    if (known !== undefined) {
      if (!known.pinned) this.touch(known);
      if (verify !== undefined && known.verify !== verify) {
        verify(known.bytes, block);
        known.verify = verify;
      }
      return known;
    }
    const read = this.device.read(block * this.sectorsPerBlock, this.sectorsPerBlock);
    const bytes = Buffer.from(read.buffer, read.byteOffset, read.byteLength);
    verify?.(bytes, block);
    return this.insert(block, bytes, verify);
  }

  /** The content of a block if it is here. */
  peek(block: number): Buffer | undefined {
    const entry = this.entries.get(block);
    if (entry === undefined) return undefined;
    if (!entry.pinned) this.touch(entry);
    return entry.bytes;
  }

  /**
   * Keeps content that has just been read from or written to the disk. The cache takes the buffer. A pinned block stays
   * as it is.
   */
  keep(block: number, bytes: Buffer): void {
    if (this.pins.has(block)) return;
    this.remove(block);
    this.insert(block, bytes, undefined);
  }

  /** Takes content that is newer than the disk's, outside of an operation: what a log says at mount. */
  pin(block: number, bytes: Buffer, verify?: Verify): void {
    this.remove(block);
    this.addPinned(block, bytes, verify);
  }

  /**
   * The content of a block, to be changed, within an operation. Throws SystemError EUCLEAN: it has been read as
   * something else.
   */
  change(block: number, verify?: Verify): Buffer {
    const changes = this.operationChanges;
    const entry = this.entry(block, verify);
    if (entry.verify !== verify) throw new SystemError('EUCLEAN', `block ${block} has two uses`);
    if (changes.has(block)) return entry.bytes;
    const { bytes, pinned } = entry;
    changes.set(block, { bytes, verify, pinned });
    entry.bytes = Buffer.from(bytes);
    if (!pinned) this.makePinned(entry);
    return entry.bytes;
  }

  /** A block of zeros in the place of whatever is on the disk, to be changed, within an operation. */
  zero(block: number, verify?: Verify): Buffer {
    const bytes = Buffer.alloc(this.blockBytes);
    this.replace(block, bytes, verify);
    return bytes;
  }

  /**
   * The content of a block whatever is on the disk, within an operation. The cache takes the buffer, which may still be
   * changed within this operation.
   */
  replace(block: number, bytes: Buffer, verify?: Verify): void {
    this.discard(block);
    this.addPinned(block, bytes, verify);
  }

  /** Drops a block whose content is of no use any more, within an operation. */
  discard(block: number): void {
    const changes = this.operationChanges;
    const entry = this.entries.get(block);
    if (!changes.has(block)) {
      const { bytes, verify, pinned } = entry ?? { bytes: null, verify: undefined, pinned: false };
      changes.set(block, { bytes, verify, pinned });
    }
    this.remove(block);
  }

  private get operationChanges(): Map<number, Before> {
    if (this.operationBefore === null) throw new Error('a block is changed outside of an operation');
    return this.operationBefore;
  }

  /**
   * Runs an operation: what it changes stays when it returns, and is taken back when it throws. One within another is
   * part of it.
   */
  operation<T>(work: () => T): T {
    if (this.operationBefore !== null) return work();
    const changes = new Map<number, Before>();
    this.operationBefore = changes;
    try {
      const result = work();
      for (const [block, before] of changes) if (!this.before.has(block)) this.before.set(block, before);
      this.undos.push(...this.operationUndos);
      return result;
    } catch (error) {
      this.takeBack(changes, this.operationUndos);
      throw error;
    } finally {
      this.operationBefore = null;
      this.operationUndos = [];
    }
  }

  /** Tells how to take back a change of something else than a block, should the operation or the transaction fail. */
  undo(action: () => void): void {
    this.operationUndos.push(action);
  }

  private takeBack(changes: ReadonlyMap<number, Before>, undos: (() => void)[]): void {
    for (const [block, { bytes, verify, pinned }] of changes) {
      this.remove(block);
      if (bytes === null) continue;
      if (pinned) this.addPinned(block, bytes, verify);
      else this.insert(block, bytes, verify);
    }
    for (const action of undos.reverse()) action();
  }

  /**
   * Blocks changed since `taken`, with their content, in the order of their first change. Those that were discarded are
   * left out.
   */
  changed(): [block: number, bytes: Buffer][] {
    return this.changes().map(({ block, bytes }) => [block, bytes]);
  }

  /** The same with all that is known of them. */
  changes(): ChangedBlock[] {
    const changed: ChangedBlock[] = [];
    for (const [block, before] of this.before) {
      const entry = this.pins.get(block);
      if (entry === undefined) continue;
      changed.push({ block, bytes: entry.bytes, base: before.pinned ? before.bytes : null, verify: entry.verify });
    }
    return changed;
  }

  /**
   * What a block changed since `taken` was before; null: it was not in the cache, and its content was of no interest
   * (`zero`).
   */
  original(block: number): Buffer | null {
    return this.before.get(block)?.bytes ?? null;
  }

  /** What has been changed is permanent now; it stays pinned until `written`. */
  taken(): void {
    this.before = new Map();
    this.undos = [];
  }

  /** Takes back everything since `taken`. */
  abandon(): void {
    this.takeBack(this.before, this.undos);
    this.taken();
  }

  /** Blocks that are not written back, as they were when `taken` was called last. */
  permanent(): [block: number, bytes: Buffer][] {
    const blocks: [number, Buffer][] = [];
    for (const [block, { bytes }] of this.pins) if (!this.before.has(block)) blocks.push([block, bytes]);
    for (const [block, { bytes, pinned }] of this.before) if (pinned && bytes !== null) blocks.push([block, bytes]);
    return blocks;
  }

  /** A block is on the disk as it was when `taken` was called last. */
  written(block: number): void {
    const before = this.before.get(block);
    if (before !== undefined) {
      before.pinned = false;
      return;
    }
    const entry = this.pins.get(block);
    if (entry === undefined) return;
    this.pins.delete(block);
    entry.pinned = false;
    this.link(entry);
    this.evict();
  }

  /** Drops a block that is of no use any more, pinned or not. Not to be called for one changed since `taken`. */
  forget(block: number): void {
    this.remove(block);
  }

  private insert(block: number, bytes: Buffer, verify: Verify | undefined): Entry {
    const entry: Entry = { block, bytes, verify, pinned: false, older: null, newer: null };
    this.entries.set(block, entry);
    this.link(entry);
    this.evict();
    return entry;
  }

  private addPinned(block: number, bytes: Buffer, verify: Verify | undefined): void {
    const entry: Entry = { block, bytes, verify, pinned: true, older: null, newer: null };
    this.entries.set(block, entry);
    this.pins.set(block, entry);
  }

  private makePinned(entry: Entry): void {
    this.unlink(entry);
    entry.pinned = true;
    this.pins.set(entry.block, entry);
  }

  private remove(block: number): void {
    const entry = this.entries.get(block);
    if (entry === undefined) return;
    this.entries.delete(block);
    if (entry.pinned) this.pins.delete(block);
    else this.unlink(entry);
  }

  private touch(entry: Entry): void {
    if (entry === this.newest) return;
    this.unlink(entry);
    this.link(entry);
  }

  private link(entry: Entry): void {
    entry.older = this.newest;
    entry.newer = null;
    if (this.newest === null) this.oldest = entry;
    else this.newest.newer = entry;
    this.newest = entry;
  }

  private unlink(entry: Entry): void {
    if (entry.older === null) this.oldest = entry.newer;
    else entry.older.newer = entry.newer;
    if (entry.newer === null) this.newest = entry.older;
    else entry.newer.older = entry.older;
    // One that is out of the list must not keep its neighbours, and what they once led to, in memory.
    entry.older = null;
    entry.newer = null;
  }

  private evict(): void {
    while (this.oldest !== null && this.entries.size - this.pins.size > this.capacity) {
      const { oldest } = this;
      this.unlink(oldest);
      this.entries.delete(oldest.block);
    }
  }
}
