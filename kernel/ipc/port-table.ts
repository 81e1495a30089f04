/**
 * All ports: making, finding, handing over and destroying them; who waits for a name; when the last send right with a
 * badge is gone.
 */
import { FOREVER, MAX_PORTS_PER_TASK } from '../../protocol/bounds.ts';
import type { ErrorName } from '../../protocol/errno.ts';
import { kernelNotices } from '../../protocol/kernel.ts';
import { templateOf } from '../../protocol/template.ts';
import type { Program, Task } from '../objects.ts';
import { Port } from '../objects.ts';
import type { Execution } from '../task/execution.ts';
import type { Timer, Timers } from '../time/timers.ts';

interface Finder {
  readonly task: Task;
  readonly id: number;
  readonly name: string;
  /** The task goes on meanwhile, and this port of its is told at the end. Null: the task waits. */
  readonly notify: Port | null;
  /** It waits although the service has been given up. */
  readonly patient: boolean;
  timer: Timer | null;
}

/** A new handle, or why there is none. */
type HandleOrError = number | ErrorName;

/** The table. */
export class PortTable {
  /** Called when a port is destroyed, to end what waits in it. */
  onDestroyed: (port: Port) => void = () => {};
  /** Called when a port has left its receiver. */
  onDetached: (task: Task) => void = () => {};
  /** Whether the program that serves a name has been given up. */
  isLost: (name: string) => boolean = () => false;
  /** Whether the configuration has a program that serves a name, so that it is worth waiting for its port. */
  isServed: (name: string) => boolean = () => true;
  onNotice: (port: Port, method: number, data: unknown, key: string) => void = () => {};
  private readonly all = new Map<number, Port>();
  private readonly named = new Map<string, Port>();
  private readonly finders = new Set<Finder>();
  private readonly execution: Execution;
  private readonly timers: Timers;
  private nextId = 1;

  constructor(execution: Execution, timers: Timers) {
    this.execution = execution;
    this.timers = timers;
  }

  get size(): number {
    return this.all.size;
  }

  values(): Iterable<Port> {
    return this.all.values();
  }

  byName(name: string): Port | undefined {
    return this.named.get(name);
  }

  of(program: Program): Port[] {
    return [...this.all.values()].filter((port) => port.program === program);
  }

  /** ipc_create_port. */
  create(task: Task): HandleOrError {
    if (task.portsMade >= MAX_PORTS_PER_TASK || !task.capabilities.hasRoom()) return 'EMFILE';
    return this.own(this.add('', task), task);
  }

  /** ipc_create_named_port: a new port, or the one an earlier incarnation of the same service had. */
  createNamed(task: Task, name: string): HandleOrError {
    if (!task.manifest.serves.includes(name)) return 'EPERM';
    if (task.portsMade >= MAX_PORTS_PER_TASK || !task.capabilities.hasRoom()) return 'EMFILE';
    const existing = this.named.get(name);
    if (existing !== undefined && (existing.receiver !== null || existing.program !== task.program)) return 'EEXIST';
    const port = existing ?? this.add(name, task);
    const handle = this.own(port, task);
    for (const finder of [...this.finders]) if (finder.name === name) this.found(finder, port);
    return handle;
  }

  private add(name: string, maker: Task): Port {
    const { program } = maker;
    const port = new Port(this.nextId++, name, program, maker);
    maker.portsMade++;
    this.all.set(port.id, port);
    if (name !== '') {
      this.named.set(name, port);
      program.ports.set(name, port);
    }
    return port;
  }

  private own(port: Port, task: Task): number {
    const handle = task.capabilities.insert({ kind: 'receive', references: 0, port });
    this.attach(port, task, handle);
    return handle;
  }

  /** A task has got the receive right of a port. */
  attach(port: Port, task: Task, handle: number): void {
    port.transit = null;
    port.receiver = task;
    port.receiverHandle = handle;
    task.ports.add(port);
    if (port.ready) task.lineUp(port);
  }

  /** The receive right leaves its task, in a message. */
  detach(port: Port): void {
    const { receiver } = port;
    if (receiver === null) return;
    receiver.ports.delete(port);
    receiver.readyPorts.delete(port);
    port.receiver = null;
    port.receiverHandle = 0;
    this.onDetached(receiver);
  }

  /**
   * ipc_find_port: answers the handle, an error, or null when the task waits for the name, or goes on and `notify` is
   * told. `patient`: it waits also for a service that has been given up.
   */
  find(
    task: Task,
    id: number,
    name: string,
    timeout: number,
    notify: Port | null = null,
    patient = false,
  ): HandleOrError | null {
    const { looksUp } = task.manifest;
    const allowed = ['*', name, templateOf(name)];
    if (!looksUp.some((entry) => allowed.includes(entry))) return 'EPERM';
    const port = this.named.get(name);
    const lost = port === undefined ? this.isLost(name) : port.program.lost && port.receiver === null;
    if (lost && !patient) return 'EIO';
    if (port !== undefined && !lost) return this.sendRight(task, port, 0);
    if (timeout === 0 || (port === undefined && !this.isServed(name))) return 'ENOENT';
    const finder: Finder = { task, id, name, notify, patient, timer: null };
    this.finders.add(finder);
    if (timeout !== FOREVER) {
      finder.timer = this.timers.set(timeout, () => this.endFind(finder, 'ENOENT'));
    }
    if (notify === null) this.execution.block(task, 'ipc_find_port');
    else task.asynchronousCalls++;
    return null;
  }

  /** Makes a send right for a task. */
  sendRight(task: Task, port: Port, badge: number): HandleOrError {
    if (!task.capabilities.hasRoom()) return 'EMFILE';
    if (badge !== 0) {
      port.badges.set(badge, (port.badges.get(badge) ?? 0) + 1);
      // A badge given out anew has senders again: an old notice that it has none would be wrong.
      port.removeNotice(noSendersKey(badge));
    }
    port.senders++;
    return task.capabilities.insert({ kind: 'send', references: 0, port, badge });
  }

  private found(finder: Finder, port: Port): void {
    const handle = this.sendRight(finder.task, port, 0);
    if (typeof handle === 'string') this.endFind(finder, handle);
    else this.endFind(finder, 0, handle);
  }

  private endFind(finder: Finder, error: ErrorName | 0, handle = 0): void {
    if (!this.finders.delete(finder)) return;
    const { task, id, notify, timer } = finder;
    timer?.cancel();
    if (notify === null) {
      this.execution.wakeWith(task, id, error, handle);
      return;
    }
    task.asynchronousCalls--;
    this.execution.answer(task, id, error, handle);
    this.tellAnswered(notify, id);
  }

  /** The result of an asynchronous call is in its task's pipe: a task that waits for messages hears of it. */
  tellAnswered(notify: Port | null, id: number): void {
    if (notify === null) return;
    this.onNotice(notify, kernelNotices.methods.answered.number, [id, this.timers.now()], `answered ${id}`);
  }

  /** Those who wait for the names of a program that was given up get EIO. */
  failFinders(program: Program): void {
    for (const finder of [...this.finders]) {
      if (!finder.patient && program.manifest.serves.includes(finder.name)) this.endFind(finder, 'EIO');
    }
  }

  /** One copy of a send right is gone. */
  senderGone(port: Port, badge: number): void {
    port.senders--;
    if (badge === 0) return;
    const left = (port.badges.get(badge) ?? 1) - 1;
    if (left > 0) {
      port.badges.set(badge, left);
      return;
    }
    port.badges.delete(badge);
    this.onNotice(port, kernelNotices.methods.no_senders.number, [badge], noSendersKey(badge));
  }

  /** The receive right is gone: a named port waits for its service's next incarnation, any other is destroyed. */
  receiverGone(port: Port): void {
    if (port.receiver !== null) return;
    port.transit = null;
    if (port.name === '') this.destroy(port);
  }

  /** Destroys a port and ends what waits in it. */
  destroy(port: Port): void {
    if (port.destroyed) return;
    this.detach(port);
    port.destroyed = true;
    port.transit = null;
    port.maker.portsMade--;
    port.clearNotices();
    this.all.delete(port.id);
    if (port.name !== '') {
      this.named.delete(port.name);
      port.program.ports.delete(port.name);
    }
    this.onDestroyed(port);
  }

  /** A task that is gone waits for no name. */
  taskGone(task: Task): void {
    for (const finder of [...this.finders]) {
      if (finder.task !== task) continue;
      finder.timer?.cancel();
      this.finders.delete(finder);
    }
  }
}

function noSendersKey(badge: number): string {
  return `no_senders ${badge}`;
}
