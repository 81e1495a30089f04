/**
 * VROS: one process that is the machine and its kernel. This file is the boot order.
 */
import type { DiskBackend } from '../hw/disk/backend.ts';
import { DiskImageError } from '../hw/disk/image.ts';
import { createMachine, type Machine } from '../hw/machine.ts';
import type { Cable } from '../hw/network/cable.ts';
import { CableError, openCable } from '../hw/network/open.ts';
import { HostTerminal, neverWaiting } from '../hw/terminal.ts';
import { optimizeEarly } from '../loader/engine.ts';
import packageDescription from '../package.json' with { type: 'json' };
import { ConfigurationError, type Manifest } from './config.ts';
import { closeDisks, openDisks } from './disks.ts';
import { Kernel, manifestsOf, type Outcome } from './kernel.ts';
import { KernelLog } from './log.ts';
import { type Options, parseOptions, UsageError, usage } from './options.ts';
import { checkRecords, openLog } from './record-files.ts';
import { handleHostSignals, leave } from './shutdown.ts';
import { closeInheritedDescriptors } from './task/inherited.ts';
import { allowedCpus, Placement } from './task/placement.ts';
import { probeHost } from './task/sandbox.ts';
import { Spawner } from './task/spawner.ts';
import { hostClock } from './time/clock.ts';
import type { TimeSource } from './time/timers.ts';

const { version } = packageDescription;

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) return print(usage);
  if (options.version) return print(`VROS ${version}\n`);

  closeInheritedDescriptors();
  optimizeEarly();
  checkRecords(options);
  const time = hostClock();
  const log = new KernelLog(() => time.now(), options.debug);
  const logFile = openLog(options, log);
  try {
    return await run(options, time, log);
  } finally {
    await logFile.close();
  }
}

/** Runs the machine until it ends; it may start again in between. Answers the exit status. */
async function run(options: Options, time: TimeSource, log: KernelLog): Promise<number> {
  const manifests = manifestsOf(options);
  const tools = probeHost();
  const placement = new Placement(allowedCpus(), process.pid);
  const start = (): Spawner => {
    const spawner = new Spawner(options.sandbox, tools, manifests, log, placement);
    // The processes start while the machine is put together.
    spawner.warmUp(manifests.filter((manifest) => manifest.enabled && manifest.start === 'boot').length);
    return spawner;
  };
  let spawner = start();
  let disks: (DiskBackend | null)[] = [];
  let cable: Cable;
  try {
    disks = await openDisks(options);
    cable = await openCable(options.network.plug, options.pcap);
  } catch (error) {
    spawner.close();
    await closeDisks(disks);
    throw error;
  }
  const terminal = new HostTerminal({ input: process.stdin, output: neverWaiting(process.stdout) });
  const machine = createMachine({
    clock: () => time.now() * 1e6,
    startSeconds: Math.floor((Date.now() - time.now()) / 1000),
    serialLine: terminal,
    disks,
    cable,
    stationAddress: options.network.stationAddress,
  });
  terminal.onResize((columns, rows) => machine.consoleSize.set(columns, rows));
  greet(options, manifests, spawner, disks, cable, machine, terminal, log);

  let outcome: Outcome = { status: 0, reboot: true, reason: '' };
  for (let boot = 0; outcome.reboot; boot++) {
    // The commands of --exec are for the first boot; a reboot among them would never end.
    const exec = boot === 0 ? options.exec : null;
    const kernel = new Kernel({ options: { ...options, exec }, version, manifests, machine, log, time, spawner });
    const release = handleHostSignals(kernel, log);
    kernel.start();
    outcome = await kernel.ended;
    release();
    if (outcome.reboot) {
      machine.reset();
      spawner = start();
    }
  }

  await cable.close();
  const errors = await closeDisks(disks);
  await terminal.close();
  if (terminal.failure !== null) errors.push(`standard output: ${terminal.failure}`);
  if (outcome.reason !== '') process.stderr.write(`vros: the machine has ended: ${outcome.reason}\n`);
  for (const error of errors) process.stderr.write(`vros: ${error}\n`);
  return errors.length > 0 ? 74 : outcome.status;
}

function print(text: string): number {
  process.stdout.write(text);
  return 0;
}

/** Says on the console and in the log what is about to run. */
function greet(
  options: Options,
  manifests: readonly Manifest[],
  spawner: Spawner,
  disks: readonly (DiskBackend | null)[],
  cable: Cable,
  machine: Machine,
  terminal: HostTerminal,
  log: KernelLog,
): void {
  const names = disks.flatMap((disk, index) =>
    disk === null
      ? []
      : [`hd${'abcd'[index] ?? ''} ${(disk.sectors / 2048).toFixed(1)} MiB${disk.readOnly ? ' (read-only)' : ''}`],
  );
  const lines = [
    `VROS ${version}: ${options.cpus} CPU${options.cpus === 1 ? '' : 's'}, policy ${options.policy}, ${manifests.length} programs`,
    `sandbox: ${spawner.describe()}`,
    `disks: ${names.length === 0 ? 'none' : names.join(', ')}`,
    `network: ${cable.description}`,
  ];
  for (const line of lines) log.info(line);
  if (terminal.isTerminal && !options.quiet) terminal.print(lines.map((line) => `${line}\r\n`).join(''));
  const { columns, rows } = terminal.size;
  machine.consoleSize.set(columns, rows);
}

main().then(
  (status) => leave(status),
  (error: unknown) => {
    if (error instanceof UsageError) process.stderr.write(`vros: ${error.message}\n\n${usage}`);
    else if (error instanceof ConfigurationError || error instanceof DiskImageError || error instanceof CableError)
      process.stderr.write(`vros: ${error.message}\n`);
    else process.stderr.write(`vros: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    leave(error instanceof UsageError || error instanceof ConfigurationError ? 64 : 66);
  },
);
