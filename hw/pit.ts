/**
 * The interval timer of a PC (8254) and port 0x61, behind which its third counter drives the speaker.
 *
 * Read: Intel 8254 data sheet (231164); IBM PC AT Technical Reference, "System Timers" and "Speaker". Output 0 is
 * interrupt line 0; gates 0 and 1 are tied high; gate 2 and output 2 are bits 0 and 5 of port 0x61. Bit 4 of that port,
 * the refresh request, changes with every read, as in QEMU.
 */

import type { Device, InterruptLine, Width } from './device.ts';
import { PitCounter } from './pit-counter.ts';

const FIRST_PORT = 0x40;
const CONTROL_PORT = 0x43;
const SYSTEM_PORT = 0x61;

const READ_BACK = 3;
const GATE_2 = 0x01;
const SPEAKER_DATA = 0x02;
const REFRESH = 0x10;
const OUTPUT_2 = 0x20;

/** How late, in periods of counter 0, the timer may be before `lateEdges: 'merge'` leaves edges out. */
const MERGED_PERIODS = 2;

export interface PitOptions {
  /** Interrupt line 0. */
  readonly interrupt: InterruptLine;
  /**
   * What becomes of edges of output 0 that are due when time makes a jump. `each` (the default) delivers them one by
   * one;
   * `merge` only the newest: nobody could have seen the others, and a machine that has slept for a day has millions.
   */
  readonly lateEdges?: 'each' | 'merge';
}

/** The 8254 with its three counters, and port 0x61. */
export class Pit implements Device {
  readonly name = 'pit';
  readonly ports = [
    { first: FIRST_PORT, last: CONTROL_PORT },
    { first: SYSTEM_PORT, last: SYSTEM_PORT },
  ];
  readonly #interrupt: InterruptLine;
  readonly #merge: boolean;
  readonly #timer = new PitCounter(true);
  readonly #speaker = new PitCounter(false);
  readonly #counters = [this.#timer, new PitCounter(true), this.#speaker] as const;
  #now = 0;
  /** The time of the next change of output 0, Infinity when there is none. */
  #nextEdge: number;
  #speakerData = 0;
  #refresh = 0;

  constructor(options: PitOptions) {
    this.#interrupt = options.interrupt;
    this.#merge = options.lateEdges === 'merge';
    this.#nextEdge = this.#timer.nextEdge(0)?.time ?? Infinity;
  }

  reset(): void {
    for (const counter of this.#counters) counter.reset(this.#now, counter !== this.#speaker);
    this.#speakerData = 0;
    this.#refresh = 0;
    // Output 0 is high now, but an interrupt is a rise that follows, not the power-on.
    this.#interrupt.set(false);
    this.#nextEdge = this.#timer.nextEdge(this.#now)?.time ?? Infinity;
  }

  advance(now: number): void {
    this.#now = now;
    if (now < this.#nextEdge) return;
    const period = this.#timer.periodNs;
    if (this.#merge && now - this.#nextEdge > MERGED_PERIODS * period) {
      const skipped = Math.floor((now - this.#nextEdge) / period) - MERGED_PERIODS + 1;
      this.#interrupt.set(false);
      this.#nextEdge = this.#timer.nextEdge(this.#nextEdge + skipped * period)?.time ?? Infinity;
    }
    while (this.#nextEdge <= now) {
      const time = this.#nextEdge;
      const level = this.#timer.output(time);
      // After power-on the line follows the output from its first change on, so this may be the first it hears of it.
      if (level || !this.#timer.generatesRate) this.#interrupt.set(!level);
      this.#interrupt.set(level);
      this.#nextEdge = this.#timer.nextEdge(time)?.time ?? Infinity;
    }
  }

  /** The next rising edge of output 0: a falling one interrupts nobody. */
  nextEvent(): number {
    if (this.#nextEdge === Infinity) return Infinity;
    if (this.#timer.output(this.#nextEdge)) return this.#nextEdge;
    return this.#timer.nextEdge(this.#nextEdge)?.time ?? Infinity;
  }

  read(port: number, width: Width): number {
    if (width !== 1) return width === 2 ? 0xffff : 0xffff_ffff;
    if (port === SYSTEM_PORT) return this.#readSystemPort();
    return this.#counters[port - FIRST_PORT]?.readCount(this.#now) ?? 0; // the control port cannot be read
  }

  write(port: number, width: Width, value: number): void {
    if (width !== 1) return;
    if (port === SYSTEM_PORT) {
      this.#speakerData = value & SPEAKER_DATA;
      this.#speaker.setGate((value & GATE_2) !== 0, this.#now);
      return;
    }
    if (port === CONTROL_PORT) {
      this.#writeControl(value);
    } else {
      this.#counters[port - FIRST_PORT]?.writeCount(value, this.#now);
      if (port === FIRST_PORT) this.#timerChanged();
    }
  }

  #writeControl(value: number): void {
    const selected = value >> 6;
    if (selected === READ_BACK) {
      this.#readBack(value);
      return;
    }
    const counter = this.#counters[selected];
    if (((value >> 4) & 3) === 0) {
      counter?.latchCount(this.#now);
    } else {
      counter?.writeControl(value);
      if (selected === 0) this.#timerChanged();
    }
  }

  /** Latches count (bit 5 clear) and status (bit 4 clear) of the counters selected by bits 3 to 1. */
  #readBack(value: number): void {
    for (const [index, counter] of this.#counters.entries()) {
      if ((value & (2 << index)) === 0) continue;
      if ((value & 0x20) === 0) counter.latchCount(this.#now);
      if ((value & 0x10) === 0) counter.latchStatus(this.#now);
    }
  }

  #readSystemPort(): number {
    this.#refresh ^= REFRESH;
    const output = this.#speaker.output(this.#now) ? OUTPUT_2 : 0;
    return (this.#speaker.gate ? GATE_2 : 0) | this.#speakerData | this.#refresh | output;
  }

  /**
   * As in QEMU, a new count in mode 2 takes the interrupt line low: the first edge is the one at the end of the period,
   * not the start of the counter.
   */
  #timerChanged(): void {
    this.#interrupt.set(this.#timer.output(this.#now) && !this.#timer.generatesRate);
    this.#nextEdge = this.#timer.nextEdge(this.#now)?.time ?? Infinity;
  }
}
