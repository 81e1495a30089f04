/**
 * Scenarios for the keyboard controller, with a keyboard and a mouse whose commands it passes on.
 *
 * Left out are the keyboard's commands F7 to F9 and FB to FE, of which QEMU knows none but FC, and that one by half; as
 * parameters too, since a parameter may come to stand for a command.
 */
import type { Random } from '../random.ts';
import { chance, type Generator, Script, weighted } from './script.ts';

/** Time in which whatever is to come comes. */
const SETTLED_NS = 2_000_000;

const CONTROLLER_COMMANDS: readonly [number, ...number[]] = [
  0x20, 0xaa, 0xab, 0xa9, 0xad, 0xae, 0xa7, 0xa8, 0xc0, 0xd0,
];
const OTHER_COMMANDS: readonly [number, ...number[]] = [0xdd, 0xdf, 0xff, 0xf1, 0xa1, 0x00, 0x21, 0xc1, 0xe0];
const KEYBOARD_COMMANDS: readonly [number, ...number[]] = [
  0xed, 0xee, 0xf0, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xff, 0xfa, 0x00, 0x01, 0xef, 0xf1,
];
const MOUSE_COMMANDS: readonly [number, ...number[]] = [
  0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xeb, 0xec, 0xee, 0xf0, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xff, 0x00, 0xe5,
];

function readAll(script: Script, random: Random): void {
  for (let count = 1 + random.below(5); count > 0; count--) {
    script.in(0x64);
    if (chance(random, 0.5)) script.irq(1);
    if (chance(random, 0.3)) script.irq(12);
    script.in(0x60);
    if (chance(random, 0.8)) script.step(SETTLED_NS);
  }
}

export const keyboard: Generator = (random) => {
  const script = new Script();
  const command = (value: number, ...data: number[]): void => {
    script.out(0x64, value);
    if (chance(random, 0.1)) script.in(0x64);
    for (const byte of data) script.out(0x60, byte);
  };
  // QEMU's keyboard translates when it answers, not when the system reads: no answer may be under way when that
  // changes.
  const translated = chance(random, 0.5) ? 0x40 : 0x00;
  const configuration = (): number =>
    (random.pick([0x00, 0x01, 0x03, 0x05, 0x07, 0x25, random.below(256)]) & 0xbf) | translated;
  command(0x60, configuration());
  for (let turn = 15 + random.below(40); turn > 0; turn--) {
    weighted(random, [
      [6, () => command(random.pick(CONTROLLER_COMMANDS))],
      [1, () => command(random.pick(OTHER_COMMANDS))],
      [4, () => command(0x60, configuration())],
      [1, () => command(0xd1, random.below(256) | 0x01)],
      [1, () => command(0xd2, random.below(256))],
      [1, () => command(0xd3, random.below(256))],
      [6, () => script.out(0x60, random.pick(KEYBOARD_COMMANDS))],
      [2, () => script.out(0x60, random.pick([0xed, 0xf0, 0xf3]), random.below(chance(random, 0.5) ? 4 : 0xf7))],
      [1, () => script.out(0x60, random.below(0xf7))],
      [3, () => command(0xd4, random.pick(MOUSE_COMMANDS))],
      [1, () => command(0xd4, random.below(256))],
      [8, () => readAll(script, random)],
      [5, () => script.step(SETTLED_NS)],
      [3, () => script.irq(random.pick([1, 12]))],
      [3, () => script.in(0x64)],
    ]);
  }
  script.step(SETTLED_NS);
  readAll(script, random);
  return script.lines;
};
