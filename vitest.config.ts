/**
 * How the tests run: `unit` tests are pure and run side by side; the others start whole systems, measure them and kill
 * parts of them, so they run one file after another. `long` tests take part only when VROS_TEST_LONG is set
 * (`npm run test:long`).
 */

import { defineConfig } from 'vitest/config';

const SYSTEM_TIMEOUT_MS = 60_000;

/** A folder of tests that run real systems, one file at a time, after the groups before it. */
function systemTests(name: string, groupOrder: number, timeoutMs = SYSTEM_TIMEOUT_MS) {
  return {
    test: {
      name,
      include: [`test/${name}/**/*.test.ts`],
      testTimeout: timeoutMs,
      hookTimeout: timeoutMs,
      fileParallelism: false,
      sequence: { groupOrder },
    },
  };
}

const everyTime = [
  {
    test: {
      name: 'unit',
      include: ['test/unit/**/*.test.ts'],
      testTimeout: 20_000,
      maxWorkers: 2,
      sequence: { groupOrder: 0 },
    },
  },
  systemTests('integration', 1),
  systemTests('conformance', 2),
  systemTests('chaos', 3),
];

const onRequest = [systemTests('long', 1, 3_600_000)];

export default defineConfig({
  test: {
    environment: 'node',
    pool: 'forks',
    projects: process.env.VROS_TEST_LONG === undefined ? everyTime : onRequest,
  },
});
