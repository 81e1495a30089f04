/**
 * Scenarios for the interval timer: modes, counts, latches, the gate behind port 0x61, and time between all of them.
 *
 * Left out is where QEMU and the data sheet of the chip disagree: outputs of other modes than 0 and 3, modes that a
 * gate triggers, BCD, null count, what a counter does between its control word and its count; and the low digit of
 * counts.
 */
import type { Random } from '../random.ts';
import { chance, type Generator, Script, weighted } from './script.ts';

const MODES: readonly [number, ...number[]] = [0, 0, 2, 2, 3, 3, 4];
/** Modes whose output is compared. */
const OUTPUT_MODES: ReadonlySet<number> = new Set([0, 3]);

class Timers {
  readonly script = new Script();
  readonly #random: Random;
  readonly #modes = [3, 3, 3];
  readonly #access = [3, 3, 3];

  constructor(random: Random) {
    this.#random = random;
  }

  counter(): number {
    return this.#random.pick([0, 0, 1, 2, 2]);
  }

  /** Control word and count. */
  program(counter: number): void {
    const mode = counter === 0 ? this.#random.pick([0, 2, 2, 3]) : this.#random.pick(MODES);
    const access = this.#random.pick([1, 2, 3, 3]);
    this.#modes[counter] = mode;
    this.#access[counter] = access;
    this.script.out(0x43, (counter << 6) | (access << 4) | (mode << 1));
    this.write(counter);
  }

  /** A count, in as many bytes as it takes. */
  write(counter: number): void {
    const high = chance(this.#random, 0.9) ? 1 + this.#random.below(255) : 0;
    if (this.#access[counter] !== 3) this.script.out(0x40 + counter, high);
    else this.script.out(0x40 + counter, this.#random.below(256), high);
  }

  /** Both bytes of a count, of which the low digit is not compared. */
  read(counter: number): void {
    this.script.in(0x40 + counter, 'mask=0xf0');
    if (chance(this.#random, 0.7)) this.script.in(0x40 + counter, 'mask=0xf0');
  }

  latch(counter: number): void {
    this.script.out(0x43, counter << 6);
    this.read(counter);
  }

  readBack(counter: number): void {
    const what = this.#random.pick([0x00, 0x10, 0x20, 0x20, 0x30]);
    const others = this.#random.pick([0, 0, 0x02, 0x04, 0x0e]);
    this.script.out(0x43, 0xc0 | what | others | (2 << counter));
    for (let each = 0; each < 3; each++) {
      if (each !== counter && (others & (2 << each)) === 0) continue;
      if ((what & 0x10) === 0) this.script.in(0x40 + each, this.#shows(each) ? 'mask=0xbf' : 'mask=0x3f');
      if ((what & 0x20) === 0) this.read(each);
    }
  }

  #shows(counter: number): boolean {
    return OUTPUT_MODES.has(this.#modes[counter] ?? 0);
  }

  readPort(): void {
    this.script.in(0x61, this.#shows(2) ? '' : 'mask=0xdf');
  }

  line(): void {
    this.script.line(this.#shows(0) ? 'irq 0' : 'irq 0 raises');
  }

  step(): void {
    // Far from the edges of the clock of 838 ns, where one more or less is not compared.
    const clocks = this.#random.pick([3, 100, 1000, 10_000, 66_000, 200_000]);
    this.script.step(((1 + this.#random.below(clocks)) * 1e9) / 1_193_182 + 400);
  }
}

export const timer: Generator = (random) => {
  const timers = new Timers(random);
  for (let turn = 15 + random.below(40); turn > 0; turn--) {
    const counter = timers.counter();
    weighted(random, [
      [5, () => timers.program(counter)],
      [4, () => timers.write(counter)],
      [3, () => timers.read(counter)],
      [4, () => timers.latch(counter)],
      [4, () => timers.readBack(counter)],
      [2, () => timers.script.out(0x61, random.below(4))],
      [4, () => timers.readPort()],
      [4, () => timers.line()],
      [8, () => timers.step()],
      [1, () => timers.script.in(0x43)],
    ]);
  }
  return timers.script.lines;
};
