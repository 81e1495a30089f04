/**
 * Typed clients: a proxy whose methods call the server and check its answer.
 */
import { FOREVER } from '../../protocol/bounds.ts';
import type { Client, Interface, Method, Methods } from '../../protocol/interface.ts';
import type { Handle } from '../../protocol/schema.ts';
import { type Answer, ipcCall, ipcFindPort, ipcSend, releaseRights } from './ipc.ts';

/** A client of `definition` on a send right. Each call waits at most `timeout` milliseconds. */
export function client<M extends Methods>(definition: Interface<M>, port: Handle, timeout = FOREVER): Client<M> {
  const calls: Record<string, (request: unknown) => unknown> = {};
  for (const [name, method] of Object.entries<Method<unknown, unknown>>(definition.methods)) {
    calls[name] = (request) => {
      const rights: Handle[] = [];
      const data = method.request.toWire(request, rights);
      const answer = ipcCall(port, { interface: definition.number, method: method.number, data, rights }, timeout);
      return replyOf(method, answer);
    };
  }
  return calls as Client<M>;
}

/**
 * The checked answer. Rights that do not belong there are given up, so that a server cannot fill its client's table.
 */
function replyOf(method: Method<unknown, unknown>, { data, rights }: Answer): unknown {
  const received = [...rights];
  try {
    const reply = method.reply.fromWire(data, rights);
    releaseRights(rights);
    return reply;
  } catch (error) {
    releaseRights(received);
    throw error;
  }
}

/** Like `client` for one-way messages: each method posts and does not wait. */
export function poster<M extends Methods>(definition: Interface<M>, port: Handle): Client<M> {
  const calls: Record<string, (request: unknown) => void> = {};
  for (const [name, method] of Object.entries<Method<unknown, unknown>>(definition.methods)) {
    calls[name] = (request) => {
      const rights: Handle[] = [];
      const data = method.request.toWire(request, rights);
      ipcSend(port, { interface: definition.number, method: method.number, data, rights });
    };
  }
  return calls as Client<M>;
}

/** Finds a named port, waiting up to `wait` milliseconds for it, and answers a client on it. */
export function connect<M extends Methods>(definition: Interface<M>, name: string, wait = 10000): Client<M> {
  return client(definition, ipcFindPort(name, wait));
}
