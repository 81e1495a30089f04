/** A driver in the debugger: the inspector answers while the driver waits for work, and pings leave it alone. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { InspectorClient, inspectorTargets } from '../support/inspector.ts';
import { eventually, startMachine } from '../support/machine.ts';

describe('service inspect', () => {
  it('holds a driver in a debugger that listens, and puts it back into the sandbox', async () => {
    const machine = startMachine();
    machine.process.stdin.write('service start rtc; service inspect rtc\n');
    const address = /the inspector listens on (127\.0\.0\.1:\d+)/;
    await eventually(() => address.test(machine.stdout), 'the address');
    expect(machine.stdout).toMatch(/outside the sandbox/);
    expect(machine.logText).toMatch(/rtc.*outside the sandbox/);
    const [target] = await inspectorTargets(address.exec(machine.stdout)?.[1] ?? '');
    const debuggerClient = await InspectorClient.connect(target?.webSocketDebuggerUrl ?? '');
    onTestFinished(() => debuggerClient.close());
    expect(await debuggerClient.ask('Runtime.enable')).toMatch(/"result"/);
    expect(await debuggerClient.ask('Debugger.enable')).toMatch(/debuggerId/);
    // Held for longer than a hang is tolerated.
    expect(await debuggerClient.ask('Debugger.pause')).toMatch(/"result"/);
    await new Promise((resolve) => setTimeout(resolve, 3500));
    machine.process.stdin.write('service list\n');
    await eventually(() => /rtc\s+inspected/.test(machine.stdout), 'the list');
    machine.process.stdin.write('service restart rtc; service list; exit\n');
    expect(await machine.end()).toBe(0);
    expect(machine.stdout.slice(machine.stdout.indexOf('restarted'))).toMatch(/rtc\s+(starting|running)/);
  });
});
