/** Cases on ports: making, finding, destroying them, their bounds and their counters. */

import {
  MAX_OUTSTANDING_CALLS,
  MAX_PORTS_PER_TASK,
  MAX_TIMEOUT_MILLISECONDS,
  PORT_QUEUE_MESSAGES,
  PORT_WAITING_CALLS,
} from '../../../protocol/bounds.ts';
import { errno } from '../../../protocol/errno.ts';
import { FOREVER, ipcFindPort, ipcInfo, uptime } from '../../../services/lib/index.ts';
import { type Cases, equal, fails, holds, present } from './check.ts';
import { Puppet, post } from './puppet.ts';

const row = (name: string) =>
  present(
    ipcInfo().find((port) => port.name === name),
    name,
  );

export const portCases: Cases = {
  'a named port is found by whoever may look it up, and by nobody else': () => {
    const server = new Puppet('server');
    const client = new Puppet('client');
    fails('ENOENT', () => client.do('ipcFindPort', 'server', 0));
    server.do('ipcCreateNamedPort', 'server');
    holds(client.do('ipcFindPort', 'server', 0) !== 0, 'a handle');
    fails('EPERM', () => client.do('ipcFindPort', 'secret', 0));
    fails('EPERM', () => client.do('ipcCreateNamedPort', 'server'));
    fails('EEXIST', () => server.do('ipcCreateNamedPort', 'server'));
    fails('EINVAL', () => server.do('ipcCreateNamedPort', ''));
    fails('ENAMETOOLONG', () => server.do('ipcCreateNamedPort', 'é'.repeat(33)));
    fails('EINVAL', () => client.do('ipcFindPort', 'server', MAX_TIMEOUT_MILLISECONDS + 1));
  },
  'finding waits for the port to be made, as long as it is told to': () => {
    const client = new Puppet('client');
    const server = new Puppet('server');
    const first = client.begin('ipcFindPort', 'extra', FOREVER);
    client.waitsIn('ipc_find_port');
    equal(first.done(), false, 'found before it was made');
    server.do('ipcCreateNamedPort', 'extra');
    holds(first.result() !== 0, 'a handle');
    new Puppet('second');
    fails('ENOENT', () => client.do('ipcFindPort', 'second', 20));
  },
  'finding does not wait for a port that no program and no template of one serves': () => {
    fails('ENOENT', () => ipcFindPort('nobody', FOREVER));
    const before = uptime();
    fails('ENOENT', () => ipcFindPort('disk@none', 20));
    holds(uptime() - before >= 20, 'an instance of a template is waited for');
  },
  'destroying a port answers who waits there and who is owed an answer with EPIPE': () => {
    const server = new Puppet('server');
    const client = new Puppet('client');
    const other = new Puppet('second');
    const port = server.do('ipcCreateNamedPort', 'server');
    const right = client.do('ipcFindPort', 'server');
    const owed = client.begin('ipcCall', right, post('owed'));
    const { reply } = server.do('ipcRecv', [port]);
    const queued = other.begin('ipcCall', other.do('ipcFindPort', 'server'), post('queued'));
    other.waitsIn('ipc_call');
    server.do('ipcDestroyPort', port);
    fails('EPIPE', () => owed.result());
    fails('EPIPE', () => queued.result());
    fails('EPIPE', () => client.do('ipcSend', right, post(1)));
    fails('EPIPE', () => client.do('ipcCall', right, post(1)));
    fails('EBADF', () => server.do('ipcRecv', [port]));
    fails('EBADF', () => server.do('ipcDestroyPort', port));
    // The late answer is dropped.
    server.do('ipcReply', reply, 0, null);
    fails('ENOENT', () => client.do('ipcFindPort', 'server'));
    // The name is free again, and another port has it.
    server.do('ipcCreateNamedPort', 'server');
    fails('EPIPE', () => client.do('ipcSend', right, post(1)));
  },
  'a handle that was given up is refused, also when its entry is used again': () => {
    const server = new Puppet('server');
    const port = server.do('ipcCreatePort');
    const first = server.do('ipcMint', port, 1);
    server.do('ipcRelease', first);
    fails('EBADF', () => server.do('ipcSend', first, post(1)));
    fails('EBADF', () => server.do('ipcRelease', first));
    const second = server.do('ipcMint', port, 2);
    equal(second & 0xffff, first & 0xffff, 'the entry is used again');
    holds(second !== first, 'with another generation');
    fails('EBADF', () => server.do('ipcSend', first, post(1)));
    server.do('ipcSend', second, post(1));
    fails('EBADF', () => server.do('ipcMint', second, 1));
    fails('EBADF', () => server.do('ipcDuplicate', port));
    fails('EBADF', () => server.do('ipcSend', port, post(1)));
  },
  'counters of a port count': () => {
    const server = new Puppet('server');
    const client = new Puppet('client');
    const port = server.do('ipcCreateNamedPort', 'server');
    const before = row('server');
    equal([before.owner, before.receiver], ['server', server.pid], 'owner and receiver');
    const right = client.do('ipcFindPort', 'server');
    for (let index = 0; index < PORT_QUEUE_MESSAGES; index++) client.do('ipcSend', right, post(index));
    fails('EAGAIN', () => client.do('ipcSend', right, post('too many')));
    const call = client.begin('ipcCall', right, post('waits behind'), 5000);
    client.waitsIn('ipc_call');
    const full = row('server');
    equal([full.queued, full.waiting, full.owed], [PORT_QUEUE_MESSAGES, 1, 0], 'queued, waiting, owed');
    equal([full.sent - before.sent, full.refused - before.refused], [PORT_QUEUE_MESSAGES + 1, 1], 'sent, refused');
    for (let index = 0; index < PORT_QUEUE_MESSAGES; index++) {
      equal(server.do('ipcRecv', [port]).data, index, 'messages come in order');
    }
    const { reply } = server.do('ipcRecv', [port]);
    const served = row('server');
    equal([served.queued, served.waiting, served.owed], [0, 0, 1], 'queued, waiting, owed');
    equal(served.received - before.received, PORT_QUEUE_MESSAGES + 1, 'received');
    server.do('ipcReply', reply, 0, 'ok');
    equal(call.result().data, 'ok', 'answer');
    equal(row('server').owed, 0, 'owed');
  },
  'beyond the queue callers wait, up to a bound, and those of a lost service get EIO': () => {
    const server = new Puppet('server');
    const port = server.do('ipcCreateNamedPort', 'server');
    const callers = Array.from({ length: 5 }, () => new Puppet('helper'));
    const each = MAX_OUTSTANDING_CALLS - 8;
    const begun = callers.map((caller) => caller.do('callMany', caller.do('ipcFindPort', 'server'), each));
    const room = PORT_QUEUE_MESSAGES + PORT_WAITING_CALLS;
    const refused = begun.reduce((sum, statuses) => sum + (statuses[errno.EAGAIN] ?? 0), 0);
    equal(refused, callers.length * each - room, 'calls refused');
    equal(row('server').waiting, PORT_WAITING_CALLS, 'waiting');
    server.do('ipcRelease', port);
    server.kill();
  },
  'a task has a bounded number of calls under way': () => {
    const server = new Puppet('server');
    server.do('ipcCreateNamedPort', 'server');
    const client = new Puppet('client');
    const statuses = client.do('callMany', client.do('ipcFindPort', 'server'), MAX_OUTSTANDING_CALLS + 20, 0, 2000);
    equal(statuses, { [errno.EAGAIN]: 20, [errno.ETIMEDOUT]: MAX_OUTSTANDING_CALLS }, 'calls by status');
  },
  'a task makes a bounded number of ports': () => {
    const server = new Puppet('server');
    equal(server.do('makePorts'), MAX_PORTS_PER_TASK - 1, 'ports besides the command port');
  },
};
