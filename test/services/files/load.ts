/** Starts workers, lets them work until enough services have been killed, and looks at what they share. */
import {
  bootArguments,
  connect,
  Files,
  type Handle,
  init,
  ipcCreatePort,
  log,
  sleep,
  spawn,
  taskList,
  uptime,
  waitpid,
} from '../../../services/lib/index.ts';
import type { DiskOrder, DiskResult, LoadOrder, WorkerOrder, WorkerResult } from './order.ts';

/** Name of the program that workers are tasks of. */
export const WORKER_PROGRAM = 'files-worker';

const STOP_FILE = '/stop';
const RACES = 100_000;
const MOST_BYTES = 5000;
const NAMES = ['a', 'b', 'c', 'd', 'e', 'a longer name, which needs more than one entry'];

/** See the head of this file. */
export function load(): void {
  const order = JSON.parse(bootArguments().exec ?? '{}') as LoadOrder;
  const files = Files.connect('/');
  for (const disk of order.disks) prepare(files, disk);
  const pids = new Map<number, DiskOrder>();
  const port = ipcCreatePort();
  for (const disk of order.disks)
    for (let i = 0; i < disk.workers; i++) pids.set(start(order, disk, pids.size, port), disk);
  log('the load has begun');
  const before = incarnations(order.victims);
  while (incarnations(order.victims) - before < order.kills && taskList().some(({ pid }) => pids.has(pid))) sleep(50);
  files.write(STOP_FILE, new Uint8Array(0));
  for (const pid of pids.keys()) {
    const { status } = waitpid(pid, 60_000);
    if (status !== 0) log(`worker ${pid} ended with ${status}`, 'error');
  }
  for (const disk of order.disks) log(`RESULT ${JSON.stringify(examine(files, disk))}`);
  files.sync();
  log(`the load took ${Math.round(uptime())} ms`);
  connect(init, 'init').shutdown({ status: 0, reboot: false });
}

function prepare(files: Files, { device, directory }: DiskOrder): void {
  if (device !== null) {
    files.makeDirectory(directory);
    files.mount(device, directory);
  }
  files.makeDirectory(`${directory}/race`);
  files.makeDirectory(`${directory}/results`);
}

function start(order: LoadOrder, disk: DiskOrder, number: number, port: Handle): number {
  const worker: WorkerOrder = {
    ...{ number, seed: order.seed + number, directory: disk.directory, links: disk.links, names: NAMES },
    ...{ races: RACES, mostBytes: MOST_BYTES, stopFile: STOP_FILE },
  };
  return spawn(WORKER_PROGRAM, [JSON.stringify(worker)], port);
}

/** How often services have been started, all together. */
function incarnations(names: readonly string[]): number {
  return taskList().reduce((sum, { name, incarnation }) => sum + (names.includes(name) ? incarnation : 0), 0);
}

/** Compares what workers say with what they have left together. */
function examine(files: Files, { directory, workers: count }: DiskOrder): DiskResult {
  const differences: string[] = [];
  const workers = [...files.entries(`${directory}/results`)].map(({ name }) => {
    const text = Buffer.from(files.read(`${directory}/results/${name}`, 2 ** 22)).toString();
    return JSON.parse(text) as WorkerResult;
  });
  if (workers.length !== count) differences.push(`${workers.length} of ${count} workers came to their end`);
  const lines = Buffer.from(files.read(`${directory}/shared`, 2 ** 24))
    .toString()
    .split('\n');
  if (lines.pop() !== '') differences.push('the shared file does not end with a line');
  for (const { number, appended } of workers) {
    const own = lines.filter((line) => line.startsWith(`${number} `));
    const wrong = own.findIndex((line, index) => line !== `${number} ${index}`);
    if (own.length !== appended || wrong >= 0)
      differences.push(
        `worker ${number} appended ${appended} lines; ${own.length} are there, the first wrong is ${wrong}`,
      );
  }
  const appended = workers.reduce((sum, worker) => sum + worker.appended, 0);
  if (lines.length !== appended) differences.push(`${appended} lines were appended, ${lines.length} are there`);
  const won = workers.reduce((sum, worker) => sum + worker.won, 0);
  const made = [...files.entries(`${directory}/race`)].length;
  if (won !== made) differences.push(`${won} files were made by those who say so, ${made} are there`);
  return { directory, workers, differences };
}
