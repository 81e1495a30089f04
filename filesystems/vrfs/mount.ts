/** Mounting (docs/vrfs.md, "Mount"): superblock, journal, and what follows from what is found there. */
import type { BlockDevice, Keeper } from '../block-device.ts';
import type { FileSystem, MountOptions } from '../file-system.ts';
import { readHeader } from './journal-header.ts';
import { BOOT_BYTES } from './journal-record.ts';
import { damaged, Seals } from './metadata.ts';
import { readJournal } from './recovery.ts';
import { readSuperblock } from './superblock.ts';
import { Volume } from './volume.ts';
import { Vrfs } from './vrfs.ts';

const BOOT_KEY = 'vrfs.boot';

/** The number of this boot of the machine: what is kept lives as long as it does. */
function bootOf(keeper: Keeper | null, random: (count: number) => Uint8Array): Buffer {
  const kept = keeper?.get(BOOT_KEY);
  if (kept instanceof Uint8Array && kept.length === BOOT_BYTES) return Buffer.from(kept);
  const boot = Buffer.from(random(BOOT_BYTES));
  keeper?.put(BOOT_KEY, boot);
  return boot;
}

/** See Format. */
export function mountDevice(device: BlockDevice, options: MountOptions): FileSystem {
  const superblock = readSuperblock(device);
  const { geometry } = superblock;
  const seals = new Seals(superblock.identity);
  const { header } = readHeader(device, geometry, seals);
  const boot = bootOf(options.keeper, options.random);
  const recovery = readJournal(device, geometry, seals, header, boot);
  const reasons = [
    superblock.readOnlyReason,
    superblock.fromCopy ? 'the superblock is damaged, and its copy is used' : '',
    recovery.problem,
  ];
  const readOnly = options.readOnly || device.readOnly;
  if (recovery.problem !== '' && !readOnly) throw damaged(recovery.problem);
  const reason = reasons.find((text) => text !== '') ?? '';
  if (reason !== '') options.log(`mounted read-only: ${reason}`, 'warning');
  const volume = new Volume(device, geometry, seals, header, recovery, {
    readOnly: readOnly || reason !== '',
    readOnlyReason: reason,
    boot,
    log: (text, level) => options.log(text, level),
  });
  const { live } = recovery.position;
  if (live > 0) options.log(`recovered ${live} transactions from the journal`, 'info');
  return new Vrfs(volume, superblock.label, options);
}
