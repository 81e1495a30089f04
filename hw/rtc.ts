/**
 * The battery-backed clock of a PC: MC146818A with 128 bytes of memory, behind ports 0x70 (index) and 0x71 (data).
 *
 * Read: Motorola MC146818A data sheet. The century is in byte 0x32 (ACPI's CENTURY), also answered as byte 0x37.
 * As in QEMU 7.2: update cycles and their flag go on while SET keeps the time from the guest; the periodic flag is set
 * only while its interrupt is enabled; the weekday follows from the date; the daylight saving bit does nothing.
 */

import type { Device, InterruptLine, Width } from './device.ts';
import { fromSeconds, toSeconds } from './rtc-calendar.ts';

const INDEX_PORT = 0x70;
const DATA_PORT = 0x71;
const MEMORY_BYTES = 128;

const SECONDS = 0x00;
const SECONDS_ALARM = 0x01;
const MINUTES = 0x02;
const MINUTES_ALARM = 0x03;
const HOURS = 0x04;
const HOURS_ALARM = 0x05;
const WEEKDAY = 0x06;
const DAY = 0x07;
const MONTH = 0x08;
const YEAR = 0x09;
const REGISTER_A = 0x0a;
const REGISTER_B = 0x0b;
const REGISTER_C = 0x0c;
const REGISTER_D = 0x0d;
const CENTURY = 0x32;
const CENTURY_PS2 = 0x37;

/** Register A: update in progress, divider, rate. */
const UPDATE_IN_PROGRESS = 0x80;
const DIVIDER = 0x70;
const DIVIDER_RESET = 0x60;
const RATE = 0x0f;
/** Register B. */
const SET = 0x80;
const PERIODIC_ENABLE = 0x40;
const ALARM_ENABLE = 0x20;
const UPDATE_ENABLE = 0x10;
const SQUARE_WAVE = 0x08;
const BINARY = 0x04;
const HOURS_24 = 0x02;
/** Register C. */
const INTERRUPT_REQUEST = 0x80;
const PERIODIC_FLAG = 0x40;
const ALARM_FLAG = 0x20;
const UPDATE_FLAG = 0x10;
const FLAGS = PERIODIC_FLAG | ALARM_FLAG | UPDATE_FLAG;

const VALID_TIME = 0x80;
const PM = 0x80;
/** An alarm byte from here on matches any value. */
const ANY = 0xc0;

const NS_PER_SECOND = 1e9;
const CRYSTAL_HZ = 32_768;
/** The update cycle announces itself this long before the second ends. */
const UPDATE_WARNING_NS = 244_140;
/** When the divider is released, the first update comes after half a second. */
const RELEASE_PHASE_NS = NS_PER_SECOND / 2;
const SECONDS_PER_DAY = 86_400;

export interface RtcOptions {
  /** Interrupt line 8. */
  readonly interrupt: InterruptLine;
  /** The wall clock at power-on: seconds since 1970-01-01T00:00:00 as the guest is to see it. */
  readonly startSeconds: number;
}

/** The real-time clock and its memory. */
export class Rtc implements Device {
  readonly name = 'rtc';
  readonly ports = [{ first: INDEX_PORT, last: DATA_PORT }];
  readonly #interrupt: InterruptLine;
  readonly #memory = new Uint8Array(MEMORY_BYTES);
  #index = 0;
  #now = 0;
  /** The clock showed #base seconds, exactly, at the time #baseTime in ns (which may be before power-on). */
  #base: number;
  #baseTime = 0;
  /** The last second whose update cycle has been seen to. */
  #updated: number;
  /** How far into a second the clock is when the guest writes the time, in ns: as it was when SET was last released. */
  #writtenPhase = 0;
  #nextPeriodic = Infinity;

  constructor(options: RtcOptions) {
    this.#interrupt = options.interrupt;
    this.#base = options.startSeconds;
    this.#updated = options.startSeconds;
    this.#memory[REGISTER_A] = 0x26;
    this.#memory[REGISTER_B] = HOURS_24;
    this.#memory[REGISTER_D] = VALID_TIME;
    this.#showTime();
  }

  /** What the reset line does: interrupts are off and forgotten. Time and memory have a battery and stay. */
  reset(): void {
    this.#memory[REGISTER_B] = this.#b & ~(PERIODIC_ENABLE | ALARM_ENABLE | UPDATE_ENABLE | SQUARE_WAVE);
    this.#memory[REGISTER_C] = 0;
    this.#nextPeriodic = Infinity;
    this.#interrupt.set(false);
  }

  advance(now: number): void {
    this.#now = now;
    if (this.#nextPeriodic <= now) this.#periodicInterrupt();
    if (!this.#dividerHeld) this.#updateCycles();
  }

  /** The next interrupt that is enabled and not yet flagged. */
  nextEvent(): number {
    let next = this.#nextPeriodic;
    if ((this.#c & INTERRUPT_REQUEST) !== 0) return Infinity;
    const waited = this.#b & ~this.#c;
    if (this.#dividerHeld) return next;
    if ((waited & UPDATE_ENABLE) !== 0) next = Math.min(next, this.#timeOf(this.#second + 1));
    if ((waited & ALARM_ENABLE) !== 0) next = Math.min(next, this.#timeOf(this.#nextAlarm(this.#second)));
    return next;
  }

  read(port: number, width: Width): number {
    if (width !== 1) return width === 2 ? 0xffff : 0xffff_ffff;
    if (port === INDEX_PORT) return 0xff; // write only
    switch (this.#index) {
      case REGISTER_A:
        return (this.#memory[REGISTER_A] ?? 0) | (this.#updateInProgress ? UPDATE_IN_PROGRESS : 0);
      case REGISTER_C: {
        const flags = this.#c;
        this.#memory[REGISTER_C] = 0;
        this.#interrupt.set(false);
        return flags;
      }
      default:
        if (isTimeByte(this.#index)) this.#showTime();
        return this.#memory[this.#index] ?? 0xff;
    }
  }

  write(port: number, width: Width, value: number): void {
    if (width !== 1) return;
    if (port === INDEX_PORT) {
      const index = value & (MEMORY_BYTES - 1);
      this.#index = index === CENTURY_PS2 ? CENTURY : index;
      return;
    }
    switch (this.#index) {
      case REGISTER_A:
        this.#writeA(value);
        break;
      case REGISTER_B:
        this.#writeB(value);
        break;
      case REGISTER_C:
      case REGISTER_D:
        break; // read only
      default:
        // The other fields are as old as the last look: bring them up to date before the new one joins them.
        if (isTimeByte(this.#index)) this.#showTime();
        this.#memory[this.#index] = value;
        if (isTimeByte(this.#index) && this.#running) this.#takeTime();
    }
  }

  get #b(): number {
    return this.#memory[REGISTER_B] ?? 0;
  }

  get #c(): number {
    return this.#memory[REGISTER_C] ?? 0;
  }

  get #dividerHeld(): boolean {
    return ((this.#memory[REGISTER_A] ?? 0) & DIVIDER_RESET) === DIVIDER_RESET;
  }

  /** Whether the bytes of the time follow the clock. */
  get #running(): boolean {
    return (this.#b & SET) === 0 && !this.#dividerStopped;
  }

  /** Whether the divider is held, or set for a crystal that does not exist. */
  get #dividerStopped(): boolean {
    return ((this.#memory[REGISTER_A] ?? 0) & DIVIDER) > 0x20;
  }

  /** The second the clock is in, whether it shows or not. */
  get #second(): number {
    return this.#base + Math.floor((this.#now - this.#baseTime) / NS_PER_SECOND);
  }

  /** How far it is into that second, in ns. */
  get #phase(): number {
    return this.#now - this.#timeOf(this.#second);
  }

  /** When a second of the clock begins, in ns since power-on. */
  #timeOf(second: number): number {
    return this.#baseTime + (second - this.#base) * NS_PER_SECOND;
  }

  get #updateInProgress(): boolean {
    return this.#running && this.#phase >= NS_PER_SECOND - UPDATE_WARNING_NS;
  }

  #writeA(value: number): void {
    const held = this.#dividerHeld;
    if ((value & DIVIDER_RESET) === DIVIDER_RESET) this.#showTime();
    const rateChanged = (((this.#memory[REGISTER_A] ?? 0) ^ value) & RATE) !== 0;
    const oldPeriod = this.#period;
    this.#memory[REGISTER_A] = value & ~UPDATE_IN_PROGRESS;
    if (held && !this.#dividerStopped && (this.#b & SET) === 0) {
      this.#writtenPhase = RELEASE_PHASE_NS;
      this.#takeTime();
    }
    // What would have come while the divider was held does not come now.
    if (held && !this.#dividerHeld) this.#updated = this.#second;
    if (rateChanged) this.#schedulePeriodic(oldPeriod);
  }

  #writeB(value: number): void {
    const oldPeriod = this.#period;
    let written = value;
    if ((value & SET) !== 0) {
      this.#showTime();
      written &= ~UPDATE_ENABLE;
    }
    if ((this.#b & ~value & SET) !== 0 && !this.#dividerStopped) {
      // The guest has written the time in the format that was in force.
      this.#writtenPhase = this.#phase;
      this.#takeTime();
    }
    const periodicChanged = ((this.#b ^ value) & PERIODIC_ENABLE) !== 0;
    this.#memory[REGISTER_B] = written;
    if (periodicChanged) this.#schedulePeriodic(oldPeriod);
    // A flag that is already up interrupts as soon as it is allowed to.
    this.#memory[REGISTER_C] = this.#c & FLAGS;
    this.#request();
  }

  /** Raises the interrupt when a flag is up whose interrupt is enabled, else lowers it. */
  #request(): void {
    const requested = (this.#b & this.#c & FLAGS) !== 0;
    if (requested) this.#memory[REGISTER_C] = this.#c | INTERRUPT_REQUEST;
    this.#interrupt.set(requested);
  }

  #flag(flags: number): void {
    if ((flags & ~this.#c) === 0) return;
    this.#memory[REGISTER_C] = this.#c | flags;
    if ((this.#b & flags) !== 0) this.#request();
  }

  /** Clocks of the crystal between periodic interrupts; 0 when there are none. */
  get #period(): number {
    if ((this.#b & PERIODIC_ENABLE) === 0) return 0;
    const rate = (this.#memory[REGISTER_A] ?? 0) & RATE;
    if (rate === 0) return 0;
    return 1 << (rate <= 2 ? rate + 6 : rate - 1);
  }

  /** @param oldPeriod when not 0, the time since the last interrupt counts for the new period */
  #schedulePeriodic(oldPeriod: number): void {
    const period = this.#period;
    if (period === 0) {
      this.#nextPeriodic = Infinity;
      return;
    }
    const clock = nsToClocks(this.#now);
    const last = oldPeriod === 0 ? clock : nsToClocks(this.#nextPeriodic) - oldPeriod;
    this.#nextPeriodic = clocksToNs(clock + period - Math.min(clock - last, period));
    // As much time may have gone already.
    if (this.#nextPeriodic <= this.#now) this.#periodicInterrupt();
  }

  #periodicInterrupt(): void {
    // Those in between found the flag already up.
    const period = this.#period;
    const missed = Math.floor((nsToClocks(this.#now) - nsToClocks(this.#nextPeriodic)) / period);
    this.#nextPeriodic = clocksToNs(nsToClocks(this.#nextPeriodic) + (missed + 1) * period);
    this.#flag(PERIODIC_FLAG);
  }

  /** The update cycles since the last look: each ends with its flag, and with the alarm's when the time matches. */
  #updateCycles(): void {
    const second = this.#second;
    if (second <= this.#updated) return;
    if ((this.#c & ALARM_FLAG) === 0 && this.#nextAlarm(this.#updated) <= second) this.#flag(UPDATE_FLAG | ALARM_FLAG);
    else this.#flag(UPDATE_FLAG);
    this.#updated = second;
  }

  /** The first second after `from` that the alarm bytes match; Infinity when they match none. */
  #nextAlarm(from: number): number {
    const hours = this.#alarmHour;
    const minutes = this.#alarmField(MINUTES_ALARM);
    const seconds = this.#alarmField(SECONDS_ALARM);
    const matches = (wanted: number, value: number): boolean => wanted < 0 || wanted === value;
    let candidate = from + 1;
    while (candidate <= from + SECONDS_PER_DAY) {
      const { hour, minute, second } = fromSeconds(candidate);
      if (!matches(hours, hour)) candidate += 3600 - minute * 60 - second;
      else if (!matches(minutes, minute)) candidate += 60 - second;
      else if (!matches(seconds, second)) candidate += 1;
      else return candidate;
    }
    return Infinity;
  }

  /** An alarm byte as a number; -1 when it matches all. */
  #alarmField(index: number): number {
    const value = this.#memory[index] ?? 0;
    return value >= ANY ? -1 : this.#decode(value);
  }

  get #alarmHour(): number {
    const value = this.#memory[HOURS_ALARM] ?? 0;
    return value >= ANY ? -1 : this.#decodeHour(value);
  }

  /** Copies the clock into the bytes of the time, unless the guest holds them. */
  #showTime(): void {
    if (!this.#running) return;
    const time = fromSeconds(this.#second);
    const memory = this.#memory;
    memory[SECONDS] = this.#encode(time.second);
    memory[MINUTES] = this.#encode(time.minute);
    memory[HOURS] = this.#encodeHour(time.hour);
    memory[WEEKDAY] = this.#encode(time.weekday + 1);
    memory[DAY] = this.#encode(time.day);
    memory[MONTH] = this.#encode(time.month);
    memory[YEAR] = this.#encode(((time.year % 100) + 100) % 100);
    memory[CENTURY] = this.#encode(Math.floor(time.year / 100) & 0xff);
  }

  /** Sets the clock to the bytes of the time. */
  #takeTime(): void {
    // As in QEMU, what would be "any" in an alarm counts as one before the first.
    const field = (index: number): number => this.#alarmField(index);
    this.#base = toSeconds({
      year: field(CENTURY) * 100 + field(YEAR),
      month: field(MONTH),
      day: field(DAY),
      hour: this.#decodeHour(this.#memory[HOURS] ?? 0),
      minute: field(MINUTES),
      second: field(SECONDS),
    });
    this.#baseTime = this.#now - this.#writtenPhase;
    this.#updated = this.#base;
  }

  #encode(value: number): number {
    return (this.#b & BINARY) !== 0 ? value : (Math.floor(value / 10) << 4) | (value % 10);
  }

  #decode(value: number): number {
    return (this.#b & BINARY) !== 0 ? value : (value >> 4) * 10 + (value & 0x0f);
  }

  #encodeHour(hour: number): number {
    if ((this.#b & HOURS_24) !== 0) return this.#encode(hour);
    return this.#encode(hour % 12 === 0 ? 12 : hour % 12) | (hour >= 12 ? PM : 0);
  }

  #decodeHour(value: number): number {
    if ((this.#b & HOURS_24) !== 0) return this.#decode(value);
    return (this.#decode(value & ~PM) % 12) + ((value & PM) !== 0 ? 12 : 0);
  }
}

function isTimeByte(index: number): boolean {
  switch (index) {
    case SECONDS:
    case MINUTES:
    case HOURS:
    case WEEKDAY:
    case DAY:
    case MONTH:
    case YEAR:
    case CENTURY:
      return true;
    default:
      return false;
  }
}

/** Whole clocks of the crystal in a time. Split by seconds: the product would not be exact. */
function nsToClocks(ns: number): number {
  const seconds = Math.floor(ns / NS_PER_SECOND);
  return seconds * CRYSTAL_HZ + Math.floor(((ns - seconds * NS_PER_SECOND) * CRYSTAL_HZ) / NS_PER_SECOND);
}

/** The first nanosecond at which a number of clocks is over. */
function clocksToNs(clocks: number): number {
  const seconds = Math.floor(clocks / CRYSTAL_HZ);
  return seconds * NS_PER_SECOND + Math.floor(((clocks - seconds * CRYSTAL_HZ) * NS_PER_SECOND) / CRYSTAL_HZ) + 1;
}
