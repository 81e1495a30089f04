/**
 * Crash consistency in the manner of CrashMonkey (Mohan et al., OSDI 2018): a workload runs on a recorded disk; the
 * disk is rebuilt as it can be after a loss of power; then the file system has to mount, be sound, and be in the state
 * in which some prefix of the operations has left it: none that is synced is missing, none appears before it was begun.
 * From there work goes on, and the power can fail again, also while it recovers.
 */
import type { FileSystem } from '../../../filesystems/file-system.ts';
import type { MemoryDevice } from '../memory-device.ts';
import { MemoryKeeper } from '../memory-keeper.ts';
import { Random } from '../random.ts';
import { type CrashState, crashStates, type Thoroughness } from './crash-states.ts';
import { type DeviceEvent, type OverlayDevice, RecordingDevice } from './devices.ts';
import type { ModelFileSystem } from './model.ts';
import { attempt, type Operation, operationText, perform } from './operations.ts';
import { type Subject, TestClock } from './subjects.ts';
import { readTree, treeDifference } from './tree.ts';

/** Operations that are committed together, or synced. `close` unmounts, and is the last. */
export interface Stage {
  readonly operations: readonly Operation[];
  readonly end: 'commit' | 'sync' | 'close';
}

export type Workload = readonly Stage[];

/** Text of a workload. */
export function workloadText(workload: Workload): string {
  const texts = workload.map(({ operations, end }) => [...operations.map(operationText), end].join('; '));
  const repeated: [string, number][] = [];
  for (const text of texts) {
    const last = repeated.at(-1);
    if (last?.[0] === text) last[1]++;
    else repeated.push([text, 1]);
  }
  return repeated.map(([text, times]) => (times > 1 ? `${times} times (${text})` : text)).join('; ');
}

/** A disk, and what is on it. */
export interface Start {
  readonly image: Buffer;
  readonly model: ModelFileSystem;
  readonly clock: number;
  /** What is done before the workload, in the same mount; it ends with a sync. Crashes in it are not tried. */
  readonly prelude: Workload;
}

/** A state of the file system between two operations. */
interface Committed {
  readonly tree: string;
  readonly model: ModelFileSystem;
  readonly clock: number;
  /** Events that were over when its stage began. */
  readonly begun: number;
  /** Events that were over when it was synced; infinite: it was not. */
  readonly synced: number;
}

/** A workload that has been run. */
export interface Run {
  readonly start: Start;
  readonly events: readonly DeviceEvent[];
  readonly committed: readonly Committed[];
  /** Events that were over when the prelude was. */
  readonly ready: number;
  /** Events that were over when each stage began. */
  readonly stages: readonly number[];
  readonly text: string;
}

/** A failure of the file system. */
export class Inconsistency extends Error {}

/** Settings of a check. */
export interface CrashSettings {
  readonly subject: Subject;
  readonly thoroughness: Thoroughness;
  /** As if the disk lied about flushes: the check has to fail then. */
  readonly ignoreFlushes?: boolean;
  /** What stands between the file system and the recorded disk; to prove that the check finds faults. */
  readonly interpose?: (device: RecordingDevice) => RecordingDevice;
}

/** See the head of this file. */
export class CrashCheck {
  /** Crash states that were mounted and compared. */
  states = 0;
  /** Workloads that were run. */
  workloads = 0;
  private readonly settings: CrashSettings;
  private readonly random: Random;
  private mounts = 0;

  constructor(settings: CrashSettings, random: Random) {
    this.settings = settings;
    this.random = random;
  }

  /** Runs a workload from a start. What the live file system answers is compared with the model after each stage. */
  run(start: Start, disk: MemoryDevice | OverlayDevice, workload: Workload): Run {
    const { subject, interpose } = this.settings;
    const text = workloadText(workload);
    const recorder = new RecordingDevice(disk);
    const device = interpose?.(recorder) ?? recorder;
    const clock = new TestClock();
    clock.milliseconds = start.clock;
    const model = start.model.copy(clock.now);
    const fs = subject.mount({ device, keeper: new MemoryKeeper(), clock, random: this.nextRandom() });
    fs.restoreRetained([]);
    for (const { operations, end } of start.prelude) {
      clock.tick();
      for (const operation of operations) for (const each of [model, fs]) perform(each, operation);
      fs[end]();
    }
    const { tree: treeOptions } = subject;
    const ready = recorder.events.length;
    const first = { tree: readTree(model, treeOptions), model: model.copy(clock.now), clock: clock.milliseconds };
    const committed: Committed[] = [{ ...first, begun: ready, synced: ready }];
    const stages: number[] = [];
    for (const { operations, end } of workload) {
      const begun = recorder.events.length;
      stages.push(begun);
      const save = (synced: number): void => {
        const [tree, saved] = [readTree(model, treeOptions), model.copy(clock.now)];
        committed.push({ tree, model: saved, clock: clock.milliseconds, begun, synced });
      };
      for (const [index, operation] of operations.entries()) {
        // A file system may commit earlier than it is asked to, between two operations.
        if (index > 0) save(Number.POSITIVE_INFINITY);
        clock.tick();
        const actual = attempt(fs, operation);
        // The model has room without end.
        if (actual === 'ENOSPC') continue;
        const expected = attempt(model, operation);
        if (expected !== actual) {
          throw new Inconsistency(`${operationText(operation)}: ${actual} instead of ${expected}, in ${text}`);
        }
      }
      const tree = readTree(model, treeOptions);
      if (end !== 'close') compare(tree, readTree(fs, treeOptions), `without any crash, in ${text}`);
      fs[end]();
      save(end === 'commit' ? Number.POSITIVE_INFINITY : recorder.events.length);
    }
    this.workloads++;
    return { start, events: recorder.events, committed, stages, text, ready };
  }

  /**
   * Checks crash states of a run, those in which something from event `from` on has arrived. `visit` sees each one,
   * with the number of the commit that was recovered.
   */
  checkRun(run: Run, from: number, visit: (state: CrashState, recovered: number) => void = () => {}): void {
    const { ignoreFlushes, thoroughness } = this.settings;
    for (const state of crashStates(run.start.image, run.events, from, thoroughness, this.random, ignoreFlushes)) {
      const image = new Map(state.device.over);
      const recovered = this.recover(run, state);
      state.device.over.clear();
      for (const [sector, data] of image) state.device.over.set(sector, data);
      visit(state, recovered);
    }
  }

  /** Mounts a crash state and answers the number of the commit whose state it is in. */
  private recover(run: Run, { device, earliest, latest, text }: CrashState): number {
    this.states++;
    const { subject } = this.settings;
    const where = `${text}; ${run.text}`;
    const fs = this.mount(device, where);
    const tree = guard(() => readTree(fs, subject.tree), `cannot be read: ${where}`);
    const candidates = run.committed.flatMap(({ tree: known }, index) => (known === tree ? [index] : []));
    const lowest = run.committed.findLastIndex(({ synced }) => synced <= latest);
    // A stage that writes nothing is over when it begins.
    const highest = Math.max(
      lowest,
      run.committed.findLastIndex(({ begun }) => begun < earliest),
    );
    const found = candidates.findLast((index) => index >= lowest && index <= highest);
    if (found === undefined) {
      const wanted = run.committed.slice(lowest, highest + 1).map(({ tree: known }) => treeDifference(known, tree));
      throw new Inconsistency(
        `recovered ${candidates.length === 0 ? 'no known state' : `commit ${candidates.join(' or ')}`}, not one of ${lowest} to ${highest}: ${where}\n${wanted.join('\n--\n')}`,
      );
    }
    guard(() => fs.close(), `cannot be unmounted: ${where}`);
    const report = subject.format?.check(device, false);
    if (report !== undefined && report.problems.length > 0) {
      throw new Inconsistency(`unsound after recovery: ${report.problems.join('; ')}: ${where}`);
    }
    return found;
  }

  /**
   * Goes on from a crash state: recovers, does more work, and crashes again anywhere in that, in the recovery as well.
   */
  continueFrom(run: Run, state: CrashState, recovered: number, workload: Workload): void {
    const from = run.committed[recovered];
    if (from === undefined) throw new Error('no such commit');
    const image = state.device.image();
    const start: Start = { image, model: from.model, clock: from.clock, prelude: [] };
    const again = this.run(start, state.device, workload);
    this.checkRun({ ...again, text: `${again.text} after ${state.text} of ${run.text}` }, 0);
  }

  private mount(device: OverlayDevice, where: string): FileSystem {
    const { subject } = this.settings;
    const world = { device, keeper: new MemoryKeeper(), clock: new TestClock(), random: this.nextRandom() };
    return guard(() => {
      const fs = subject.mount(world);
      fs.restoreRetained([]);
      return fs;
    }, `cannot be mounted: ${where}`);
  }

  private nextRandom(): Random {
    return new Random(1000 + this.mounts++);
  }
}

function compare(expected: string, actual: string, where: string): void {
  if (expected !== actual) throw new Inconsistency(`${where}:\n${treeDifference(expected, actual)}`);
}

/** Every error is one of the file system here. */
function guard<T>(action: () => T, where: string): T {
  try {
    return action();
  } catch (error) {
    throw new Inconsistency(`${where}\n${error instanceof Error ? error.stack : String(error)}`);
  }
}
