/**
 * Reads the first disk again and again while somebody kills the driver, checks every answer, and says in the log which
 * reads took long and which process of the host the driver is now.
 */
import { block, client, connect, log, taskList, time, uptime } from '../../../services/lib/index.ts';

/** A read that takes longer is reported, in milliseconds: less than any recovery and more than other reads take. */
const LONG_MILLISECONDS = 4;
const SECTOR_BYTES = 512;
const COUNT = 8;
/** Sectors that are read in turn. */
const SECTORS = 8192;
/** Looks at the wall clock while its milliseconds turn; the nearest one counts. */
const LOOKS = 20;

const disk = client(block, connect(block, 'ata').open('hda').device);

/** Milliseconds of the wall clock at power-on. It is a little early, by the time between two looks: never late. */
function epoch(): number {
  let latest = Number.NEGATIVE_INFINITY;
  for (let look = 0; look < LOOKS; look++) {
    const before = time();
    let now = before;
    while (now === before) now = time();
    latest = Math.max(latest, now - uptime());
  }
  return latest;
}

function driver(): number {
  return taskList().find(({ name, host }) => name === 'ata' && host !== 0)?.host ?? 0;
}

function read(sector: number): void {
  const data = disk.read({ sector, count: COUNT });
  for (let i = 0; i < COUNT; i++) {
    const found = Buffer.from(data.buffer, data.byteOffset).readUInt32LE(i * SECTOR_BYTES);
    if (found !== sector + i) throw new Error(`sector ${sector + i} came as ${found}`);
  }
}

log(`RESULT ${JSON.stringify({ epoch: epoch(), host: driver() })}`);
let sector = 0;
let before = uptime();
for (;;) {
  read(sector);
  const after = uptime();
  if (after - before > LONG_MILLISECONDS) {
    log(`RESULT ${JSON.stringify({ begun: before, answered: after, host: driver() })}`);
    before = uptime();
  } else before = after;
  sector = (sector + COUNT) % SECTORS;
}
