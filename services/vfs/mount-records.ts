/**
 * What is kept of mounts, so that they survive the death of this process: those there are, those being mounted or
 * unmounted, and which requests to unmount have been carried out.
 */
import type { Keeper } from '../../filesystems/block-device.ts';
import { SystemError } from '../../protocol/errno.ts';
import { bool, type Infer, list, oneOf, record, text, u8, u32, u53 } from '../../protocol/schema.ts';
import { mountRow, path } from '../../protocol/vfs.ts';

/** Mounts of disks at the same time. */
export const MAX_MOUNTS = 32;

/**
 * Number of the first mounted disk, as in `fileSystem` of attributes; smaller ones are for the file systems in this
 * process.
 */
const FIRST_NUMBER = 16;

/** Requests to unmount that are remembered. */
const MAX_UNMOUNTED = 16;

const requestNumber = record({ sender: u32, sequence: u53 });
type RequestNumber = Infer<typeof requestNumber>;

/** A mount. `request`: number of the request that is behind its stage, zeros for the mount of the boot. */
const kept = record({
  slot: u8,
  device: text(64),
  path,
  type: text(16),
  number: u32,
  readOnly: bool,
  stage: oneOf('mounting', 'mounted', 'unmounting'),
  request: requestNumber,
  row: mountRow,
});
export type MountRecord = Infer<typeof kept>;

const keptUnmounted = list(requestNumber, MAX_UNMOUNTED);

const MOUNT_PREFIX = 'mount.';
const NEXT_KEY = 'next number';
const UNMOUNTED_KEY = 'unmounted';
const BOOT_KEY = 'boot mount is done';

/** Name of the service of a device. */
export const serviceName = (type: string, device: string): string => `${type}@${device}`;

/** See the head of this file. */
export class MountRecords {
  private readonly keeper: Keeper;
  private readonly records = new Map<number, MountRecord>();
  private unmounted: RequestNumber[] = [];

  /** Reads what is kept. Throws SystemError EINVAL. */
  constructor(keeper: Keeper) {
    this.keeper = keeper;
    for (let slot = 0; slot < MAX_MOUNTS; slot++) {
      const state = keeper.get(`${MOUNT_PREFIX}${slot}`);
      if (state !== undefined) this.records.set(slot, kept.fromWire(state, []));
    }
    const unmounted = keeper.get(UNMOUNTED_KEY);
    if (unmounted !== undefined) this.unmounted = keptUnmounted.fromWire(unmounted, []);
  }

  get all(): readonly MountRecord[] {
    return [...this.records.values()];
  }

  /** Whether the boot has found out what to mount. */
  get bootIsDone(): boolean {
    return this.keeper.get(BOOT_KEY) === true;
  }

  setBootIsDone(): void {
    this.keeper.put(BOOT_KEY, true);
  }

  /** A new record; it is kept when this returns. Throws SystemError: EAGAIN: too many; ENOSPC. */
  add(about: Pick<MountRecord, 'device' | 'path' | 'type' | 'readOnly' | 'request'>): MountRecord {
    let slot = 0;
    while (this.records.has(slot)) slot++;
    if (slot >= MAX_MOUNTS) throw new SystemError('EAGAIN', `there are ${MAX_MOUNTS} mounts already`);
    const next = this.keeper.get(NEXT_KEY);
    const number = typeof next === 'number' ? next : FIRST_NUMBER;
    this.keeper.put(NEXT_KEY, number + 1);
    const { device, type, readOnly } = about;
    const row = { path: about.path, device, type, readOnly, state: '', service: serviceName(type, device) };
    const made: MountRecord = { ...about, slot, number, stage: 'mounting', row };
    this.save(made);
    this.records.set(slot, made);
    return made;
  }

  /** Keeps a changed record. */
  update(changed: MountRecord, change: Partial<MountRecord>): void {
    Object.assign(changed, change);
    this.save(changed);
  }

  /** Forgets a record. `request`: the request to unmount that did it. */
  remove(gone: MountRecord, request?: RequestNumber): void {
    if (request !== undefined) {
      const { sender, sequence } = request;
      this.unmounted = [...this.unmounted, { sender, sequence }].slice(-MAX_UNMOUNTED);
      this.keeper.put(UNMOUNTED_KEY, keptUnmounted.toWire(this.unmounted, []));
    }
    this.records.delete(gone.slot);
    this.keeper.delete(`${MOUNT_PREFIX}${gone.slot}`);
  }

  /** The record that a request made, if it has come before. */
  of({ sender, sequence }: RequestNumber): MountRecord | undefined {
    return this.all.find(({ request }) => request.sender === sender && request.sequence === sequence);
  }

  /** Whether a request to unmount has been carried out. */
  isUnmounted({ sender, sequence }: RequestNumber): boolean {
    return this.unmounted.some((known) => known.sender === sender && known.sequence === sequence);
  }

  private save(changed: MountRecord): void {
    this.keeper.put(`${MOUNT_PREFIX}${changed.slot}`, kept.toWire(changed, []));
  }
}
