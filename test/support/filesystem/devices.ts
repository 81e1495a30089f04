/**
 * Block devices for tests, besides memory-device.ts: an image with changes laid over it, a recorder of what is written, a disk that goes wrong by rule, and one that
 * counts its requests, so that a file system that never ends is noticed. A crash is played by building the disk anew from what was recorded.
 */
import { type BlockDevice, SECTOR_BYTES } from '../../../filesystems/block-device.ts';
import { SystemError } from '../../../protocol/errno.ts';
import { Death } from '../memory-keeper.ts';

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

/** Thrown when a device has been asked more often than any sound file system would. */
export class TooManyRequests extends Error {}

/** Counts requests and sectors, and ends whatever asks without end. */
export class CountingDevice implements BlockDevice {
  requests = 0;
  private readonly inner: BlockDevice;
  private readonly most: number;

  /** `most`: requests allowed. */
  constructor(inner: BlockDevice, most: number) {
    this.inner = inner;
    this.most = most;
  }

  get sectors(): number {
    return this.inner.sectors;
  }

  get readOnly(): boolean {
    return this.inner.readOnly;
  }

  read(sector: number, count: number): Uint8Array {
    this.count();
    return this.inner.read(sector, count);
  }

  write(sector: number, data: Uint8Array): void {
    this.count();
    this.inner.write(sector, data);
  }

  flush(): void {
    this.count();
    this.inner.flush();
  }

  private count(): void {
    if (++this.requests > this.most) throw new TooManyRequests(`more than ${this.most} requests to the disk`);
  }
}

/** What is left of the life of a process: changes of its disk and of its store that still happen. */
export interface Life {
  left: number;
}

/** A disk that outlives the process using it: when its life is used up, nothing is written any more. */
export class MortalDevice implements BlockDevice {
  private readonly inner: BlockDevice;
  private readonly life: Life;

  constructor(inner: BlockDevice, life: Life) {
    this.inner = inner;
    this.life = life;
  }

  get sectors(): number {
    return this.inner.sectors;
  }

  get readOnly(): boolean {
    return this.inner.readOnly;
  }

  read(sector: number, count: number): Uint8Array {
    if (this.life.left <= 0) throw new Death('the process has died');
    return this.inner.read(sector, count);
  }

  write(sector: number, data: Uint8Array): void {
    this.live();
    this.inner.write(sector, data);
  }

  flush(): void {
    this.live();
    this.inner.flush();
  }

  private live(): void {
    if (this.life.left <= 0) throw new Death('the process has died');
    this.life.left--;
  }
}

/** A request that goes wrong: the one with number `nth` (from 0) of its kind that touches the sectors, and `times` of them in a row. */
export interface FaultRule {
  readonly operation: 'read' | 'write' | 'flush';
  readonly nth?: number;
  /** Default: for ever. */
  readonly times?: number;
  readonly first?: number;
  readonly last?: number;
  /** `error`: EIO, nothing written. `torn`: EIO, half of the sectors written. `torn-silent`, `lost` and `misdirected` (8 sectors on) claim success. `slow`: is done late. */
  readonly fault: 'error' | 'torn' | 'torn-silent' | 'lost' | 'misdirected' | 'slow';
}

/** How far a misdirected write lands from its place, in sectors: one block of 4 KiB. */
const MISDIRECTED_SECTORS = 8;

/** A disk that goes wrong by rule, the way hw/disk/faulty.ts does, one request after the other. */
export class FaultyDevice implements BlockDevice {
  /** Called for a slow request, before it is done. */
  onSlow: () => void = () => {};
  /** Requests that went wrong. */
  struck = 0;
  private readonly inner: BlockDevice;
  private rules: { readonly rule: FaultRule; seen: number }[] = [];

  constructor(inner: BlockDevice) {
    this.inner = inner;
  }

  get sectors(): number {
    return this.inner.sectors;
  }

  get readOnly(): boolean {
    return this.inner.readOnly;
  }

  add(rule: FaultRule): void {
    this.rules.push({ rule, seen: 0 });
  }

  /** Forgets all rules: the disk is healthy again. */
  clear(): void {
    this.rules = [];
  }

  read(sector: number, count: number): Uint8Array {
    const rule = this.strike('read', sector, count);
    if (rule !== null && rule.fault !== 'slow') throw new SystemError('EIO', `injected error reading sector ${sector}`);
    return this.inner.read(sector, count);
  }

  write(sector: number, data: Uint8Array): void {
    const rule = this.strike('write', sector, sectorsOf(data));
    const half = data.subarray(0, Math.floor(data.length / SECTOR_BYTES / 2) * SECTOR_BYTES);
    const torn = rule?.fault === 'torn' || rule?.fault === 'torn-silent';
    if (torn && half.length > 0) this.inner.write(sector, half);
    if (rule?.fault === 'misdirected' && sector + MISDIRECTED_SECTORS + sectorsOf(data) <= this.sectors) {
      this.inner.write(sector + MISDIRECTED_SECTORS, data);
    }
    if (rule?.fault === 'error' || rule?.fault === 'torn') {
      throw new SystemError('EIO', `injected error writing sector ${sector}`);
    }
    if (rule === null || rule.fault === 'slow') this.inner.write(sector, data);
  }

  flush(): void {
    const rule = this.strike('flush', 0, this.sectors);
    if (rule?.fault === 'error') throw new SystemError('EIO', 'injected error of a flush');
    if (rule === null || rule.fault === 'slow') this.inner.flush();
  }

  private strike(operation: FaultRule['operation'], sector: number, count: number): FaultRule | null {
    for (const active of this.rules) {
      const { rule } = active;
      if (rule.operation !== operation) continue;
      if (sector > (rule.last ?? this.sectors - 1) || sector + count <= (rule.first ?? 0)) continue;
      const seen = active.seen++;
      const nth = rule.nth ?? 0;
      if (seen < nth || seen >= nth + (rule.times ?? Number.POSITIVE_INFINITY)) continue;
      this.struck++;
      if (rule.fault === 'slow') this.onSlow();
      return rule;
    }
    return null;
  }
}
