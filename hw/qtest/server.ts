/**
 * The qtest protocol: port accesses as lines of text, so that test suites can drive the machine from outside.
 *
 * Read: QEMU documentation, "QTest Device Emulation Testing Framework", of which this is the part for I/O ports, the
 * clock and interrupt lines. One line a command, one line a reply, in order; reports of interrupt lines come in
 * between. The machine's time moves only by `clock_step`.
 */

import type { PortBus } from '../bus.ts';
import { PORT_COUNT } from '../bus.ts';
import type { Width } from '../device.ts';
import type { Pic } from '../pic.ts';

/** A longer command is refused. */
const LINE_LIMIT = 1024;

const WIDTHS: Readonly<Record<string, Width>> = { b: 1, w: 2, l: 4 };

/** The time of a machine that has none of its own: nanoseconds since power-on. */
export class VirtualClock {
  #now = 0;

  get now(): number {
    return this.#now;
  }

  /** Moves on to a later time. */
  moveTo(now: number): void {
    this.#now = now;
  }
}

/** What the server drives. */
export interface DrivenMachine {
  readonly bus: PortBus;
  readonly pic: Pic;
  advance(now: number): void;
}

/** A conversation with one client. */
export class QtestServer {
  readonly #machine: DrivenMachine;
  readonly #clock: VirtualClock;
  readonly #write: (text: string) => void;
  /** The beginning of a line whose end has not come. */
  #partial = '';
  #skipToEnd = false;
  #output = '';
  #inFeed = false;
  #flushPlanned = false;
  #intercepted = false;
  /** The levels of the interrupt lines as the client knows them. */
  readonly #reported = new Array<boolean>(16).fill(false);

  /** @param write sends text to the client; called once for each input or change, however many lines that gives */
  constructor(machine: DrivenMachine, clock: VirtualClock, write: (text: string) => void) {
    this.#machine = machine;
    this.#clock = clock;
    this.#write = write;
    machine.pic.onLine((irq, level) => this.#reportLine(irq, level));
  }

  /** Takes input from the client, in pieces of any size, and answers every line that is complete. */
  feed(text: string): void {
    this.#inFeed = true;
    const lines = (this.#partial + text).split('\n');
    this.#partial = lines.pop() ?? '';
    for (const line of lines) this.#takeLine(line);
    if (this.#partial.length > LINE_LIMIT) {
      this.#partial = '';
      this.#skipToEnd = true;
    }
    this.#inFeed = false;
    this.#flush();
  }

  #takeLine(line: string): void {
    if (this.#skipToEnd || line.length > LINE_LIMIT) {
      this.#skipToEnd = false;
      this.#output += 'FAIL Line too long\n';
      return;
    }
    // What a command does to interrupt lines is reported while it runs, so before its reply.
    const reply = this.#execute(line.trim().split(/\s+/));
    this.#output += `${reply}\n`;
  }

  /** The reply to a command. */
  #execute([word = '', ...args]: string[]): string {
    const access = /^(in|out)([bwl])$/.exec(word);
    if (access !== null) return this.#accessPort(access[1] === 'in', WIDTHS[access[2] ?? ''] ?? 1, word, args);
    if (word === 'clock_step') return this.#stepClock(args);
    if (word === 'irq_intercept_in') {
      if (args.length !== 1 || args[0] !== 'ioapic') return "FAIL irq_intercept_in knows only 'ioapic'";
      this.#intercepted = true;
      return 'OK';
    }
    return `FAIL Unknown command '${word}'`;
  }

  #accessPort(reading: boolean, width: Width, word: string, args: readonly string[]): string {
    const [port = -1, value = -1] = args.map(parseNumber);
    if (args.length !== (reading ? 1 : 2) || port < 0 || port >= PORT_COUNT || (!reading && value < 0)) {
      return `FAIL usage: ${word} PORT${reading ? '' : ' VALUE'}`;
    }
    if (reading) return `OK 0x${this.#machine.bus.read(port, width).toString(16).padStart(4, '0')}`;
    this.#machine.bus.write(port, width, value % 2 ** 32);
    return 'OK';
  }

  #stepClock(args: readonly string[]): string {
    const step = parseNumber(args[0] ?? '');
    const now = this.#clock.now + step;
    if (args.length !== 1 || step < 0 || !Number.isSafeInteger(now)) return 'FAIL usage: clock_step NANOSECONDS';
    this.#clock.moveTo(now);
    this.#machine.advance(now);
    return `OK ${now}`;
  }

  #reportLine(irq: number, level: boolean): void {
    if (!this.#intercepted || this.#reported[irq] === level) return;
    this.#reported[irq] = level;
    this.#output += `IRQ ${level ? 'raise' : 'lower'} ${irq}\n`;
    if (this.#inFeed || this.#flushPlanned) return;
    // A disk or a cable: what it has to say in this turn goes out together.
    this.#flushPlanned = true;
    queueMicrotask(() => {
      this.#flushPlanned = false;
      this.#flush();
    });
  }

  #flush(): void {
    const text = this.#output;
    this.#output = '';
    if (text !== '') this.#write(text);
  }
}

/** A decimal or 0x number; -1 when it is none. */
function parseNumber(text: string): number {
  const value = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : -1;
  return Number.isSafeInteger(value) ? value : -1;
}
