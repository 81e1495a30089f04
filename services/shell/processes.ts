/**
 * The processes of a job: one, or one for each stage of a pipeline. They are started, signalled and counted together.
 */
import { type SignalName, signalName, signals } from '../../protocol/signal.ts';
import { kill, SystemError, taskList, waitpid } from '../lib/index.ts';
import { launch, type Stage } from './launch.ts';

/** One process of a job. */
export interface Process {
  readonly pid: number;
  readonly text: string;
  state: 'running' | 'stopped' | 'ended';
  status: number;
  signal: number;
}

/** What is known of the end of a task. */
interface End {
  readonly pid: number;
  readonly status: number;
  readonly signal: number;
}

/**
 * Starts all stages, in the order of the pipeline; ends come to `port`. Throws CommandError when one cannot be started;
 * then none runs, and nothing stays open.
 */
export function startAll(stages: readonly Stage[], port: number): Process[] {
  const started: Process[] = [];
  try {
    for (const stage of stages)
      started.push({ pid: launch(stage, port), text: stage.text, state: 'running', status: 0, signal: 0 });
    return started;
  } catch (error) {
    sendSignal(started, 'KILL');
    for (const { pid } of started) reap(pid);
    throw error;
  } finally {
    for (const { descriptors } of stages) descriptors.close();
  }
}

/** Sends a signal to processes that have not ended, and to all that they have started. */
export function sendSignal(processes: readonly Process[], signal: SignalName | number): void {
  const alive = processes.filter(({ state }) => state !== 'ended');
  for (const pid of withDescendants(alive.map(({ pid }) => pid))) {
    try {
      kill(pid, signal);
    } catch (error) {
      // It has ended; its notice is on the way.
      if (!(error instanceof SystemError) || error.code !== 'ESRCH') throw error;
    }
  }
  const number = typeof signal === 'number' ? signal : signals[signal];
  for (const each of alive) {
    if (number === signals.STOP || number === signals.TSTP) each.state = 'stopped';
    else if (number === signals.CONT) each.state = 'running';
  }
}

/** These tasks and all below them. */
export function withDescendants(pids: readonly number[]): number[] {
  const found = new Set(pids);
  // A parent is older than its children, and stands before them.
  for (const { pid, parent, state } of taskList()) if (found.has(parent) && state !== 'ZOMBIE') found.add(pid);
  return [...found];
}

/** Takes notice of the end of a process. False: it is none of these. */
export function ended(processes: readonly Process[], { pid, status, signal }: End): boolean {
  const found = processes.find((each) => each.pid === pid);
  if (found === undefined) return false;
  found.state = 'ended';
  found.status = status & 0xff;
  found.signal = signal;
  return true;
}

/** Takes a child that has ended off the table. */
export function reap(pid: number): void {
  try {
    waitpid(pid, 0);
  } catch (error) {
    // A notice may come twice.
    if (!(error instanceof SystemError)) throw error;
  }
}

/** `running` as long as one runs, `stopped` when those that are left are stopped. */
export function stateOf(processes: readonly Process[]): Process['state'] {
  if (processes.some(({ state }) => state === 'running')) return 'running';
  return processes.some(({ state }) => state === 'stopped') ? 'stopped' : 'ended';
}

/** Lines about processes that were ended by signals; the user's own keys and broken pipes need no words. */
export function endingLines(processes: readonly Process[]): string[] {
  return processes
    .filter(({ signal }) => signal !== 0 && signal !== signals.INT && signal !== signals.PIPE)
    .map(({ text, signal }) => `${text}: ended by ${signalName(signal)}`);
}
