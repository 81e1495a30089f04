/**
 * Reads a disk from end to end through the block driver, in requests of 64 KiB, and checks every word. In the image,
 * each 32-bit word of a sector is (sector × 0x9e3779b1 + word) mod 2^32. Says after each MiB how far it is. Ends with
 * one RESULT line and halts the machine.
 */
import { block, client, connect, init, log, uptime } from '../../../services/lib/index.ts';

const REQUEST_SECTORS = 128;
const MEBIBYTE_SECTORS = 2048;

const driver = connect(block, 'ata', 10000);
const { device, description } = driver.open('hda');
const disk = client(block, device);
/** Often enough for a few seconds of reading. */
const passes = 2;
let wrong = 0;
let failed = 0;
let bytes = 0;
let slowest = 0;
const start = uptime();
let before = start;
for (let pass = 0; pass < passes; pass++) {
  for (let sector = 0; sector < description.sectors; sector += REQUEST_SECTORS) {
    const count = Math.min(REQUEST_SECTORS, description.sectors - sector);
    try {
      wrong += mistakes(disk.read({ sector, count }), sector);
      bytes += count * 512;
    } catch (error) {
      failed++;
      log(`read of sector ${sector}: ${error instanceof Error ? error.message : String(error)}`, 'error');
    }
    if ((sector + count) % MEBIBYTE_SECTORS === 0) log(`READ ${(sector + count) / MEBIBYTE_SECTORS} MiB`);
    const now = uptime();
    slowest = Math.max(slowest, now - before);
    before = now;
  }
  log(`pass ${pass + 1} of ${passes} is done`);
}
const milliseconds = uptime() - start;
log(`RESULT ${JSON.stringify({ bytes, wrong, failed, milliseconds, slowest })}`);
connect(init, 'init').shutdown({ status: 0, reboot: false });

function mistakes(data: Uint8Array, first: number): number {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  let found = 0;
  for (let at = 0; at < data.length; at += 4) {
    const sector = first + Math.floor(at / 512);
    if (view.getUint32(at, true) !== (Math.imul(sector, 0x9e3779b1) + ((at % 512) >> 2)) >>> 0) found++;
  }
  return found;
}
