/**
 * A block device in memory for tests of file systems: remembers what was written since the last flush, can refuse, and
 * can lose its process at any write.
 */
import { type BlockDevice, SECTOR_BYTES } from '../../filesystems/block-device.ts';
import { SystemError } from '../../protocol/errno.ts';
import { Death } from './memory-keeper.ts';

/** See the head of this file. */
export class MemoryDevice implements BlockDevice {
  readonly bytes: Buffer;
  readOnly = false;
  /** Writes that still happen, sector by sector, before the process dies. */
  lives = Number.POSITIVE_INFINITY;
  /** Whether a request fails with EIO. */
  refuses: (kind: 'read' | 'write' | 'flush', sector: number, count: number) => boolean = () => false;
  /** Sees each write and flush before it is made. */
  observe: ((sector: number, data: Uint8Array | null) => void) | null = null;
  reads = 0;
  writes = 0;
  flushes = 0;

  /** Of so many sectors, or with the content of an image, which becomes the device. */
  constructor(content: number | Buffer) {
    this.bytes = typeof content === 'number' ? Buffer.alloc(content * SECTOR_BYTES) : content;
  }

  get sectors(): number {
    return Math.floor(this.bytes.length / SECTOR_BYTES);
  }

  read(sector: number, count: number): Uint8Array {
    this.check('read', sector, count);
    this.reads++;
    return Buffer.from(this.bytes.subarray(sector * SECTOR_BYTES, (sector + count) * SECTOR_BYTES));
  }

  write(sector: number, data: Uint8Array): void {
    if (data.length % SECTOR_BYTES !== 0) throw new Error('a write of parts of sectors');
    const count = data.length / SECTOR_BYTES;
    if (this.readOnly) throw new SystemError('EROFS');
    this.check('write', sector, count);
    this.observe?.(sector, data);
    this.writes++;
    for (let at = 0; at < data.length; at += SECTOR_BYTES) {
      if (this.lives-- <= 0) throw new Death('the process has died');
      this.bytes.set(data.subarray(at, at + SECTOR_BYTES), sector * SECTOR_BYTES + at);
    }
  }

  flush(): void {
    this.check('flush', 0, 0);
    this.observe?.(0, null);
    this.flushes++;
  }

  private check(kind: 'read' | 'write' | 'flush', sector: number, count: number): void {
    if (!Number.isSafeInteger(sector) || sector < 0 || count < 0 || sector + count > this.sectors) {
      throw new SystemError('ERANGE', `${count} sectors from ${sector} on are outside of ${this.sectors}`);
    }
    if (this.refuses(kind, sector, count)) throw new SystemError('EIO', `${kind} of sector ${sector} failed`);
  }
}
