/**
 * Workloads for crash tests, in the manner of ACE (Mohan et al., OSDI 2018): a small tree, and all sequences of a few
 * operations over it. The operations are chosen so that every kind of change of every kind of block is among them:
 * blocks in part and whole, direct and indirect, names made, moved, replaced and removed, files that are open.
 */
import type { Random } from '../random.ts';
import type { Stage, Workload } from './crash-check.ts';
import type { Operation } from './operations.ts';

/** Makes the tree that every workload begins with. */
export const treeOperations: readonly Operation[] = [
  { kind: 'create', path: 'foo', mode: 0o644 },
  { kind: 'write', path: 'foo', offset: 0, length: 9000, seed: 1 },
  { kind: 'mkdir', path: 'A', mode: 0o755 },
  { kind: 'create', path: 'A/foo', mode: 0o600 },
  { kind: 'write', path: 'A/foo', offset: 0, length: 5000, seed: 2 },
  { kind: 'mkdir', path: 'A/C', mode: 0o755 },
  { kind: 'mkdir', path: 'B', mode: 0o755 },
  { kind: 'link', path: 'foo', to: 'A/hard' },
  { kind: 'symlink', path: 's', target: 'A/foo' },
  { kind: 'create', path: 'big', mode: 0o644 },
  { kind: 'write', path: 'big', offset: 0, length: 61_440, seed: 3 },
];

const seeded = { seed: 4 };

/** All operations. A file system without links leaves out those that need them. */
export const allOperations: readonly Operation[] = [
  { kind: 'create', path: 'bar', mode: 0o644 },
  { kind: 'create', path: 'A/bar', mode: 0o644 },
  { kind: 'mkdir', path: 'D', mode: 0o755 },
  { kind: 'mkdir', path: 'A/D', mode: 0o755 },
  { kind: 'rmdir', path: 'B' },
  { kind: 'rmdir', path: 'A/C' },
  { kind: 'append', path: 'foo', length: 100, ...seeded },
  { kind: 'append', path: 'A/foo', length: 8192, ...seeded },
  { kind: 'write', path: 'foo', offset: 100, length: 200, ...seeded },
  { kind: 'write', path: 'foo', offset: 4096, length: 4096, ...seeded },
  { kind: 'write', path: 'foo', offset: 2000, length: 9000, ...seeded },
  { kind: 'write', path: 'A/foo', offset: 100_000, length: 5000, ...seeded },
  { kind: 'write', path: 'big', offset: 45_056, length: 12_288, ...seeded },
  { kind: 'truncate', path: 'foo', size: 0 },
  { kind: 'truncate', path: 'foo', size: 5000 },
  { kind: 'truncate', path: 'A/foo', size: 20_000 },
  { kind: 'truncate', path: 'big', size: 4096 },
  { kind: 'unlink', path: 'foo' },
  { kind: 'unlink', path: 'A/foo' },
  { kind: 'unlink', path: 'big' },
  { kind: 'unlink', path: 's' },
  { kind: 'hold', path: 'A/foo' },
  { kind: 'hold', path: 'big' },
  { kind: 'link', path: 'foo', to: 'B/bar' },
  { kind: 'link', path: 'A/foo', to: 'bar' },
  { kind: 'symlink', path: 't', target: 'foo' },
  { kind: 'symlink', path: 'A/t', target: 'A/'.repeat(1000) },
  { kind: 'rename', path: 'foo', to: 'bar' },
  { kind: 'rename', path: 'foo', to: 'A/foo' },
  { kind: 'rename', path: 'A/foo', to: 'big' },
  { kind: 'rename', path: 'A/foo', to: 'B/foo' },
  { kind: 'rename', path: 's', to: 'A/foo' },
  { kind: 'rename', path: 'A/C', to: 'B' },
  { kind: 'rename', path: 'B', to: 'A/C' },
  { kind: 'rename', path: 'A', to: 'B/A' },
  { kind: 'rename', path: 'foo', to: 'A/hard' },
  { kind: 'attributes', path: 'foo', mode: 0o755, modified: 1_600_000_000_000 },
  { kind: 'attributes', path: 'A', mode: 0o700 },
];

/** How one operation ends, when another follows. */
export type Joint = 'nothing' | Exclude<Stage['end'], 'close'>;

export const joints: readonly [Joint, ...Joint[]] = ['nothing', 'commit', 'sync'];

/**
 * A workload of operations: behind each one but the last what `ends` says; the last is committed, then everything
 * synced.
 */
export function workloadOf(operations: readonly Operation[], ends: readonly Joint[], last: Stage['end']): Workload {
  const stages: Stage[] = [];
  let group: Operation[] = [];
  for (const [index, operation] of operations.entries()) {
    group.push(operation);
    const end = ends[index];
    if (end === undefined || end === 'nothing') continue;
    stages.push({ operations: group, end });
    group = [];
  }
  stages.push({ operations: group, end: 'commit' }, { operations: [], end: last });
  return stages;
}

/** A workload with the number of its stages that belong to a shorter one. */
export interface SharedWorkload {
  readonly workload: Workload;
  readonly shared: number;
}

/** Workloads of one operation: synced at the end, or unmounted, or only committed. */
export function* workloadsOfOne(): Generator<SharedWorkload> {
  for (const operation of allOperations) {
    yield { workload: workloadOf([operation], [], 'sync'), shared: 0 };
    yield { workload: workloadOf([operation], [], 'close'), shared: 1 };
  }
}

/** All workloads of two operations: committed together, one after the other, or with a sync between them. */
export function* workloadsOfTwo(): Generator<SharedWorkload> {
  for (const first of allOperations) {
    for (const second of allOperations) {
      for (const joint of joints) {
        yield { workload: workloadOf([first, second], [joint], 'sync'), shared: joint === 'nothing' ? 0 : 1 };
      }
    }
  }
}

/** A workload of so many operations, at random. */
export function randomWorkload(count: number, random: Random): SharedWorkload {
  const [one = { kind: 'unlink', path: 'foo' } as const, ...others] = allOperations;
  const operations = Array.from({ length: count }, () => random.pick([one, ...others]));
  const ends = operations.slice(1).map(() => random.pick(joints));
  const shared = Math.max(0, ends.filter((end) => end !== 'nothing').length - 1);
  return { workload: workloadOf(operations, ends, random.pick(['sync', 'close'])), shared };
}

/** A long random workload over the same tree, with more names and sizes. */
export function longWorkload(count: number, random: Random): Workload {
  const stages: Stage[] = [];
  let group: Operation[] = [];
  for (let index = 0; index < count; index++) {
    group.push(randomOperation(random));
    const end = random.below(12);
    if (end < 7) stages.push({ operations: group, end: 'commit' });
    else if (end === 7) stages.push({ operations: group, end: 'sync' });
    else continue;
    group = [];
  }
  stages.push({ operations: group, end: 'sync' });
  return stages;
}

function randomOperation(random: Random): Operation {
  const directory = random.pick(['', 'A/', 'B/', 'A/C/', 'D/']);
  const path = directory + random.pick(['foo', 'bar', 'big', 'hard']);
  const other = random.pick(['', 'A/', 'B/']) + random.pick(['foo', 'bar', 'big']);
  const folder = directory + random.pick(['C', 'D']);
  const seed = random.below(1000);
  switch (random.below(14)) {
    case 0:
      return { kind: 'create', path, mode: 0o644 };
    case 1:
      return { kind: 'mkdir', path: folder, mode: 0o755 };
    case 2:
      return { kind: 'unlink', path };
    case 3:
      return { kind: 'rmdir', path: folder };
    case 4:
      return { kind: 'rename', path, to: other };
    case 5:
      return { kind: 'rename', path: folder, to: random.pick(['A/C', 'B/C', 'D']) };
    case 6:
      return { kind: 'link', path, to: other };
    case 7:
      return {
        kind: 'symlink',
        path: directory + random.pick(['s', 't']),
        target: other.repeat(1 + random.below(200)),
      };
    case 8:
      return { kind: 'truncate', path, size: random.below(30_000) };
    case 9:
      return { kind: 'append', path, length: random.below(9000), seed };
    case 10:
      return { kind: 'attributes', path, mode: 0o600 | random.below(0o100) };
    case 11:
      return { kind: 'hold', path };
    default:
      return { kind: 'write', path, offset: random.below(20_000), length: random.below(16_000), seed };
  }
}

/** A little more work, for after a recovery. */
export const moreWork: Workload = [
  {
    operations: [
      { kind: 'create', path: 'more', mode: 0o644 },
      { kind: 'append', path: 'more', length: 9000, seed: 9 },
    ],
    end: 'commit',
  },
  { operations: [{ kind: 'rename', path: 'more', to: 'A/foo' }], end: 'sync' },
  { operations: [{ kind: 'mkdir', path: 'E', mode: 0o755 }], end: 'commit' },
];
