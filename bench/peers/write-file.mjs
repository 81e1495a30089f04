/**
 * Peer of writing and reading a file on /mnt: a file of the host, the same requests, `fs.writeSync`, `fs.fsyncSync`,
 * `fs.readSync`.
 *
 * usage: node write-file.mjs FILE BYTES PIECE-BYTES BATCHES     prints {"write":[megabytes a second],"read":[…]}
 */
import fs from 'node:fs';

const [file, ...words] = process.argv.slice(2);
const [bytes, pieceBytes, batches] = words.map(Number);
const write = [];
const read = [];
const rate = (work) => {
  const before = performance.now();
  work();
  return bytes / 1000 / (performance.now() - before);
};
for (let batch = 0; batch < batches; batch++) {
  const descriptor = fs.openSync(file, 'w+');
  const piece = Buffer.alloc(pieceBytes, 0x5a);
  write.push(
    rate(() => {
      for (let at = 0; at < bytes; at += pieceBytes) fs.writeSync(descriptor, piece, 0, pieceBytes, at);
      fs.fsyncSync(descriptor);
    }),
  );
  read.push(
    rate(() => {
      for (let at = 0; at < bytes; at += pieceBytes)
        fs.readSync(descriptor, Buffer.allocUnsafe(pieceBytes), 0, pieceBytes, at);
    }),
  );
  fs.closeSync(descriptor);
  fs.unlinkSync(file);
}
console.log(JSON.stringify({ write, read }));
