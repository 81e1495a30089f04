// Asks for a file again and again over connections that are kept: `http-load PORT PATH CONNECTIONS MILLISECONDS`.
// Prints requests a second and how many went wrong.
import net from 'node:net';

const [port, path, connections, milliseconds] = process.argv.slice(2);
const request = `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
const SEPARATOR = '\r\n\r\n';
const start = performance.now();
const end = start + Number(milliseconds);
let answers = 0;
let errors = 0;

function client() {
  return new Promise((resolve) => {
    const socket = net.connect(Number(port), '127.0.0.1', () => socket.write(request));
    let received = Buffer.alloc(0);
    socket.on('data', (bytes) => {
      received = received.length === 0 ? bytes : Buffer.concat([received, bytes]);
      const head = received.indexOf(SEPARATOR);
      if (head < 0) return;
      const text = received.toString('latin1', 0, head);
      const length = Number(/^content-length: *(\d+)/im.exec(text)?.[1]);
      if (!text.startsWith('HTTP/1.1 200 ') || Number.isNaN(length)) {
        errors++;
        socket.destroy();
        return;
      }
      if (received.length < head + SEPARATOR.length + length) return;
      received = received.subarray(head + SEPARATOR.length + length);
      answers++;
      if (performance.now() < end) socket.write(request);
      else socket.end();
    });
    socket.on('error', () => errors++);
    socket.on('close', () => {
      // A connection that was not kept to the end is an error.
      if (performance.now() < end) errors++;
      resolve();
    });
  });
}

await Promise.all(Array.from({ length: Number(connections) }, client));
console.log(JSON.stringify({ rate: [(answers * 1000) / (performance.now() - start)], errors: [errors] }));
