/**
 * Peer of a call between two services: what Node offers for it. Two child processes made by `child_process.fork` with
 * advanced serialization, and a parent that relays: client, parent, server, parent, client.
 *
 * usage: node node-ipc.mjs BYTES WARM-UP BATCHES CALLS
 * prints {"rpc":[microseconds a call, one number a batch],"pipelined":[calls a second, one number a batch]}
 *
 * Read: Node.js documentation, "Child process", options.serialization and subprocess.send.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const [role, ...words] = process.argv.slice(2);
if (role === 'client') client(...words.map(Number));
else if (role === 'server') process.on('message', (message) => process.send(message));
else relay(process.argv.slice(2));

function relay(numbers) {
  const file = fileURLToPath(import.meta.url);
  const start = (name) => fork(file, [name, ...numbers], { serialization: 'advanced' });
  const one = start('client');
  const other = start('server');
  one.on('message', (message) => {
    if (message.rpc === undefined) {
      other.send(message);
      return;
    }
    console.log(JSON.stringify(message));
    one.disconnect();
    other.disconnect();
  });
  other.on('message', (message) => one.send(message));
}

async function client(bytes, warmUp, batches, calls) {
  const data = Buffer.alloc(bytes, 'x');
  const waiting = new Map();
  let lastId = 0;
  process.on('message', ({ id }) => {
    const resolve = waiting.get(id);
    waiting.delete(id);
    resolve();
  });
  const call = () =>
    new Promise((resolve) => {
      waiting.set(++lastId, resolve);
      process.send({ id: lastId, data });
    });
  const one = async (count) => {
    for (let i = 0; i < count; i++) await call();
  };
  const window = (count) => Promise.all(Array.from({ length: 32 }, () => one(Math.ceil(count / 32))));
  const measure = async (run, figure) => {
    await run(warmUp);
    const figures = [];
    for (let batch = 0; batch < batches; batch++) {
      const before = performance.now();
      await run(calls);
      figures.push(figure(performance.now() - before));
    }
    return figures;
  };
  process.send({
    rpc: await measure(one, (milliseconds) => (milliseconds * 1000) / calls),
    pipelined: await measure(window, (milliseconds) => (calls / milliseconds) * 1000),
  });
}
