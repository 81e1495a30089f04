/**
 * The contract does not depend on JavaScript: a service in Python, by docs/protocol.md, is a service like any other.
 */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { pythonCases } from '../services/scenario/python.ts';
import { describeScenario, puppetManifests } from '../support/scenario.ts';

const service = path.resolve(import.meta.dirname, '../python/service.py');

/** The executable of a Python that has msgpack. */
function executable(command: string): string | undefined {
  const probe = ['-c', 'import msgpack, sys; print(sys.executable)'];
  const { status, stdout } = spawnSync(command, probe, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  return status === 0 ? stdout.trim() : undefined;
}

const python = executable('python3') ?? executable('/usr/bin/python3');

if (python !== undefined) {
  const manifest = { name: 'python', command: [python, service], serves: ['python'], looksUp: ['server'] };
  // The namespaces of a task hold what the host's packages put into /usr, and no Python of one's own.
  const sandbox = python.startsWith('/usr/') ? [] : ['--sandbox', 'none'];
  const manifests = [...puppetManifests, manifest];
  describeScenario('a Python service', 'python', Object.keys(pythonCases), manifests, ['--no-disk', ...sandbox]);
} else {
  describe('a Python service', () => {
    const reason = 'there is no Python with the package msgpack (Debian, Ubuntu: apt install python3-msgpack)';
    it.runIf(process.env.CI === 'true')('is part of the tests', () => expect.fail(reason));
    it.skip(`is called and calls: ${reason}`);
  });
}
