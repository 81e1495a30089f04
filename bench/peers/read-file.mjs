/**
 * Peer of reading through the disk driver: the same file, the same requests, `fs.readSync`.
 *
 * usage: node read-file.mjs FILE REQUEST-BYTES BATCHES REQUESTS
 * prints {"rate":[megabytes a second, one number a batch]}
 */
import fs from 'node:fs';

const [file, ...words] = process.argv.slice(2);
const [requestBytes, batches, requests] = words.map(Number);
const descriptor = fs.openSync(file, 'r');
const rate = [];
let at = 0;
const read = () => {
  // A new buffer for each request, as every answer of the driver is.
  const count = fs.readSync(descriptor, Buffer.allocUnsafe(requestBytes), 0, requestBytes, at);
  if (count !== requestBytes) throw new Error(`${file} is too short`);
  at += count;
};
for (let batch = -1; batch < batches; batch++) {
  if (batch <= 0) at = 0;
  const before = performance.now();
  for (let i = 0; i < requests; i++) read();
  if (batch >= 0) rate.push((requests * requestBytes) / 1000 / (performance.now() - before));
}
console.log(JSON.stringify({ rate }));
