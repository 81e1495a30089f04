/**
 * The ways a machine ends: `halt` from inside, a signal from the host, or the death of this process. In each case no
 * process is left behind: the first two end every task here; for the last, tasks die with the kernel (PR_SET_PDEATHSIG)
 * and at the end of their pipe.
 */
import fs from 'node:fs';
import tty from 'node:tty';
import type { Kernel } from './kernel.ts';
import type { KernelLog } from './log.ts';

/** Which of the first descriptors were terminals when this process began. */
const terminals = [0, 1, 2].filter((descriptor) => tty.isatty(descriptor));

/** How long the services get to end in order after a signal, in milliseconds. */
const ORDERLY_MILLISECONDS = 4000;

/** How long the output of a machine that a signal has ended may take to be read, in milliseconds. */
const OUTPUT_MILLISECONDS = 1000;

/**
 * SIGTERM, SIGINT and SIGHUP end the machine in order: init is told and stops the services. A second signal, or no
 * answer from init in time, ends it at once. Answers a function that takes the handlers off; from then on a signal ends
 * this process in the host's own way.
 */
export function handleHostSignals(kernel: Kernel, log: KernelLog): () => void {
  let asked = false;
  let status = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const handler = (name: NodeJS.Signals, number: number): void => {
    status = 128 + number;
    const { init } = kernel.parts.tasks;
    if (asked || init === null || init.signalPort === null) {
      kernel.halt(status, false);
      return;
    }
    asked = true;
    log.info(`${name} from the host: the machine ends`);
    kernel.parts.tasks.signal(init, number, 'the host');
    timer = setTimeout(() => kernel.halt(status, false), ORDERLY_MILLISECONDS);
  };
  const names = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
  for (const name of names) process.on(name, handler);
  const atExit = (): void => kernel.halt(0, false);
  const onBug = (error: unknown): void => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    log.write('fatal', text);
    process.stderr.write(`vros: kernel error: ${text}\r\n`);
    kernel.halt(70, false);
  };
  process.on('exit', atExit);
  process.on('uncaughtException', onBug);
  process.on('unhandledRejection', onBug);
  return () => {
    clearTimeout(timer);
    // Who sends a signal does not wait for the reader of a pipe.
    if (status !== 0) setTimeout(() => exit(status), OUTPUT_MILLISECONDS).unref();
    for (const name of names) process.off(name, handler);
    process.off('exit', atExit);
    process.off('uncaughtException', onBug);
    process.off('unhandledRejection', onBug);
  };
}

/** Ends this process once what it wrote is out. */
export function leave(status: number): void {
  process.exitCode = status;
  if (process.stdout.writableLength === 0) exit(status);
  process.stdout.once('drain', () => exit(status));
  process.stdout.once('error', () => exit(status));
}

/**
 * Node gives the terminals of its first descriptors the modes back that they had, and aborts when it cannot. It leaves
 * alone what has been closed, so a terminal that has gone is.
 */
function exit(status: number): never {
  for (const descriptor of terminals) if (!tty.isatty(descriptor)) fs.closeSync(descriptor);
  process.exit(status);
}
