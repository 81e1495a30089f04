/** What a file system in a service stands on: a disk or partition of the driver, and the recovery store. */
import type { BlockDevice, Keeper } from '../../../filesystems/block-device.ts';
import { MAX_REQUEST_SECTORS, SECTOR_BYTES } from '../../../protocol/block.ts';
import { SystemError } from '../../../protocol/errno.ts';
import type { Client } from '../../../protocol/interface.ts';
import type { Handle } from '../../../protocol/schema.ts';
import { block, client, connect, ipcRelease, storeDelete, storeGet, storeKeys, storePut } from '../index.ts';

/** A device of the interface `block`. Its right names the disk by its place, so it is good for all incarnations of the driver. */
export class DriverDevice implements BlockDevice {
  readonly sectors: number;
  readonly readOnly: boolean;
  private readonly right: Handle;
  private readonly driver: Client<typeof block.methods>;

  /** Throws SystemError: ENODEV, EIO. */
  constructor(name: string) {
    const { device, description } = connect(block, 'ata').open(name);
    this.right = device;
    this.driver = client(block, device);
    this.sectors = description.sectors;
    this.readOnly = description.readOnly;
  }

  read(sector: number, count: number): Uint8Array {
    if (count <= MAX_REQUEST_SECTORS) return this.readPiece(sector, count);
    const data = Buffer.allocUnsafeSlow(count * SECTOR_BYTES);
    for (let at = 0; at < count; at += MAX_REQUEST_SECTORS) {
      data.set(this.readPiece(sector + at, Math.min(MAX_REQUEST_SECTORS, count - at)), at * SECTOR_BYTES);
    }
    return data;
  }

  private readPiece(sector: number, count: number): Uint8Array {
    const data = this.driver.read({ sector, count });
    if (data.length === count * SECTOR_BYTES) return data;
    throw new SystemError('EIO', `the driver answered ${data.length} bytes for ${count} sectors`);
  }

  write(sector: number, data: Uint8Array): void {
    const most = MAX_REQUEST_SECTORS * SECTOR_BYTES;
    for (let at = 0; at < data.length; at += most) {
      this.driver.write({ sector: sector + at / SECTOR_BYTES, data: data.subarray(at, at + most) });
    }
  }

  flush(): void {
    this.driver.flush();
  }

  /** Gives the right to the device up. */
  close(): void {
    ipcRelease(this.right);
  }
}

/** The recovery store of this service. A value that no message can carry finds no room either. */
export const recoveryStore: Keeper = {
  get: storeGet,
  put: (key, value) => {
    try {
      storePut(key, value);
    } catch (error) {
      if (error instanceof SystemError && error.code === 'EMSGSIZE') throw new SystemError('ENOSPC', error.message);
      throw error;
    }
  },
  delete: (key) => {
    try {
      storeDelete(key);
    } catch (error) {
      if (!(error instanceof SystemError && error.code === 'ENOENT')) throw error;
    }
  },
  keys: storeKeys,
};

/** The part of a store whose keys begin with a prefix. */
export function partOf(keeper: Keeper, prefix: string): Keeper {
  return {
    get: (key) => keeper.get(prefix + key),
    put: (key, value) => keeper.put(prefix + key, value),
    delete: (key) => keeper.delete(prefix + key),
    keys: () =>
      keeper
        .keys()
        .filter((key) => key.startsWith(prefix))
        .map((key) => key.slice(prefix.length)),
  };
}

/** Forgets everything a store holds. */
export function clear(keeper: Keeper): void {
  for (const key of keeper.keys()) keeper.delete(key);
}
