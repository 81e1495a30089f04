/**
 * A bounded cache of blocks with transactions, shared by the formats. Look-up, insertion and eviction take constant time: a map keeps the order of last use.
 *
 * A block is clean (equal to the disk, and may be evicted) or pinned: changed since it was written back last. `operation` runs one operation of a file system; if
 * it throws, every block it changed, and everything it told `undo` about, is as before. `changed` lists what operations have changed since `taken`, for whoever
 * makes it permanent: a journal, or a log in the recovery store.
 */
import { type BlockDevice, SECTOR_BYTES } from './block-device.ts';

/** What a block was before it was changed; null: not in the cache. */
interface Before {
  readonly bytes: Buffer | null;
  readonly pinned: boolean;
}

/** Checks a block that has just been read; throws when it is damaged. */
export type Verify = (bytes: Buffer, block: number) => void;

/** See the head of this file. */
export class BlockCache {
  readonly blockBytes: number;
  private readonly device: BlockDevice;
  private readonly capacity: number;
  private readonly sectorsPerBlock: number;
  /** In the order of last use, the most recent at the end. */
  private readonly clean = new Map<number, Buffer>();
  private readonly pins = new Map<number, Buffer>();
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
    this.capacity = capacity;
    this.sectorsPerBlock = blockBytes / SECTOR_BYTES;
  }

  /** Blocks that are changed and not written back, with their content. */
  get pinned(): ReadonlyMap<number, Buffer> {
    return this.pins;
  }

  /** Blocks changed since `taken`. */
  get changedCount(): number {
    return this.before.size;
  }

  /** The content of a block, which must not be changed; it is valid until the next change. `verify` sees it when it comes from the disk. */
  read(block: number, verify?: Verify): Buffer {
    const known = this.peek(block);
    if (known !== undefined) return known;
    const read = this.device.read(block * this.sectorsPerBlock, this.sectorsPerBlock);
    const bytes = Buffer.from(read.buffer, read.byteOffset, read.byteLength);
    verify?.(bytes, block);
    this.insert(block, bytes);
    return bytes;
  }

  /** The content of a block if it is here. */
  peek(block: number): Buffer | undefined {
    const pinned = this.pins.get(block);
    if (pinned !== undefined) return pinned;
    const bytes = this.clean.get(block);
    if (bytes === undefined) return undefined;
    this.clean.delete(block);
    this.clean.set(block, bytes);
    return bytes;
  }

  /** Keeps content that has just been read from or written to the disk. The cache takes the buffer. A pinned block stays as it is. */
  keep(block: number, bytes: Buffer): void {
    if (!this.pins.has(block)) this.insert(block, bytes);
  }

  /** The content of a block, to be changed, within an operation. */
  change(block: number, verify?: Verify): Buffer {
    const bytes = this.read(block, verify);
    return this.open(block, { bytes, pinned: this.pins.has(block) }, () => Buffer.from(bytes));
  }

  /** A block of zeros in the place of whatever is on the disk, to be changed, within an operation. */
  zero(block: number): Buffer {
    const bytes = this.peek(block) ?? null;
    const opened = this.open(block, { bytes, pinned: this.pins.has(block) }, () => Buffer.alloc(this.blockBytes));
    return opened.fill(0);
  }

  private open(block: number, before: Before, copy: () => Buffer): Buffer {
    if (this.operationBefore === null) throw new Error('a block is changed outside of an operation');
    const opened = this.operationBefore.has(block) ? before.bytes : null;
    if (opened !== null) return opened;
    this.operationBefore.set(block, before);
    const bytes = copy();
    this.clean.delete(block);
    this.pins.set(block, bytes);
    return bytes;
  }

  /** Runs an operation: what it changes stays when it returns, and is taken back when it throws. One within another is part of it. */
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
    for (const [block, { bytes, pinned }] of changes) {
      this.pins.delete(block);
      if (bytes === null) continue;
      if (pinned) this.pins.set(block, bytes);
      else this.insert(block, bytes);
    }
    for (const action of undos.reverse()) action();
  }

  /** Blocks changed since `taken`, with their content. */
  changed(): [block: number, bytes: Buffer][] {
    return [...this.before.keys()].flatMap((block): [number, Buffer][] => {
      const bytes = this.pins.get(block);
      return bytes === undefined ? [] : [[block, bytes]];
    });
  }

  /** What a block changed since `taken` was before; null: it was not in the cache, and its content was of no interest (`zero`). */
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

  /** A pinned block is on the disk as it is here. Not to be called for one changed since `taken`. */
  written(block: number): void {
    const bytes = this.pins.get(block);
    if (bytes === undefined) return;
    this.pins.delete(block);
    this.insert(block, bytes);
  }

  /** Drops a block that is of no use any more, pinned or not. Not to be called for one changed since `taken`. */
  forget(block: number): void {
    this.clean.delete(block);
    this.pins.delete(block);
  }

  private insert(block: number, bytes: Buffer): void {
    this.clean.delete(block);
    this.clean.set(block, bytes);
    if (this.clean.size <= this.capacity) return;
    const [oldest] = this.clean.keys();
    if (oldest !== undefined) this.clean.delete(oldest);
  }
}
