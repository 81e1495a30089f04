/** The mistreatment that the tests of the rough cable apply, in the everyday ones and the long ones. */
import type { Faults } from './rough-cable.ts';

export const roughCables: Readonly<Record<string, Faults>> = {
  '1 % loss': { loss: 0.01 },
  '5 % loss': { loss: 0.05 },
  '5 % repeated': { duplicates: 0.05 },
  '5 % reordered': { reordered: 0.05, reorderDelay: 4 },
  '50 ms delay': { delay: 50 },
  '50 ms delay, 10 ms jitter, 1 % loss': { delay: 50, jitter: 10, loss: 0.01 },
  '1 % damaged': { corrupted: 0.01 },
  'everything at once': {
    loss: 0.02,
    duplicates: 0.02,
    reordered: 0.05,
    reorderDelay: 3,
    corrupted: 0.01,
    delay: 5,
    jitter: 2,
  },
};

/** Settings of `tc netem` for the direction from Linux to the machine, where the kernel has it. */
export const netemCables: Readonly<Record<string, string>> = {
  '1 % loss': 'loss 1%',
  '5 % loss': 'loss 5%',
  '5 % repeated': 'duplicate 5%',
  reordered: 'delay 4ms reorder 25% 50%',
  '50 ms delay': 'delay 50ms',
};
