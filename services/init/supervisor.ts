/**
 * The supervisor: a state machine fed with requests, exit notices and alarms. It decides which services run; system
 * calls happen behind `Effects`.
 *
 * Every event ends the same way: the state is saved, then requests are answered, then the alarm is set. So an answer is
 * never given for something a restart of init would forget, and one alarm serves for restarts, kills, pings and the
 * debugger.
 */
import { MAX_INSTANCES } from '../../protocol/bounds.ts';
import { type ErrorName, SystemError } from '../../protocol/errno.ts';
import type { init } from '../../protocol/init.ts';
import type { Reply } from '../../protocol/interface.ts';
import type { ManifestRow } from '../../protocol/records.ts';
import { isTemplate, templateOf } from '../../protocol/template.ts';
import { adopt } from './adopt.ts';
import type { Effects } from './effects.ts';
import { collect, examine, isPinged, isReady, untilNextLook } from './health.ts';
import { INSPECT_MS, Lifecycle } from './lifecycle.ts';
import { dependenciesOf, startOrder } from './order.ts';
import { type End, timeText } from './policy.ts';
import { detailText, type Ending, isAlive, newService, type Service, storedState, type Waiter } from './service.ts';

/** Time a service gets to end while the machine is being shut down, before it is killed, in milliseconds. */
export const SHUTDOWN_STOP_MS = 1000;

/** Status of a machine that has lost what it cannot go on without (sysexits.h, EX_SOFTWARE). */
const STATUS_LOST = 70;

/** The machine ends at the latest this long after `shutdown`, in milliseconds. */
export const SHUTDOWN_MS = 3000;

/** Between two looks for the debugger of a new incarnation, in milliseconds. */
export const INSPECT_LOOK_MS = 50;

/** Status of every service, as the interface answers it. */
export type ServiceStatus = Reply<(typeof init)['methods']['list']>;

/** Content of an exit notice. */
export interface ExitNotice extends End {
  readonly pid: number;
  readonly name: string;
}

/** Who this init is. */
export interface Self {
  readonly name: string;
  readonly pid: number;
  readonly incarnation: number;
}

/** What instances are made from. */
interface Template {
  readonly row: ManifestRow;
  readonly problem: string | undefined;
  readonly dependencies: readonly Service[];
}

/** See the head of this file. */
export class Supervisor {
  private readonly effects: Effects;
  private readonly self: Self;
  private readonly lifecycle: Lifecycle;
  /** All services in the order of the configuration, init among them, then the instances of templates. */
  private readonly all: Service[];
  /** All but init. */
  private readonly others: Service[];
  private readonly templates: ReadonlyMap<string, Template>;
  private readonly dependencies = new Map<Service, readonly Service[]>();
  private ending: Ending | null = null;
  private now = 0;
  private nextPings = 0;
  /** The state as it was kept last. */
  private saved = '';
  private alarmAt: number | undefined;
  private halted = false;

  constructor(effects: Effects, manifests: readonly ManifestRow[], self: Self) {
    this.effects = effects;
    this.self = self;
    this.lifecycle = new Lifecycle(effects);
    const { order, problems } = startOrder(manifests);
    const rows = new Map(manifests.map((row) => [row.name, row]));
    const services = new Map(
      manifests
        .filter(({ name }) => !isTemplate(name))
        .map((row) => [row.name, newService(row, problems.get(row.name))]),
    );
    this.all = [...services.values()];
    this.others = this.all.filter(({ name }) => name !== self.name);
    const dependencies = (of: string): Service[] =>
      dependenciesOf(of, rows, order).flatMap((name) => (name === self.name ? [] : (services.get(name) ?? [])));
    for (const service of this.others) this.dependencies.set(service, dependencies(service.name));
    this.templates = new Map(
      manifests
        .filter(({ name }) => isTemplate(name))
        .map((row) => [row.name, { row, problem: problems.get(row.name), dependencies: dependencies(row.name) }]),
    );
  }

  /**
   * The service of a name; an instance of a template is made when it is first asked for. Throws SystemError: ENOENT,
   * EAGAIN (too many instances, and none can go).
   */
  private findOrMake(name: string): Service {
    const template = this.templates.get(templateOf(name) ?? '');
    if (template === undefined || this.all.some((service) => service.name === name)) return this.find(name);
    const instances = this.all.filter((service) => templateOf(service.name) !== undefined);
    if (instances.length >= MAX_INSTANCES && !instances.some((service) => this.forget(service)))
      throw new SystemError('EAGAIN', 'too many instances');
    const service = newService({ ...template.row, name, serves: [name] }, template.problem);
    this.all.push(service);
    this.others.push(service);
    this.dependencies.set(service, template.dependencies);
    return service;
  }

  /**
   * Drops an instance if it is stopped, is enabled or not as its template is, and has left nothing behind; answers
   * whether it is gone.
   */
  private forget(service: Service): boolean {
    const template = this.templates.get(templateOf(service.name) ?? '');
    if (service.phase !== 'stopped' || service.enabled !== template?.row.enabled) return false;
    if (!this.effects.forget(service.name)) return false;
    for (const list of [this.all, this.others]) list.splice(list.indexOf(service), 1);
    this.dependencies.delete(service);
    this.effects.log(`${service.name}: dropped, there is to be room for another instance`, 'info');
    return true;
  }

  /**
   * Starts the services of the boot; a later incarnation of init (`stored` is what the last one saved) goes on where
   * that stopped.
   */
  boot(stored: unknown): void {
    this.event(() => {
      for (const service of this.others) service.wanted = service.enabled && service.atBoot;
      const later = this.self.incarnation > 1;
      if (later) this.ending = adopt(stored, this.others, this.lifecycle, this.effects);
      if (this.ending === null) {
        for (const service of this.others) if (service.wanted && service.phase === 'stopped') this.bootOne(service);
      }
      // After the starts, so as not to delay them: nobody shall wait for what does not come.
      for (const service of this.others) {
        if (service.phase !== 'stopped') continue;
        if (service.problem !== undefined) this.lifecycle.failed(service, service.problem);
        else this.effects.lost(service.name);
      }
      this.goOnEnding();
    });
  }

  /** Every service, in the order of the configuration. */
  list(): ServiceStatus {
    return this.event(() => {
      const incarnations = new Map(this.effects.tasks().map((task) => [task.pid, task.incarnation]));
      return this.all.map((service) => {
        const own = service.name === this.self.name;
        const pid = own ? this.self.pid : isAlive(service) ? service.pid : 0;
        return {
          name: service.name,
          state: own ? ('running' as const) : this.stateOf(service),
          enabled: service.enabled,
          pid,
          incarnation: incarnations.get(pid) ?? 0,
          restarts: own ? this.self.incarnation - 1 : service.restarts,
          policy: service.policy,
          detail: own ? '' : this.detailOf(service),
        };
      });
    });
  }

  /**
   * Starts a service and what it depends on. ENOENT, EACCES (disabled), EINVAL (cannot be started as configured),
   * ECANCELED (shutting down).
   */
  start(name: string): void {
    this.event(() => {
      const service = this.findOrMake(name);
      if (service.name !== this.self.name) this.begin(service);
    });
  }

  /** Stops a service; answers when it is gone. ENOENT, EPERM for init. */
  stop(name: string, waiter: Waiter): void {
    this.event(() => this.lifecycle.stop(this.findOther(name), waiter));
  }

  /** Replaces a service by a new incarnation; answers when that has been started. Errors as `start`. */
  restart(name: string, waiter: Waiter): void {
    this.event(() => {
      const service = this.findOrMake(name);
      if (service.name === this.self.name) {
        this.lifecycle.answers.push(() => {
          waiter.reply();
          this.effects.leave();
        });
        return;
      }
      this.checkStartable(service);
      service.whenStarted.push(waiter);
      if (isAlive(service)) this.lifecycle.replace(service);
      else this.begin(service);
    });
  }

  /** Lets a service be started, and starts it. Errors as `start`. */
  enable(name: string): void {
    this.event(() => {
      const service = this.findOrMake(name);
      if (service.name === this.self.name) return;
      if (!service.enabled) this.effects.log(`${name}: enabled`, 'info');
      service.enabled = true;
      this.begin(service);
    });
  }

  /** Refuses to start a service from now on, and stops it; answers when it is gone. ENOENT, EPERM for init. */
  disable(name: string, waiter: Waiter): void {
    this.event(() => {
      const service = this.findOther(name);
      if (service.enabled) this.effects.log(`${name}: disabled`, 'info');
      service.enabled = false;
      this.lifecycle.stop(service, waiter);
    });
  }

  /**
   * Restarts a service under the debugger; answers its address. Errors as `start`, EPERM for init, ETIMEDOUT, EIO when
   * it ends before.
   */
  inspect(name: string, waiter: Waiter<string>): void {
    this.event(() => {
      const service = this.findOther(name);
      this.checkStartable(service);
      if (service.inspected && service.phase === 'running') {
        service.inspectUntil ??= this.now + INSPECT_MS;
        service.whenInspected.push(waiter);
        this.lookForDebugger(service);
        return;
      }
      this.effects.debug(name);
      service.inspectNext = true;
      service.whenInspected.push(waiter);
      if (isAlive(service)) this.lifecycle.replace(service);
      else this.begin(service);
    });
  }

  /** Stops all services, each before those it depends on, and ends the machine. Returns at once. */
  shutdown(status: number, reboot: boolean): void {
    this.event(() => {
      if (this.ending === null) this.end(status, reboot, '');
    });
  }

  private end(status: number, reboot: boolean, reason: string): void {
    this.effects.log(reboot ? 'the machine starts again' : `the machine ends with status ${status}`, 'info');
    this.ending = { status, reboot, reason, deadline: this.now + SHUTDOWN_MS };
    this.goOnEnding();
  }

  /** A task has ended. Notices may come twice, or late: only the current task of a service counts. */
  exited(notice: ExitNotice): void {
    this.event(() => {
      this.effects.reap(notice.pid);
      const service = this.others.find(({ name }) => name === notice.name);
      if (service === undefined || !isAlive(service) || service.pid !== notice.pid) return;
      this.lifecycle.ended(service, notice);
      this.goOnEnding();
    });
  }

  /** The alarm is due. */
  alarm(): void {
    this.event(() => {
      this.alarmAt = undefined;
      for (const service of this.others) {
        if (service.phase === 'waiting' && service.dueAt <= this.now) this.lifecycle.again(service, 'started again');
        else if (service.phase === 'stopping' && !service.killed && service.dueAt <= this.now) {
          this.lifecycle.kill(service, 'does not end, killed');
        } else if (service.inspectUntil !== undefined) this.lookForDebugger(service);
      }
      if (this.ending !== null) this.goOnEnding();
      else if (this.now >= this.nextPings) this.pingAll();
    });
  }

  /** The frame of every event. */
  private event<T>(work: () => T): T {
    this.now = this.effects.now();
    this.lifecycle.now = this.now;
    for (const service of this.others) collect(service, this.effects);
    try {
      const outcome = work();
      const { lost } = this.lifecycle;
      if (lost !== null && this.ending === null) this.end(STATUS_LOST, false, lost);
      return outcome;
    } finally {
      this.save();
      for (const answer of this.lifecycle.answers.splice(0)) answer();
      this.setAlarm();
    }
  }

  /** Keeps the state for the next incarnation of init, when it is not what was kept last. */
  private save(): void {
    const state = storedState.toWire({ services: [...this.others], ending: this.ending }, []);
    const text = JSON.stringify(state);
    if (text !== this.saved && this.effects.save(state)) this.saved = text;
  }

  private setAlarm(): void {
    const due: number[] = [];
    for (const service of this.others) {
      if (service.phase === 'waiting' || (service.phase === 'stopping' && !service.killed)) due.push(service.dueAt);
      if (service.inspectUntil !== undefined) due.push(this.now + INSPECT_LOOK_MS);
    }
    if (this.ending !== null) {
      if (!this.halted) due.push(this.ending.deadline);
    } else if (this.others.some(isPinged)) {
      const next = this.now + untilNextLook(this.others, this.now);
      // After a time without anyone to ping, the period starts anew.
      this.nextPings = this.nextPings <= this.now ? next : Math.min(this.nextPings, next);
      due.push(this.nextPings);
    }
    const at = due.length === 0 ? undefined : Math.min(...due);
    if (at === this.alarmAt) return;
    this.alarmAt = at;
    this.effects.wakeAfter(at === undefined ? undefined : Math.max(1, at - this.now));
  }

  private find(name: string): Service {
    const service = this.all.find((candidate) => candidate.name === name);
    if (service === undefined) throw new SystemError('ENOENT', `no service is named ${name}`);
    return service;
  }

  private findOther(name: string): Service {
    if (name === this.self.name) throw new SystemError('EPERM', `${name} cannot stop itself`);
    return this.find(name);
  }

  private dependenciesFor(service: Service): readonly Service[] {
    return this.dependencies.get(service) ?? [];
  }

  private stateOf(service: Service): ServiceStatus[number]['state'] {
    if (service.phase === 'stopping') return service.thenStart ? 'starting' : 'running';
    if (service.phase !== 'running') return service.phase;
    if (service.inspected) return 'inspected';
    return isReady(service, this.effects) ? 'running' : 'starting';
  }

  private detailOf(service: Service): string {
    if (service.phase === 'stopping') return service.thenStart ? 'being replaced' : 'being stopped';
    if (service.phase !== 'waiting') return service.detail;
    return detailText(`starts in ${timeText(Math.max(0, service.dueAt - this.now))}; ${service.detail}`);
  }

  /** Why a service may not be started now: error and predicate. */
  private obstacle(service: Service): { code: ErrorName; text: string } | undefined {
    if (this.ending !== null) return { code: 'ECANCELED', text: 'is not started: the machine is being shut down' };
    if (service.problem !== undefined) return { code: 'EINVAL', text: service.problem };
    if (!service.enabled) return { code: 'EACCES', text: 'is disabled' };
    const disabled = this.dependenciesFor(service).find(({ enabled }) => !enabled);
    if (disabled === undefined) return undefined;
    return { code: 'EACCES', text: `depends on ${disabled.name}, which is disabled` };
  }

  private checkStartable(service: Service): void {
    const obstacle = this.obstacle(service);
    if (obstacle !== undefined) throw new SystemError(obstacle.code, `${service.name} ${obstacle.text}`);
  }

  /** Starts a service after what it depends on. Nobody waits here: clients wait for the ports of those they need. */
  private begin(service: Service): void {
    this.checkStartable(service);
    for (const dependency of this.dependenciesFor(service)) this.lifecycle.begin(dependency);
    this.lifecycle.begin(service);
  }

  private bootOne(service: Service): void {
    const obstacle = this.obstacle(service);
    if (obstacle === undefined) this.begin(service);
    else this.lifecycle.failed(service, obstacle.text);
  }

  private pingAll(): void {
    const hung = examine(this.others, (service) => this.dependenciesFor(service), this.now, this.effects);
    for (const service of hung) {
      const silence = timeText(this.now - (service.silentSince ?? this.now));
      this.lifecycle.kill(service, `no answer for ${silence}, killed`);
    }
  }

  private lookForDebugger(service: Service): void {
    if (service.inspectUntil === undefined || service.phase !== 'running') return;
    const address = this.effects.debug(service.name);
    if (address !== '') {
      service.inspectUntil = undefined;
      this.effects.log(`${service.name}: held in the debugger at ${address}, outside the sandbox`, 'warning');
      for (const waiter of service.whenInspected.splice(0)) this.lifecycle.answers.push(() => waiter.reply(address));
    } else if (this.now >= service.inspectUntil) {
      service.inspectUntil = undefined;
      service.inspected = false;
      this.lifecycle.refuse(service.whenInspected, 'ETIMEDOUT', `the debugger of ${service.name} does not start`);
    }
  }

  /**
   * The next step of a shutdown: asks those to end on which no running service depends; ends the machine when all are
   * gone or the time is up.
   */
  private goOnEnding(): void {
    if (this.ending === null || this.halted) return;
    this.lifecycle.closing = true;
    for (const service of this.others) if (service.phase === 'waiting') service.phase = 'stopped';
    const alive = this.others.filter(isAlive);
    const { status, reboot, reason, deadline } = this.ending;
    if (alive.length === 0 || this.now >= deadline) {
      this.halted = true;
      for (const service of alive) this.effects.log(`${service.name}: has not ended in time`, 'warning');
      this.lifecycle.answers.push(() => this.effects.halt(status, reboot, reason));
      return;
    }
    for (const service of alive) {
      const needed = alive.some((other) => this.dependenciesFor(other).includes(service));
      if (service.phase === 'running' && !needed) this.lifecycle.askToEnd(service, SHUTDOWN_STOP_MS);
    }
  }
}
