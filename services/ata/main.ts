/**
 * The disk driver: serves the drives of the two ATA channels, and their partitions, as interface `block`, and each of
 * them as a file (`file`).
 *
 * Read: protocol/block.ts; ATA/ATAPI-6 (T13/1410D). A restart loses nothing but the counters: what the drives and their
 * partition tables say is read again, rights name their device by place, and a write that was under way is written
 * again by the request that comes again.
 */
import { block, file, ipcMint, log, offer, type Program, runRehearsed, time } from '../lib/index.ts';
import { DeviceTable } from './devices.ts';
import { fileHandlers } from './file-handlers.ts';
import { handlers } from './handlers.ts';
import { machine } from './hardware.ts';
import { IO_PORTS } from './registers.ts';
import { DriveRehearsal } from './rehearsal.ts';

runRehearsed(program, () => new DriveRehearsal());

function program(): Program {
  const devices = new DeviceTable(log);
  return {
    port: 'ata',
    ioPorts: IO_PORTS,
    start: () => devices.probe(machine()),
    offers: [offer(block, handlers(devices, ipcMint)), offer(file, fileHandlers(devices, time))],
  };
}
