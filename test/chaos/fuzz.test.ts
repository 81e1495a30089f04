/**
 * 100,000 random and mutated frames from hostile services: the kernel lives, what others are answered stays right,
 * memory stays bounded, every call is answered, and a task that is ended is ended for a reason the log gives. The seed
 * is printed; VROS_SEED repeats a run.
 */
import { expect, it } from 'vitest';
import { startMachine, type TestManifest } from '../support/machine.ts';

const FRAMES = 100_000;
/** What the kernel may grow by, in MiB. */
const GROWTH_MEBIBYTES = 160;

const seed = Number(process.env.VROS_SEED ?? Date.now() % 0x1_0000_0000);

/** The reasons for which the kernel ends a fuzzer. */
const reasons = [
  /^general protection fault: fuzzer-[ab] touched I\/O port 0x[0-9a-f]+( \([24] bytes\))? without permission$/,
  /^sent a frame of \d+ bytes, which is over the bound$/,
  /^SIG[A-Z0-9]+ from (init|fuzzer-[ab])\[\d+\]$/,
  /^used \d+ ms of CPU time and was given \d+ ms, while it claimed to wait in \w+$/,
];

function fuzzer(letter: string): TestManifest {
  return {
    name: `fuzzer-${letter}`,
    entry: 'test/services/fuzzer',
    serves: [`fuzz-${letter}`],
    looksUp: ['echo', 'fuzz-a', 'fuzz-b'],
    ioPorts: ['0x300-0x30f'],
    restart: 'never',
  };
}

interface Result {
  readonly handled: number;
  readonly incarnations: number;
  readonly held: number;
  readonly calls: number;
  readonly worst: number;
  readonly wrong: readonly string[];
  readonly ports: readonly unknown[];
  readonly tasks: number;
  readonly grownMebibytes: number;
}

it(`the kernel survives ${FRAMES} hostile frames (VROS_SEED=${seed})`, async () => {
  const machine = startMachine({
    services: [
      { name: 'init', entry: 'test/services/fuzzing', looksUp: ['echo'], privileges: ['power', 'supervise'] },
      { name: 'echo', entry: 'echo', serves: ['echo'] },
      ...['a', 'b'].map(fuzzer),
    ],
    options: [
      ...['--no-disk', '--sandbox', 'permission,namespaces'],
      ...['--exec', JSON.stringify({ seed, frames: FRAMES })],
    ],
  });
  expect(await machine.end(), machine.stderr).toBe(0);
  expect(machine.stderr).toBe('');
  const { log } = machine;
  // Whatever a task sends gets an errno; an error of another kind inside the kernel is a bug.
  expect(log.filter(({ source, msg }) => source === 'kernel' && /^call \d+ of /.test(msg))).toEqual([]);
  const ended = log.flatMap(({ source, msg }) => (source === 'kernel' && /is ended: (.*)$/.exec(msg)?.[1]) || []);
  expect(ended.filter((reason) => !reasons.some((known) => known.test(reason)))).toEqual([]);
  expect(log.filter(({ source, msg }) => source === 'kernel' && /^(echo|init)\[\d+\].*died/.test(msg))).toEqual([]);

  const results = machine.results<Result | { text: string }>();
  expect(results.filter((result) => 'text' in result)).toEqual([]);
  const result = results.find((candidate): candidate is Result => 'handled' in candidate);
  expect(result).toMatchObject({ wrong: [], ports: [], tasks: 2 });
  expect(result?.handled).toBeGreaterThanOrEqual(FRAMES);
  expect(result?.incarnations).toBeGreaterThan(20);
  expect(result?.calls).toBeGreaterThan(100);
  expect(result?.worst).toBeLessThan(2000);
  expect(result?.grownMebibytes).toBeLessThan(GROWTH_MEBIBYTES);
});
