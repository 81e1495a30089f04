/**
 * Calls of a server that must not wait for others: a call begins, and its end comes as an event between two messages. The kernel posts the notice `answered` to the
 * port of the server, whose loop (server.ts) hands it on to here.
 */
import { SystemError } from '../../protocol/errno.ts';
import type { Interface, Method, Methods, Reply, Request } from '../../protocol/interface.ts';
import type { Handle } from '../../protocol/schema.ts';
import { type CallResult, ipcCallBegin, ipcCallPoll, releaseRights } from './ipc.ts';

/** How a call ended. */
export type Outcome<A> = { readonly ok: true; readonly value: A } | { readonly ok: false; readonly error: SystemError };

/** A client whose methods return at once and hand the outcome to `done` later. */
export type AsynchronousClient<M> = {
  readonly [K in keyof M]: (request: Request<M[K]>, done: (outcome: Outcome<Reply<M[K]>>) => void) => void;
};

/** Calls under way at most; the kernel allows 256 of a task, and ordinary ones need some. */
export const MAX_ASYNCHRONOUS_CALLS = 200;

const underWay = new Map<number, (result: CallResult) => void>();

/**
 * A client of `definition` on a send right. `own` is the port of the program that `run` serves; every call ends after `timeout` milliseconds at the latest. With too many
 * calls under way the outcome is EAGAIN, at once.
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
      underWay.set(ipcCallBegin(port, message, timeout, own), (result) => done(outcomeOf(method, result)));
    };
  }
  return calls as AsynchronousClient<M>;
}

/** The notice `answered` has come. Those of an earlier incarnation mean nothing here. */
export function callAnswered(call: number): void {
  const done = underWay.get(call);
  if (done === undefined) return;
  const result = ipcCallPoll(call);
  if (result === undefined) return;
  underWay.delete(call);
  done(result);
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
