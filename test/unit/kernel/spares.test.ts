/**
 * The pool of warm spares with processes that exist only here: which one is taken, and what becomes of those that fail.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import type { HostProcess, ProcessOwner } from '../../../kernel/task/host-process.ts';
import type { ReadStart } from '../../../kernel/task/idle-process.ts';
import { SparePool } from '../../../kernel/task/spares.ts';

/** A process as the kernel sees it. */
interface Process {
  readonly owner: ProcessOwner;
  ending: boolean;
  discarded: boolean;
}

const readStart: ReadStart = () => ({ startId: 5, protocolVersion: 1 });

let processes: Process[];
let pool: SparePool;

beforeEach(() => {
  processes = [];
  const start = (owner: ProcessOwner): HostProcess => {
    const process: Process = { owner, ending: false, discarded: false };
    processes.push(process);
    const methods = { identify: () => {}, discard: () => (process.discarded = true), output: [] };
    return Object.assign(process, methods) as unknown as HostProcess;
  };
  pool = new SparePool(0, start, readStart);
});

/** A process says `task_start`. */
function waits(index: number): void {
  processes[index]?.owner.frame(Buffer.alloc(0), 0, 0);
}

const taken = (): number => processes.indexOf(pool.take()?.process as unknown as Process);

describe('SparePool', () => {
  it('gives one that waits, else the one that was started first', () => {
    pool.fill(3);
    waits(1);
    expect(pool.ready).toBe(1);
    expect([taken(), taken(), taken(), taken()]).toEqual([1, 0, 2, -1]);
  });

  it('gives none that is ending, whether it waited or not', () => {
    pool.fill(3);
    waits(0);
    for (const index of [0, 1]) (processes[index] as Process).ending = true;
    expect(pool.ready).toBe(0);
    expect([taken(), taken()]).toEqual([2, -1]);
  });

  it('replaces those that have ended, until five in a row have', () => {
    pool.fill(1);
    for (let count = 0; count < 10; count++) {
      processes.at(-1)?.owner.ended(70, 0);
      pool.fill();
    }
    expect(processes).toHaveLength(5);
  });

  it('ends what it has when it is closed, and starts no more', () => {
    pool.fill(2);
    pool.close();
    pool.fill(4);
    expect(processes.map(({ discarded }) => discarded)).toEqual([true, true]);
  });
});
