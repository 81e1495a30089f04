/**
 * How the tests run: `unit` tests are pure and run side by side; the others start whole systems. Those that measure
 * times or load run one file after another, the rest two files at a time. `long` tests take part only when
 * VROS_TEST_LONG is set (`npm run test:long`).
 */

import { defineConfig } from 'vitest/config';
import { LateFiles } from './test/support/late-files.ts';

const SYSTEM_TIMEOUT_MS = 60_000;

/** How long all the tests of a file may take together. */
const FILE_LIMIT_MS = 300_000;

/** Tests of whole systems in which nothing depends on how long something takes. */
const UNHURRIED = [
  'boot',
  'devices',
  'disk-faults',
  'disks',
  'files',
  'forger',
  'host-tool',
  'inspect',
  'ipc',
  'linux-guest',
  'name-space',
  'network',
  'network-card',
  'network-programs',
  'pipelines',
  'protocol-page',
  'python',
  'recovery',
  'sandbox',
  'shell',
  'shutdown',
  'standby',
  'terminal',
];

/** A group of tests that run real systems, so many files at a time, after the groups before it. */
function systemTests(
  name: string,
  groupOrder: number,
  {
    include = [`test/${name}/**/*.test.ts`],
    exclude = [] as string[],
    workers = 1,
    timeoutMs = SYSTEM_TIMEOUT_MS,
  } = {},
) {
  return {
    test: {
      name,
      include,
      exclude,
      testTimeout: timeoutMs,
      hookTimeout: timeoutMs,
      fileParallelism: workers > 1,
      maxWorkers: workers,
      sequence: { groupOrder },
    },
  };
}

/** What measures times beside that of a quiet neighbour, or of a quiet host. */
const timed = ['test/chaos/contain.test.ts', 'test/chaos/network-card.test.ts'];

const unhurried = UNHURRIED.map((name) => `test/integration/${name}.test.ts`);

/** Unit tests that change what only a whole process has, its umask, or put other modules in place of ours. */
const ownProcess = [
  'test/unit/examples/rtc.test.ts',
  'test/unit/filesystem-model/host-model.test.ts',
  'test/unit/vrfs-crash/proof.test.ts',
];

/**
 * Pure tests: in threads, which start in less time than processes, and keep the modules that they have loaded from file
 * to file.
 */
function unitTests(
  name: string,
  pool: 'threads' | 'forks',
  { include = ['test/unit/**/*.test.ts'], exclude = [] as string[] } = {},
) {
  const isolate = pool === 'forks';
  return {
    test: { name, include, exclude, pool, isolate, testTimeout: 20_000, maxWorkers: 2, sequence: { groupOrder: 0 } },
  };
}

const everyTime = [
  unitTests('unit', 'threads', { exclude: ownProcess }),
  unitTests('process', 'forks', { include: ownProcess }),
  systemTests('systems', 1, { include: unhurried, workers: 2 }),
  systemTests('conformance', 2, { workers: 2 }),
  systemTests('integration', 3, { exclude: unhurried }),
  systemTests('chaos', 4, { exclude: timed, workers: 2 }),
  systemTests('timed chaos', 5, { include: timed }),
];

const onRequest = [systemTests('long', 1, { timeoutMs: 3_600_000 })];

const isLong = process.env.VROS_TEST_LONG !== undefined;

/** Where vitest writes its report, if anybody wants one. */
const report = process.env.VROS_TEST_REPORT;
const jsonTo = (outputFile: string): ['json', { outputFile: string }] => ['json', { outputFile }];

export default defineConfig({
  test: {
    reporters: [
      'default',
      ...(report === undefined ? [] : [jsonTo(report)]),
      ...(isLong ? [] : [new LateFiles(FILE_LIMIT_MS)]),
    ],
    environment: 'node',
    pool: 'forks',
    projects: isLong ? onRequest : everyTime,
  },
});
