/** Campaigns of crash tests: many workloads from several starts, each crashed in many states. */
import { MemoryKeeper } from '../memory-keeper.ts';
import { Random } from '../random.ts';
import {
  CrashCheck,
  type CrashSettings,
  Inconsistency,
  type Start,
  type Workload,
  workloadText,
} from './crash-check.ts';
import type { Thoroughness } from './crash-states.ts';
import { moreWork, treeOperations } from './crash-workloads.ts';
import { OverlayDevice, RecordingDevice } from './devices.ts';
import { ModelFileSystem } from './model.ts';
import { attempt, type Operation, perform } from './operations.ts';
import { freshWorld, type Subject, TestClock } from './subjects.ts';

/** Where workloads begin. */
export interface Base {
  readonly name: string;
  readonly start: Start;
}

/** Bytes that are left free on the disk that is nearly full. */
const NEARLY_FULL_BYTES = 3 * 4096;

/** Commits after which a journal must have been written back. */
const MAX_COMMITS_PER_JOURNAL = 20_000;

/** How a start is left. */
type Ending = 'closed' | 'synced';

/** Makes the tree on a new disk of `bytes`, and what `more` adds. */
function makeStart(subject: Subject, bytes: number, ending: Ending, fill = false): Start {
  const { device, fs, clock } = freshWorld(subject, bytes);
  const model = new ModelFileSystem(clock.now);
  const both = (operation: Operation): boolean => {
    clock.tick();
    const refused = attempt(fs, operation);
    if (refused === 'ENOSPC') return false;
    if (refused !== null) throw new Error(`the tree cannot be made: ${refused}`);
    perform(model, operation);
    return true;
  };
  for (const operation of treeOperations) both(operation);
  if (fill) {
    both({ kind: 'create', path: 'filler', mode: 0o644 });
    let size = 0;
    for (let length = 65_536; length >= 4096; ) {
      if (both({ kind: 'write', path: 'filler', offset: size, length, seed: 7 })) size += length;
      else length /= 2;
    }
    both({ kind: 'truncate', path: 'filler', size: size - NEARLY_FULL_BYTES });
    both({ kind: 'attributes', path: 'filler', mode: 0o600 });
  }
  if (ending === 'closed') fs.close();
  else fs.sync();
  return { image: Buffer.from(device.bytes), model, clock: clock.milliseconds, prelude: [] };
}

const touch: Workload = [{ operations: [{ kind: 'attributes', path: 'B', mode: 0o711 }], end: 'commit' }];

/** How often B can be touched until the file system flushes by itself: then its journal is written back. */
function commitsPerJournal(subject: Subject, start: Start): number {
  const recorder = new RecordingDevice(new OverlayDevice(start.image));
  const clock = new TestClock();
  const fs = subject.mount({ device: recorder, keeper: new MemoryKeeper(), clock, random: new Random(1) });
  fs.restoreRetained([]);
  fs.sync();
  const flushes = (): number => recorder.events.filter(({ kind }) => kind === 'flush').length;
  const before = flushes();
  for (let count = 0; count < MAX_COMMITS_PER_JOURNAL; count++) {
    if (flushes() > before) return count - 1;
    clock.tick();
    for (const { operations } of touch) for (const operation of operations) perform(fs, operation);
    fs.commit();
  }
  throw new Error('the journal is never written back');
}

/** The starts: unmounted; crashed; a journal that is nearly full, in several degrees; a disk that is nearly full. */
export function makeBases(subject: Subject, bytes: number): [Base, ...Base[]] {
  const closed = makeStart(subject, bytes, 'closed');
  const commits = commitsPerJournal(subject, closed);
  const brink = (short: number): Base => ({
    name: `${short} commits before the journal is full`,
    start: {
      ...closed,
      prelude: [...Array.from({ length: commits - short }, () => touch).flat(), { operations: [], end: 'sync' }],
    },
  });
  return [
    { name: 'unmounted', start: closed },
    { name: 'crashed', start: makeStart(subject, bytes, 'synced') },
    ...[0, 2, 4].map(brink),
    { name: 'nearly full', start: makeStart(subject, bytes, 'closed', true) },
  ];
}

/** What to do with each workload. */
export interface CampaignSettings extends CrashSettings {
  readonly base: Base;
  /** Share of the crash states from which work goes on, to crash again. */
  readonly continued: number;
  /** For the crashes after those. */
  readonly continuedThoroughness: Thoroughness;
}

/** Figures of a campaign. */
export interface CampaignReport {
  workloads: number;
  states: number;
  /** The first failures, with the workload that shows each. */
  readonly failures: string[];
}

/** Failures after which a campaign ends. */
const MAX_FAILURES = 5;

/**
 * Runs workloads, each with its crash states. `shared`: how many stages at the beginning of the workload are those of
 * another workload that is run as well; crashes in them are tried there.
 */
export function runCampaign(
  settings: CampaignSettings,
  workloads: Iterable<{ readonly workload: Workload; readonly shared: number }>,
  random: Random,
): CampaignReport {
  const report: CampaignReport = { workloads: 0, states: 0, failures: [] };
  const check = new CrashCheck(settings, random);
  const again = new CrashCheck({ ...settings, thoroughness: settings.continuedThoroughness }, random);
  const { start } = settings.base;
  for (const { workload, shared } of workloads) {
    try {
      const run = check.run(start, new OverlayDevice(start.image), workload);
      const from = shared === 0 ? run.ready : (run.stages[shared] ?? 0);
      check.checkRun(run, from, (state, recovered) => {
        if (random.next() < settings.continued) again.continueFrom(run, state, recovered, moreWork);
      });
    } catch (error) {
      if (!(error instanceof Inconsistency)) throw error;
      report.failures.push(`${settings.base.name}: ${workloadText(workload)}: ${error.message}`);
      if (report.failures.length >= MAX_FAILURES) break;
    }
  }
  report.workloads = check.workloads + again.workloads;
  report.states = check.states + again.states;
  return report;
}
