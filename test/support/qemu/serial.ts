/** Scenarios for the serial port: registers, FIFOs, loopback, interrupts and their priorities, time-outs. */
import { chance, type Generator, Script, weighted } from './script.ts';

const BASE = 0x3f8;

export const serial: Generator = (random) => {
  const script = new Script();
  const loopback = (): void => script.out(BASE + 4, 0x10 | random.below(16));
  if (chance(random, 0.7)) {
    script.out(BASE + 3, 0x03);
    script.out(BASE + 2, random.pick([0x00, 0x01, 0x07, 0x47, 0x87, 0xc7]));
    loopback();
    script.out(BASE + 1, random.below(16));
  }
  for (let turn = 20 + random.below(60); turn > 0; turn--) {
    weighted(random, [
      [6, () => script.out(BASE, ...random.bytes(1 + random.below(chance(random, 0.2) ? 20 : 4)))],
      [8, () => script.in(BASE)],
      [4, () => script.out(BASE + 1, random.below(16))],
      [1, () => script.out(BASE + 1, random.below(256))],
      [2, () => script.in(BASE + 1)],
      [10, () => script.in(BASE + 2)],
      [3, () => script.out(BASE + 2, random.pick([0x00, 0x01, 0x03, 0x05, 0x07, 0x41, 0x81, 0xc1, 0xc7]))],
      [1, () => script.out(BASE + 2, random.below(256))],
      [2, () => script.out(BASE + 3, random.pick([0x03, 0x03, 0x1b, 0x07, 0x00, 0x43]))],
      [1, () => script.in(BASE + 3)],
      [3, () => loopback()],
      [1, () => script.out(BASE + 4, random.below(256))],
      [1, () => script.in(BASE + 4)],
      [8, () => script.in(BASE + 5)],
      [5, () => script.in(BASE + 6)],
      [1, () => script.out(BASE + 5 + random.below(2), random.below(256))],
      [1, () => script.out(BASE + 7, random.below(256))],
      [1, () => script.in(BASE + 7)],
      [
        2,
        () => {
          script.out(BASE + 3, 0x83);
          script.out(BASE, random.pick([1, 12, 96]));
          script.out(BASE + 1, random.pick([0, 0, 1]));
          if (chance(random, 0.5)) script.in(BASE + random.below(2));
          script.out(BASE + 3, random.pick([0x03, 0x1f]));
        },
      ],
      [4, () => script.step(random.pick([1000, 100_000, 1_000_000, 5_000_000, 60_000_000]) * (0.5 + random.next()))],
      [8, () => script.irq(4)],
    ]);
  }
  return script.lines;
};
