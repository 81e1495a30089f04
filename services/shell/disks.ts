/** Disks as the shell's commands use them (protocol/block.ts). */
import type { Client, Reply } from '../../protocol/interface.ts';
import { block, client, ipcRelease } from '../lib/index.ts';
import { about, CommandError } from './errors.ts';
import type { Services } from './services.ts';

/** Name of the service. */
export const DISK_SERVICE = 'ata';

/**
 * Longest wait for one answer, in milliseconds: retries of a failing sector and a restart of the driver fit into it.
 */
const REQUEST_MS = 60_000;

export type DeviceDescription = Reply<typeof block.methods.information>;

/** An open device. */
export interface OpenDevice {
  readonly description: DeviceDescription;
  readonly disk: Client<typeof block.methods>;
  close(): void;
}

/** All devices. */
export function listDevices(services: Services): DeviceDescription[] {
  return services.client(block, DISK_SERVICE).list();
}

/** Names of all devices, for completion. */
export const deviceNames = (services: Services): string[] => listDevices(services).map(({ name }) => name);

/** The name of a device that may be given as its file: `hda1` for `/dev/hda1`. */
export const deviceName = (word: string): string => word.replace(/^\/dev\//, '');

/** Opens a device. Throws CommandError. */
export function openDevice(services: Services, name: string): OpenDevice {
  const { device, description } = about(name, () => services.client(block, DISK_SERVICE).open(name));
  return { description, disk: client(block, device, REQUEST_MS), close: () => ipcRelease(device) };
}

/** The device named, else the first disk. Throws CommandError. */
export function openNamedOrFirst(services: Services, name: string | undefined): OpenDevice {
  const [first] = listDevices(services);
  if (name === undefined && first === undefined) throw new CommandError('there is no disk');
  return openDevice(services, name ?? first?.name ?? '');
}
