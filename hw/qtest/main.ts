/**
 * The qtest server: a machine behind stdin and stdout, without kernel, in power-on state, until stdin ends.
 *
 * It has no console size device, since no PC has; nothing is plugged into its serial port; and its wall clock starts at
 * the same time every time.
 */

import type { DiskBackend } from '../disk/backend.ts';
import { openDiskImage } from '../disk/image.ts';
import { createMachine } from '../machine.ts';
import type { Cable } from '../network/cable.ts';
import { openCable } from '../network/open.ts';
import type { NetworkPlug } from '../network/options.ts';
import { UNPLUGGED } from '../serial-line.ts';
import { dropping } from './dropping-cable.ts';
import { parseOptions, USAGE } from './options.ts';
import { QtestServer, VirtualClock } from './server.ts';

/** 2006-06-17, the wall clock of QEMU's own tests. */
const START_SECONDS = Date.UTC(2006, 5, 17, 12, 34, 56) / 1000;

function fail(message: string): never {
  process.stderr.write(`qtest: ${message}\n`);
  process.exit(1);
}

async function openDisk(path: string): Promise<DiskBackend> {
  try {
    return await openDiskImage(path);
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

async function openNetwork(plug: NetworkPlug): Promise<Cable> {
  try {
    return await openCable(plug);
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

async function main(): Promise<void> {
  let options: ReturnType<typeof parseOptions>;
  try {
    options = parseOptions(process.argv.slice(2));
  } catch (error) {
    fail(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
  }
  const disk = options.disk === null ? null : await openDisk(options.disk);
  const cable = dropping(await openNetwork(options.network.plug));
  const clock = new VirtualClock();
  const machine = createMachine({
    clock: () => clock.now,
    startSeconds: START_SECONDS,
    serialLine: UNPLUGGED,
    lateEdges: 'each',
    consoleSize: false,
    disks: [disk],
    cable,
    stationAddress: options.network.stationAddress,
  });
  const { stdin, stdout } = process;
  const server = new QtestServer(machine, clock, (text) => {
    // A client that does not read its answers gets no more of them.
    if (!stdout.write(text)) stdin.pause();
  });
  stdout.on('drain', () => stdin.resume());
  // The client is gone, and with it the reason to be here.
  stdout.on('error', () => process.exit(0));
  stdin.setEncoding('latin1');
  stdin.on('data', (text: string) => server.feed(text));
  stdin.on('end', () => {
    void cable.close();
    void disk?.close();
  });
}

void main();
