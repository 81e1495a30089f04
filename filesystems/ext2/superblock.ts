/** The changing part of the superblock: state, counts, times, the list of orphans. */
import type { BlockCache } from '../block-cache.ts';
import type { Geometry } from './geometry.ts';
import {
  errorBehaviour,
  superblockField as field,
  readOnlyCompatibleFeature,
  SUPERBLOCK_BYTES,
  SUPERBLOCK_OFFSET,
  stateFlag,
  VOLUME_NAME_BYTES,
} from './layout.ts';

/** The first superblock, through the cache. */
export class Superblock {
  private readonly cache: BlockCache;
  private readonly block: number;
  private readonly offset: number;

  constructor(cache: BlockCache, geometry: Geometry) {
    this.cache = cache;
    this.block = Math.floor(SUPERBLOCK_OFFSET / geometry.blockBytes);
    this.offset = SUPERBLOCK_OFFSET % geometry.blockBytes;
  }

  /** To be read. */
  get bytes(): Buffer {
    return this.cache.read(this.block).subarray(this.offset, this.offset + SUPERBLOCK_BYTES);
  }

  /** To be changed, within an operation. */
  change(): Buffer {
    return this.cache.change(this.block).subarray(this.offset, this.offset + SUPERBLOCK_BYTES);
  }

  get state(): number {
    return this.bytes.readUInt16LE(field.state);
  }

  /** Whether it was unmounted and nobody has found damage. */
  get clean(): boolean {
    return (this.state & (stateFlag.clean | stateFlag.errors)) === stateFlag.clean;
  }

  /**
   * Whether nothing may be changed any more once damage is found. A machine is never stopped for it, so that "panic"
   * means the same.
   */
  get stopsAtDamage(): boolean {
    const behaviour = this.bytes.readUInt16LE(field.errors);
    return behaviour === errorBehaviour.readOnly || behaviour === errorBehaviour.panic;
  }

  /** Notes that damage was found, within an operation: the next mount checks the file system. */
  markDamaged(): void {
    if ((this.state & stateFlag.errors) === 0) this.change().writeUInt16LE(this.state | stateFlag.errors, field.state);
  }

  get label(): string {
    const bytes = this.bytes.subarray(field.volumeName, field.volumeName + VOLUME_NAME_BYTES);
    const end = bytes.indexOf(0);
    return bytes.toString('utf8', 0, end === -1 ? bytes.length : end);
  }

  /** First inode of the list of those without a name, 0 for none. */
  get firstOrphan(): number {
    return this.bytes.readUInt32LE(field.lastOrphan);
  }

  set firstOrphan(inode: number) {
    this.change().writeUInt32LE(inode, field.lastOrphan);
  }

  /** Notes that there are files of 2 GiB and more, within an operation. */
  needLargeFiles(): void {
    const features = this.bytes.readUInt32LE(field.readOnlyCompatible);
    if (this.bytes.readUInt32LE(field.revision) === 0 || (features & readOnlyCompatibleFeature.largeFile) !== 0) return;
    this.change().writeUInt32LE((features | readOnlyCompatibleFeature.largeFile) >>> 0, field.readOnlyCompatible);
  }

  /** Marks it as in use or as unmounted, within an operation. `now` in milliseconds since 1970. */
  mark(inUse: boolean, now: number): void {
    const bytes = this.change();
    const state = bytes.readUInt16LE(field.state);
    bytes.writeUInt16LE(inUse ? state & ~stateFlag.clean : state | stateFlag.clean, field.state);
    const seconds = Math.min(Math.max(0, Math.floor(now / 1000)), 0xffffffff);
    if (inUse) {
      bytes.writeUInt16LE((bytes.readUInt16LE(field.mountCount) + 1) & 0xffff, field.mountCount);
      bytes.writeUInt32LE(seconds, field.mountTime);
    }
    bytes.writeUInt32LE(seconds, field.writeTime);
  }

  /** Writes the numbers of free blocks and inodes, within an operation. */
  setFree(blocks: number, inodes: number): void {
    const bytes = this.bytes;
    if (bytes.readUInt32LE(field.freeBlocksCount) === blocks && bytes.readUInt32LE(field.freeInodesCount) === inodes)
      return;
    const changed = this.change();
    changed.writeUInt32LE(blocks, field.freeBlocksCount);
    changed.writeUInt32LE(inodes, field.freeInodesCount);
  }
}
