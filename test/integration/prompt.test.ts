/** How soon the shell answers in a terminal while others want the CPU. */
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { kernelFile } from '../support/machine.ts';
import { nodePty, startInTerminal, whyNoTerminal } from '../support/terminal.ts';

/** Between a key and its effect, in milliseconds, on a CPU that four endless loops want too. */
const PROMPT_MS = 200;

describe.skipIf(nodePty === null)(`the prompt${whyNoTerminal}`, () => {
  it(`answers within ${PROMPT_MS} ms although four services loop for ever on the only CPU`, async () => {
    const entry = path.join(path.dirname(kernelFile), 'test-services/hog.cjs');
    const hogs = [1, 2, 3, 4].map((number) => ({ name: `hog${number}`, entry, restart: 'never' }));
    const options = ['--no-disk', '--smp', '1'];
    const machine = await startInTerminal({ options, services: hogs, network: true, disks: true });
    expect((await machine.run('ps')).match(/ hog\d$/gm)).toHaveLength(4);
    const times: number[] = [];
    for (let round = 0; round < 20; round++) {
      const before = performance.now();
      await machine.run(`echo round ${round}`);
      times.push(performance.now() - before);
    }
    times.sort((a, b) => a - b);
    expect(times.at(-1), `median ${times[10]} ms`).toBeLessThan(PROMPT_MS);
  });
});
