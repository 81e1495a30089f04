/**
 * The machine against QEMU: every scenario, through the qtest protocol, has to give the answers that QEMU 7.2 gave.
 *
 * The scenarios are those in `scenarios/`, or all sets in the folder `scenarios` of the oracle that VROS_ORACLE names.
 */

import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Servers } from '../support/qemu/servers.ts';

const SCENARIOS_AT_ONCE = 2;
/** Each starts a server: on a busy host that takes long. */
const ALL_SCENARIOS_MS = 300_000;

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

describe('the machine answers as QEMU does', () => {
  const results = new Map<string, string[]>();
  let servers: Servers | null = null;

  beforeAll(async () => {
    servers = await Servers.create();
    const waiting = [...scenarios];
    const worker = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const lines = (await readFile(next.file, 'latin1')).split('\n');
        results.set(next.file, (await servers?.askOwn(lines)) ?? []);
      }
    };
    await Promise.all(Array.from({ length: SCENARIOS_AT_ONCE }, worker));
  }, ALL_SCENARIOS_MS);

  afterAll(async () => {
    await servers?.close();
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
