/**
 * A terminal driver on the real UART, without kernel or process. Every effect of the driver may be its last: it is
 * killed before or after it, and the next incarnation finds the device, the recovery store and the unanswered requests
 * as a kernel would leave them.
 */
import { PortBus } from '../../../hw/bus.ts';
import { ConsoleSize } from '../../../hw/console-size.ts';
import type { SerialLine, SerialPort } from '../../../hw/serial-line.ts';
import { Uart } from '../../../hw/uart.ts';
import { VectorRun } from '../../../kernel/io/vector.ts';
import { checkVector } from '../../../kernel/io/vector-program.ts';
import type { Deferred, Handle, RequestContext } from '../../../services/lib/index.ts';
import { LATER, SystemError } from '../../../services/lib/index.ts';
import { TerminalDriver } from '../../../services/tty/driver.ts';

/** The driver has been killed. */
class Killed extends Error {}

/** Whoever sits at the other end of the line: takes so many bytes, types what is queued. */
class Line implements SerialLine {
  output: number[] = [];
  /** Bytes that it takes before it has to be asked again. */
  room = Number.POSITIVE_INFINITY;
  private port: SerialPort | null = null;
  private typed: number[] = [];

  connect(port: SerialPort): void {
    this.port = port;
  }

  transmit(byte: number): boolean {
    if (this.room <= 0) return false;
    this.room -= 1;
    this.output.push(byte);
    return true;
  }

  makeRoom(bytes: number): void {
    this.room = bytes;
    this.port?.transmitReady();
  }

  type(bytes: Uint8Array): void {
    this.typed.push(...bytes);
    this.receiveReady();
  }

  endInput(): void {
    this.port?.setCarrier(false, true);
  }

  hangUp(): void {
    this.port?.setCarrier(false);
  }

  receiveReady(): void {
    const taken = this.port?.receive(Uint8Array.from(this.typed)) ?? 0;
    this.typed.splice(0, taken);
  }
}

/** A request of a client. */
export interface Request {
  /** `take`: a read as of a file, which a new size of the window does not end. */
  readonly kind: 'read' | 'take' | 'write';
  readonly data: Uint8Array;
  readonly maxBytes: number;
  readonly sequence: number;
  delivered: boolean;
  answer: Uint8Array | SystemError | null;
}

/** See the head of this file. */
export class DriverMachine {
  readonly line = new Line();
  /** Tasks that wait for nothing any more. */
  readonly dead = new Set<number>();
  readonly consoleSize: ConsoleSize;
  readonly signals: string[] = [];
  incarnations = 0;
  /** Effects until the driver is killed. */
  budget = Number.POSITIVE_INFINITY;
  /** Whether the last effect still takes place. */
  killAfter = false;
  driver!: TerminalDriver;
  private readonly uart: Uart;
  private readonly bus = new PortBus(() => 0);
  private readonly store = new Map<string, unknown>();
  private readonly requests: Request[] = [];
  private readonly levels = new Map<number, boolean>();
  private readonly edges = new Set<number>();

  constructor(columns = 0) {
    this.uart = new Uart({ interrupt: this.interrupt(4), line: this.line, instantTransmit: true });
    this.line.connect(this.uart);
    this.consoleSize = new ConsoleSize(this.interrupt(5));
    this.bus.attach(this.uart);
    this.bus.attach(this.consoleSize);
    this.consoleSize.set(columns, 30);
    this.boot();
  }

  /** Sends a request and lets the driver work. */
  request(kind: Request['kind'], data: Uint8Array | number): Request {
    const bytes = typeof data === 'number' ? new Uint8Array(0) : data;
    const request: Request = {
      ...{ kind, data: bytes, maxBytes: typeof data === 'number' ? data : 0 },
      ...{ sequence: this.requests.length + 1, delivered: false, answer: null },
    };
    this.requests.push(request);
    this.alive(() => this.deliver(request));
    this.settle();
    return request;
  }

  /** Lets the driver handle interrupts until there are none. */
  settle(): void {
    while (this.edges.size > 0) {
      this.alive(() => {
        for (const irq of [...this.edges]) {
          this.edges.delete(irq);
          if (irq === 4) this.driver.receive();
          else this.driver.resize();
        }
      });
    }
  }

  /** Does something with the driver; when that kills it, the next incarnation takes over. */
  alive(act: () => void): void {
    try {
      act();
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
      this.boot();
    }
  }

  /** The driver starts, and finds what an earlier incarnation has left. */
  boot(): void {
    this.incarnations += 1;
    this.budget = Number.POSITIVE_INFINITY;
    this.driver = new TerminalDriver({
      vector: (operations) => this.effect(() => this.vector(operations)),
      save: (key, value) => this.effect(() => this.store.set(key, structuredClone(value))),
      load: (key) => structuredClone(this.store.get(key)),
      waits: (pid) => !this.dead.has(pid),
      signal: (_right, signal) => this.effect(() => this.signals.push(signal) > 0),
      resized: () => true,
      release: () => {},
      log: (text) => {
        throw new Error(`the driver complains: ${text}`);
      },
    });
    this.driver.start();
    this.driver.ready();
    for (const request of this.requests) if (request.delivered && request.answer === null) this.deliver(request);
    for (const request of this.requests) if (!request.delivered) this.deliver(request);
  }

  private deliver(request: Request): void {
    const retry = request.delivered;
    request.delivered = true;
    const answered = (value: unknown): void =>
      this.effect(() => {
        request.answer = value instanceof Uint8Array || value instanceof SystemError ? value : new Uint8Array(0);
      });
    const context: RequestContext = {
      ...{
        sender: 9,
        badge: 0,
        sequence: request.sequence,
        retry,
        deliveries: retry ? 2 : 1,
        port: 1 as Handle,
        reply: 0 as Handle,
      },
      later: <A>(keep: (deferred: Deferred<A>) => void) => {
        keep({ reply: answered, fail: answered });
        return LATER;
      },
      forward: () => {
        throw new Error('the driver hands a request on');
      },
    };
    try {
      const { driver } = this;
      const { kind, data, maxBytes } = request;
      const result =
        kind === 'write'
          ? driver.write(data, context)
          : driver.read({ maxBytes, toReturn: false, watchesSize: kind === 'read' }, context);
      if (result !== LATER) answered(result);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      answered(error);
    }
  }

  /** Something the driver asks for: it may not live to do it, or to see what came of it. */
  private effect<T>(act: () => T): T {
    this.budget -= 1;
    if (this.budget === 0 && !this.killAfter) throw new Killed();
    const result = act();
    if (this.budget === 0) throw new Killed();
    return result;
  }

  private vector(operations: readonly unknown[]): { ended: number; results: readonly unknown[] } {
    const words = structuredClone(operations) as unknown[];
    const checked = checkVector(words, { allows: () => true, owns: () => true });
    if (checked.kind !== 'ok') throw new Error(`the vector is ${checked.kind}`);
    const { program } = checked;
    const { keep } = program;
    const run = new VectorRun(
      1,
      program,
      this.bus,
      { acknowledge: () => {}, pending: () => false, arm: () => {} },
      ({ ended, results }) => {
        if (keep !== null) this.store.set(keep.key, structuredClone([keep.tag, ended, results]));
      },
    );
    if (run.step(0) !== 'done') throw new Error('a vector of the driver waits');
    return { ended: run.ended, results: run.results };
  }

  /** A line of the interrupt controller, edge triggered. */
  private interrupt(irq: number): { set(level: boolean): void } {
    return {
      set: (level) => {
        if (level && this.levels.get(irq) !== true) this.edges.add(irq);
        this.levels.set(irq, level);
      },
    };
  }
}
