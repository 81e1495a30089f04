/**
 * Runs the cases of a scenario (test/services/scenario) in one machine and makes a test of each. The configuration:
 * init, which runs the cases, and programs that become its puppets.
 */
import { describe, expect, it } from 'vitest';
import { startMachine, type TestMachine, type TestManifest } from './machine.ts';

const entry = 'test/services/scenario';

/** Init with every privilege, and the puppets: services that serve ports, clients, and a program of many tasks. */
export const puppetManifests: readonly TestManifest[] = [
  { name: 'init', entry, serves: ['init'], looksUp: ['*'], privileges: ['supervise', 'power', 'scheduler', 'signal'] },
  { name: 'server', entry, serves: ['server', 'extra'], looksUp: ['init', 'second'] },
  { name: 'second', entry, serves: ['second'], looksUp: ['init', 'server'], maySpawn: ['helper'] },
  { name: 'client', entry, looksUp: ['init', 'server', 'second', 'extra'] },
  { name: 'disk@', entry, looksUp: ['init'], store: 5 },
  { name: 'helper', entry, program: true, looksUp: ['init', 'server', 'second'] },
];

interface CaseResult {
  readonly name: string;
  readonly error: string | null;
}

/** One test per case of a scenario, all run by one machine, and one for the machine itself. */
export function describeScenario(
  title: string,
  scenario: string,
  cases: readonly string[],
  manifests: readonly TestManifest[] = puppetManifests,
  options: readonly string[] = ['--no-disk'],
): void {
  describe(title, () => {
    let results: CaseResult[] = [];
    let machine: TestMachine | undefined;
    it('runs to its end', async () => {
      machine = startMachine({ services: manifests, options: [...options, '--exec', scenario], closeInput: true });
      const status = await machine.end();
      results = machine.results<CaseResult>();
      expect(status, `${machine.logText}\n${machine.stderr}`).toBe(
        results.every(({ error }) => error === null) ? 0 : 1,
      );
      expect(results.length).toBe(cases.length);
    });
    for (const name of cases) {
      it(name, () => {
        const result = results.find((candidate) => candidate.name === name);
        expect(result?.error ?? (result === undefined ? 'the case was not run' : null)).toBeNull();
      });
    }
  });
}
