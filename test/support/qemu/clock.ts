/**
 * Scenarios for the real-time clock: setting and reading the time in all formats, alarms, periodic and update
 * interrupts.
 *
 * Left out are the bit "update in progress", and alarms at times that do not exist or at an
 * hour of twelve, which QEMU takes for others.
 */
import type { Random } from '../random.ts';
import { chance, type Generator, Script, weighted } from './script.ts';

const TIME_BYTES = [0x00, 0x02, 0x04, 0x06, 0x07, 0x08, 0x09, 0x32] as const;
const ALARM_BYTES: readonly [number, ...number[]] = [0x01, 0x03, 0x05];
const STEPS: readonly [number, ...number[]] = [1e5, 1e6, 1e7, 3e8, 1e9, 5e9, 6e10, 4e11, 4e12];

class Clock {
  readonly script = new Script();
  readonly #random: Random;
  #b = 0x02;
  /** The divider is held. */
  #held = false;

  constructor(random: Random) {
    this.#random = random;
  }

  write(index: number, value: number): void {
    this.script.out(0x70, index | (chance(this.#random, 0.1) ? 0x80 : 0));
    this.script.out(0x71, value);
  }

  read(index: number, options = ''): void {
    this.script.out(0x70, index | (chance(this.#random, 0.1) ? 0x80 : 0));
    this.script.in(0x71, options);
  }

  writeB(value: number): void {
    this.#b = value;
    this.write(0x0b, value);
  }

  /** Some bits of register B change. */
  changeB(): void {
    this.writeB(this.#b ^ (1 << this.#random.pick([4, 4, 5, 5, 6, 6, 7])));
  }

  /** Another format, while the clock shows the time in it. */
  changeFormat(): void {
    if ((this.#b & 0x80) !== 0 || this.#held) return;
    this.writeB(this.#b ^ this.#random.pick([0x02, 0x04]));
    this.setAlarm();
  }

  /** Divider and rate. */
  writeA(value: number): void {
    this.#held = (value & 0x70) > 0x20;
    this.write(0x0a, value);
  }

  /** SET, the time, and SET again taken away. */
  setTime(): void {
    const format = this.#random.pick([0x02, 0x02, 0x06, 0x00, 0x04]);
    this.writeB((this.#b & 0x70) | 0x80 | format);
    const [hour, day, month, year] = this.#date();
    this.write(0x00, this.#encode(this.#random.pick([0, 30, 57, 58, 59])));
    this.write(0x02, this.#encode(this.#random.pick([0, 1, 30, 59])));
    this.write(0x04, this.#hour(hour));
    this.write(0x07, this.#encode(day));
    this.write(0x08, this.#encode(month));
    this.write(0x09, this.#encode(year % 100));
    this.write(0x32, this.#encode(Math.floor(year / 100)));
    this.writeB(this.#b & 0x7f);
    this.setAlarm();
  }

  #date(): [hour: number, day: number, month: number, year: number] {
    const [day, month] = this.#random.pick<[number, number]>([
      [28, 2],
      [29, 2],
      [31, 12],
      [30, 4],
      [31, 1],
      [1, 1],
      [17, 6],
    ]);
    return [
      this.#random.pick([0, 1, 11, 12, 13, 23]),
      day,
      month,
      this.#random.pick([1999, 2000, 2004, 2006, 2024, 2038, 2100, 1970]),
    ];
  }

  #encode(value: number): number {
    return (this.#b & 0x04) !== 0 ? value : (Math.floor(value / 10) << 4) | (value % 10);
  }

  #hour(hour: number): number {
    if ((this.#b & 0x02) !== 0) return this.#encode(hour);
    return this.#encode(hour % 12 === 0 ? 12 : hour % 12) | (hour >= 12 ? 0x80 : 0);
  }

  /** Seconds, minutes, hours: now and then any value, or the same as the clock's soon. */
  setAlarm(): void {
    const any = chance(this.#random, 0.2);
    this.write(0x01, any ? 0xff : this.#encode(this.#random.pick([0, 1, 30, 58, 59])));
    this.write(0x03, chance(this.#random, 0.4) ? 0xff : this.#encode(this.#random.pick([0, 1, 35, 36, 59])));
    const anyHour = (this.#b & 0x02) === 0 || chance(this.#random, 0.5);
    this.write(0x05, anyHour ? 0xc0 : this.#hour(this.#random.pick([0, 11, 12, 13, 23])));
  }

  readTime(): void {
    for (const index of TIME_BYTES) this.read(index);
  }

  /** Not while SET holds the time: QEMU then compares the alarm with what it shows, which stands still. */
  step(): void {
    if ((this.#b & 0x80) !== 0) this.writeB(this.#b & 0x7f);
    this.script.step(this.#random.pick(STEPS) * (0.5 + this.#random.next()));
  }

  readC(): void {
    this.script.irq(8);
    this.read(0x0c);
    if (chance(this.#random, 0.5)) this.script.irq(8);
    if (chance(this.#random, 0.3)) this.read(0x0c);
  }
}

export const clock: Generator = (random) => {
  const clock = new Clock(random);
  for (let turn = 10 + random.below(25); turn > 0; turn--) {
    weighted(random, [
      [3, () => clock.setTime()],
      [3, () => clock.setAlarm()],
      [1, () => clock.write(random.pick(ALARM_BYTES), 0xc0 + random.below(0x40))],
      [6, () => clock.changeB()],
      [2, () => clock.changeFormat()],
      [2, () => clock.writeA(0x20 | random.below(16))],
      [1, () => clock.writeA(random.pick([0x60, 0x70, 0x66, 0x26, 0x06, 0x16, 0xa6]))],
      [10, () => clock.step()],
      [4, () => clock.readTime()],
      [8, () => clock.readC()],
      [1, () => clock.read(0x0a, 'mask=0x7f')],
      [1, () => clock.read(0x0b)],
      [1, () => clock.read(0x0d)],
      [1, () => clock.write(0x0c + random.below(2), random.below(256))],
      [2, () => clock.write(random.pick([0x0e, 0x10, 0x33, 0x50, 0x7f]), random.below(256))],
      [2, () => clock.read(random.pick([0x01, 0x03, 0x05, 0x10, 0x33, 0x37, 0x50, 0x7f]))],
      [1, () => clock.script.in(0x70)],
    ]);
  }
  return clock.script.lines;
};
