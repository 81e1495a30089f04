/**
 * `npm test`: checks everything with one command. Formatter and linter, types, import rules and build, two at a time,
 * then vitest; a step that fails does not keep the next ones from running. The last line is `N passed, M failed` (and
 * `, K skipped`), in which each static step counts as one test; the exit status is 0 only if nothing failed.
 *
 * Arguments go to vitest as filters: `npm test -- ata` runs the test files with `ata` in their path.
 * `npm run test:long` (`--long`) builds and runs the tests of test/long instead.
 */

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import path from 'node:path';

const root = path.dirname(import.meta.dirname);
const long = process.argv.includes('--long');
const filters = process.argv.slice(2).filter((argument) => argument !== '--long');

const STATIC_STEP_LIMIT_MS = 5 * 60_000;
const TESTS_LIMIT_MS = (long ? 6 * 60 : 30) * 60_000;

/** The process groups of the steps under way. */
const groups = new Set();

function killGroup(group) {
  groups.delete(group);
  try {
    process.kill(-group, 'SIGKILL');
  } catch {
    // Nothing of the step is left: as it should be.
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    for (const group of groups) killGroup(group);
    process.exit(128 + constants.signals[signal]);
  });
}

/**
 * What every process of the tests would do at its start without needing it: Node reads these certificates each time,
 * which takes longer than all the rest of its start.
 */
const { NODE_EXTRA_CA_CERTS: _, ...environment } = process.env;

/**
 * Runs a program of this installation to its end. Its output goes to ours as it comes, or, `collected`, at the end.
 * Each one gets a process group of its own, so that whatever it started and left behind ends with it. Returns whether
 * it exited with status 0.
 */
function run(title, program, programArguments, limitMs, { collected = false, variables = {} } = {}) {
  if (!collected) console.log(`\n== ${title}`);
  return new Promise((resolve) => {
    const output = [];
    const to = collected ? 'pipe' : 'inherit';
    const child = spawn(program, programArguments, {
      cwd: root,
      stdio: ['ignore', to, to],
      detached: true,
      env: { ...environment, ...variables },
    });
    const group = child.pid ?? 0;
    if (group !== 0) groups.add(group);
    child.stdout?.on('data', (data) => output.push(data));
    child.stderr?.on('data', (data) => output.push(data));
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      if (group !== 0) killGroup(group);
    }, limitMs);
    const finish = (passed, reason) => {
      clearTimeout(timer);
      if (collected) process.stdout.write(`\n== ${title}\n${Buffer.concat(output)}`);
      if (late) console.error(`${title}: not finished after ${limitMs / 1000} s, killed`);
      if (!passed) console.error(`${title}: failed (${reason})`);
      resolve(passed);
    };
    child.on('error', (error) => finish(false, error.message));
    child.on('exit', () => {
      if (group !== 0) killGroup(group);
    });
    // After the exit, and when all of the output has come.
    child.on('close', (status, signal) => finish(status === 0, signal ?? `exit status ${status}`));
  });
}

const installed = (name) => path.join(root, 'node_modules', '.bin', name);

/** Where vitest puts its report; removed at the end, also after a signal. */
const directory = mkdtempSync(path.join(tmpdir(), 'vros-test-'));
process.on('exit', () => rmSync(directory, { recursive: true, force: true }));

/** Runs vitest and returns its counts, in which a file that could not be loaded and a crash are failures too. */
async function runTests() {
  const report = path.join(directory, 'vitest.json');
  const passed = await run('tests', installed('vitest'), ['run', ...filters], TESTS_LIMIT_MS, {
    variables: { VROS_TEST_REPORT: report, ...(long ? { VROS_TEST_LONG: '1' } : {}) },
  });
  const counts = { passed: 0, failed: 0, skipped: 0 };
  try {
    const results = JSON.parse(readFileSync(report, 'utf8'));
    const brokenFiles = results.testResults.filter(
      (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
    );
    counts.passed = results.numPassedTests;
    counts.failed = results.numFailedTests + brokenFiles.length;
    counts.skipped = results.numPendingTests + results.numTodoTests;
  } catch (error) {
    console.error(`tests: no report (${error.message})`);
  }
  if (!passed && counts.failed === 0) counts.failed = 1;
  return counts;
}

const build = ['build', process.execPath, ['build.mjs']];
const staticSteps = long
  ? [build]
  : [
      ['format and lint', installed('biome'), ['check', '--error-on-warnings', '.']],
      ['types', installed('tsc'), []],
      ['import rules', installed('depcruise'), ['--config', '.dependency-cruiser.cjs', '.']],
      build,
    ];

const total = { passed: 0, failed: 0, skipped: 0 };

/** Takes one step after the other until none is left. */
async function runStaticSteps() {
  for (let step = staticSteps.shift(); step !== undefined; step = staticSteps.shift()) {
    const passed = await run(...step, STATIC_STEP_LIMIT_MS, { collected: true });
    total[passed ? 'passed' : 'failed'] += 1;
  }
}

await Promise.all([runStaticSteps(), runStaticSteps()]);
const tests = await runTests();
for (const key of Object.keys(total)) total[key] += tests[key];

const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : '';
console.log(`\n${total.passed} passed, ${total.failed} failed${skipped}`);
process.exitCode = total.failed === 0 ? 0 : 1;
