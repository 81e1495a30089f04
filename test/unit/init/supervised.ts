/** A supervisor on a kernel of the test, and what is asked of it. */
import { expect } from 'vitest';
import { SystemError } from '../../../protocol/errno.ts';
import type { Waiter } from '../../../services/init/service.ts';
import { FakeKernel, row } from './fake-kernel.ts';

export class Answer<A = void> implements Waiter<A> {
  value: A | undefined;
  replied = false;
  error: string | undefined;

  reply(value: A): void {
    expect(this.done).toBe(false);
    this.replied = true;
    this.value = value;
  }

  fail(error: SystemError): void {
    expect(this.done).toBe(false);
    this.error = error.code;
  }

  get done(): boolean {
    return this.replied || this.error !== undefined;
  }
}

/** A kernel with these services, whose init runs. */
export function booted(rows = [row('ata')], prepare: (kernel: FakeKernel) => void = () => {}): FakeKernel {
  const kernel = new FakeKernel(rows);
  prepare(kernel);
  kernel.startInit();
  return kernel;
}

/** The supervisor of a kernel whose init runs. */
export function supervisorOf(kernel: FakeKernel) {
  const { supervisor } = kernel;
  if (supervisor === undefined) throw new Error('init does not run');
  return supervisor;
}

/** What the supervisor says of a service. */
export function status(kernel: FakeKernel, name: string) {
  const found = supervisorOf(kernel)
    .list()
    .find((entry) => entry.name === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

/** The error code that something throws; `none` when it does not. */
export function codeOf(work: () => void): string {
  try {
    work();
  } catch (error) {
    return error instanceof SystemError ? error.code : 'not a SystemError';
  }
  return 'none';
}
