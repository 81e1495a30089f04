/**
 * Peer of recovery: the same with what Node offers. A parent keeps a child process that answers requests; the child is
 * killed while a request is under way, the parent starts the next one when it hears of the end, and asks again.
 *
 * usage: node supervisor.mjs KILLS
 * prints {"recovery":[milliseconds from the kill to the answer, one number a kill]}
 *
 * Read: Node.js documentation, "Child process".
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Time a request takes, in milliseconds: the kill comes in the middle. */
const REQUEST_MILLISECONDS = 4;

const [words = '1'] = process.argv.slice(2);
if (words === 'server') {
  process.on('message', (message) => setTimeout(() => process.send(message), REQUEST_MILLISECONDS));
} else {
  const recovery = [];
  for (let kill = 0; kill < Number(words); kill++) recovery.push(await killed());
  console.log(JSON.stringify({ recovery }));
}

function killed() {
  return new Promise((resolve) => {
    let before = 0;
    const start = () => {
      const child = fork(fileURLToPath(import.meta.url), ['server'], { serialization: 'advanced' });
      child.send({ request: 1 });
      return child;
    };
    const first = start();
    first.once('message', () => {
      first.send({ request: 2 });
      setTimeout(() => {
        before = performance.now();
        first.kill('SIGKILL');
      }, REQUEST_MILLISECONDS / 2);
    });
    first.once('exit', () => {
      const second = start();
      second.once('message', () => {
        resolve(performance.now() - before);
        second.disconnect();
      });
    });
  });
}
