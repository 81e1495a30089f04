/** Starts workers, lets them work until enough services have been killed, and looks at what they share. */
import type { Client } from '../../../protocol/interface.ts';
import { service } from '../../../protocol/service.ts';
import {
  bootArguments,
  client,
  connect,
  Files,
  type Handle,
  init,
  ipcCreatePort,
  ipcFindPort,
  log,
  SystemError,
  sleep,
  spawn,
  taskList,
  uptime,
  waitpid,
} from '../../../services/lib/index.ts';
import type { DiskOrder, DiskResult, LoadOrder, WorkerOrder, WorkerResult } from './order.ts';

/** Name of the program that workers are tasks of. */
export const WORKER_PROGRAM = 'files-worker';

/** How long a service is waited for at a time. */
const PATIENCE_MS = 1000;

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
  // What dies from now on counts.
  const watch = new Watch(order.victims);
  log('the load has begun');
  while (watch.deaths() < order.kills && taskList().some(({ pid }) => pids.has(pid))) {
    watch.report();
    sleep(20);
  }
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

/** Watches the services that are killed. */
class Watch {
  private readonly names: readonly string[];
  private readonly servers = new Map<string, Client<typeof service.methods>>();
  /** Host processes of the incarnations that have answered. */
  private readonly serving = new Map<string, number>();
  private readonly before: number;

  constructor(names: readonly string[]) {
    this.names = names;
    for (const name of names) this.servers.set(name, client(service, ipcFindPort(name, 10_000), PATIENCE_MS));
    this.before = this.incarnations();
  }

  /** How often services have been started anew. */
  deaths(): number {
    return this.incarnations() - this.before;
  }

  private incarnations(): number {
    return taskList().reduce((sum, { name, incarnation }) => sum + (this.names.includes(name) ? incarnation : 0), 0);
  }

  /** Tells which process of each service answers, whenever that has changed. */
  report(): void {
    const told = JSON.stringify([...this.serving]);
    for (const name of this.names) {
      const host = this.hostOf(name);
      if (host !== undefined && host !== this.serving.get(name) && this.answers(name) && this.hostOf(name) === host) {
        this.serving.set(name, host);
      }
    }
    if (JSON.stringify([...this.serving]) !== told) log(`SERVING ${JSON.stringify(Object.fromEntries(this.serving))}`);
  }

  private hostOf(name: string): number | undefined {
    return taskList().find((row) => row.name === name && row.state !== 'ZOMBIE' && row.state !== 'STARTING')?.host;
  }

  private answers(name: string): boolean {
    try {
      this.servers.get(name)?.ping();
      return true;
    } catch (error) {
      if (error instanceof SystemError) return false;
      throw error;
    }
  }
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
