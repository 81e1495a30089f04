/**
 * Reads the first disk from its start in large requests and checks what it gets: every sector begins with its own
 * number. It runs as the machine's first service and starts the driver.
 */
import { block, bootArguments, client, connect, halt, log, spawn, uptime } from '../../../services/lib/index.ts';

/** What the bench asks for. */
interface Order {
  readonly requestBytes: number;
  readonly batches: number;
  readonly requests: number;
}

const SECTOR_BYTES = 512;
const { requestBytes, batches, requests } = JSON.parse(bootArguments().exec ?? '{}') as Order;

spawn('ata');
const disk = client(block, connect(block, 'ata').open('hda').device);
const count = requestBytes / SECTOR_BYTES;
let sector = 0;

function read(): void {
  const data = disk.read({ sector, count });
  const first = Buffer.from(data.buffer, data.byteOffset).readUInt32LE(0);
  if (data.length !== requestBytes || first !== sector) throw new Error(`sector ${sector} came as ${first}`);
  sector += count;
}

const rate: number[] = [];
for (let batch = -1; batch < batches; batch++) {
  if (batch <= 0) sector = 0;
  const before = uptime();
  for (let i = 0; i < requests; i++) read();
  if (batch >= 0) rate.push((requests * requestBytes) / 1000 / (uptime() - before));
}
log(`RESULT ${JSON.stringify({ rate })}`);
halt(0, false);
