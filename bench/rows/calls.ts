/** What the rows about calls share: one machine with a client and a server, and its peers. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import type { Contender } from '../alternate.ts';
import { type BenchManifest, runScenario } from '../machine.ts';
import { nodePeer } from '../peers.ts';
import type { Bench } from '../row.ts';

/** How much is measured at a time: every contender does the same. */
export interface Load {
  readonly bytes: number;
  readonly warmUp: number;
  readonly batches: number;
  readonly calls: number;
}

/** A CPU of the host for programs that are kept on one, or '' where there is only one or no taskset(1). */
export const firstCpu =
  os.availableParallelism() > 1 && spawnSync('taskset', ['--version']).status === 0 ? allowedCpu() : '';

/** The first CPU this process may use. */
function allowedCpu(): string {
  const list = /^Cpus_allowed_list:\s*(\d+)/m.exec(fs.readFileSync('/proc/self/status', 'latin1'));
  return list?.[1] ?? '';
}

/** Calls under way at a time where calls are pipelined. */
export const WINDOW = 16;

/** Names of the contenders in the tables. */
export const VROS = 'VROS';
export const NODE = 'Node child_process IPC';
export const C_RELAY = 'C relay';
export const C_RELAY_ONE_CPU = 'C relay on one CPU';
export const C_PING_PONG = 'C ping-pong';

const caller = {
  name: 'init',
  entry: 'bench/services/caller',
  looksUp: ['responder'],
  privileges: ['supervise', 'power'],
};
const responder = { name: 'responder', entry: 'bench/services/responder', serves: ['responder'] };

/** A machine; its figures are `null`, `rpc` (microseconds) and `pipelined` (calls a second). */
export function machine(
  bench: Bench,
  name: string,
  load: Load,
  more: { ports?: number; services?: number; window?: number } = {},
): Contender {
  const { ports = 0, services = 0, window = 0 } = more;
  const bystanders = Array.from(
    { length: services },
    (_, index): BenchManifest => ({
      name: `bystander-${index}`,
      entry: 'bench/services/bystander',
      serves: [`bystander-${index}`],
    }),
  );
  const scenario = { services: [caller, responder, ...bystanders], order: { ...load, ports, services, window } };
  return { name, sample: () => runScenario<Record<string, number[]>>(bench.folder, scenario) };
}

/** Node's own way in the same shape. */
export function nodeRelay({ bytes, warmUp, batches, calls }: Load): Contender {
  return { name: NODE, sample: () => nodePeer('node-ipc', bytes, warmUp, batches, calls) };
}

/** A program in C, where there is a compiler; kept on one CPU of the host if `cpu` names one. */
export function inC(bench: Bench, name: string, program: string, load: Load, cpu = ''): Contender[] {
  if (bench.compiler.missing !== '') return [];
  const { bytes, warmUp, batches, calls } = load;
  return [{ name, sample: () => bench.compiler.run(program, cpu, bytes, warmUp, batches, calls) }];
}

/** What to say where C peers are left out. */
export function leftOut(bench: Bench): string[] {
  return bench.compiler.missing === '' ? [] : [`peers in C are left out: ${bench.compiler.missing}`];
}
