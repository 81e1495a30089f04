/**
 * A machine for the network driver without kernel or process: its vectors run against the real card, time is a number,
 * and the driver can be made to die after any vector. What the kernel does for a driver is done here: requests that
 * were not answered come again to the next one, the store stays, the line is masked.
 */
import { Ne2000 } from '../../../hw/ne2000/card.ts';
import { type Cable, NO_CABLE } from '../../../hw/network/cable.ts';
import { type Ports, VectorRun } from '../../../kernel/io/vector.ts';
import { checkVector, type VectorProgram } from '../../../kernel/io/vector-program.ts';
import { decode, encodeAfter } from '../../../protocol/codec.ts';
import { SystemError } from '../../../protocol/errno.ts';
import { LATER } from '../../../protocol/interface.ts';
import { batchOf, net, placedFrames } from '../../../protocol/net.ts';
import type { Handle } from '../../../protocol/schema.ts';
import type { RequestContext } from '../../../services/lib/index.ts';
import { type DriverEffects, NetworkDriver } from '../../../services/ne2000/driver.ts';
import type { Operand, VectorResult } from '../../../services/ne2000/hardware.ts';
import { BASE, IRQ } from '../../../services/ne2000/registers.ts';

export const STATION = Buffer.from('525400123456', 'hex');

/** The driver is killed. */
class Death extends Error {}

type MethodName = keyof typeof net.methods;

/** A request and what has become of it. */
export class Call {
  readonly name: MethodName;
  readonly request: unknown;
  readonly badge: number;
  readonly sender: number;
  readonly sequence: number;
  deliveries = 0;
  answered = false;
  value: unknown;
  /** Name of the error, or null. */
  error: string | null = null;

  constructor(name: MethodName, request: unknown, badge: number, sender: number, sequence: number) {
    this.name = name;
    this.request = request;
    this.badge = badge;
    this.sender = sender;
    this.sequence = sequence;
  }

  /** What `receive` was answered, after a way over the wire. */
  get frames(): Buffer[] {
    const { reply } = net.methods.receive;
    const answer = reply.fromWire(reply.toWire(this.value as never, []), []);
    return placedFrames(answer).map((frame) => Buffer.from(frame));
  }
}

/** A frame to the card, or to another address. */
export function frame(length: number, number: number, destination: Uint8Array = STATION): Buffer {
  const bytes = Buffer.alloc(length, number & 0xff);
  bytes.set(destination, 0);
  bytes.write('02000000000188b5', 6, 'hex');
  bytes.writeUInt32BE(number, 14);
  return bytes;
}

export class Machine implements DriverEffects {
  now = 0;
  /** Entries into the kernel: vectors and pauses. */
  entries = 0;
  pauses: number[] = [];
  readonly logLines: string[] = [];
  /** Badges of rights that were given up. */
  readonly released: number[] = [];
  readonly sent: Buffer[] = [];
  readonly store = new Map<string, Buffer>();
  linked = true;
  /** The cable lets frames wait while the card has no room. */
  patient = true;
  /** They come in as soon as it has some, in the middle of a vector. */
  prompt = false;
  readonly onTheWay: Buffer[] = [];
  /** Vectors until the driver dies; null: it does not. */
  dieAfter: number | null = null;
  deaths = 0;
  notices = 0;
  /** Called before each read of a byte; a number answers it in the place of the card. */
  onRead: ((port: number) => number | undefined) | null = null;
  /** Called before each write of a byte; true: it does not reach the card. */
  onWrite: ((port: number, value: number) => boolean) | null = null;
  /** Changes what a block read gives. */
  onBlock: ((target: Buffer) => void) | null = null;
  /** Called after each vector, and after each look into the store. */
  afterVector: (() => void) | null = null;
  afterLoad: (() => void) | null = null;
  /** What was answered to requests that had been answered already, which the kernel refuses. */
  readonly refused: { readonly value: unknown; readonly crash: boolean }[] = [];
  readonly card: Ne2000;
  driver: NetworkDriver;
  readonly #ports: Ports;
  #line = { level: false, edge: false, masked: true, notice: false };
  /** The vector for the next interrupt, and what the last one gave. */
  #armed: VectorProgram | null = null;
  #given: VectorResult | null = null;
  #inVector = false;
  #interrupted = false;
  #sequence = 0;
  #waiting: Call[] = [];
  #owed: Call[] = [];

  constructor() {
    const machine = this;
    const cable: Cable = {
      ...NO_CABLE,
      get linked() {
        return machine.linked;
      },
      send: (bytes) => this.sent.push(Buffer.from(bytes)),
      receiveReady: () => {
        if (this.prompt) this.#cable();
      },
    };
    this.card = new Ne2000({ base: BASE, line: { set: (level) => this.#setLine(level) }, cable });
    this.#ports = {
      read: (port, width) => (width === 1 ? this.onRead?.(port) : undefined) ?? this.card.read(port, width),
      write: (port, width, value) => {
        if (this.onWrite?.(port, value) !== true) this.card.write(port, width, value);
      },
      readBlock: (port, width, target) => {
        this.card.readBlock(port, width, target);
        this.onBlock?.(target);
      },
      writeBlock: (port, width, source) => this.card.writeBlock(port, width, source),
    };
    this.driver = new NetworkDriver(this);
  }

  /** Starts a driver. */
  boot(): this {
    for (;;) {
      try {
        this.driver = new NetworkDriver(this);
        this.driver.start();
        break;
      } catch (error) {
        this.#died(error);
      }
    }
    this.#line.masked = false;
    this.#deliverEdge();
    return this;
  }

  /** Begins a request, to send with a list of frames; `settle` has it answered. */
  call(name: MethodName, request: unknown, badge = 0, sender = 7): Call {
    const content = name === 'transmit' ? batchOf(request as Uint8Array[]) : request;
    const call = new Call(name, content, badge, sender, ++this.#sequence);
    this.#waiting.push(call);
    return call;
  }

  /** A request with its answer. Throws its error. */
  ask(name: MethodName, request?: unknown, badge = 0, sender = 7): unknown {
    const call = this.call(name, request, badge, sender);
    this.settle();
    if (call.error !== null) throw new Error(call.error);
    if (!call.answered) throw new Error(`${name} is not answered`);
    return call.value;
  }

  /** Opens the card; answers the badge. */
  open(sender = 7): number {
    return (this.ask('open', undefined, 0, sender) as { card: number }).card;
  }

  /** Frames come along the cable. */
  arrive(...frames: Buffer[]): void {
    this.onTheWay.push(...frames);
    this.#cable();
  }

  /** Runs until nothing is left to do. */
  settle(): void {
    for (let turn = 0; turn < 10_000; turn++) {
      this.#cable();
      try {
        // The kernel hands notices out before messages.
        if (this.#line.notice) this.#interrupt();
        else if (this.#waiting[0] !== undefined) this.#deliver(this.#waiting.shift() as Call);
        else return;
      } catch (error) {
        this.#died(error);
        this.boot();
      }
    }
    throw new Error('the driver goes round in circles');
  }

  /** The driver dies where it is. */
  kill(): void {
    this.#died(new Death());
    this.boot();
    this.settle();
  }

  get interruptsMasked(): boolean {
    return this.#line.masked;
  }

  vector(operations: readonly Operand[]): VectorResult {
    this.entries++;
    const checked = checkVector(operations, {
      allows: (port) => port >= BASE && port < BASE + 0x20,
      owns: (irq) => irq === IRQ,
    });
    if (checked.kind !== 'ok') throw new Error(`a vector that the kernel refuses: ${checked.kind}`);
    const { program } = checked;
    const { keep } = program;
    const unmask = (atInterrupt: VectorProgram | null): void => {
      this.#armed = atInterrupt;
      if (atInterrupt !== null) this.#line.notice = false;
      this.#line.masked = false;
      this.#deliverEdge();
    };
    const run = new VectorRun(1, program, this.#ports, {
      acknowledge: () => unmask(null),
      pending: () => this.#line.masked,
      arm: (_irq, armed) => unmask(armed),
    });
    this.#inVector = true;
    while (run.step(this.now) === 'waiting') this.now++;
    this.#inVector = false;
    if (keep !== null) this.save(keep.key, [keep.tag, run.ended, run.results]);
    if (this.#interrupted) this.#atInterrupt();
    // Between two vectors the cable has its turn.
    this.afterVector?.();
    this.#cable();
    if (this.dieAfter !== null && this.dieAfter-- === 0) {
      this.dieAfter = null;
      throw new Death();
    }
    return { ended: run.ended, results: run.results };
  }

  pause(milliseconds: number): void {
    this.entries++;
    this.now += milliseconds;
    this.pauses.push(milliseconds);
  }

  save(key: string, value: unknown): void {
    this.store.set(key, Buffer.from(encodeAfter(0, value)));
  }

  load(key: string): unknown {
    const bytes = this.store.get(key);
    const value = bytes === undefined ? undefined : decode(Buffer.from(bytes), 0, bytes.length);
    // An entry into the kernel like any other.
    this.afterLoad?.();
    this.#cable();
    return value;
  }

  mint(_port: Handle, badge: number): Handle {
    return badge as Handle;
  }

  release(right: Handle): void {
    this.released.push(right);
  }

  log = (text: string): void => {
    this.logLines.push(text);
  };

  #died(error: unknown): void {
    if (!(error instanceof Death)) throw error;
    this.deaths++;
    this.#line.masked = true;
    this.#armed = null;
    this.#inVector = false;
    // A notice that was not handled comes again, as the level of the line would have it.
    this.#waiting.unshift(...this.#owed);
    this.#owed = [];
  }

  #deliver(call: Call): void {
    call.deliveries++;
    this.#owed.push(call);
    let isLate = false;
    const finish = (value: unknown, error: string | null): void => {
      if (call.answered) {
        this.refused.push({ value, crash: !isLate });
        // A late answer is posted and dropped; that of a handler ends the driver.
        if (!isLate) throw new Death();
        return;
      }
      Object.assign(call, { answered: true, value, error });
      this.#owed = this.#owed.filter((other) => other !== call);
    };
    const context: RequestContext = {
      ...{ sender: call.sender, badge: call.badge, sequence: call.sequence, port: 1 as Handle },
      ...{ retry: call.deliveries > 1, deliveries: call.deliveries, reply: call.sequence as Handle },
      later: (keep) => {
        isLate = true;
        keep({ reply: (value) => finish(value, null), fail: ({ code }) => finish(undefined, code) });
        return LATER;
      },
      forward: () => {
        throw new Error('nothing is forwarded');
      },
    };
    const handle = this.driver.handlers()[call.name] as (request: unknown, context: RequestContext) => unknown;
    try {
      const value = handle(call.request, context);
      if (value !== LATER) finish(value, null);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      finish(undefined, error.code);
    }
  }

  #interrupt(): void {
    const given = this.#given;
    this.#line.notice = false;
    this.#given = null;
    this.notices++;
    this.driver.interrupt(given);
  }

  /** The processor takes an interrupt between two instructions: what is armed for it runs when no other vector does. */
  #atInterrupt(): void {
    this.#interrupted = this.#inVector;
    if (this.#inVector) return;
    const armed = this.#armed;
    this.#armed = null;
    if (armed === null) {
      Object.assign(this.#line, { notice: true });
      this.#given = null;
      return;
    }
    let answered = false;
    const lines = { acknowledge: () => {}, pending: () => false, arm: () => {} };
    const answer = (reply: number, results: readonly unknown[]): boolean => {
      const call = this.#owed.find(({ sequence }) => sequence === reply);
      if (call === undefined) return false;
      answered = true;
      const value = net.methods.receive.reply.fromWire([...results], []);
      Object.assign(call, { answered: true, value: { ...value, bytes: Buffer.from(value.bytes) }, error: null });
      this.#owed = this.#owed.filter((other) => other !== call);
      return true;
    };
    const run = new VectorRun(0, armed, this.#ports, lines, () => {}, null, answer);
    this.#inVector = true;
    run.step(this.now);
    this.#inVector = false;
    if (!answered) {
      this.#line.notice = true;
      this.#given = { ended: run.ended, results: run.results };
    }
    if (armed.keep !== null) this.save(armed.keep.key, [armed.keep.tag, run.ended, run.results]);
  }

  #setLine(level: boolean): void {
    if (level && !this.#line.level) this.#line.edge = true;
    this.#line.level = level;
    this.#deliverEdge();
  }

  #deliverEdge(): void {
    const line = this.#line;
    if (!line.edge || line.masked) return;
    Object.assign(line, { edge: false, masked: true });
    this.#atInterrupt();
  }

  /** Frames on the way come to the card: all of them, or as many as it has room for. */
  #cable(): void {
    while (this.onTheWay.length > 0 && (!this.patient || this.card.ready())) {
      const next = this.onTheWay.shift();
      if (next !== undefined) this.card.receive(next);
    }
  }
}

/** A machine whose driver runs, and the badge of the card's owner. */
export function opened(): { machine: Machine; badge: number } {
  const machine = new Machine().boot();
  return { machine, badge: machine.open() };
}

/** What a request for frames is answered, which may not wait. */
export function received(machine: Machine, badge: number): Buffer[] {
  const call = machine.call('receive', undefined, badge);
  machine.settle();
  if (!call.answered) throw new Error('no frames have come');
  return call.frames;
}
