/** Cases on tasks: starting, ending, waiting for children, the tree, signals. */
import {
  MAX_ARGUMENT_BYTES,
  MAX_ARGUMENTS,
  MAX_ARGUMENTS_BYTES,
  MAX_REASON_BYTES,
  MAX_TIMEOUT_MILLISECONDS,
} from '../../../protocol/bounds.ts';
import { kernelNotices } from '../../../protocol/kernel.ts';
import { signals } from '../../../protocol/signal.ts';
import {
  FOREVER,
  getpid,
  getppid,
  ipcCreatePort,
  ipcDestroyPort,
  ipcRecv,
  kill,
  spawn,
  taskCapabilities,
  taskList,
  uptime,
  waitpid,
} from '../../../services/lib/index.ts';
import { type Cases, equal, fails, holds, present } from './check.ts';
import { eventually, Puppet, post } from './puppet.ts';

const stateOf = (puppet: Puppet): string | undefined => puppet.row?.state;

export const taskCases: Cases = {
  'a task knows its pid and its parent, and the table has a row for it': () => {
    const client = new Puppet('client');
    equal(client.do('getpid'), client.pid, 'pid');
    equal([client.do('getppid'), getppid()], [getpid(), 0], 'parents');
    const row = present(client.row, 'row');
    equal([row.name, row.parent, row.state, row.waitsFor], ['client', getpid(), 'BLOCKED', 'ipc_recv'], 'row');
    holds(row.host > 0 && row.memoryBytes > 1024 * 1024 && row.cpuMilliseconds > 0, 'figures of the host');
    holds(row.systemCalls > 3 && row.messages > 1 && row.switches > 1 && row.bytes > 100, 'figures of the kernel');
    const sleeper = client.begin('sleep', 100);
    eventually(() => stateOf(client) === 'SLEEPING', 'SLEEPING');
    sleeper.result();
    equal(present(taskList()[0], 'first').state, 'RUNNING', 'who asks is running');
  },
  'spawn refuses what the configuration does not have or the manifest does not allow': () => {
    const second = new Puppet('second');
    fails('ENOENT', () => spawn('nobody'));
    fails('EBUSY', () => spawn('second'));
    fails('EBADF', () => spawn('helper', [], 12345));
    fails('EPERM', () => second.do('spawn', 'server'));
    const pid = second.do('spawn', 'helper', ['sleep']);
    equal(taskList().find((row) => row.pid === pid)?.parent, second.pid, 'parent');
    fails('EPERM', () => second.do('kill', getpid(), 'KILL'));
    second.do('kill', pid, 'KILL');
    equal(second.do('waitpid', pid, 5000), { pid, status: 137, signal: 9 }, 'how it ended');
  },
  'a task gets as many arguments as there may be, and no more': () => {
    const first = ['end', '7'];
    const long = Array.from({ length: MAX_ARGUMENTS_BYTES / MAX_ARGUMENT_BYTES }, () => 'x'.repeat(MAX_ARGUMENT_BYTES));
    const last = 'x'.repeat(MAX_ARGUMENT_BYTES - first.join('').length);
    const most = [...first, ...long.slice(1), last];
    equal(waitpid(spawn('helper', most), 5000).status, 7, 'it ran');
    fails('E2BIG', () => spawn('helper', [...most, 'x']));
    const many = [...first, ...Array.from({ length: MAX_ARGUMENTS - 2 }, () => '')];
    equal(waitpid(spawn('helper', many), 5000).status, 7, 'it ran');
    fails('EINVAL', () => spawn('helper', [...many, '']));
    fails('EINVAL', () => spawn('helper', [`${'x'.repeat(MAX_ARGUMENT_BYTES)}x`]));
  },
  'waitpid answers how a child ended, and takes it off the table': () => {
    const client = new Puppet('client');
    const helper = new Puppet('helper');
    fails('ETIMEDOUT', () => waitpid(0, 20));
    fails('EINVAL', () => waitpid(0, MAX_TIMEOUT_MILLISECONDS + 1));
    fails('ECHILD', () => waitpid(getpid(), FOREVER));
    fails('ECHILD', () => client.do('waitpid', 0, FOREVER));
    helper.begin('exit', 3);
    eventually(() => stateOf(helper) === 'ZOMBIE', 'ZOMBIE');
    equal(helper.row?.host, 0, 'a zombie has no process');
    equal(taskCapabilities(helper.pid), [], 'nor capabilities');
    fails('ESRCH', () => kill(helper.pid, 'TERM'));
    equal(waitpid(0, FOREVER), { pid: helper.pid, status: 3, signal: 0 }, 'any child');
    fails('ECHILD', () => waitpid(helper.pid, 0));
    equal(helper.row ?? null, null, 'its row is gone');
    client.begin('exit', 0);
    equal(
      waitpid(client.pid, FOREVER),
      { pid: client.pid, status: 0, signal: 0 },
      'one child, waited for while it runs',
    );
    helper.forget();
    client.forget();
  },
  'the end of a child is told to the port its parent named': () => {
    const port = ipcCreatePort();
    const client = new Puppet('client', port);
    client.begin('exit', 7);
    const notice = ipcRecv([port], 5000);
    const { exit } = kernelNotices.methods;
    equal([notice.notice, notice.method, notice.reply], [true, exit.number, 0], 'a notice');
    const { pid, name, status, signal } = exit.request.fromWire(notice.data, []);
    equal([pid, name, status, signal], [client.pid, 'client', 7, 0], 'its content');
    client.reap();
    ipcDestroyPort(port);
  },
  'children of a dead task go to init': () => {
    const second = new Puppet('second');
    const [running, zombie] = [1, 2].map(() => second.do('spawn', 'helper', ['sleep']));
    kill(present(zombie, 'pid'), 'KILL');
    const row = (pid: number | undefined) => taskList().find((task) => task.pid === pid);
    eventually(() => row(zombie)?.state === 'ZOMBIE', 'ZOMBIE');
    second.kill();
    equal(row(running)?.parent, getpid(), 'the new parent');
    equal(row(zombie) ?? null, null, 'nobody waits for a zombie of a dead parent');
    kill(present(running, 'pid'), 'KILL');
    eventually(() => row(running) === undefined, 'the end of an orphan, which nobody waits for');
  },
  'STOP holds a task until CONT, whatever it is sent meanwhile': () => {
    const server = new Puppet('server');
    const port = server.do('ipcCreateNamedPort', 'server');
    const client = new Puppet('client');
    const right = client.do('ipcFindPort', 'server');
    kill(server.pid, 'STOP');
    equal(stateOf(server), 'STOPPED', 'state');
    const receive = server.begin('ipcRecv', [port]);
    const call = client.begin('ipcCall', right, post('question'));
    client.waitsIn('ipc_call');
    const end = uptime() + 50;
    while (uptime() < end) equal(receive.done(), false, 'it does something while it is stopped');
    kill(server.pid, 'CONT');
    server.do('ipcReply', receive.result().reply, 0, 'answer');
    equal(call.result().data, 'answer', 'answer');
    // One that computes is stopped too, and a stopped one can be killed.
    client.begin('spin');
    eventually(() => stateOf(client) === 'RUNNING', 'RUNNING');
    kill(client.pid, 'STOP');
    equal(stateOf(client), 'STOPPED', 'state');
    equal(client.kill(), { status: 137, signal: 9 }, 'how it ended');
  },
  'signals end a task, or come as notices to its signal port': () => {
    const client = new Puppet('client');
    const server = new Puppet('server');
    equal(client.kill('TERM'), { status: 143, signal: 15 }, 'how it ended');
    const port = server.do('ipcCreatePort');
    fails('EBADF', () => server.do('signalPort', 0xfff0001 as typeof port));
    server.do('signalPort', port);
    kill(server.pid, 'TERM');
    kill(server.pid, 'INT');
    for (const expected of [signals.TERM, signals.INT]) {
      const { method, notice, data } = server.do('ipcRecv', [port]);
      const content = kernelNotices.methods.signal.request.fromWire(data, []);
      equal([notice, method, content.signal], [true, kernelNotices.methods.signal.number, expected], 'signal');
    }
    fails('EINVAL', () => kill(server.pid, 77));
    fails('EINVAL', () => kill(server.pid, 0));
    fails('ESRCH', () => kill(12_345, 'TERM'));
    equal(server.kill(), { status: 137, signal: 9 }, 'KILL asks nobody');
  },
  'only who may signals, schedules and supervises': () => {
    const [client, server] = [new Puppet('client'), new Puppet('server')];
    fails('EPERM', () => client.do('kill', server.pid, 'TERM'));
    fails('EPERM', () => client.do('scheduler', 'cfs'));
    fails('EPERM', () => client.do('setPriority', server.pid, 1, 1));
    fails('EPERM', () => client.do('halt', 0, false, ''));
    fails('EINVAL', () => client.do('halt', 0, false, 'x'.repeat(MAX_REASON_BYTES + 1)));
    fails('EPERM', () => client.do('manifestList'));
    fails('EPERM', () => client.do('serviceDebug', 'server'));
    fails('EPERM', () => client.do('servicePort', 'server'));
    fails('EPERM', () => client.do('spawn', 'second'));
    equal(client.do('scheduler').policies, ['rr', 'priority', 'hrrn', 'cfs'], 'anybody may look');
    client.begin('kill', client.pid, 'KILL');
    equal(client.reap(), { status: 137, signal: 9 }, 'and end itself');
  },
};
