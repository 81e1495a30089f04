/**
 * Machines on one cable, their programs, and time, which jumps from event to event. Nothing is left to chance but what
 * comes from the seed.
 */
import { SystemError } from '../../../protocol/errno.ts';
import { Random } from '../../support/random.ts';
import { type Driver, Host, type HostWorld, type Request } from './host.ts';

/** Milliseconds that a frame is on its way. */
const DELAY_MS = 0.3;

/** After so much time without an end, something hangs. */
const LONGEST_RUN_MS = 10 * 60_000;

/** A program: yields requests, and is given their answers. */
export type Program<R = void> = Generator<Request, R, unknown>;

interface Running {
  readonly program: Program<unknown>;
  request: Request | null;
  isOver: boolean;
}

/** See the head of this file. */
export class World implements HostWorld {
  now = 1000;
  readonly seed: number;
  /** Whether a frame is lost. */
  loses: (frame: Buffer) => boolean = () => false;
  readonly hosts: Host[] = [];
  private readonly seeded: Random;
  private events: { time: number; order: number; action: () => void }[] = [];
  private order = 0;
  private readonly programs: Running[] = [];

  constructor(seed?: number) {
    this.seeded = new Random(seed);
    this.seed = this.seeded.seed;
  }

  random(count: number): Uint8Array {
    return this.seeded.bytes(count);
  }

  at(time: number, action: () => void): void {
    this.events.push({ time, order: this.order++, action });
  }

  transmit(from: Host, frame: Buffer): void {
    if (this.loses(frame)) return;
    for (const host of this.hosts) if (host !== from) this.at(this.now + DELAY_MS, () => host.frame(frame));
  }

  /** A machine with a fixed address, 10.0.0.NUMBER. */
  addHost(number: number): Host {
    const host = new Host(this, `host ${number}`, Buffer.from([2, 0, 0, 0, 0, number]));
    this.hosts.push(host);
    this.settle();
    const address = { address: addressOf(number), prefix: 24 };
    const change = { interface: 'ne0', up: true, address, dhcp: false };
    const request = host.send('networkHandlers', 'configure', 0, change, 1);
    this.settle();
    if (request.outcome?.ok !== true) throw new Error(`no address: ${JSON.stringify(request.outcome)}`);
    return host;
  }

  /** A machine as it starts, without an address. */
  addFreshHost(driver: Driver): Host {
    const host = new Host(this, 'fresh', Buffer.from([2, 0, 0, 0, 0, 99]), driver);
    this.hosts.push(host);
    return host;
  }

  start(program: Program<unknown>): void {
    this.programs.push({ program, request: null, isOver: false });
  }

  /** Lets all machines work until nothing is left to do at this time. */
  settle(): void {
    while (this.hosts.some((host) => host.step()));
  }

  /** Runs until all programs have ended. Throws when they do not. */
  run(): void {
    const end = this.now + LONGEST_RUN_MS;
    for (;;) {
      this.settle();
      if (this.advancePrograms()) continue;
      if (this.programs.every(({ isOver }) => isOver)) return;
      this.nextEvent(end);
    }
  }

  /** Lets time pass. */
  pass(milliseconds: number): void {
    const end = this.now + milliseconds;
    this.settle();
    while (this.events.some(({ time }) => time <= end)) {
      this.nextEvent(end);
      this.settle();
    }
    this.now = end;
  }

  private nextEvent(end: number): void {
    let first = this.events[0];
    for (const event of this.events) {
      if (first === undefined || event.time < first.time || (event.time === first.time && event.order < first.order))
        first = event;
    }
    if (first === undefined || first.time > end) {
      const waiting = this.programs.flatMap(({ request, isOver }) => (isOver || !request ? [] : [request.method]));
      throw new Error(`seed ${this.seed}: hangs at ${this.now} ms in ${waiting.join(', ')}`);
    }
    this.events.splice(this.events.indexOf(first), 1);
    this.now = Math.max(this.now, first.time);
    first.action();
  }

  private advancePrograms(): boolean {
    let moved = false;
    for (const running of this.programs) {
      if (running.isOver || (running.request !== null && running.request.outcome === null)) continue;
      moved = true;
      const outcome = running.request?.outcome ?? null;
      running.request = null;
      let step: IteratorResult<Request, unknown>;
      if (outcome === null || outcome.ok) step = running.program.next(outcome?.value);
      else step = running.program.throw(outcome.error);
      if (step.done === true) running.isOver = true;
      else running.request = step.value;
    }
    return moved;
  }
}

/** 10.0.0.NUMBER. */
export const addressOf = (number: number): number => 0x0a000000 + number;

let senders = 100;

/** A program's view of a socket. */
export class TestSocket {
  readonly host: Host;
  readonly right: number;
  readonly sender: number;
  sendOffset = 0;
  receiveOffset = 0;

  private constructor(host: Host, right: number, sender: number) {
    this.host = host;
    this.right = right;
    this.sender = sender;
  }

  static *open(host: Host, type: 'stream' | 'datagram' | 'raw', protocol = 0, sender = senders++): Program<TestSocket> {
    const right = yield host.send('networkHandlers', 'socket', 0, { type, protocol }, sender);
    return new TestSocket(host, right as number, sender);
  }

  *call(method: string, content: unknown): Program<unknown> {
    return yield this.host.send('socketHandlers', method, this.right, content, this.sender);
  }

  *accept(timeout = 0xffffffff): Program<TestSocket> {
    const { connection } = (yield* this.call('accept', { timeout })) as { connection: number };
    return new TestSocket(this.host, connection, this.sender);
  }

  *send(data: Uint8Array): Program {
    const end = this.sendOffset + data.length;
    while (this.sendOffset < end) {
      const rest = data.subarray(data.length - (end - this.sendOffset));
      const content = { offset: this.sendOffset, data: rest.subarray(0, 65536), timeout: 0xffffffff };
      this.sendOffset = (yield* this.call('send', content)) as number;
    }
  }

  *receive(most = 65536): Program<Uint8Array> {
    const content = { offset: this.receiveOffset, most, timeout: 0xffffffff };
    const data = (yield* this.call('receive', content)) as Uint8Array;
    this.receiveOffset += data.length;
    return data;
  }

  close(): void {
    this.host.close(this.right);
  }
}

/** A listening socket of a machine. */
export function* listen(host: Host, port: number, backlog = 16): Program<TestSocket> {
  const socket = yield* TestSocket.open(host, 'stream');
  yield* socket.call('bind', { address: 0, port });
  yield* socket.call('listen', backlog);
  return socket;
}

/** A connection to an address. */
export function* connect(host: Host, address: number, port: number, timeout = 0xffffffff): Program<TestSocket> {
  const socket = yield* TestSocket.open(host, 'stream');
  try {
    yield* socket.call('connect', { remote: { address, port }, timeout });
  } catch (error) {
    socket.close();
    throw error;
  }
  return socket;
}

/** Runs a program that must fail, and answers how. */
export function* failure(program: Program<unknown>): Program<string> {
  try {
    yield* program;
    return 'none';
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return error.code;
  }
}
