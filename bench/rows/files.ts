/** Files on /mnt through all layers: client → vrfs → ata → bus → image, as users have them. */
import fs from 'node:fs';
import path from 'node:path';
import { alternate } from '../alternate.ts';
import { makeCrashedImage, makeFilledImage } from '../disk.ts';
import { runScenario, standardManifest } from '../machine.ts';
import { nodePeer } from '../peers.ts';
import { type Bench, type Line, type Must, peerLine, plainLine, type Row, type RowResult } from '../row.ts';
import { median } from '../statistics.ts';
import { machine, VROS } from './calls.ts';

const HOST_FILE = 'Node fs on a file of the host';
const MEBIBYTE = 1024 * 1024;

const worker = {
  name: 'worker',
  entry: 'bench/services/files',
  looksUp: ['vfs'],
  dependsOn: ['vfs'],
  restart: 'never',
  privileges: ['power'],
};

/** The services of a machine with files and without a terminal. */
const services = () => ['init', 'ata', 'vfs', 'vrfs@'].map(standardManifest).concat(worker);

/** A fresh image of zeros with one partition of ours, which is formatted at boot. */
function freshImage(bench: Bench, mebibytes: number): string {
  const file = path.join(bench.folder, `files-${mebibytes}.img`);
  fs.rmSync(file, { force: true });
  fs.closeSync(fs.openSync(file, 'w'));
  fs.truncateSync(file, mebibytes * MEBIBYTE);
  const table = Buffer.alloc(512);
  table.writeUInt8(0x7f, 450);
  table.writeUInt32LE(2048, 454);
  table.writeUInt32LE(mebibytes * 2048 - 2048, 458);
  table.writeUInt16LE(0xaa55, 510);
  const descriptor = fs.openSync(file, 'r+');
  fs.writeSync(descriptor, table, 0, 512, 0);
  fs.closeSync(descriptor);
  return file;
}

type Figures = Record<string, number[]>;

function run(bench: Bench, order: object, ...images: readonly string[]): Promise<Figures> {
  const options = images.flatMap((image, index) => [`--hd${'abcd'[index] ?? ''}`, image]);
  return runScenario<Figures>(bench.folder, { services: services(), order, options });
}

function atLeast(line: Line, figure: number, unit: string): Line {
  return { ...line, must: { text: `≥ ${figure} ${unit}`, met: line.median >= figure } };
}

function withMust(line: Line, text: string, met: boolean): Line {
  const must: Must = { text, met };
  return { ...line, must };
}

/** 64 MiB written with fsync, and read. */
export const sequentialFile: Row = {
  name: 'file',
  async run(bench) {
    const [bytes, pieceBytes, batches] = [64 * MEBIBYTE, 128 * 1024, 2];
    const all = await alternate(bench.rounds(3), [
      {
        name: VROS,
        sample: () => run(bench, { task: 'sequential', bytes, pieceBytes, batches }, freshImage(bench, 256)),
      },
      {
        name: HOST_FILE,
        sample: () => nodePeer('write-file', path.join(bench.folder, 'peer.dat'), bytes, pieceBytes, batches),
      },
    ]);
    const result = (kind: 'write' | 'read', title: string, least: number): RowResult => {
      const ours = plainLine(VROS, all.get(VROS)?.[kind] ?? []);
      const theirs = peerLine(HOST_FILE, all.get(HOST_FILE)?.[kind] ?? [], ours);
      return { name: `file-${kind}`, title, unit: 'MB/s', lines: [atLeast(ours, least, 'MB/s'), theirs], notes: [] };
    };
    return [
      result('write', '64 MiB written to a file on /mnt, with fsync', 25),
      result('read', '64 MiB read from a file on /mnt', 50),
    ];
  },
};

/** A read that is answered from the cache beside a call of the same size to a service that does nothing. */
export const cachedRead: Row = {
  name: 'cached-read',
  async run(bench) {
    const RPC = 'RPC of 4 KiB';
    const load = { bytes: 4096, warmUp: 2000, batches: 10, calls: 200 };
    const order = { task: 'cached', bytes: 64 * 4096, pieceBytes: 4096, count: 2000, batches: 5 };
    const all = await alternate(bench.rounds(5), [
      { name: VROS, sample: () => run(bench, order, freshImage(bench, 64)) },
      machine(bench, RPC, load),
    ]);
    const ours = plainLine(VROS, all.get(VROS)?.microseconds ?? []);
    const theirs = peerLine(RPC, all.get(RPC)?.rpc ?? [], ours, 1.3);
    return [
      {
        name: 'cached-read',
        title: 'read of 4 KiB from the cache of vrfs',
        unit: 'µs',
        lines: [ours, theirs],
        notes: [],
      },
    ];
  },
};

/** Ten thousand files in one directory: the last thousand must not be slower than the first. */
export const manyFiles: Row = {
  name: 'many-files',
  async run(bench) {
    const rounds = bench.rounds(3);
    const figures: Figures[] = [];
    for (let round = 0; round < rounds; round++) {
      figures.push(await run(bench, { task: 'directory', batches: 10, count: 1000 }, freshImage(bench, 256)));
    }
    const perFile = (kind: string, batch: number): number[] => figures.map((all) => all[kind]?.[batch] ?? Number.NaN);
    const lines = (kind: string, what: string): Line[] => {
      const first = plainLine(`${what}, of the first thousand`, perFile(kind, 0));
      const last = plainLine(`${what}, of the last thousand`, perFile(kind, 9));
      const ratio = median(figures.map((all) => (all[kind]?.[9] ?? Number.NaN) / (all[kind]?.[0] ?? Number.NaN)));
      return [first, withMust({ ...last, ratio }, '≤ 1.5 × the first', ratio <= 1.5)];
    };
    const list = plainLine(
      'listing of all, in ms',
      figures.flatMap((all) => all.list ?? []),
    );
    const all = [...lines('made', 'making'), list, ...lines('removed', 'removing')];
    const title = '10,000 files in one directory on /mnt, each a request';
    return [{ name: 'many-files', title, unit: 'ms per thousand', lines: all, notes: [] }];
  },
};

/** fsync of one byte. */
export const appendSync: Row = {
  name: 'append-sync',
  async run(bench) {
    const count = 50;
    const all = await alternate(bench.rounds(5), [
      { name: VROS, sample: () => run(bench, { task: 'append', count }, freshImage(bench, 64)) },
      { name: HOST_FILE, sample: () => nodePeer('append-file', path.join(bench.folder, 'append.dat'), count) },
    ]);
    const ours = plainLine(VROS, all.get(VROS)?.milliseconds ?? []);
    const theirs = peerLine(HOST_FILE, all.get(HOST_FILE)?.milliseconds ?? [], ours);
    const bound = Math.max(6, 15 * theirs.median);
    const text = `≤ 6 ms or 15 × the host's, here ${bound.toFixed(1)} ms`;
    return [
      {
        name: 'append-sync',
        title: 'one byte appended and fsync, on /mnt',
        unit: 'ms',
        lines: [withMust(ours, text, ours.median <= bound), theirs],
        notes: [],
      },
    ];
  },
};

/** Mounting after a crash, with as much in the journal as it holds. */
export const mountAfterCrash: Row = {
  name: 'mount',
  async run(bench) {
    const times: number[] = [];
    let note = '';
    for (let round = 0; round < bench.rounds(5); round++) {
      const crashed = path.join(bench.folder, 'crashed.img');
      const { directories, bytes } = makeCrashedImage(crashed);
      const figures = await run(bench, { task: 'mount' }, freshImage(bench, 64), crashed);
      if (figures.found?.[0] !== directories)
        throw new Error(`${figures.found?.[0]} directories were recovered of ${directories}`);
      times.push(...(figures.milliseconds ?? []));
      note = `${(bytes / MEBIBYTE).toFixed(1)} MiB written since the last checkpoint, journal and contents; with the start of the process`;
    }
    const line = plainLine(VROS, times);
    const lines = [withMust(line, '< 300 ms', line.median < 300)];
    return [{ name: 'mount', title: 'mount after a crash with a full journal', unit: 'ms', lines, notes: [note] }];
  },
};

/** Memory of the file system's process. */
export const memory: Row = {
  name: 'memory',
  async run(bench) {
    const image = path.join(bench.folder, 'filled.img');
    const files = 50_000;
    makeFilledImage(image, 1024 * MEBIBYTE, files);
    const figures = await run(bench, { task: 'walk' }, image);
    if ((figures.found?.[0] ?? 0) < files) throw new Error(`${figures.found?.[0]} files are there of ${files}`);
    const line = plainLine(VROS, figures.mebibytes ?? []);
    const lines = [withMust(line, '< 120 MiB', line.median < 120)];
    return [
      {
        name: 'memory',
        title: 'memory of vrfs after looking at all of 50,000 files on an image of 1 GiB',
        unit: 'MiB',
        lines,
        notes: [],
      },
    ];
  },
};
