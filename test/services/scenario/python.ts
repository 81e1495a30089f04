/**
 * Cases with a service written in Python (test/python/service.py): it is called, it calls, and it is recovered like any
 * other.
 */
import {
  type Handle,
  ipcCall,
  ipcCallBegin,
  ipcCallPoll,
  ipcFindPort,
  ipcRelease,
  kill,
  spawn,
  taskList,
  uptime,
  waitpid,
} from '../../../services/lib/index.ts';
import { type Cases, equal, fails, present } from './check.ts';
import { eventually, Puppet } from './puppet.ts';

const INTERFACE = 0x8001;

/** Runs an action with the Python service and a right to its port. */
function withPython(action: (port: Handle, pid: number) => void): void {
  const pid = spawn('python');
  const port = ipcFindPort('python', 10_000);
  let last = pid;
  try {
    action(port, pid);
    last = present(
      taskList().find(({ name }) => name === 'python'),
      'the Python service',
    ).pid;
  } finally {
    kill(last, 'KILL');
    waitpid(last, 5000);
    ipcRelease(port);
  }
}

const ask = (port: Handle, method: number, data: unknown): unknown =>
  ipcCall(port, { interface: INTERFACE, method, data }, 5000).data;

export const pythonCases: Cases = {
  'is called by a service in JavaScript, with values and errors': () => {
    withPython((port, pid) => {
      equal(ask(port, 1, 'Grüße, VROS'), 'SORV ,eßürG', 'a text');
      equal(ask(port, 2, [1, 2.5, -7, 2 ** 40]), 2 ** 40 - 3.5, 'numbers');
      fails('EINVAL', () => ask(port, 2, ['one']));
      fails('EINVAL', () => ask(port, 99, null));
      // It has answered, and waits for the next message a moment later.
      eventually(() => {
        const row = taskList().find((task) => task.pid === pid);
        return row?.name === 'python' && row.state === 'BLOCKED' && row.waitsFor === 'ipc_recv';
      }, 'the task waits');
    });
  },
  'calls a service in JavaScript': () => {
    withPython((port) => {
      const server = new Puppet('server');
      const served = server.do('ipcCreateNamedPort', 'server');
      const call = ipcCallBegin(port, { interface: INTERFACE, method: 3, data: 'is anybody there?' }, 5000);
      const request = server.do('ipcRecv', [served], 5000);
      equal([request.interface, request.method, request.data], [INTERFACE, 1, 'is anybody there?'], 'request');
      server.do('ipcReply', request.reply, 0, { yes: [Buffer.from('I am'), true] });
      eventually(() => {
        uptime();
        const result = ipcCallPoll(call);
        if (result === undefined) return false;
        equal(result.data, { yes: [Buffer.from('I am'), true] }, 'answer');
        return true;
      }, 'the answer');
    });
  },
  'is replaced when it dies, and gets its request again': () => {
    withPython((port, pid) => {
      const incarnation = present(
        taskList().find((task) => task.pid === pid),
        'row',
      ).incarnation;
      equal(ask(port, 4, null), [incarnation, false], 'incarnation');
      // While it waits for an answer of its own, it owes one.
      const server = new Puppet('server');
      const served = server.do('ipcCreateNamedPort', 'server');
      const call = ipcCallBegin(port, { interface: INTERFACE, method: 3, data: 'first' }, 10_000);
      server.do('ipcRecv', [served], 5000);
      kill(pid, 'KILL');
      waitpid(pid, 5000);
      spawn('python');
      const again = server.do('ipcRecv', [served], 10_000);
      equal([again.data, again.sender === pid], ['first', false], 'the same question of the next incarnation');
      server.do('ipcReply', again.reply, 0, 'answered');
      eventually(() => {
        uptime();
        return ipcCallPoll(call)?.data === 'answered';
      }, 'the answer');
    });
  },
};
