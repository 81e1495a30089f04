/** Load on file systems while their servers are killed: the program that starts it, and that of its workers. */
import { Files, startInformation } from '../../../services/lib/index.ts';
import { load } from './load.ts';
import type { WorkerOrder } from './order.ts';
import { Worker } from './worker.ts';

const [argument] = startInformation.arguments;
if (argument === undefined) load();
else {
  const order = JSON.parse(argument) as WorkerOrder;
  const result = new Worker(order).run();
  Files.connect('/').write(`${order.directory}/results/${order.number}`, Buffer.from(JSON.stringify(result)));
}
