/**
 * A mounted volume under the file operations: transactions, commit and checkpoint (docs/vrfs.md, "Commit" and
 * "Checkpoint").
 *
 * Operations change blocks in the cache. A commit writes new data to its place and then one record to the journal,
 * without a flush between them. A checkpoint writes to their places the metadata blocks that records speak of, and lets
 * the records go.
 */
import { SystemError } from '../../protocol/errno.ts';
import { BlockCache, type Verify } from '../block-cache.ts';
import type { BlockDevice } from '../block-device.ts';
import { crc32c } from '../crc32c.ts';
import type { RequestNumber, RequestResult } from '../file-system.ts';
import { BlockAllocator } from './block-allocator.ts';
import { checkNode } from './directory-node.ts';
import type { Geometry } from './geometry.ts';
import { Journal } from './journal.ts';
import type { JournalHeader } from './journal-header.ts';
import { type Changes, DATA, differences, type Extent, type Image, type Patch } from './journal-record.ts';
import { BLOCK_BYTES, beginWriteBlocks, damageOf, kind, type Seals } from './metadata.ts';
import { NodeTable } from './node-table.ts';
import { MAX_NOTES_BYTES, Notes } from './notes.ts';
import type { Recovery } from './recovery.ts';
import { Space } from './space.ts';
import type { VolumeState } from './volume-state.ts';

/** Clean blocks in the cache: 24 MiB. */
const CACHE_BLOCKS = 6144;

/** New data blocks in a transaction after which the next operation begins another. */
const MAX_FRESH = 256;

/** Data blocks that a recovery may have to read: after so many since the last flush there is another. */
const MAX_UNVERIFIED = 1024;

/** Blocks that are written with one request. */
const MAX_RUN = 64;

/**
 * What an operation changes at most, besides bitmaps: a write of 256 KiB in place, the inode, indirect blocks and the
 * lists of the record.
 */
const OPERATION_BLOCKS = 72;

/** Bitmap blocks that one operation changes at most: those of 64 new blocks and of 64 that they replace. */
const OPERATION_BITMAPS = 128;

/** What a volume is mounted with. */
export interface VolumeOptions {
  readonly readOnly: boolean;
  readonly readOnlyReason: string;
  readonly boot: Buffer;
  log(text: string, level: 'info' | 'warning' | 'error'): void;
}

/** Checks by kind of metadata block. */
export interface Verifiers {
  readonly blockBitmap: Verify;
  readonly nodeBitmap: Verify;
  readonly nodes: Verify;
  readonly directory: Verify;
  readonly indirect: Verify;
  readonly symlink: Verify;
}

/** See the head of this file. */
export class Volume {
  readonly device: BlockDevice;
  readonly geometry: Geometry;
  readonly cache: BlockCache;
  readonly verify: Verifiers;
  readonly allocator: BlockAllocator;
  readonly nodes: NodeTable;
  readonly space: Space;
  /** As the operations have left it. */
  readonly state: VolumeState;
  /** As the last commit has left it. */
  private committedState: VolumeState;
  private readonly journal: Journal;
  private readonly seals: Seals;
  private readonly options: VolumeOptions;
  private readonly kinds: ReadonlyMap<Verify, number>;
  private readonly notes: Notes;
  private readonly pendingNotes = new Notes();
  /** Data blocks written since the last flush. */
  private unverified = 0;
  /** The journal has been made ready for records of this mount. */
  private hasBegun = false;
  /** The header on the disk says that the file system was unmounted, and it is true. */
  private isClean: boolean;
  /** Operations were lost between two calls of `commit`; the next one says so. */
  private lost: SystemError | undefined;
  private readOnlyReason: string;
  /** The disk has failed. */
  private failed = false;
  private isReadOnly: boolean;

  constructor(
    device: BlockDevice,
    geometry: Geometry,
    seals: Seals,
    header: JournalHeader,
    recovery: Recovery,
    options: VolumeOptions,
  ) {
    this.device = device;
    this.geometry = geometry;
    this.seals = seals;
    this.options = options;
    this.isReadOnly = options.readOnly;
    this.readOnlyReason = options.readOnlyReason;
    this.cache = new BlockCache(device, BLOCK_BYTES, CACHE_BLOCKS);
    this.verify = {
      blockBitmap: seals.verifier(kind.BLOCK_BITMAP),
      nodeBitmap: seals.verifier(kind.NODE_BITMAP),
      nodes: seals.verifier(kind.NODES),
      directory: seals.verifier(kind.DIRECTORY, checkNode),
      indirect: seals.verifier(kind.INDIRECT),
      symlink: seals.verifier(kind.SYMLINK),
    };
    this.kinds = new Map([
      [this.verify.blockBitmap, kind.BLOCK_BITMAP],
      [this.verify.nodeBitmap, kind.NODE_BITMAP],
      [this.verify.nodes, kind.NODES],
      [this.verify.directory, kind.DIRECTORY],
      [this.verify.indirect, kind.INDIRECT],
      [this.verify.symlink, kind.SYMLINK],
    ]);
    this.state = { ...recovery.state };
    this.committedState = { ...recovery.state };
    this.notes = recovery.notes;
    this.journal = new Journal(device, geometry, seals, options.boot, header, recovery.position);
    this.isClean = header.clean && recovery.position.live === 0 && !recovery.dropped;
    this.allocator = new BlockAllocator(this.cache, geometry, this.verify.blockBitmap, this.state);
    const { nodes, nodeBitmap: bitmap } = this.verify;
    this.nodes = new NodeTable(this.cache, geometry, { nodes, bitmap }, this.state);
    this.space = new Space(this.cache, this.allocator);
    this.load(recovery);
  }

  /**
   * Takes over what the journal says. Blocks that it has images of and that are free now must not be used before the
   * next checkpoint.
   */
  private load(recovery: Recovery): void {
    for (const [block, { kind: blockKind, bytes }] of recovery.blocks)
      this.cache.pin(block, bytes, this.verifierOf(blockKind));
    if (this.isReadOnly) return;
    const { dataStart } = this.geometry;
    for (const block of recovery.blocks.keys())
      if (block >= dataStart && this.holdIfFree(block)) this.cache.forget(block);
    for (const [start, count] of recovery.extents)
      for (let block = start; block < start + count; block++) this.holdIfFree(block);
  }

  /** Puts a block into quarantine if it is free. One whose bitmap is damaged cannot be allocated anyway. */
  private holdIfFree(block: number): boolean {
    let isFree = false;
    damageOf(() => {
      isFree = this.allocator.isFree(block);
    });
    if (isFree) this.allocator.hold({ start: block, count: 1 });
    return isFree;
  }

  private verifierOf(blockKind: number): Verify | undefined {
    for (const [verify, known] of this.kinds) if (known === blockKind) return verify;
    return undefined;
  }

  get readOnly(): boolean {
    return this.isReadOnly;
  }

  /** Why it is read-only although it was not asked to be; '' otherwise. */
  get reason(): string {
    return this.readOnlyReason;
  }

  /** Runs an operation. It happens whole, or not at all when it throws. EROFS, ENOSPC, EIO, and what it throws. */
  change<T>(work: () => T): T {
    if (this.isReadOnly) throw new SystemError('EROFS', this.readOnlyReason === '' ? undefined : this.readOnlyReason);
    const { fresh } = this.space;
    if (fresh.size >= MAX_FRESH || this.recordLimit(0) + this.operationLimit > this.journal.capacity)
      this.commitEarly();
    return this.attempt(work);
  }

  private get operationLimit(): number {
    return OPERATION_BLOCKS + Math.min(OPERATION_BITMAPS, this.geometry.blockBitmapBlocks);
  }

  /** Most blocks that the record of the transaction can take, with so many more changed blocks. */
  private recordLimit(more: number): number {
    const { size } = this.space.fresh;
    const changed = this.cache.changedCount + more - size;
    return changed + Math.ceil((2 * BLOCK_BYTES + MAX_NOTES_BYTES + 12 * (changed + size)) / BLOCK_BYTES) - 1;
  }

  private attempt<T>(work: () => T): T {
    return this.cache.operation(() => {
      const state = { ...this.state };
      const marks = [this.allocator.marker, this.space.marker, this.nodes.marker] as const;
      this.cache.undo(() => {
        Object.assign(this.state, state);
        this.allocator.rollBack(marks[0]);
        this.space.rollBack(marks[1]);
        this.nodes.rollBack(marks[2]);
      });
      const result = work();
      if (this.recordLimit(this.cache.operationCount) > this.journal.capacity)
        throw new SystemError('EINVAL', 'this is more than one operation can change: write at most 256 KiB at a time');
      return result;
    });
  }

  /** Commits between operations. If that fails, the next `commit` says so as well: what it stands for is lost. */
  commitEarly(): void {
    try {
      this.commit();
    } catch (error) {
      if (error instanceof SystemError) this.lost = error;
      throw error;
    }
  }

  /** Makes blocks usable that were freed; true: there are some. EIO. */
  makeRoom(): boolean {
    this.commitEarly();
    if (this.allocator.waiting === 0) return false;
    try {
      this.checkpoint(false);
    } catch (error) {
      throw this.fail(error, 'a checkpoint');
    }
    return true;
  }

  /** See FileSystem. */
  note(request: RequestNumber, result: RequestResult): void {
    if (!this.isReadOnly) this.pendingNotes.add(request, result);
  }

  /** See FileSystem. */
  completed(request: RequestNumber): RequestResult | undefined {
    return this.notes.get(request);
  }

  /** Whether operations have changed something since the last commit. */
  get hasChanges(): boolean {
    const { state, committedState: before } = this;
    const isSame =
      state.freeBlocks === before.freeBlocks &&
      state.freeNodes === before.freeNodes &&
      state.tableBlocks === before.tableBlocks &&
      state.orphans === before.orphans;
    return this.cache.changedCount > 0 || this.pendingNotes.size > 0 || !isSame;
  }

  /** Writes what the operations since the last commit have changed. EIO: none of it has been done. */
  commit(): void {
    const { lost } = this;
    this.lost = undefined;
    if (lost !== undefined) throw lost;
    if (!this.hasChanges) return;
    const { fresh } = this.space;
    const count = fresh.size;
    try {
      this.begin();
      if (this.unverified + count > MAX_UNVERIFIED) this.flush();
      let changes = this.collect();
      if (!this.journal.hasRoom(changes)) {
        this.checkpoint(false);
        changes = this.collect();
      }
      this.journal.append({ ...changes, extents: this.writeFresh() });
    } catch (error) {
      throw this.fail(error, 'a commit');
    }
    this.unverified += count;
    this.cache.taken();
    for (const block of fresh) this.cache.written(block);
    this.allocator.committed();
    this.space.committed();
    this.committedState = { ...this.state };
    this.notes.addAll(this.pendingNotes);
    this.pendingNotes.clear();
  }

  /** Before the first write of this mount. */
  private begin(): void {
    if (this.hasBegun) return;
    this.journal.begin();
    this.hasBegun = true;
    this.isClean = false;
  }

  /** What the record will say. The extents are made up, of the right length, until the data is written. */
  private collect(): Changes {
    const images: Image[] = [];
    const patches: Patch[] = [];
    for (const { block, bytes, base, verify } of this.cache.changes()) {
      if (this.space.fresh.has(block)) continue;
      const blockKind = verify === undefined ? DATA : (this.kinds.get(verify) ?? DATA);
      const seal = blockKind === DATA ? undefined : this.seals.seal(bytes, block);
      const ranges = base === null ? null : differences(base, bytes);
      if (ranges === null) images.push({ block, kind: blockKind, check: seal ?? crc32c(bytes), bytes });
      else if (ranges.length > 0) patches.push({ block, kind: blockKind, ranges });
    }
    const extents = this.freshRuns().map(([start, count]) => ({ start, checks: new Array<number>(count).fill(0) }));
    return { images, patches, extents, notes: this.pendingNotes, state: this.state };
  }

  private freshRuns(): (readonly [number, number])[] {
    return runsOf([...this.space.fresh].sort((a, b) => a - b));
  }

  /** Writes new data to its place; done when the record is. */
  private writeFresh(): Extent[] {
    return this.freshRuns().map(([start, count]) => {
      const checks: number[] = [];
      this.writeRun(start, count, (block) => {
        const bytes = this.cache.read(block);
        checks.push(crc32c(bytes));
        return bytes;
      });
      return { start, checks };
    });
  }

  private writeRun(start: number, count: number, content: (block: number) => Buffer): void {
    for (let done = 0; done < count; done += MAX_RUN) {
      const blocks = Array.from({ length: Math.min(MAX_RUN, count - done) }, (_, index) =>
        content(start + done + index),
      );
      const [only] = blocks;
      beginWriteBlocks(
        this.device,
        start + done,
        blocks.length === 1 && only !== undefined ? only : Buffer.concat(blocks),
      );
    }
  }

  private flush(): void {
    this.journal.flush();
    this.unverified = 0;
  }

  /**
   * Returns when all that is committed is on the medium. EIO: the file system is read-only from now on, or has become
   * so before.
   */
  sync(): void {
    this.commit();
    if (this.failed) throw new SystemError('EIO', this.readOnlyReason);
    if (this.journal.last === this.journal.durable) return;
    try {
      this.flush();
    } catch (error) {
      throw this.fail(error, 'a flush');
    }
  }

  /** Writes what is committed to its place. What is not committed stays as it is. */
  private checkpoint(clean: boolean): void {
    this.begin();
    this.flush();
    if (!this.journal.isEmpty) {
      this.journal.writeDurable();
      this.device.flush();
    }
    const blocks = new Map(this.cache.permanent());
    for (const [start, count] of runsOf([...blocks.keys()].sort((a, b) => a - b)))
      this.writeRun(start, count, (block) => blocks.get(block) ?? Buffer.alloc(BLOCK_BYTES));
    this.device.flush();
    for (const block of blocks.keys()) this.cache.written(block);
    this.journal.restart(this.committedState, this.notes, clean);
    this.device.flush();
    this.isClean = clean;
    this.allocator.checkpointed();
  }

  /** Commits, makes a checkpoint, and marks the file system as unmounted. EIO. */
  close(): void {
    if (!this.failed) this.sync();
    if (this.isReadOnly || this.isClean) return;
    try {
      this.checkpoint(true);
    } catch (error) {
      throw this.fail(error, 'unmounting');
    }
  }

  /** The disk has failed: takes back what is not committed and lets nothing be changed from now on. */
  private fail(error: unknown, doing: string): unknown {
    this.cache.abandon();
    this.pendingNotes.clear();
    if (!(error instanceof SystemError)) return error;
    this.isReadOnly = true;
    this.failed = true;
    this.readOnlyReason = `${doing} has failed: ${error.message}`;
    this.options.log(`read-only from now on: ${this.readOnlyReason}`, 'error');
    try {
      // A record that could not be written may be there all the same.
      this.journal.invalidate();
      this.device.flush();
    } catch (second) {
      if (!(second instanceof SystemError)) return second;
      this.options.log(`what has failed may come back at the next mount: ${second.message}`, 'error');
    }
    return new SystemError('EIO', this.readOnlyReason);
  }
}

/** Runs [start, count] of neighbours in a list of ascending numbers. */
function runsOf(numbers: readonly number[]): (readonly [number, number])[] {
  const runs: [number, number][] = [];
  for (const number of numbers) {
    const last = runs.at(-1);
    if (last !== undefined && last[0] + last[1] === number) last[1]++;
    else runs.push([number, 1]);
  }
  return runs;
}
