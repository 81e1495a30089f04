/**
 * The file system `/dev`, and what its names stand for: devices that are made here, the block devices of the disk
 * driver, and what drivers have registered. Opening one of them is up to whoever knows the drivers (device-opener.ts);
 * here are the names.
 */
import type { Attributes, DirectoryEntry, NodeNumber } from '../../filesystems/file-system.ts';
import { SystemError } from '../../protocol/errno.ts';
import { ReadOnlyFileSystem, ROOT } from './read-only.ts';

/** Devices that this process answers itself. */
export const builtinDevices = ['null', 'zero', 'random'] as const;
export type BuiltinDevice = (typeof builtinDevices)[number];

/** Drivers that may have registered a device at the same time. */
export const MAX_REGISTERED = 64;

/** A name in `/dev`. */
export interface Device {
  readonly name: string;
  readonly node: NodeNumber;
  readonly type: 'character' | 'block';
  /** `disk`: of the disk driver. */
  readonly origin: 'builtin' | 'disk' | 'registered';
  /** Bytes; 0 where there is no length. */
  readonly bytes: number;
}

/** What is known of a block device. */
export interface DiskDevice {
  readonly name: string;
  readonly bytes: number;
}

/** Numbers of the nodes of disks and of what is registered begin here. */
const FIRST_DISK = 2 ** 16;
const FIRST_REGISTERED = 2 ** 17;

/** See the head of this file. */
export class DeviceFileSystem extends ReadOnlyFileSystem {
  protected readonly type = 'dev';
  private readonly now: () => number;
  private disks: readonly Device[] = [];
  private readonly registered = new Map<string, Device>();
  private nextRegistered = FIRST_REGISTERED;

  constructor(now: () => number) {
    super();
    this.now = now;
  }

  /** All devices, in the order of their nodes. */
  get devices(): readonly Device[] {
    const builtin = builtinDevices.map((name, index): Device => {
      return { name, node: ROOT + 1 + index, type: 'character', origin: 'builtin', bytes: 0 };
    });
    return [...builtin, ...this.disks, ...this.registered.values()];
  }

  /** The block devices there are now; each keeps its node as long as it is there. */
  setDisks(disks: readonly DiskDevice[]): void {
    const known = new Map(this.disks.map(({ name, node }) => [name, node]));
    let next = Math.max(FIRST_DISK, ...this.disks.map(({ node }) => node + 1));
    this.disks = disks
      .filter(({ name }) => !this.registered.has(name))
      .map(({ name, bytes }): Device => {
        return { name, node: known.get(name) ?? next++, type: 'block', origin: 'disk', bytes };
      })
      .sort((a, b) => a.node - b.node);
  }

  /** Enters a device of a driver. Throws SystemError: EINVAL: not a name; EEXIST; EAGAIN. */
  register(name: string, type: Device['type']): void {
    if (name.includes('/') || name.includes('\0') || name === '.' || name === '..')
      throw new SystemError('EINVAL', `${JSON.stringify(name)} is not a name`);
    if (this.devices.some((device) => device.name === name)) throw new SystemError('EEXIST', `/dev/${name} exists`);
    if (this.registered.size >= MAX_REGISTERED) throw new SystemError('EAGAIN', 'too many devices are registered');
    this.registered.set(name, { name, node: this.nextRegistered++, type, origin: 'registered', bytes: 0 });
  }

  unregister(name: string): void {
    this.registered.delete(name);
  }

  /** The device of a node. Throws SystemError ENOENT. */
  device(node: NodeNumber): Device {
    const found = this.devices.find((device) => device.node === node);
    if (found === undefined) throw new SystemError('ENOENT', 'no such device');
    return found;
  }

  attributes(node: NodeNumber): Attributes {
    const now = this.now();
    const times = { accessed: now, modified: now, changed: now, created: 0 };
    if (node === ROOT) {
      return { node, type: 'directory', mode: 0o755, links: 2, size: 0, allocated: 0, ...times };
    }
    const { type, bytes } = this.device(node);
    const mode = type === 'block' ? 0o660 : 0o666;
    return { node, type, mode, links: 1, size: bytes, allocated: 0, ...times };
  }

  lookup(directory: NodeNumber, name: string): NodeNumber {
    this.checkDirectory(directory);
    const found = this.devices.find((device) => device.name === name);
    if (found === undefined) throw new SystemError('ENOENT');
    return found.node;
  }

  parent(directory: NodeNumber): NodeNumber {
    this.checkDirectory(directory);
    return ROOT;
  }

  protected list(directory: NodeNumber): DirectoryEntry[] {
    this.checkDirectory(directory);
    return this.devices.map(({ name, node, type }) => ({ name, node, type }));
  }

  private checkDirectory(node: NodeNumber): void {
    if (node === ROOT) return;
    this.device(node);
    throw new SystemError('ENOTDIR');
  }
}
