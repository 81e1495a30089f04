/**
 * `npm run bench`: measures the built system beside what a user could take instead (Node's own means) and beside the
 * floor (C), in the same run and in alternation. The exit status is 0 only when every bound is met.
 *
 *     npm run bench -- --only rpc,recovery     these rows only
 *     npm run bench -- --rounds 3              so many rounds instead of each row's own number
 *     npm run --silent bench -- --json         one JSON document instead of the table
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Compiler } from './peers.ts';
import { root } from './program.ts';
import type { Bench, Row, RowResult } from './row.ts';
import { bootRow } from './rows/boot.ts';
import { driverKillsRow } from './rows/driver-kills.ts';
import { appendSync, cachedRead, manyFiles, memory, mountAfterCrash, sequentialFile } from './rows/files.ts';
import { growth } from './rows/growth.ts';
import { httpdRow } from './rows/httpd.ts';
import { bulkRow, idleRow } from './rows/network.ts';
import { nullCall } from './rows/null-call.ts';
import { pingRow } from './rows/ping.ts';
import { recovery } from './rows/recovery.ts';
import { largeRpc, pageRpc, smallRpc } from './rows/rpc.ts';
import { sequentialRead } from './rows/sequential-read.ts';
import { heading, text } from './table.ts';

const rows: readonly Row[] = [
  ...[smallRpc, pageRpc, largeRpc, nullCall, bootRow, recovery, sequentialRead, growth],
  ...[sequentialFile, cachedRead, manyFiles, appendSync, mountAfterCrash, memory],
  ...[pingRow, bulkRow, httpdRow, idleRow, driverKillsRow],
];

/** What was measured where. */
function surroundings() {
  const [cpu] = os.cpus();
  const [load = 0] = os.loadavg();
  return { cpu: cpu?.model ?? '', cpus: os.availableParallelism(), node: process.version, host: os.release(), load };
}

/** The options of the command line; null: they are wrong. */
function readOptions() {
  try {
    return parseArgs({
      options: { json: { type: 'boolean', default: false }, only: { type: 'string' }, rounds: { type: 'string' } },
    }).values;
  } catch {
    return null;
  }
}

function usage(): number {
  console.error(`usage: npm run bench -- [--json] [--rounds N] [--only ${rows.map(({ name }) => name).join(',')}]`);
  return 64;
}

async function main(): Promise<number> {
  const values = readOptions();
  if (values === null) return usage();
  const names = values.only?.split(',') ?? rows.map(({ name }) => name);
  const unknown = names.find((name) => !rows.some((row) => row.name === name));
  const rounds = values.rounds === undefined ? null : Number(values.rounds);
  if (unknown !== undefined || (rounds !== null && !(Number.isInteger(rounds) && rounds > 0))) return usage();
  const before = surroundings();
  execFileSync(process.execPath, ['build.mjs'], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vros-bench-'));
  const results: RowResult[] = [];
  const say = (line: string): void => {
    if (!values.json) console.log(line);
  };
  try {
    const bench: Bench = { folder, compiler: await Compiler.compile(folder), rounds: (usual) => rounds ?? usual };
    const { cpu, cpus, node, load } = before;
    say(`${cpu}, ${cpus} CPUs, Node ${node}, load of the host ${load.toFixed(1)}\n\n${heading()}`);
    for (const row of rows.filter(({ name }) => names.includes(name))) {
      for (const result of await row.run(bench)) {
        results.push(result);
        say(text(result));
      }
    }
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
  const missed = results.flatMap(({ lines }) => lines).filter(({ must }) => must?.met === false);
  if (values.json) console.log(JSON.stringify({ ...before, met: missed.length === 0, rows: results }, null, 2));
  else say(missed.length === 0 ? '\nall bounds are met' : `\n${missed.length} bounds are not met`);
  return missed.length === 0 ? 0 : 1;
}

process.exitCode = await main();
