/**
 * Files of the host that the command line has written: the log (`--log`) and the recording of the network (`--pcap`).
 */
import fs from 'node:fs';
import { RecordFile } from '../hw/record-file.ts';
import { DEFAULT_IMAGE } from './disks.ts';
import type { KernelLog } from './log.ts';
import { type Options, UsageError } from './options.ts';

/** Bytes of the log that may wait for the host; further lines are left out of the file. */
const MOST_BYTES = 4 * 1024 * 1024;

/** Refuses what would be written over a disk, or into one another. Throws UsageError. */
export function checkRecords({ disks, noDisk, logFile, pcap }: Options): void {
  const named = disks.filter((file) => file !== undefined);
  const images = named.length > 0 || noDisk ? named : [DEFAULT_IMAGE];
  const log = idOf(logFile);
  for (const image of images) {
    const disk = idOf(image);
    if (disk === null) continue;
    if (disk === log) throw new UsageError(`--log: ${logFile} is the disk image`);
    if (disk === idOf(pcap)) throw new UsageError(`--pcap: ${pcap} is the disk image`);
  }
  if (log !== null && log === idOf(pcap)) throw new UsageError(`--log and --pcap: ${pcap} cannot be both`);
}

/** What tells a regular file from all others; null: there is no such file, as far as can be seen. */
function idOf(file: string | undefined): string | null {
  if (file === undefined) return null;
  try {
    const stat = fs.statSync(file);
    return stat.isFile() ? `${stat.dev}:${stat.ino}` : null;
  } catch {
    return null;
  }
}

/** Has the log appended to the file that the options name, if any. Throws UsageError. */
export function openLog({ logFile }: Options, log: KernelLog): { close(): Promise<void> } {
  if (logFile === undefined) return { close: async () => {} };
  let file: RecordFile;
  try {
    file = new RecordFile(logFile, 'a', MOST_BYTES, (reason) =>
      log.error(`the log file is not written any more: ${reason}`),
    );
  } catch (error) {
    throw new UsageError(`--log: ${error instanceof Error ? error.message : String(error)}`);
  }
  log.record((line) => file.write(Buffer.from(line)));
  return {
    close: async () => {
      await file.close();
      if (file.dropped > 0) process.stderr.write(`vros: ${file.dropped} lines are missing in ${logFile}\n`);
    },
  };
}
