/** The network card through its driver, as the commands of the shell use it. */
import { describe, expect, it } from 'vitest';
import { runCommands } from '../support/machine.ts';

describe('the network card', () => {
  it('netdrv shows it, and net2ktest finds what its interface promises, with and without an owner', async () => {
    const { status, stdout } = await runCommands(
      // ifconfig waits until netstack has the card.
      'ifconfig && net2ktest && service stop netstack && net2ktest && netdrv reset && netdrv',
      ['--no-disk', '--netdev', 'user,mac=52:54:00:12:34:57'],
      { network: true },
    );
    expect(status, stdout).toBe(0);
    expect(stdout).toMatch(/^somebody has the card/m);
    expect(stdout).toMatch(/^ok +sending: 8 frames of 14 to 1514 bytes; one of 13 EINVAL$/m);
    expect(stdout.match(/^ok +a question to 10\.0\.2\.2( afterwards)?: answered after/gm)?.length, stdout).toBe(2);
    expect(stdout).toMatch(/^ok +killing the driver: .*, with the same right$/m);
    expect(stdout).toMatch(/^net2ktest: 5 passed, 0 failed$/m);
    expect(stdout).toMatch(/^net2ktest: 13 passed, 0 failed$/m);
    expect(stdout).toMatch(
      /^ne0: NE2000 \(RTL8029\), 52:54:00:12:34:57, I\/O ports 0x300, interrupt 9, MTU 1500, link$/m,
    );
    expect(stdout).toMatch(/^resets +1$/m);
  });
});
