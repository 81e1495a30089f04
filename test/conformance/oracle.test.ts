/**
 * The machine against QEMU: every scenario, through the qtest protocol, has to give the answers that QEMU 7.2 gave.
 *
 * The scenarios are those in `scenarios/`, or all sets in the folder `scenarios` of the oracle that VROS_ORACLE names.
 */

import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { QtestClient } from './qtest-client.ts';
import { Cable, diskSectors, loadScenario, pristineImage, runScenario, usesNetwork } from './scenario.ts';

const SCENARIOS_AT_ONCE = 2;
/** Each starts a server: on a busy host that takes long. */
const ALL_SCENARIOS_MS = 300_000;

const root = path.resolve(import.meta.dirname, '../..');
const oracle = process.env.VROS_ORACLE;
const folders =
  oracle === undefined
    ? [path.join(import.meta.dirname, 'scenarios')]
    : (await readdir(path.join(oracle, 'scenarios'))).map((set) => path.join(oracle, 'scenarios', set));
const scenarios = (await Promise.all(folders.map(scenariosIn))).flat();

async function scenariosIn(folder: string): Promise<{ name: string; file: string }[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.qt')).sort();
  return names.map((name) => ({ name: name.slice(0, -'.qt'.length), file: path.join(folder, name) }));
}

let workFolder = '';
let server = '';
const images = new Map<number, Promise<string>>();

/** An image of its own for each scenario, copied from one that is made once. */
async function freshImage(sectors: number, name: string): Promise<string> {
  let master = images.get(sectors);
  if (master === undefined) {
    const file = path.join(workFolder, `${sectors}.img`);
    master = writeFile(file, pristineImage(sectors)).then(() => file);
    images.set(sectors, master);
  }
  const copy = path.join(workFolder, `${name}.img`);
  await copyFile(await master, copy);
  return copy;
}

async function run(name: string, file: string): Promise<string[]> {
  const operations = await loadScenario(file);
  const disk = await freshImage(diskSectors(operations), name);
  const cable = usesNetwork(operations) ? await Cable.create() : null;
  const network = cable === null ? [] : ['--netdev', `dgram,local=${cable.peerPort},remote=${cable.port}`];
  const client = new QtestClient(process.execPath, [server, '--hda', disk, ...network]);
  try {
    return await runScenario({ client, disk, cable }, operations);
  } finally {
    await client.close();
    cable?.close();
    await rm(disk);
  }
}

describe('the machine answers as QEMU does', () => {
  const results = new Map<string, string[]>();

  beforeAll(async () => {
    workFolder = await mkdtemp(path.join(tmpdir(), 'vros-oracle-'));
    server = path.join(workFolder, 'server', 'qtest.cjs');
    await mkdir(path.dirname(server));
    const entryPoints = [path.join(root, 'hw/qtest/main.ts')];
    await build({ entryPoints, outfile: server, bundle: true, platform: 'node', format: 'cjs', logLevel: 'error' });
    const waiting = [...scenarios];
    const worker = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        results.set(next.file, await run(next.name, next.file));
      }
    };
    await Promise.all(Array.from({ length: SCENARIOS_AT_ONCE }, worker));
  }, ALL_SCENARIOS_MS);

  afterAll(async () => {
    if (workFolder !== '') await rm(workFolder, { recursive: true, force: true });
  });

  it('has scenarios to compare', () => {
    expect(scenarios.length).toBeGreaterThan(0);
  });

  for (const { name, file } of scenarios) {
    it(name, async () => {
      const expected = (await readFile(file.replace(/\.qt$/, '.expect'), 'latin1')).trimEnd().split('\n');
      expect(results.get(file)).toEqual(expected);
    });
  }
});
