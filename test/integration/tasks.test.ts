/** Tasks as processes: starting and ending them, their tree, signals, and the death of init. */
import { describe, expect, it } from 'vitest';
import { taskCases } from '../services/scenario/tasks.ts';
import { eventually, isAlive, startMachine } from '../support/machine.ts';
import { describeScenario, puppetManifests } from '../support/scenario.ts';

describeScenario('tasks', 'tasks', Object.keys(taskCases));

describe('init', () => {
  const start = (scenario: string) =>
    startMachine({ services: puppetManifests, options: ['--no-disk', '--exec', scenario], closeInput: true });

  it('is started again by the kernel and finds its children and its store', async () => {
    const machine = start('die once');
    expect(await machine.end(), machine.logText).toBe(0);
    expect(machine.results()).toEqual(['init has everything it had']);
    expect(machine.logText).toMatch(/init\[1\] \(incarnation 1\) died: exit status 3/);
  });

  it.each(['die always', 'die late'])('that cannot be kept alive ends the machine, which says so: %s', async (how) => {
    const machine = start(how);
    const processes = machine.descendants();
    expect(await machine.end()).toBe(70);
    expect(machine.logText).toMatch(/init .* times .*: the machine ends/);
    expect(machine.stderr).toBe('vros: the machine has ended: init failed to start 10 times in a row\n');
    await eventually(() => !processes.some(isAlive), 'no process is left');
  });
});
