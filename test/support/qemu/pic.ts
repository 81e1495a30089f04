/** Scenarios for the pair of interrupt controllers: initialisation, requests from real devices, service, priorities. */
import type { Random } from '../random.ts';
import { chance, type Generator, Script, weighted } from './script.ts';

/** A device that can move its interrupt line. */
interface Source {
  readonly setUp: (script: Script) => void;
  readonly raise: (script: Script) => void;
  readonly lower: (script: Script) => void;
}

function startTimer(script: Script, count: number): void {
  script.out(0x43, 0x30);
  script.out(0x40, count & 0xff, count >> 8);
}

const SOURCES: readonly [Source, ...Source[]] = [
  {
    // Line 0: the timer in mode 0, whose output is low to the end of the count.
    setUp: (script) => startTimer(script, 0xffff),
    raise: (script) => {
      startTimer(script, 2);
      script.step(10_000);
    },
    lower: (script) => startTimer(script, 0xffff),
  },
  {
    // Line 1: the keyboard's answer to its echo command.
    setUp: (script) => {
      script.out(0x64, 0x60);
      script.out(0x60, 0x01);
    },
    raise: (script) => {
      script.out(0x60, 0xee);
      script.step(1_000_000);
    },
    lower: (script) => {
      script.in(0x60);
      script.in(0x60);
    },
  },
  {
    // Line 4: the empty transmitter of the serial port.
    setUp: (script) => script.out(0x3f9, 0x00),
    raise: (script) => script.out(0x3f9, 0x02),
    lower: (script) => script.out(0x3f9, 0x00),
  },
  {
    // Line 8: the periodic interrupt of the clock.
    setUp: (script) => {
      script.out(0x70, 0x0b);
      script.out(0x71, 0x42);
    },
    raise: (script) => script.step(2_000_000),
    lower: (script) => {
      script.out(0x70, 0x0c);
      script.in(0x71, 'mask=0xc0');
    },
  },
  {
    // Line 9: a remote DMA of no bytes, which is complete at once.
    setUp: (script) => {
      script.out(0x300, 0x22);
      script.out(0x30f, 0x40);
    },
    raise: (script) => {
      script.out(0x30a, 0x00);
      script.out(0x30b, 0x00);
      script.out(0x300, 0x0a);
    },
    lower: (script) => script.out(0x307, 0x40),
  },
  {
    // Line 14: RECALIBRATE.
    setUp: (script) => script.out(0x3f6, 0x00),
    raise: (script) => script.out(0x1f7, 0x10),
    lower: (script) => script.in(0x1f7, 'mask=0xef'),
  },
];

/**
 * Anew, with all lines low: what QEMU makes of a line that is high then is not what the data sheet says, and depends on
 * how often its device repeats the level.
 */
function initialiseBoth(script: Script, random: Random): void {
  for (const source of SOURCES) source.lower(script);
  for (const base of [0x20, 0xa0]) initialise(script, random, base);
}

function initialise(script: Script, random: Random, base: number): void {
  const icw1 = 0x10 | random.below(16);
  script.out(base, icw1);
  script.out(base + 1, random.below(256));
  if (chance(random, 0.1)) return; // left unfinished
  if ((icw1 & 0x02) === 0) script.out(base + 1, base === 0x20 ? 0x04 : 0x02);
  if ((icw1 & 0x01) !== 0) script.out(base + 1, random.pick([0x01, 0x01, 0x03, 0x11, 0x13, 0x0d, 0x00]));
  if (chance(random, 0.8)) script.out(base + 1, random.below(256) & random.below(256));
}

function readRequests(script: Script, random: Random, base: number): void {
  const service = chance(random, 0.5);
  script.out(base, service ? 0x0b : 0x0a);
  script.in(base);
  if (chance(random, 0.3)) script.in(base + 1);
}

function poll(script: Script, random: Random, base: number): void {
  script.out(base, 0x0c | random.pick([0, 2, 3]));
  script.in(base + (chance(random, 0.2) ? 1 : 0));
  script.in(base);
}

export const pic: Generator = (random) => {
  const script = new Script();
  for (const base of [0x20, 0xa0]) {
    script.out(base, 0x11);
    script.out(base + 1, base === 0x20 ? 0x08 : 0x70, base === 0x20 ? 0x04 : 0x02, 0x01);
  }
  for (const source of SOURCES) if (chance(random, 0.9)) source.setUp(script);
  const anyBase = (): number => random.pick([0x20, 0xa0]);
  for (let turn = 20 + random.below(60); turn > 0; turn--) {
    weighted(random, [
      [1, () => random.pick(SOURCES).setUp(script)],
      [8, () => random.pick(SOURCES).raise(script)],
      [5, () => random.pick(SOURCES).lower(script)],
      [6, () => poll(script, random, anyBase())],
      [6, () => readRequests(script, random, anyBase())],
      [3, () => script.out(anyBase() + 1, random.below(256) & random.below(256))],
      [6, () => script.out(anyBase(), (random.below(8) << 5) | random.below(8))],
      [2, () => script.out(anyBase(), 0x20)],
      [2, () => script.out(anyBase(), 0x08 | random.below(8) | (random.below(4) << 5))],
      [1, () => initialiseBoth(script, random)],
      [1, () => script.out(random.pick([0x4d0, 0x4d1]), random.below(256) & random.below(256))],
      [1, () => script.in(random.pick([0x4d0, 0x4d1]))],
      [2, () => script.in(anyBase() + random.below(2))],
      [1, () => script.irq(random.pick([0, 1, 4, 8, 9, 14]))],
    ]);
  }
  for (const base of [0x20, 0xa0]) {
    readRequests(script, random, base);
    script.in(base + 1);
  }
  return script.lines;
};
