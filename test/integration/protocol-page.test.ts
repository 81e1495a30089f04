/** The server in Python that docs/protocol.md prints, run as a service: the page is enough to write one. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startMachine } from '../support/machine.ts';

const PYTHON = '/usr/bin/python3';
const hasPython = spawnSync(PYTHON, ['-c', 'import msgpack'], { stdio: 'ignore' }).status === 0;

/** Calls the server, in ways it knows and in one it does not, then asks it to end. */
const client = `
const { ipcCall, ipcFindPort, log } = require('vros');
const port = ipcFindPort('greeter', 10000);
const ask = (number, method, data) => {
  try {
    return ipcCall(port, { interface: number, method, data }, 5000).data;
  } catch (error) {
    return error.message;
  }
};
const results = [ask(0x8001, 1, 'straße'), ask(0x8001, 2, 'hello'), ask(0x8001, 1, 7), ask(2, 1, null), ask(2, 2, null)];
log('RESULT ' + JSON.stringify(results));
`;

describe('the server of the protocol page', () => {
  it.skipIf(!hasPython)(
    'answers calls and pings, refuses what it does not know, and ends when asked to (needs python3-msgpack)',
    async () => {
      const page = fs.readFileSync(path.resolve(import.meta.dirname, '../../docs/protocol.md'), 'utf8');
      const [, program = ''] = /```python\n([\s\S]*?)```/.exec(page) ?? [];
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vros-page-'));
      onTestFinished(() => fs.rmSync(folder, { recursive: true, force: true }));
      const file = (name: string, content: string): string => {
        fs.writeFileSync(path.join(folder, name), content);
        return path.join(folder, name);
      };
      const machine = startMachine({
        services: [
          { name: 'init', entry: 'init', serves: ['init'], privileges: ['supervise', 'power'] },
          {
            ...{ name: 'greeter', serves: ['greeter'], memory: 512, restart: 'on-failure' },
            command: [PYTHON, file('greeter.py', program)],
          },
          { name: 'client', entry: file('client.cjs', client), looksUp: ['greeter'], restart: 'never' },
        ],
      });
      await machine.logged(/client\[\d+\]: RESULT /);
      expect(machine.results()).toEqual([['STRASSE', 'ENOSYS: no such method', 'ENOSYS: no such method', null, null]]);
      await machine.logged(/greeter: ended with exit status 0/);
    },
  );
});
