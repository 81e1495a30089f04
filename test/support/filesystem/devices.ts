/**
 * Block devices for tests of crashes, besides memory-device.ts: an image with changes laid over it, and a recorder of
 * what is written. A crash is played by building the disk anew from what was recorded.
 */
import { type BlockDevice, SECTOR_BYTES } from '../../../filesystems/block-device.ts';
import { SystemError } from '../../../protocol/errno.ts';

function checkRange(device: BlockDevice, sector: number, count: number): void {
  const good = Number.isSafeInteger(sector) && Number.isSafeInteger(count) && sector >= 0 && count > 0;
  if (!good || sector + count > device.sectors) {
    throw new SystemError('ERANGE', `sectors ${sector} to ${sector + count - 1} of ${device.sectors}`);
  }
}

function sectorsOf(data: Uint8Array): number {
  if (data.length % SECTOR_BYTES !== 0) throw new Error(`a write of ${data.length} bytes is not one of whole sectors`);
  return data.length / SECTOR_BYTES;
}

/** Sectors that differ from a disk below, by number. Their bytes are never changed, only replaced. */
export type Sectors = Map<number, Uint8Array>;

/** Lays what is written into a map of sectors. */
export function layOver(over: Sectors, sector: number, data: Uint8Array): void {
  for (let at = 0; at < data.length; at += SECTOR_BYTES) {
    over.set(sector + at / SECTOR_BYTES, data.subarray(at, at + SECTOR_BYTES));
  }
}

/** A disk whose content is `base`, which stays as it is, with changes over it. */
export class OverlayDevice implements BlockDevice {
  readonly sectors: number;
  readonly readOnly = false;
  readonly over: Sectors;
  private readonly base: Buffer;

  constructor(base: Buffer, over: Sectors = new Map()) {
    this.base = base;
    this.over = over;
    this.sectors = base.length / SECTOR_BYTES;
  }

  read(sector: number, count: number): Uint8Array {
    checkRange(this, sector, count);
    const bytes = new Uint8Array(this.base.subarray(sector * SECTOR_BYTES, (sector + count) * SECTOR_BYTES));
    if (this.over.size === 0) return bytes;
    for (let index = 0; index < count; index++) {
      const changed = this.over.get(sector + index);
      if (changed !== undefined) bytes.set(changed, index * SECTOR_BYTES);
    }
    return bytes;
  }

  write(sector: number, data: Uint8Array): void {
    checkRange(this, sector, sectorsOf(data));
    layOver(this.over, sector, new Uint8Array(data));
  }

  flush(): void {}

  /** The whole content. */
  image(): Buffer {
    const bytes = Buffer.from(this.base);
    for (const [sector, data] of this.over) bytes.set(data, sector * SECTOR_BYTES);
    return bytes;
  }
}

/** What a recorder has seen: a write, or a flush. */
export type DeviceEvent =
  | { readonly kind: 'write'; readonly sector: number; readonly data: Uint8Array }
  | { readonly kind: 'flush' };

/** Records writes and flushes, and passes them on. */
export class RecordingDevice implements BlockDevice {
  readonly events: DeviceEvent[] = [];
  private readonly inner: BlockDevice;

  constructor(inner: BlockDevice) {
    this.inner = inner;
  }

  get sectors(): number {
    return this.inner.sectors;
  }

  get readOnly(): boolean {
    return this.inner.readOnly;
  }

  read(sector: number, count: number): Uint8Array {
    return this.inner.read(sector, count);
  }

  write(sector: number, data: Uint8Array): void {
    this.inner.write(sector, data);
    this.events.push({ kind: 'write', sector, data: new Uint8Array(data) });
  }

  flush(): void {
    this.inner.flush();
    this.events.push({ kind: 'flush' });
  }
}
