/** Reading a disk from start to end through the driver. */
import { alternate } from '../alternate.ts';
import { makeImage } from '../disk.ts';
import { runScenario, standardManifest } from '../machine.ts';
import { nodePeer } from '../peers.ts';
import { peerLine, plainLine, type Row } from '../row.ts';
import { VROS } from './calls.ts';

const ROUNDS = 5;
const LEAST_MEGABYTES_PER_SECOND = 60;
const REQUEST_BYTES = 64 * 1024;
const BATCHES = 4;
const REQUESTS = 256;
const FILE = 'fs.readSync of the same file';

const reader = { name: 'init', entry: 'bench/services/reader', looksUp: ['ata'], privileges: ['supervise', 'power'] };

export const sequentialRead: Row = {
  name: 'sequential-read',
  async run(bench) {
    const image = makeImage(bench.folder, 'sequential.img', BATCHES * REQUESTS * REQUEST_BYTES);
    const scenario = {
      services: [reader, standardManifest('ata')],
      order: { requestBytes: REQUEST_BYTES, batches: BATCHES, requests: REQUESTS },
      options: ['--hda', image],
    };
    const all = await alternate(bench.rounds(ROUNDS), [
      { name: VROS, sample: () => runScenario<{ rate: number[] }>(bench.folder, scenario) },
      { name: FILE, sample: () => nodePeer('read-file', image, REQUEST_BYTES, BATCHES, REQUESTS) },
    ]);
    const ours = plainLine(VROS, all.get(VROS)?.rate ?? []);
    const must = { text: `≥ ${LEAST_MEGABYTES_PER_SECOND} MB/s`, met: ours.median >= LEAST_MEGABYTES_PER_SECOND };
    return [
      {
        name: 'sequential-read',
        title: `sequential read through ata, requests of ${REQUEST_BYTES / 1024} KiB`,
        unit: 'MB/s',
        lines: [{ ...ours, must }, peerLine(FILE, all.get(FILE)?.rate ?? [], ours)],
        notes: ['the image is in the cache of the host'],
      },
    ];
  },
};
