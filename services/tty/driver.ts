/**
 * The terminal driver: between UART, line discipline and clients. Interrupts and requests come in as calls; nothing
 * here ever waits, so pings are answered even while the other end of the line takes no output.
 *
 * What survives a restart: settings, unread input and the answer given last, so that a read that comes again gets what
 * it was owed and nothing twice; and how much of the write under way has gone out, so that it goes on there. The
 * foreground registers again (it is told by `no_senders`).
 */
import { MAX_TASKS } from '../../protocol/bounds.ts';
import type { Reply } from '../../protocol/interface.ts';
import { anything, bool, bytes, list, nullable, record, u16, u32, u53 } from '../../protocol/schema.ts';
import { MAX_TTY_BYTES } from '../../protocol/tty.ts';
import { type Deferred, type Handle, type LATER, type RequestContext, SystemError, type tty } from '../lib/index.ts';
import type { DriverEffects } from './effects.ts';
import { LineDiscipline, type TerminalSignal } from './line-discipline.ts';
import { OutputQueue } from './output-queue.ts';
import { keptReceived, LOOK_KEY, Uart } from './uart.ts';
import { readWindowSize, type WindowSize } from './window.ts';

/** Reads that may wait at the same time. */
const MAX_READERS = 256;
const MAX_READERS_OF_TASK = 16;

/** Unread bytes above which a pipe or file has to wait. A terminal need not: its keys may mean signals. */
const HIGH_WATER_BYTES = 4096;

/** Times that one interrupt looks at the port: a sender that never stops must not keep requests out. */
const MAX_LOOKS = 64;

const INPUT_KEY = 'input';

type Attributes = Reply<typeof tty.methods.attributes>;

/** Signals kept for a foreground that has yet to register again after a restart. */
const MAX_MISSED_SIGNALS = 8;

const inputState = record({
  discipline: anything,
  sender: u32,
  sequence: u53,
  answer: bytes(MAX_TTY_BYTES),
  look: u53,
  foreground: bool,
  allowed: nullable(list(u32, MAX_TASKS)),
  columns: u16,
  rows: u16,
});

/** What a read wants. */
interface Wanted {
  readonly maxBytes: number;
  /** In raw mode, nothing behind the first return or newline. */
  readonly toReturn: boolean;
  /** To know when the window gets another size: then it ends with EINTR. */
  readonly watchesSize: boolean;
}

interface Reader extends Wanted {
  readonly sender: number;
  readonly sequence: number;
  readonly deferred: Deferred<Uint8Array>;
}

const nobodyWaits = (): SystemError => new SystemError('ECANCELED', 'nobody waits any more');

const resized = (): SystemError => new SystemError('EINTR', 'the window was resized');

/** See the head of this file. */
export class TerminalDriver {
  private readonly effects: DriverEffects;
  private readonly uart: Uart;
  private readonly discipline = new LineDiscipline();
  private readonly output: OutputQueue;
  private readers: Reader[] = [];
  /** Tasks that get input; null: all. */
  private allowed: number[] | null = null;
  private lastRead: { sender: number; sequence: number; answer: Uint8Array } = {
    ...{ sender: 0, sequence: 0 },
    answer: new Uint8Array(0),
  };
  private foreground: Handle | null = null;
  /** Signals for the foreground of an earlier incarnation, null when nobody is expected to register again. */
  private missed: TerminalSignal[] | null = null;
  /** The size has changed and nobody has asked for it or been told since. */
  private sizeIsNews = false;
  /** Number of the last look at the UART. */
  private looks = 0;
  private size: WindowSize = { columns: 80, rows: 24, terminal: false };

  constructor(effects: DriverEffects) {
    this.effects = effects;
    this.uart = new Uart(effects.vector);
    this.output = new OutputQueue(this.uart, effects, () => this.discipline.outputStopped);
  }

  /** Brings device and state to a known condition; interrupts stay off. */
  start(): void {
    this.size = readWindowSize(this.effects.vector);
    this.restore();
    const waiting = this.uart.configure();
    this.output.restore();
    this.takeKept();
    if (waiting.length > 0) this.take(waiting);
  }

  /** The interrupt lines are registered: input may come. */
  ready(): void {
    this.uart.receiving = true;
    this.receive();
  }

  /**
   * The UART interrupts. Its line has to be seen low once, else the edge of the next interrupt is missed: hence the
   * look that finds nothing pending.
   */
  receive(): void {
    for (let looks = 0; looks < MAX_LOOKS; looks++) {
      const found = this.uart.look(this.looks + 1);
      this.looks = found.number;
      if (found.errors !== 0) this.effects.log(`line errors 0x${found.errors.toString(16)}`, 'warning');
      if (found.bytes.length > 0) this.take(found.bytes);
      if (found.drained && !found.carrier) this.hangUp();
      if (!found.listened) this.output.lose();
      this.throttle();
      if (!found.pending) break;
    }
    this.output.pump();
  }

  /**
   * The window has another size: the foreground is told, and reads end, be it the next one, so that the reader can act
   * on that.
   */
  resize(): void {
    const { columns, rows } = this.size;
    this.size = readWindowSize(this.effects.vector);
    if (columns === this.size.columns && rows === this.size.rows) return;
    const watchers = this.readers.filter(({ watchesSize }) => watchesSize);
    this.readers = this.readers.filter(({ watchesSize }) => !watchesSize);
    this.sizeIsNews = watchers.length === 0;
    this.save();
    for (const { deferred } of watchers) deferred.fail(resized());
    if (this.foreground !== null && !this.effects.resized(this.foreground, this.size)) this.forgetForeground();
  }

  /** Waits for input. */
  read(wanted: Wanted, context: RequestContext): Uint8Array | typeof LATER {
    const { sender, sequence, retry } = context;
    if (retry && this.lastRead.sender === sender && this.lastRead.sequence === sequence) return this.lastRead.answer;
    if (wanted.watchesSize && this.sizeIsNews) {
      this.sizeIsNews = false;
      throw resized();
    }
    if (this.readers.length >= MAX_READERS) this.forgetDeadReaders();
    const others = this.readers.filter((reader) => reader.sender === sender).length;
    if (this.readers.length >= MAX_READERS || others >= MAX_READERS_OF_TASK)
      throw new SystemError('EAGAIN', 'too many readers wait');
    return context.later<Uint8Array>((deferred) => {
      const maxBytes = Math.min(wanted.maxBytes, MAX_TTY_BYTES);
      this.readers.push({ ...wanted, maxBytes, sender, sequence, deferred });
      this.serve();
      // Room that the reader made lets more in.
      if (!this.uart.receiving) this.receive();
    });
  }

  write(data: Uint8Array, context: RequestContext): typeof LATER {
    return context.later<void>((deferred) => {
      this.output.write(this.discipline.process(data), context, deferred);
    });
  }

  attributes(): Attributes {
    return this.discipline.getAttributes();
  }

  setAttributes(attributes: Attributes): void {
    const signals = this.discipline.setAttributes(attributes);
    if (!this.serve()) this.save();
    for (const signal of signals) this.signal(signal);
  }

  windowSize(): Reply<typeof tty.methods.window_size> {
    this.sizeIsNews = false;
    return { ...this.size, column: Math.min(this.discipline.column, 0xffff) };
  }

  /** Whether the line is a terminal, no file or pipe. */
  get isTerminal(): boolean {
    return this.size.terminal;
  }

  setForeground(port: Handle): void {
    this.forgetForeground();
    this.foreground = port;
    this.save();
    const missed = this.missed ?? [];
    this.missed = null;
    for (const signal of missed) this.signal(signal);
  }

  /** Tasks that get input from now on. */
  setReaders(pids: number[]): void {
    this.allowed = pids;
    this.save();
    this.serve();
  }

  flushInput(): void {
    this.discipline.flushInput();
    this.save();
    if (!this.uart.receiving) this.receive();
  }

  private take(received: Uint8Array): void {
    const { echo, signals } = this.discipline.input(received);
    if (!this.serve()) this.save();
    this.output.echo(echo);
    for (const signal of signals) this.signal(signal);
  }

  /** Deals with what an earlier incarnation took out of the UART and did not live to see. */
  private takeKept(): void {
    const stored = this.effects.load(LOOK_KEY);
    if (stored === undefined) return;
    try {
      const { number, bytes: received } = keptReceived(stored);
      if (number <= this.looks) return;
      this.looks = number;
      if (received.length > 0) this.take(received);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.effects.log(`kept input dropped: ${error.message}`, 'warning');
    }
  }

  private signal(signal: TerminalSignal): void {
    if (this.foreground === null) {
      if (this.missed !== null && this.missed.length < MAX_MISSED_SIGNALS) this.missed.push(signal);
    } else if (!this.effects.signal(this.foreground, signal)) this.forgetForeground();
  }

  /** Answers reads for which there is input. False when there was none. */
  private serve(): boolean {
    let served = false;
    while (this.discipline.readable) {
      const index = this.readers.findIndex(({ sender }) => this.allowed?.includes(sender) !== false);
      const reader = this.readers[index];
      if (reader === undefined) break;
      this.readers.splice(index, 1);
      // Input must not go to somebody who has died waiting for it.
      if (!this.effects.waits(reader.sender)) {
        reader.deferred.fail(nobodyWaits());
        continue;
      }
      const answer = this.discipline.read(reader.maxBytes, reader.toReturn);
      if (answer === null) {
        this.readers.splice(index, 0, reader);
        break;
      }
      this.lastRead = { sender: reader.sender, sequence: reader.sequence, answer };
      this.save();
      reader.deferred.reply(answer);
      served = true;
    }
    return served;
  }

  /** Those in the background are never served, so nobody has noticed that they are gone. */
  private forgetDeadReaders(): void {
    const { readers } = this;
    this.readers = readers.filter(({ sender }) => this.effects.waits(sender));
    for (const reader of readers) if (!this.readers.includes(reader)) reader.deferred.fail(nobodyWaits());
  }

  private throttle(): void {
    const full = !this.size.terminal && this.discipline.availableBytes >= HIGH_WATER_BYTES;
    if (this.uart.receiving === full) this.uart.receiving = !full;
  }

  private hangUp(): void {
    if (this.discipline.isHungUp) return;
    this.discipline.hangUp();
    if (!this.serve()) this.save();
  }

  private forgetForeground(): void {
    if (this.foreground === null) return;
    this.effects.release(this.foreground);
    this.foreground = null;
  }

  private save(): void {
    const foreground = this.foreground !== null || this.missed !== null;
    const { columns, rows } = this.size;
    const position = { look: this.looks, foreground, allowed: this.allowed, columns, rows };
    const state = { discipline: this.discipline.snapshot(), ...this.lastRead, ...position };
    this.effects.save(INPUT_KEY, inputState.toWire(state, []));
  }

  private restore(): void {
    const stored = this.effects.load(INPUT_KEY);
    if (stored !== undefined) {
      try {
        const { discipline, sender, sequence, answer, look, foreground, allowed, columns, rows } = inputState.fromWire(
          stored,
          [],
        );
        this.allowed = allowed;
        this.discipline.restore(discipline);
        this.lastRead = { sender, sequence, answer: answer.slice() };
        this.looks = look;
        if (foreground) this.missed = [];
        this.sizeIsNews = columns !== this.size.columns || rows !== this.size.rows;
        return;
      } catch (error) {
        if (!(error instanceof SystemError)) throw error;
        this.effects.log(`saved state dropped: ${error.message}`, 'warning');
      }
    }
    // A file or pipe is taken as it is.
    if (!this.size.terminal) {
      const plain = { canonical: false, echo: false, signals: false, flowControl: false };
      this.discipline.setAttributes({ ...plain, mapNewlineToReturnNewline: false });
    }
  }
}
