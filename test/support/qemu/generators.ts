/** The generators of scenarios, by device. */
import { clock } from './clock.ts';
import { disk } from './disk.ts';
import { keyboard } from './keyboard.ts';
import { networkCard } from './network-card.ts';
import { pic } from './pic.ts';
import type { Generator } from './script.ts';
import { serial } from './serial.ts';
import { timer } from './timer.ts';

export const generators: Readonly<Record<string, Generator>> = {
  disk,
  'network-card': networkCard,
  pic,
  timer,
  clock,
  keyboard,
  serial,
};
