/**
 * The loop of every server and driver. A program hands over tables of handlers; the library owns the receive loop,
 * answers pings, takes over the named port with what an earlier incarnation owed, marks retries, checks requests, and
 * sends each reply from one place.
 */
import { errno, SystemError } from '../../protocol/errno.ts';
import {
  type CallContext,
  type Handlers,
  type Interface,
  LATER,
  type Method,
  type Methods,
  type Request,
} from '../../protocol/interface.ts';
import { kernelNotices } from '../../protocol/kernel.ts';
import type { Handle, Infer } from '../../protocol/schema.ts';
import { service } from '../../protocol/service.ts';
import { callAnswered } from './asynchronous.ts';
import { registerDevice } from './device.ts';
import { type Gathering, Inbox } from './inbox.ts';
import {
  ipcCreateNamedPort,
  ipcDestroyPort,
  ipcForward,
  ipcMint,
  ipcRecv,
  ipcRelease,
  ipcReply,
  ipcReplyRecv,
  ipcSend,
  ipcTryRecv,
  isOwnPort,
  MALFORMED,
  type Message,
  releaseRights,
} from './ipc.ts';
import { type Rehearsal, rehearse } from './rehearsal.ts';
import { endStandby, isStandby, standBy } from './standby.ts';
import { startInformation } from './start-information.ts';
import { crashReport, exit, getppid, irqAcknowledge, registerIrqHandler, requestIoPort, uptime } from './syscalls.ts';

/** An answer that is owed: exactly one of the two must be called, once. */
export interface Deferred<A> {
  reply(value: A): void;
  fail(error: SystemError): void;
}

/** What a handler is told, and how it answers later: `return context.later((deferred) => queue.push(deferred))`. */
export interface RequestContext extends CallContext {
  /** Port the request came to. */
  readonly port: Handle;
  /** The right to answer it, for a vector that does (protocol/vector.ts, ANSWER). */
  readonly reply: Handle;
  later<A>(keep: (deferred: Deferred<A>) => void): typeof LATER;
  /**
   * Hands the request on: the server of `port` answers the client, and sees its pid and sequence number. Throws
   * SystemError: EAGAIN, EPIPE, EIO; then an answer is still owed.
   */
  forward<M extends Methods, K extends keyof M>(
    port: Handle,
    definition: Interface<M>,
    name: K,
    request: Request<M[K]>,
  ): typeof LATER;
}

type Notices = (typeof kernelNotices)['methods'];
type NoticeContent<K extends keyof Notices> = Infer<Notices[K]['request']>;

/** Handlers for notices of the kernel. A notice without handler is dropped. */
export type NoticeHandlers = {
  readonly [K in Exclude<keyof Notices, 'irq' | 'answered'>]?: (content: NoticeContent<K>, port: Handle) => void;
};

/** Handles an interrupt; `vector` is null when no vector was armed. */
export type InterruptHandler = (vector: NoticeContent<'irq'>['vector']) => unknown;

/** One interface with its handlers. */
export interface Offer {
  readonly interface: number;
  readonly methods: ReadonlyMap<number, { method: Method<unknown, unknown>; handle: UntypedHandler }>;
}

type UntypedHandler = (request: unknown, context: RequestContext) => unknown;

/** Pairs an interface with its handlers; the types of both are checked against each other. */
export function offer<M extends Methods>(definition: Interface<M>, handlers: Handlers<M, RequestContext>): Offer {
  const methods = new Map<number, { method: Method<unknown, unknown>; handle: UntypedHandler }>();
  for (const [name, method] of Object.entries<Method<unknown, unknown>>(definition.methods)) {
    methods.set(method.number, { method, handle: handlers[name] as UntypedHandler });
  }
  return { interface: definition.number, methods };
}

/** A server or driver. */
export interface Program {
  /** Name of the port to serve; without one the program only handles notices. */
  readonly port?: string;
  /** Ranges of I/O ports to ask for, each [first, last]. */
  readonly ioPorts?: readonly (readonly [number, number])[];
  /**
   * Brings the device and the program's state to a known condition. Runs after the I/O ports were granted and before
   * the named port is taken over, so before any request comes again.
   */
  start?(): void;
  /** What is offered on the port. */
  readonly offers?: readonly Offer[];
  /**
   * Interrupt lines with their handlers, which get what a vector of ON_INTERRUPT has given. A line is acknowledged when
   * its handler returns, unless that answers LATER: then a vector of the program does it.
   */
  readonly interrupts?: Readonly<Record<number, InterruptHandler>>;
  readonly notices?: NoticeHandlers;
  readonly gathering?: Gathering;
  /** Name under which it appears in `/dev`; the interface `file` has to be among what it offers. */
  readonly device?: string;
  /** Runs once the port is there (its handle), before the first message. */
  ready?(port: Handle): void;
  /**
   * Runs once, before the first request that no earlier incarnation has received: whatever an earlier one owed has been
   * delivered again by then. Where there is nothing to come again it runs at once.
   */
  settled?(): void;
  /** Runs when the program was asked to end. */
  stop?(): void;
}

interface Answer {
  reply: Handle;
  status: number;
  data: unknown;
  rights: Handle[];
}

/** When the notice at hand was posted; undefined: none is at hand, or it does not say. */
let posted: number | undefined;

/**
 * Milliseconds since power-on, as of the message at hand: a notice may tell when it was posted, and the kernel need not
 * be asked.
 */
export const turnUptime = (): number => posted ?? uptime();

const NO_COUNTERS = { requests: 0, retries: 0, errors: 0, startMilliseconds: 0 };
const counters = { ...NO_COUNTERS };
const NO_OFFERS: readonly Offer[] = [];
const NO_RIGHTS: readonly Handle[] = [];

/** Runs a program for ever. An error that is no SystemError is a bug: it is reported and ends the task. */
export function run(program: Program): never {
  try {
    standBy(() => {});
    serveForever(program);
  } catch (error) {
    fail(error);
  }
}

/**
 * Like `run`, for a program whose standbys rehearse: they make more of it, which a rehearsal of their own is held with.
 */
export function runRehearsed(make: () => Program, rehearsal: () => Rehearsal): never {
  try {
    standBy(() => {
      rehearse(rehearsal(), () => serveForever(make()));
      Object.assign(counters, NO_COUNTERS);
      posted = undefined;
    });
    serveForever(make());
  } catch (error) {
    fail(error);
  }
}

function serveForever(program: Program): never {
  const before = uptime();
  for (const [first, last] of program.ioPorts ?? []) requestIoPort(first, last);
  program.start?.();
  const port = program.port === undefined ? undefined : ipcCreateNamedPort(program.port);
  const lines = new Map<number, InterruptHandler>();
  for (const [line, handler] of Object.entries(program.interrupts ?? {})) {
    if (port === undefined) throw new Error('a program with interrupts needs a port');
    lines.set(Number(line), handler);
    registerIrqHandler(Number(line), port);
  }
  if (port !== undefined) {
    program.ready?.(port);
    if (program.device !== undefined) registerDevice(port, program.device);
  }
  counters.startMilliseconds = uptime() - before;
  loop(program, lines, port);
}

/** Reports an error that nobody handles, and ends the task. */
export function fail(error: unknown): never {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  if (isStandby()) endStandby(text);
  crashReport(text);
  exit(70);
}

function loop(program: Program, lines: ReadonlyMap<number, InterruptHandler>, port: Handle | undefined): never {
  const { offers = NO_OFFERS, gathering } = program;
  const redelivery = new Redelivery(program, port);
  const inbox = new Inbox(
    gathering,
    () => ipcTryRecv(),
    () => ipcRecv(),
  );
  let message = inbox.next();
  for (;;) {
    posted = undefined;
    // Nobody else's port is served: its badges, in notices too, can be forged by whoever gave this task the receive
    // right.
    if (!isOwnPort(message.port)) {
      ipcDestroyPort(message.port);
      message = inbox.next();
      continue;
    }
    if (message.notice) {
      handleNotice(program, lines, message);
      message = inbox.next();
      continue;
    }
    redelivery.received(message);
    counters.requests++;
    if (message.retry) counters.retries++;
    if (isStop(message)) {
      inbox.finish();
      program.stop?.();
      if (message.reply !== 0) ipcReply(message.reply, 0, null);
      exit(0);
    }
    const answer = serve(offers, message);
    if (answer === null || answer.reply === 0) message = inbox.next();
    else if (gathering?.pending === true) {
      ipcReply(answer.reply, answer.status, answer.data, answer.rights);
      message = inbox.next();
    } else message = ipcReplyRecv(answer.reply, answer.status, answer.data, answer.rights);
  }
}

/**
 * Finds out when everything that an earlier incarnation owed has been delivered again: it comes before anything new, so
 * a message of the program to itself, or any other new one, tells.
 */
class Redelivery {
  private readonly program: Program;
  private readonly port: Handle | undefined;
  private over = false;
  private sent = false;

  constructor(program: Program, port: Handle | undefined) {
    this.program = program;
    this.port = port;
    if (program.settled === undefined) this.over = true;
    else if (port === undefined || startInformation.incarnation === 1) this.settle();
    else this.sendMark();
  }

  /** A message has come that is no notice. */
  received(message: Message): void {
    if (this.over) return;
    if (!message.retry) this.settle();
    else if (!this.sent) this.sendMark();
  }

  private settle(): void {
    this.over = true;
    this.program.settled?.();
  }

  /** With a full queue there is no need: what is in it comes, too. */
  private sendMark(): void {
    if (this.port === undefined) return;
    const own = ipcMint(this.port, 0);
    try {
      ipcSend(own, { interface: service.number, method: service.methods.ping.number, data: null });
      this.sent = true;
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
    }
    ipcRelease(own);
  }
}

/** Only who started a server may end it: every client holds the right that such a message comes through. */
function isStop({ interface: number, method, sender }: Message): boolean {
  return number === service.number && method === service.methods.stop.number && sender === getppid();
}

const noticesByNumber = new Map(
  Object.entries(kernelNotices.methods).map(([name, method]) => [method.number, { name, method }] as const),
);

function handleNotice(program: Program, lines: ReadonlyMap<number, InterruptHandler>, message: Message): void {
  const found = noticesByNumber.get(message.method);
  if (found === undefined || message.data === MALFORMED) return;
  const { name, method } = found;
  const content = method.request.fromWire(message.data, message.rights);
  if (name === 'answered' || name === 'alarm') posted = (content as NoticeContent<'answered' | 'alarm'>).uptime;
  if (name === 'irq') {
    const { irq, vector } = content as NoticeContent<'irq'>;
    if (lines.get(irq)?.(vector) !== LATER) irqAcknowledge(irq);
    return;
  }
  if (name === 'answered') {
    callAnswered((content as NoticeContent<'answered'>).call);
    return;
  }
  const handler = program.notices?.[name as keyof NoticeHandlers] as
    | ((content: unknown, port: Handle) => void)
    | undefined;
  handler?.(content, message.port);
}

const answerPing: Offer = offer(service, {
  ping: () => undefined,
  stop: () => {
    throw new SystemError('EPERM', 'only its parent may stop a server');
  },
  statistics: () => ({ ...counters }),
});

function serve(offers: readonly Offer[], message: Message): Answer | null {
  const answer: Answer = { reply: message.reply, status: 0, data: null, rights: [] };
  const received = message.rights.length === 0 ? NO_RIGHTS : [...message.rights];
  try {
    if (message.data === MALFORMED) throw new SystemError('EBADMSG', 'the data is not well-formed msgpack');
    const offered =
      message.interface === service.number
        ? answerPing
        : offers.find((candidate) => candidate.interface === message.interface);
    const entry = offered?.methods.get(message.method);
    if (entry === undefined) throw new SystemError('ENOSYS', 'no such method');
    const request = entry.method.request.fromWire(message.data, message.rights);
    releaseRights(message.rights);
    const result = entry.handle(request, contextOf(message, entry.method));
    if (result === LATER) return null;
    answer.data = entry.method.reply.toWire(result, answer.rights);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    counters.errors++;
    // A handler that fails has taken nothing.
    releaseRights(received);
    answer.status = errno[error.code];
    answer.data = error.message;
    answer.rights = [];
  }
  return answer;
}

function contextOf(message: Message, method: Method<unknown, unknown>): RequestContext {
  return {
    sender: message.sender,
    badge: message.badge,
    sequence: message.sequence,
    retry: message.retry,
    deliveries: message.deliveries,
    port: message.port,
    reply: message.reply,
    forward: (port, definition, name, request) => {
      const method: Method<unknown, unknown> | undefined = definition.methods[name];
      if (method === undefined) throw new SystemError('ENOSYS', 'no such method');
      const rights: Handle[] = [];
      const data = method.request.toWire(request, rights);
      ipcForward(message.reply, port, { interface: definition.number, method: method.number, data, rights });
      return LATER;
    },
    later: <A>(keep: (deferred: Deferred<A>) => void) => {
      keep({
        reply: (value) => {
          const rights: Handle[] = [];
          const data = method.reply.toWire(value, rights);
          ipcReply(message.reply, 0, data, rights);
        },
        fail: (error) => {
          counters.errors++;
          ipcReply(message.reply, errno[error.code], error.message);
        },
      });
      return LATER;
    },
  };
}
