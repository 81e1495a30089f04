/** What a file system in a service stands on: a disk or partition of the driver, and the recovery store. */
import type { Keeper } from '../../../filesystems/block-device.ts';
import { MAX_TIMEOUT_MILLISECONDS } from '../../../protocol/bounds.ts';
import { SystemError } from '../../../protocol/errno.ts';
import { beginCall, block, client, connect, ipcRelease, storeDelete, storeGet, storeKeys, storePut } from '../index.ts';
import { PipelinedDevice } from './pipelined-device.ts';

/**
 * A device of the interface `block`. Its right names the disk by its place, so it is good for all incarnations of the
 * driver. Throws SystemError: ENODEV, EIO.
 */
export function openDriverDevice(name: string): PipelinedDevice {
  const { device, description } = connect(block, 'ata').open(name);
  return new PipelinedDevice(description, {
    ...client(block, device),
    beginRead: (request) => beginCall(block, device, 'read', request, MAX_TIMEOUT_MILLISECONDS),
    beginWrite: (request) => beginCall(block, device, 'write', request, MAX_TIMEOUT_MILLISECONDS),
    close: () => ipcRelease(device),
  });
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
