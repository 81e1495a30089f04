// A TCP peer for bulk data: `fetch ADDRESS PORT BYTES` gets so many from a source, `pour ADDRESS PORT BYTES` sends them
// to a sink, which says how many came.
// `meter-fetch ADDRESS PORT MILLISECONDS` gets bytes without end and prints how many have come, a line each so many
// milliseconds; `meter-pour` sends them, and prints how many the host's TCP has taken.
import net from 'node:net';

const [how, address, port, amount] = process.argv.slice(2);
const ENDLESS = 1e12;
const CHUNK = Buffer.alloc(1 << 16);

function fetch(bytes, arrived) {
  const socket = net.connect({
    host: address,
    port: Number(port),
    onread: { buffer: Buffer.alloc(1 << 18), callback: arrived },
  });
  socket.write(`${bytes}\n`);
  return new Promise((resolve, reject) => socket.on('error', reject).on('close', resolve));
}

let taken = () => 0;

function pour(bytes) {
  const socket = net.connect(Number(port), address);
  taken = () => socket.bytesWritten - socket.writableLength;
  let left = bytes;
  const more = () => {
    while (left > 0) {
      const chunk = CHUNK.subarray(0, Math.min(left, CHUNK.length));
      left -= chunk.length;
      if (!socket.write(chunk)) return;
    }
    socket.end();
  };
  let answer = '';
  socket
    .on('connect', more)
    .on('drain', more)
    .on('data', (text) => (answer += text));
  return new Promise((resolve, reject) =>
    socket.on('error', reject).on('close', () => resolve(Number(answer.split(' ')[0]))),
  );
}

let came = 0;
const count = (length) => {
  came += length;
  return true;
};
const start = performance.now();
if (how === 'meter-fetch') {
  setInterval(() => console.log(`${performance.now() - start} ${came}`), Number(amount));
  await fetch(ENDLESS, count);
} else if (how === 'meter-pour') {
  setInterval(() => console.log(`${performance.now() - start} ${taken()}`), Number(amount));
  await pour(ENDLESS);
} else {
  const bytes = Number(amount);
  if (how === 'fetch') await fetch(bytes, count);
  else came = await pour(bytes);
  if (came !== bytes) throw new Error(`${came} bytes of ${bytes}`);
  console.log(JSON.stringify({ rate: [bytes / 1000 / (performance.now() - start)] }));
}
