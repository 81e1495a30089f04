/**
 * A client that forges badges, sends rights nobody asked for and stops servers that are not its own: the service
 * library lets it do nothing of that.
 */
import { expect, it } from 'vitest';
import { startMachine } from '../support/machine.ts';

const entry = 'test/services/forger';

it('a server is not deceived by its client', async () => {
  const machine = startMachine({
    services: [
      { name: 'init', entry, privileges: ['power'], maySpawn: ['keeper', 'forger'] },
      { name: 'keeper', entry, serves: ['keeper'] },
      { name: 'forger', entry, looksUp: ['keeper'], privileges: ['power'] },
    ],
  });
  expect(await machine.end(), machine.logText).toBe(0);
  const [result] = machine.results<{ grown: number; seen: number[] }>();
  expect(result).toEqual({
    // Rights that no method asks for, or that came with a request that failed, are given back.
    grown: 0,
    // The port that came in a message is destroyed instead of served.
    request: 'EPIPE',
    stop: 'EPERM',
    seen: [0],
  });
});
