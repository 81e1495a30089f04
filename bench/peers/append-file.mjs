/**
 * Peer of appending a byte with fsync on /mnt: the same on a file of the host.
 *
 * usage: node append-file.mjs FILE COUNT     prints {"milliseconds":[…]}
 */
import fs from 'node:fs';

const [file, count] = process.argv.slice(2);
const descriptor = fs.openSync(file, 'a');
const byte = Buffer.alloc(1);
const milliseconds = Array.from({ length: Number(count) }, () => {
  const before = performance.now();
  fs.writeSync(descriptor, byte);
  fs.fsyncSync(descriptor);
  return performance.now() - before;
});
fs.closeSync(descriptor);
fs.unlinkSync(file);
console.log(JSON.stringify({ milliseconds }));
