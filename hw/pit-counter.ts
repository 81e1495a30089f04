/**
 * One counter of the 8254 interval timer.
 *
 * Read: Intel 8254 data sheet (231164), "Operational Description" and "Mode Definitions". A counter is not stepped: its
 * count and output follow from the time at which it was loaded, so time costs nothing until somebody looks.
 *
 * As in QEMU 7.2, and other than in the chip: a count is in the counting element as soon as it is written, also in
 * modes 2 and 3, which so begin a new period at once; and a low gate stops nothing, its rise only restarts modes 1, 2,
 * 3 and 5.
 */

/** Input clock in Hz. */
export const PIT_FREQUENCY = 1_193_182;

const NS_PER_SECOND = 1e9;

/** Clock pulses that end within `ns` nanoseconds. Split by seconds: a product of the two would not be exact. */
export function nsToTicks(ns: number): number {
  const seconds = Math.floor(ns / NS_PER_SECOND);
  return seconds * PIT_FREQUENCY + Math.floor(((ns - seconds * NS_PER_SECOND) * PIT_FREQUENCY) / NS_PER_SECOND);
}

/** The first whole nanosecond by which `ticks` clock pulses have ended. */
export function ticksToNs(ticks: number): number {
  const seconds = Math.floor(ticks / PIT_FREQUENCY);
  return seconds * NS_PER_SECOND + Math.ceil(((ticks - seconds * PIT_FREQUENCY) * NS_PER_SECOND) / PIT_FREQUENCY);
}

/** Which bytes of a count are written and read: the RW field of the control word. */
const HIGH_BYTE = 2;
const BOTH_BYTES = 3;

const LONGEST_BINARY = 0x10000;
const LONGEST_BCD = 10_000;

/** A change of the output. */
export interface OutputEdge {
  /** When, in nanoseconds since power-on. */
  readonly time: number;
  readonly level: boolean;
}

export class PitCounter {
  /** Bits 5 to 0 of the control word as written: RW, mode, BCD. */
  #control = 0;
  /** 0 to 5. */
  #mode = 3;
  #gate: boolean;
  /** The count register: what was written, in clocks. */
  #register = LONGEST_BINARY;
  /** What the counting element was loaded with, in clocks. */
  #period = LONGEST_BINARY;
  /** The count register has not reached the counting element yet. */
  #nullCount = false;
  /** The counting element has been loaded since the control word: by a count, in modes 1 and 5 by a trigger. */
  #loaded = false;
  /** When the counting element was loaded, in ns. */
  #start = 0;
  #lowByteWritten: number | null = null;
  #highByteNext = false;
  /** The bytes of a latched count that have not been read. */
  #latchedCount: number[] = [];
  #latchedStatus: number | null = null;

  /** @param gate the level of the GATE input at power-on */
  constructor(gate: boolean) {
    this.#gate = gate;
    this.reset(0, gate);
  }

  get gate(): boolean {
    return this.#gate;
  }

  /** Power-on: a square wave of the longest period, as in QEMU; the chip says nothing about it. */
  reset(now: number, gate: boolean): void {
    this.writeControl(3 << 1);
    this.#gate = gate;
    this.#register = LONGEST_BINARY;
    this.#latchedCount = [];
    this.#latchedStatus = null;
    this.#load(now);
  }

  /** A control word for this counter, except the latch command. The counter stands still until it gets a count. */
  writeControl(value: number): void {
    this.#control = value & 0x3f;
    const mode = (value >> 1) & 7;
    this.#mode = mode > 5 ? mode & 3 : mode;
    this.#nullCount = true;
    this.#lowByteWritten = null;
    this.#highByteNext = false;
    this.#loaded = false;
  }

  /** A byte of the count. */
  writeCount(value: number, now: number): void {
    switch (this.#access) {
      case HIGH_BYTE:
        this.#writeRegister(value << 8, now);
        break;
      case BOTH_BYTES:
        if (this.#lowByteWritten !== null) {
          this.#writeRegister(this.#lowByteWritten | (value << 8), now);
          this.#lowByteWritten = null;
          break;
        }
        this.#lowByteWritten = value;
        // In mode 0 the first byte stops the counter, and the second one starts it anew.
        if (this.#mode === 0) this.#loaded = false;
        break;
      default:
        this.#writeRegister(value, now);
    }
  }

  /** A byte of the status or count: what is latched first, else the count as it is. */
  readCount(now: number): number {
    if (this.#latchedStatus !== null) {
      const status = this.#latchedStatus;
      this.#latchedStatus = null;
      return status;
    }
    const latched = this.#latchedCount.shift();
    if (latched !== undefined) return latched;
    const count = this.#count(now);
    const high = this.#access === HIGH_BYTE || this.#highByteNext;
    if (this.#access === BOTH_BYTES) this.#highByteNext = !this.#highByteNext;
    return high ? count >> 8 : count & 0xff;
  }

  /** Keeps the count for reading. A count that has been latched and not read stays. */
  latchCount(now: number): void {
    if (this.#latchedCount.length > 0) return;
    const count = this.#count(now);
    const bytes = [count & 0xff, count >> 8];
    this.#latchedCount = bytes.filter((_, index) => (this.#access & (1 << index)) !== 0);
  }

  /** Keeps the status for reading. A status that has been latched and not read stays. */
  latchStatus(now: number): void {
    this.#latchedStatus ??= (this.output(now) ? 0x80 : 0) | (this.#nullCount ? 0x40 : 0) | this.#control;
  }

  setGate(level: boolean, now: number): void {
    const rises = level && !this.#gate;
    this.#gate = level;
    if (rises && (this.#triggered || (this.#periodic && this.#loaded))) this.#load(now);
  }

  /** The OUT pin. */
  output(now: number): boolean {
    if (!this.#loaded) return this.#mode !== 0;
    const ticks = this.#ticks(now);
    const period = this.#period;
    switch (this.#mode) {
      case 0:
      case 1:
        return ticks >= period;
      case 2:
        return ticks % period !== period - 1 || period === 1;
      case 3:
        return ticks % period < highHalf(period);
      default:
        return ticks !== period;
    }
  }

  /** The next change of the output after `now`, if nobody touches the counter; null when there will be none. */
  nextEdge(now: number): OutputEdge | null {
    if (!this.#loaded) return null;
    const ticks = this.#ticks(now);
    const period = this.#period;
    const phase = ticks % period;
    switch (this.#mode) {
      case 0:
      case 1:
        return ticks < period ? this.#edge(period, true) : null;
      case 2:
      case 3: {
        if (period === 1) return null; // not a legal count: the output stays high
        const fall = this.#mode === 2 ? period - 1 : highHalf(period);
        return phase < fall ? this.#edge(ticks - phase + fall, false) : this.#edge(ticks - phase + period, true);
      }
      default:
        if (ticks < period) return this.#edge(period, false);
        return ticks === period ? this.#edge(period + 1, true) : null;
    }
  }

  /** The length of one period of the output in nanoseconds; Infinity unless the output repeats. */
  get periodNs(): number {
    return this.#periodic && this.#loaded ? ticksToNs(this.#period) : Infinity;
  }

  get #access(): number {
    return (this.#control >> 4) & 3;
  }

  get #bcd(): boolean {
    return (this.#control & 1) !== 0;
  }

  /** Mode 2, whose output is high but for one clock of each period. */
  get generatesRate(): boolean {
    return this.#mode === 2;
  }

  /** Modes that divide the clock. */
  get #periodic(): boolean {
    return this.#mode === 2 || this.#mode === 3;
  }

  /** Modes that wait for the gate to rise. */
  get #triggered(): boolean {
    return this.#mode === 1 || this.#mode === 5;
  }

  #edge(tick: number, level: boolean): OutputEdge {
    return { time: this.#start + ticksToNs(tick), level };
  }

  /** Clocks since the counting element was loaded. */
  #ticks(now: number): number {
    return this.#loaded ? nsToTicks(now - this.#start) : 0;
  }

  #load(now: number): void {
    this.#period = this.#register;
    this.#nullCount = false;
    this.#loaded = true;
    this.#start = now;
  }

  #writeRegister(value: number, now: number): void {
    this.#register = this.#bcd ? fromBcd(value) || LONGEST_BCD : value || LONGEST_BINARY;
    this.#nullCount = true;
    if (!this.#triggered) this.#load(now);
  }

  #count(now: number): number {
    const ticks = this.#ticks(now);
    const period = this.#period;
    switch (this.#mode) {
      case 2:
        return this.#encode(period - (ticks % period));
      case 3: {
        // Two down per clock, twice per period; an odd count begins one lower, and its high half is a clock longer.
        const high = highHalf(period);
        const phase = ticks % period;
        return this.#encode((period & ~1) - 2 * (phase < high ? phase : phase - high));
      }
      default:
        return this.#encode(period - ticks);
    }
  }

  /** The 16 bits a count reads as; it goes on below zero. */
  #encode(count: number): number {
    if (!this.#bcd) return ((count % LONGEST_BINARY) + LONGEST_BINARY) % LONGEST_BINARY;
    return toBcd(((count % LONGEST_BCD) + LONGEST_BCD) % LONGEST_BCD);
  }
}

/** How many clocks of a period the output of mode 3 is high. */
function highHalf(period: number): number {
  return (period + 1) >> 1;
}

function fromBcd(value: number): number {
  return (value >> 12) * 1000 + ((value >> 8) & 15) * 100 + ((value >> 4) & 15) * 10 + (value & 15);
}

function toBcd(value: number): number {
  return Number.parseInt(String(value), 16);
}
