/**
 * The supervisor's effects as system calls.
 */
import { type ErrorName, errno, SystemError } from '../../protocol/errno.ts';
import { service } from '../../protocol/service.ts';
import {
  alarm,
  exit,
  type Handle,
  halt,
  ipcCallBegin,
  ipcCallPoll,
  ipcInfo,
  ipcRelease,
  ipcResting,
  kill,
  log,
  serviceDebug,
  serviceForget,
  serviceLost,
  servicePort,
  spawn,
  storePut,
  taskList,
  uptime,
  waitpid,
} from '../lib/index.ts';
import type { Effects } from './effects.ts';

/** Number of init's one alarm. */
const ALARM = 1;

/** Key of the saved state in the recovery store. */
export const STATE_KEY = 'state';

/** Runs a system call; answers undefined when it fails with one of these errors. */
function unless<T>(errors: readonly ErrorName[], call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    if (error instanceof SystemError && errors.includes(error.code)) return undefined;
    throw error;
  }
}

/** The effects of an init that is served at `port`. */
export function kernelEffects(port: Handle): Effects {
  // Ports outlive the incarnations of their services, so one right each is enough until a port is destroyed.
  const ports = new Map<string, Handle>();
  const calls = new Map<number, string>();
  const portOf = (name: string): Handle | undefined => {
    const known = ports.get(name) ?? unless(['ENOENT'], () => servicePort(name));
    if (known !== undefined) ports.set(name, known);
    return known;
  };
  const forgetPort = (name: string): void => {
    const known = ports.get(name);
    if (known === undefined) return;
    ports.delete(name);
    ipcRelease(known);
  };
  return {
    now: uptime,
    spawn: (name) => spawn(name, [], port),
    kill: (pid, signal) => unless(['ESRCH'], () => kill(pid, signal)),
    reap: (pid) => unless(['ECHILD', 'ETIMEDOUT'], () => waitpid(pid, 0)),
    tasks: taskList,
    hasPort: (name) => portOf(name) !== undefined,
    received: (pid) => {
      const own = ipcInfo().filter((row) => row.receiver === pid && row.name !== '');
      return own.length === 0 ? undefined : own.reduce((sum, row) => sum + row.received, 0);
    },
    occupation: (pid) => {
      const row = taskList().find((task) => task.pid === pid);
      if (row?.waitsFor === 'io_vector') return { waitsFor: 'device', turns: row.switches };
      return row?.waitsFor === 'ipc_call' ? { waitsFor: 'task', turns: row.switches } : undefined;
    },
    resting: () => new Set(ipcResting()),
    ask: (name, request, timeoutMs) => {
      const target = portOf(name);
      if (target === undefined) return undefined;
      const { number } = service.methods[request];
      const call = ipcCallBegin(target, { interface: service.number, method: number, data: null }, timeoutMs);
      calls.set(call, name);
      return call;
    },
    outcome: (call) => {
      const status = ipcCallPoll(call)?.status;
      if (status === undefined) return undefined;
      if (status === errno.EPIPE) forgetPort(calls.get(call) ?? '');
      calls.delete(call);
      return status;
    },
    lost: (name) => {
      forgetPort(name);
      unless(['ENOENT'], () => serviceLost(name));
    },
    forget: (name) => {
      try {
        serviceForget(name);
      } catch (error) {
        // One that has never been started is not known to the kernel.
        if (error instanceof SystemError && error.code === 'ENOENT') return true;
        if (error instanceof SystemError && error.code === 'EBUSY') return false;
        throw error;
      }
      return true;
    },
    debug: serviceDebug,
    wakeAfter: (milliseconds) => alarm(port, ALARM, milliseconds ?? 0),
    save: (state) => {
      try {
        storePut(STATE_KEY, state);
        return true;
      } catch (error) {
        if (!(error instanceof SystemError)) throw error;
        log(`state not saved: ${error.message}`, 'error');
        return false;
      }
    },
    log,
    halt,
    leave: () => exit(0),
  };
}
