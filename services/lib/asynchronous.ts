/**
 * Calls of a server that must not wait for others: a call begins, and its end comes as an event between two messages.
 * The kernel posts the notice `answered` to the port of the server, whose loop (server.ts) hands it on to here.
 */
import { MAX_OUTSTANDING_CALLS } from '../../protocol/bounds.ts';
import { SystemError } from '../../protocol/errno.ts';
import type { Interface, Method, Methods, Reply, Request } from '../../protocol/interface.ts';
import type { Handle } from '../../protocol/schema.ts';
import { type CallResult, ipcCallBegin, ipcCallPoll, ipcFindBegin, ipcFindPoll, releaseRights } from './ipc.ts';

/** How a call ended. */
export type Outcome<A> = { readonly ok: true; readonly value: A } | { readonly ok: false; readonly error: SystemError };

/** A client whose methods return at once and hand the outcome to `done` later. */
export type AsynchronousClient<M> = {
  readonly [K in keyof M]: (request: Request<M[K]>, done: (outcome: Outcome<Reply<M[K]>>) => void) => void;
};

/** Calls under way at most; ordinary ones need some of those that the kernel allows a task. */
export const MAX_ASYNCHRONOUS_CALLS = MAX_OUTSTANDING_CALLS - 64;

/** By number of the call: hands its outcome on, if it is there. */
const underWay = new Map<number, () => boolean>();

/** Forgets calls that are under way: they were made in a rehearsal, and will not be answered. */
export const forgetCalls = (): void => underWay.clear();

/**
 * A client of `definition` on a send right. `own` is the port of the program that `run` serves; every call ends after
 * `timeout` milliseconds at the latest. With too many calls under way the outcome is EAGAIN, at once.
 */
export function asynchronousClient<M extends Methods>(
  definition: Interface<M>,
  port: Handle,
  own: Handle,
  timeout: number,
): AsynchronousClient<M> {
  const calls: Record<string, (request: unknown, done: (outcome: Outcome<unknown>) => void) => void> = {};
  for (const [name, method] of Object.entries<Method<unknown, unknown>>(definition.methods)) {
    calls[name] = (request, done) => {
      if (underWay.size >= MAX_ASYNCHRONOUS_CALLS) {
        done({ ok: false, error: new SystemError('EAGAIN', 'too many calls under way') });
        return;
      }
      const rights: Handle[] = [];
      const data = method.request.toWire(request, rights);
      const message = { interface: definition.number, method: method.number, data, rights };
      const call = ipcCallBegin(port, message, timeout, own);
      underWay.set(call, () => {
        const result = ipcCallPoll(call);
        if (result !== undefined) done(outcomeOf(method, result));
        return result !== undefined;
      });
    };
  }
  return calls as AsynchronousClient<M>;
}

/** Tells how a call that was begun has ended, once; undefined: it has not. */
export type Ended<A> = () => Outcome<A> | undefined;

/**
 * Begins a call to the server of `port`, which ends after `timeout` milliseconds at the latest. Its end is not told of:
 * it is known after the end of any ordinary call that was made later and answered later.
 */
export function beginCall<M extends Methods, K extends keyof M>(
  definition: Interface<M>,
  port: Handle,
  name: K,
  request: Request<M[K]>,
  timeout: number,
): Ended<Reply<M[K]>> {
  const method = definition.methods[name] as Method<unknown, unknown>;
  const rights: Handle[] = [];
  const data = method.request.toWire(request, rights);
  const call = ipcCallBegin(port, { interface: definition.number, method: method.number, data, rights }, timeout);
  return () => {
    const result = ipcCallPoll(call);
    return result === undefined ? undefined : (outcomeOf(method, result) as Outcome<Reply<M[K]>>);
  };
}

/**
 * Finds a named port, waiting up to `timeout` milliseconds for it, and hands a send right to `done` later. `own` as
 * above. `patient`: waits also for a service that has been given up, instead of EIO.
 */
export function findPortLater(
  name: string,
  own: Handle,
  timeout: number,
  done: (outcome: Outcome<Handle>) => void,
  patient = false,
): void {
  const call = ipcFindBegin(name, timeout, own, patient);
  underWay.set(call, () => {
    let outcome: Outcome<Handle>;
    try {
      const value = ipcFindPoll(call);
      if (value === undefined) return false;
      outcome = { ok: true, value };
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      outcome = { ok: false, error };
    }
    done(outcome);
    return true;
  });
}

/** The notice `answered` has come. Those of an earlier incarnation mean nothing here. */
export function callAnswered(call: number): void {
  const finish = underWay.get(call);
  if (finish === undefined) return;
  underWay.delete(call);
  if (!finish()) underWay.set(call, finish);
}

/** The checked answer. Rights that do not belong there are given up. */
function outcomeOf(method: Method<unknown, unknown>, { error, data, rights }: CallResult): Outcome<unknown> {
  if (error !== null) return { ok: false, error };
  const received = [...rights];
  try {
    const value = method.reply.fromWire(data, rights);
    releaseRights(rights);
    return { ok: true, value };
  } catch (wrong) {
    if (!(wrong instanceof SystemError)) throw wrong;
    releaseRights(received);
    return { ok: false, error: wrong };
  }
}
