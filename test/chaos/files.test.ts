/**
 * Kills vfs, the services of file systems and the disk driver from the host with SIGKILL, again and again, one and two
 * at a time, while clients work on files: every request is answered as if nobody had been killed, and is carried out
 * once. Files stay open at their offsets. In the end the disks are compared, too, and checked.
 *
 * The clients are in test/services/files.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BlockDevice } from '../../filesystems/block-device.ts';
import { ext2 } from '../../filesystems/ext2/index.ts';
import { fat } from '../../filesystems/fat/index.ts';
import type { FileSystem, Format, NodeNumber } from '../../filesystems/file-system.ts';
import { vrfs } from '../../filesystems/vrfs/index.ts';
import { digest } from '../services/files/digest.ts';
import type { DiskOrder, DiskResult, LoadOrder } from '../services/files/order.ts';
import {
  eventually,
  isAlive,
  killProcess,
  startMachine,
  type TestMachine,
  type TestManifest,
} from '../support/machine.ts';
import { MemoryDevice } from '../support/memory-device.ts';
import { Random } from '../support/random.ts';

const MEBIBYTE = 1024 * 1024;
const PARTITION_SECTOR = 2048;

/** A disk of the machine. */
interface Disk {
  readonly option: string;
  readonly format: Format;
  readonly service: string;
  readonly order: DiskOrder;
  /** Where its file system begins. */
  readonly firstSector: number;
  readonly bytes: number;
}

const disks: readonly Disk[] = [
  {
    ...{ option: '--hda', format: vrfs, service: 'vrfs@hda1', firstSector: PARTITION_SECTOR, bytes: 32 * MEBIBYTE },
    order: { device: null, directory: '/mnt', links: true, workers: 2 },
  },
  {
    ...{ option: '--hdb', format: fat, service: 'fat@hdb', firstSector: 0, bytes: 16 * MEBIBYTE },
    order: { device: 'hdb', directory: '/fat', links: false, workers: 1 },
  },
  {
    ...{ option: '--hdc', format: ext2, service: 'ext2@hdc', firstSector: 0, bytes: 16 * MEBIBYTE },
    order: { device: 'hdc', directory: '/ext2', links: true, workers: 1 },
  },
];

/** Services that are killed: alone, and two at a time. */
const victims = ['vfs', 'ata', ...disks.map(({ service }) => service)];

const KILLS = 24;

/** Milliseconds between the return of what was killed and the next kill, at most. */
const LONGEST_PAUSE_MS = 150;

/** How long a service may take to come back, on a busy host. */
const PATIENCE_MS = 30_000;

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vros-files-'));
const imageOf = ({ option }: Disk): string => path.join(folder, `${option.slice(2)}.img`);

/** The part of an image that has the file system. */
function deviceOf(disk: Disk, image: Buffer): BlockDevice {
  return new MemoryDevice(image.subarray(disk.firstSector * 512));
}

/** One partition of our type, from `first` to the end. */
function partition(image: Buffer, first: number): void {
  image[0x1be + 4] = 0x7f;
  image.writeUInt32LE(first, 0x1be + 8);
  image.writeUInt32LE(image.length / 512 - first, 0x1be + 12);
  image.writeUInt16LE(0xaa55, 0x1fe);
}

const random = (count: number): Uint8Array => Buffer.alloc(count, 0x5a);

beforeAll(() => {
  for (const disk of disks) {
    const image = Buffer.alloc(disk.bytes);
    if (disk.firstSector > 0) partition(image, disk.firstSector);
    disk.format.format(deviceOf(disk, image), { now: Date.now, random });
    fs.writeFileSync(imageOf(disk), image);
  }
});

afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

function start(order: LoadOrder): TestMachine {
  const file = path.resolve(import.meta.dirname, '../../services.json');
  const { services } = JSON.parse(fs.readFileSync(file, 'utf8')) as { services: TestManifest[] };
  const load = { entry: 'test/services/files', looksUp: ['init', ...victims] };
  return startMachine({
    services: [
      ...services.filter(({ name }) => !['shell', 'ne2000', 'netstack'].includes(name)),
      { ...load, name: 'files-load', restart: 'never', maySpawn: ['files-worker'] },
      { ...load, name: 'files-worker', program: true, restart: 'never' },
      { name: 'task-reporter', entry: 'test/services/task-reporter', restart: 'always' },
    ],
    options: [...disks.flatMap((disk) => [disk.option, imageOf(disk)]), '--exec', JSON.stringify(order)],
  });
}

/**
 * Host process ids by name, as last logged with a mark: TASKS of all tasks, SERVING of the services that have answered
 * something since they were started.
 */
function hosts(machine: TestMachine, mark: 'TASKS' | 'SERVING'): Record<string, number> {
  const line = machine.log.findLast(({ msg }) => msg.startsWith(`${mark} `));
  return line === undefined ? {} : (JSON.parse(line.msg.slice(mark.length + 1)) as Record<string, number>);
}

/**
 * Kills services until the load is over; answers how many. Each time it waits until those that were killed serve again,
 * so that there is always something to be lost.
 */
async function killAgainAndAgain(machine: TestMachine, order: LoadOrder, chance: Random): Promise<number> {
  let kills = 0;
  const over = (): boolean => machine.results().length > 0 || kills >= order.kills;
  const kill = (name: string, mark: 'TASKS' | 'SERVING'): void => {
    const host = hosts(machine, mark)[name];
    if (host === undefined || !isAlive(host)) return;
    killProcess(host);
    kills++;
  };
  while (!over()) {
    const before = hosts(machine, 'SERVING');
    const names = [...new Set([pick(chance), pick(chance)])];
    for (const name of names) kill(name, 'SERVING');
    const isAnother = (mark: 'TASKS' | 'SERVING', name: string): boolean => {
      const now = hosts(machine, mark)[name];
      return now !== undefined && now !== before[name];
    };
    const [again] = names;
    if (again !== undefined && chance.below(4) === 0) {
      // Also while it starts.
      await eventually(() => isAnother('TASKS', again), `${again} was started again`, PATIENCE_MS);
      kill(again, 'TASKS');
    }
    const back = (): boolean => machine.results().length > 0 || names.every((name) => isAnother('SERVING', name));
    await eventually(back, `${names.join(' and ')} came back`, PATIENCE_MS);
    await new Promise((resolve) => setTimeout(resolve, chance.below(LONGEST_PAUSE_MS)));
  }
  return kills;
}

const pick = (chance: Random): string => chance.pick(victims as [string]);

/** Every name with what stands behind it, as a worker tells it. */
function treeOf(core: FileSystem, node: NodeNumber, way: string): string[] {
  const { type, size } = core.attributes(node);
  const head = `${way} ${type}`;
  if (type === 'symlink') return [`${head} ${core.readLink(node)}`];
  if (type !== 'directory') return [`${head} ${digest(core.read(node, 0, size))}`];
  const { entries } = core.readDirectory(node, '', 100_000);
  const sorted = entries.map(({ name }) => name).sort();
  return [
    head,
    ...sorted.flatMap((name) => treeOf(core, core.lookup(node, name), way === '' ? name : `${way}/${name}`)),
  ];
}

describe('killing the servers of files while clients work', () => {
  it('changes no answer and loses and doubles nothing', { timeout: 180_000 }, async () => {
    const chance = new Random();
    const order: LoadOrder = { seed: chance.seed, disks: disks.map((disk) => disk.order), victims, kills: KILLS };
    const machine = start(order);
    await machine.logged(/files-load.*: the load has begun/);
    const kills = await killAgainAndAgain(machine, order, chance);
    const status = await machine.end();
    const report = `seed ${chance.seed}\n${machine.logText}`;
    expect(status, report).toBe(0);
    expect(kills, report).toBeGreaterThanOrEqual(KILLS);
    expect(machine.logText).not.toMatch(/was answered EIO/);
    const results = machine.results<DiskResult>();
    expect(results.length).toBe(disks.length);
    for (const { directory, workers, differences } of results) {
      expect(differences, `${directory}, ${report}`).toEqual([]);
      for (const worker of workers) {
        expect(worker.differences, `${directory}, ${report}`).toEqual([]);
      }
    }
    const requests = results.flatMap(({ workers }) => workers).reduce((sum, worker) => sum + worker.requests, 0);
    expect(requests, 'there was work to be interrupted').toBeGreaterThan(KILLS);
    for (const [index, disk] of disks.entries()) compareDisk(disk, results[index] as DiskResult);
  });
});

/** The image holds what the clients have seen, and is sound. */
function compareDisk(disk: Disk, { workers }: DiskResult): void {
  const image = fs.readFileSync(imageOf(disk));
  expect(disk.format.check(deviceOf(disk, image), false).problems, disk.service).toEqual([]);
  const options = { readOnly: true, now: Date.now, keeper: null, random, log: () => {} };
  const core = disk.format.mount(deviceOf(disk, image), options);
  for (const { number, tree } of workers) {
    expect(treeOf(core, core.lookup(core.root, `worker${number}`), ''), disk.service).toEqual(tree);
  }
}
