/**
 * Compares a file system with the host's: the same random steps on both, the same answers after each, the same tree now
 * and then and at the end.
 */
import nodeFs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { anyStep } from './arbitraries.ts';
import { CoreFiles, HostFiles, type Step } from './host.ts';
import { operationText } from './operations.ts';
import { freshWorld, type Subject } from './subjects.ts';
import { treeDifference } from './tree.ts';

/** Trees are compared after so many steps. */
const STEPS_PER_TREE = 50;

/** Steps of one sequence at most; half of it on average. */
const MAX_STEPS = 800;

/** Time after which the search for a shorter sequence that fails is given up. */
const SHRINK_MILLISECONDS = 20_000;

/** How to compare. */
export interface ComparisonSettings {
  readonly subject: Subject;
  readonly diskBytes: number;
  /** Steps at least. */
  readonly steps: number;
  readonly seed: number;
}

/** What was done. */
export interface ComparisonReport {
  readonly steps: number;
  /**
   * How often each answer was given by steps of each kind: `create EEXIST` …, `done` and contents under the kind alone.
   */
  readonly answers: ReadonlyMap<string, number>;
}

function stepText(step: Step): string {
  return operationText(step as Parameters<typeof operationText>[0]);
}

/** Runs sequences of steps until there were enough. Throws with the shortest sequence found that shows a difference. */
export function compareWithHost({ subject, diskBytes, steps, seed }: ComparisonSettings): ComparisonReport {
  const answers = new Map<string, number>();
  let made = 0;
  const runOne = (sequence: readonly Step[]): void => {
    const folder = nodeFs.mkdtempSync(path.join(os.tmpdir(), 'vros-model-'));
    const host = new HostFiles(folder);
    nodeFs.chmodSync(folder, 0o755);
    const world = freshWorld(subject, diskBytes);
    const core = new CoreFiles(world.fs, () => subject.mount(world));
    try {
      for (const [index, step] of sequence.entries()) {
        made++;
        const expected = host.run(step);
        const actual = core.run(step);
        const counted = /^E[A-Z0-9]+$/.test(expected) ? `${step.kind} ${expected}` : step.kind;
        answers.set(counted, (answers.get(counted) ?? 0) + 1);
        if (actual !== expected) {
          throw new Error(`step ${index}, ${stepText(step)}: '${actual}', the host says '${expected}'`);
        }
        if ((index + 1) % STEPS_PER_TREE === 0 || index === sequence.length - 1) compareTrees(host, core);
      }
    } finally {
      host.dispose();
      nodeFs.rmSync(folder, { recursive: true, force: true });
    }
  };
  const umask = process.umask(0);
  try {
    // One sequence after the other until there were enough steps: each is a run of fast-check, so that a failure is
    // shrunk.
    for (let round = 0; made < steps; round++) {
      const sequences = fc.array(anyStep, { minLength: 1, maxLength: MAX_STEPS, size: 'max' });
      fc.assert(fc.property(sequences, runOne), {
        numRuns: 8,
        interruptAfterTimeLimit: SHRINK_MILLISECONDS,
        seed: seed + round,
        reporter: (details) => report(details),
      });
    }
  } finally {
    process.umask(umask);
  }
  return { steps: made, answers };
}

function compareTrees(host: HostFiles, core: CoreFiles): void {
  const expected = host.tree();
  const actual = core.tree();
  if (actual !== expected) throw new Error(`the trees differ:\n${treeDifference(expected, actual)}`);
}

function report({ failed, counterexample, errorInstance, seed }: fc.RunDetails<[readonly Step[]]>): void {
  if (!failed) return;
  const lines = (counterexample?.[0] ?? []).map((step) => `  ${stepText(step)}`);
  const reason = errorInstance instanceof Error ? (errorInstance.stack ?? '') : String(errorInstance);
  throw new Error(`seed ${seed}: ${reason}\nafter these steps:\n${lines.join('\n')}`);
}
