/**
 * The life of one service: started, asked to end, ended, started again or given up. What the phases mean is in
 * service.ts, the rules are in policy.ts.
 */
import { SystemError } from '../../protocol/errno.ts';
import type { Effects } from './effects.ts';
import { isReady, ping, resetPings } from './health.ts';
import { type End, endText, isFailedStart, isFailure, restartDelay, timeText, wantsRestart } from './policy.ts';
import { detailText, type Service, type Waiter } from './service.ts';

/** A service that was asked to end is killed after this time, in milliseconds. */
export const STOP_MS = 2000;

/** Longest wait for the debugger of a new incarnation, in milliseconds. */
export const INSPECT_MS = 10_000;

/** Least delay before another try when the kernel could not start a task, in milliseconds. */
export const SPAWN_RETRY_MS = 50;

/**
 * Requests to stop under way at most; above it services are ended by SIGTERM, so that init stays below the bound on its
 * outstanding calls.
 */
export const MAX_STOP_REQUESTS = 100;

/**
 * Errors of `spawn` that may be gone at the next try: too many tasks, the last one is still there, the host is short of
 * something.
 */
const retryable = new Set<string>(['EAGAIN', 'EBUSY', 'EIO']);

/** See the head of this file. */
export class Lifecycle {
  /** Uptime at the event being handled, in milliseconds. */
  now = 0;
  /** The machine is being shut down: nothing is started any more. */
  closing = false;
  /** A service without which the machine cannot go on has been given up: which, and why. */
  lost: string | null = null;
  /** Answers to be given once the state is saved. */
  answers: (() => void)[] = [];
  private readonly effects: Effects;
  private readonly stopRequests = new Set<number>();

  constructor(effects: Effects) {
    this.effects = effects;
  }

  /** Starts a service that is meant to run from now on; one that has been given up gets all its tries again. */
  begin(service: Service): void {
    service.wanted = true;
    if (service.phase === 'running') return;
    if (service.phase === 'stopping') {
      service.thenStart = true;
      return;
    }
    service.failedStarts = 0;
    this.launch(service, 'started');
  }

  /** Starts the next incarnation. `why` begins the log line. */
  launch(service: Service, why: string): void {
    try {
      this.runs(service, this.effects.spawn(service.name));
      this.effects.log(`${service.name}: ${why}, pid ${service.pid}`, 'info');
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.notLaunched(service, error);
      return;
    }
    for (const waiter of service.whenStarted.splice(0)) this.answers.push(() => waiter.reply());
  }

  /** Starts the next incarnation of a service that has ended. */
  again(service: Service, why: string): void {
    service.restarts++;
    this.launch(service, why);
  }

  /** Takes over a task that runs already. */
  adopt(service: Service, pid: number): void {
    this.runs(service, pid);
    this.effects.log(`${service.name}: found running, pid ${pid}`, 'info');
  }

  /** Asks a running service to end: by message when it has a port, else by SIGTERM. It is killed `graceMs` later. */
  askToEnd(service: Service, graceMs: number): void {
    service.phase = 'stopping';
    service.thenStart = false;
    service.dueAt = this.now + graceMs;
    if (service.inspected) {
      // It may stand at a breakpoint, where it hears nothing.
      this.effects.kill(service.pid, 'KILL');
      return;
    }
    for (const call of this.stopRequests) if (this.effects.outcome(call) !== undefined) this.stopRequests.delete(call);
    const canAsk = service.serves && this.stopRequests.size < MAX_STOP_REQUESTS;
    const call = canAsk ? this.effects.ask(service.name, 'stop', graceMs) : undefined;
    if (call === undefined) this.effects.kill(service.pid, 'TERM');
    else this.stopRequests.add(call);
  }

  /** Kills the task of a service; the rest happens when its exit notice comes. */
  kill(service: Service, why: string): void {
    service.killed = true;
    this.effects.log(`${service.name}: ${why}`, 'warning');
    this.effects.kill(service.pid, 'KILL');
  }

  /** Ends the incarnation that runs; the next one takes over its ports. */
  replace(service: Service): void {
    service.wanted = true;
    if (service.phase === 'running') this.askToEnd(service, STOP_MS);
    service.thenStart = true;
  }

  /** Stops a service for good; the waiter is answered when it is gone. */
  stop(service: Service, waiter: Waiter): void {
    service.wanted = false;
    service.inspectNext = false;
    this.refuse(service.whenStarted, 'ECANCELED', `${service.name} was stopped`);
    this.refuse(service.whenInspected, 'ECANCELED', `${service.name} was stopped`);
    service.inspectUntil = undefined;
    if (service.phase === 'running' || service.phase === 'stopping') {
      if (service.phase === 'running') this.askToEnd(service, STOP_MS);
      service.thenStart = false;
      service.whenGone.push(waiter);
      return;
    }
    this.stopped(service, '');
    this.answers.push(() => waiter.reply());
  }

  /** The task of a service has ended: starts the next incarnation, at once or later, or gives up. */
  ended(service: Service, end: End): void {
    const lifeMs = this.now - service.spawnedAt;
    const how = `${endText(end)} after ${timeText(lifeMs)}`;
    const goodStart = service.inspected || !isFailedStart(lifeMs, isReady(service, this.effects), end);
    const replaced = service.phase === 'stopping' && service.thenStart && !this.closing;
    const asked = service.phase === 'stopping' || this.closing;
    this.isOver(service);
    if (replaced) {
      service.failedStarts = 0;
      this.again(service, 'replaced');
      return;
    }
    if (asked) {
      this.effects.log(`${service.name}: stopped`, 'info');
      this.refuse(service.whenStarted, 'ECANCELED', `${service.name} was stopped`);
      this.stopped(service, '');
      return;
    }
    service.detail = detailText(`last: ${how}`);
    if (!wantsRestart(service.policy, end)) {
      service.wanted = false;
      if (isFailure(end)) this.failed(service, `${how}; not started again (policy ${service.policy})`, 'warning');
      else {
        this.effects.log(`${service.name}: ended with ${how}`, 'info');
        this.stopped(service, detailText(`last: ${how}`));
      }
      return;
    }
    if (goodStart) service.failedStarts = 0;
    else {
      if (service.failedStarts === 0) service.failingSince = service.spawnedAt;
      service.failedStarts++;
    }
    this.startAgain(service, how, 0);
  }

  /** Gives a service up: its callers get EIO. */
  failed(service: Service, why: string, level: 'warning' | 'error' = 'error'): void {
    service.phase = 'failed';
    service.detail = detailText(why);
    this.effects.log(`${service.name}: ${why}`, level);
    this.effects.lost(service.name);
    if (service.essential && !this.closing) this.lost ??= detailText(`${service.name}: ${why}`);
    this.refuse(service.whenStarted, 'EIO', why);
    this.refuse(service.whenInspected, 'EIO', why);
    service.inspectNext = false;
    service.inspectUntil = undefined;
  }

  /** Puts a service at rest: its callers get EIO. */
  stopped(service: Service, detail: string): void {
    service.phase = 'stopped';
    service.detail = detail;
    this.effects.lost(service.name);
  }

  /** Fails requests that wait. */
  refuse(waiters: Pick<Waiter, 'fail'>[], code: SystemError['code'], detail: string): void {
    for (const waiter of waiters.splice(0)) this.answers.push(() => waiter.fail(new SystemError(code, detail)));
  }

  private startAgain(service: Service, how: string, leastDelayMs: number): void {
    const delay = restartDelay(service.failedStarts);
    if (delay === undefined) {
      const time = timeText(this.now - service.failingSince);
      const again = service.essential ? '' : `; \`service start ${service.name}\` tries again`;
      this.failed(service, `given up after ${service.failedStarts} crashes in ${time}; last: ${how}${again}`);
      return;
    }
    const wait = Math.max(delay, leastDelayMs);
    if (wait === 0) {
      this.again(service, `${how}; started again`);
      return;
    }
    service.phase = 'waiting';
    service.dueAt = this.now + wait;
    this.effects.log(`${service.name}: ${how}; starts again in ${timeText(wait)}`, 'warning');
  }

  /** The kernel could not start a task: tried again where that can help, else given up. */
  private notLaunched(service: Service, error: SystemError): void {
    if (error.code === 'EBUSY') {
      const task = this.effects.tasks().find(({ name, state }) => name === service.name && state !== 'ZOMBIE');
      if (task !== undefined) {
        this.adopt(service, task.pid);
        for (const waiter of service.whenStarted.splice(0)) this.answers.push(() => waiter.reply());
        return;
      }
    }
    const how = `cannot be started: ${error.message}`;
    if (!retryable.has(error.code)) {
      this.failed(service, how);
      return;
    }
    if (service.failedStarts === 0) service.failingSince = this.now;
    service.failedStarts++;
    service.detail = detailText(`last: ${how}`);
    this.refuse(service.whenStarted, error.code, how);
    this.startAgain(service, how, SPAWN_RETRY_MS);
  }

  private runs(service: Service, pid: number): void {
    service.phase = 'running';
    service.pid = pid;
    service.spawnedAt = this.now;
    service.killed = false;
    service.detail = '';
    service.ready = !service.serves;
    service.portAtStart = service.serves && this.effects.hasPort(service.name);
    service.inspected = service.inspectNext;
    service.inspectNext = false;
    resetPings(service);
    if (service.inspected) service.inspectUntil = this.now + INSPECT_MS;
    // A ping that waits at the port tells whether this incarnation got as far as serving.
    else if (service.portAtStart) ping(service, this.now, this.effects);
  }

  /** The incarnation is over, whatever comes next. */
  private isOver(service: Service): void {
    resetPings(service);
    service.killed = false;
    service.thenStart = false;
    if (service.inspectUntil !== undefined) {
      this.refuse(service.whenInspected, 'EIO', `${service.name} ended before its debugger was there`);
    }
    service.inspected = false;
    service.inspectUntil = undefined;
    for (const waiter of service.whenGone.splice(0)) this.answers.push(() => waiter.reply());
  }
}
