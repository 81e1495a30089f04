/**
 * The devices against a running QEMU 7.2: random scenarios, which both machines have to answer alike.
 *
 * Each scenario comes from a seed of its own, counted up from the one in the name of the test; `VROS_TEST_SEED` sets
 * that one. `VROS_QEMU_SECONDS` is the time for all devices together. What QEMU needs for it:
 * `test/support/qemu/servers.ts`.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compare, minimise, type Pair } from '../support/qemu/difference.ts';
import { generators } from '../support/qemu/generators.ts';
import { missingQemu, Servers } from '../support/qemu/servers.ts';
import { Random } from '../support/random.ts';

const SECONDS = Number(process.env.VROS_QEMU_SECONDS ?? 170);
/** Lines of the shortest scenario that a report shows. */
const SHOWN_LINES = 60;

const devices = Object.entries(generators);
const secondsEach = SECONDS / devices.length;
const firstSeed = new Random().seed;
const missing = missingQemu();

/** What the machines disagree about in the scenario of a seed; '' if in nothing. */
async function disagreement(pair: Pair, lines: readonly string[]): Promise<string> {
  const found = await compare(pair, lines);
  if (found === null) return '';
  const shortest = await minimise(pair, lines, found);
  return [...shortest.slice(-SHOWN_LINES), `QEMU: ${found.expected}`, `VROS: ${found.answered}`].join('\n');
}

describe.skipIf(missing !== '')(`the devices answer as QEMU does${missing && ` (${missing})`}`, () => {
  let servers: Servers;

  beforeAll(async () => {
    servers = await Servers.create();
  });

  afterAll(() => servers?.close());

  for (const [device, generate] of devices) {
    it(`${device}, scenarios from seed ${firstSeed} on`, async () => {
      const pair = {
        reference: (lines: readonly string[]) => servers.askQemu(lines),
        own: (lines: readonly string[]) => servers.askOwn(lines),
      };
      const end = performance.now() + secondsEach * 1000;
      for (let seed = firstSeed; performance.now() < end; seed++) {
        expect(await disagreement(pair, generate(new Random(seed))), `seed ${seed}`).toBe('');
      }
    });
  }
});
