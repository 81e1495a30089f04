/**
 * A standby (kernel/task/standbys.ts): it holds a program, and is no task. All it may ask the kernel for is to become
 * one.
 */
import fs from 'node:fs';
import process from 'node:process';
import { startInformation } from './start-information.ts';
import { taskStart } from './syscalls.ts';

/** Whether this process is one. */
export const isStandby = (): boolean => startInformation.pid === 0;

/** In a standby: prepares, and waits until it is needed. In a task: does nothing. */
export function standBy(prepare: () => void): void {
  if (!isStandby()) return;
  prepare();
  Object.assign(startInformation, taskStart());
}

/** Ends a standby. Its last words go to its standard error, where the kernel finds them. */
export function endStandby(text: string): never {
  fs.writeSync(2, `${text}\n`);
  process.exit(70);
}
