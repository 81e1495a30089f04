/**
 * syscall: makes every system call that does no harm, rightly and wrongly, and compares what comes back with
 * protocol/syscall.ts. The test runs in a task of its own, whose manifest gives it no devices and no power over the
 * machine.
 */
import { FOREVER } from '../../../protocol/bounds.ts';
import { type SystemCallName, systemCalls } from '../../../protocol/syscall.ts';
import {
  getpid,
  getppid,
  type Handle,
  ipcCreatePort,
  ipcMint,
  ipcRecv,
  ipcSend,
  ipcTryRecv,
  startInformation,
  startRights,
  systemCall,
  systemCallHandle,
  taskList,
  uptime,
} from '../../lib/index.ts';
import { Checks, expect, expectError } from '../checks.ts';
import { expectWords, type Run } from '../command.ts';

const GOOD_CALLS = 2000;
const NO_HANDLE = 0x7fff_ffff as Handle;
const NO_PID = 0x7fff_ffff;
/** More than all together may have, and still in one frame. */
const LONG_ARGUMENTS = Array.from({ length: 16 }, () => 'x'.repeat(62_000));
const WIDTH_3 = 3 * 0x10000;
const message = { interface: 0xffff, method: 1, data: null };

/** A test of one call: answers what to say. */
type Test = () => string;

/** What each error was provoked by. */
function refused(...errors: readonly (readonly [code: string, act: () => unknown])[]): string {
  return `refused: ${errors.map(([code, act]) => expectError(code, act)).join(', ')}`;
}

const taskTests: Partial<Record<SystemCallName, Test>> = {
  task_start: () => refused(['EBUSY', () => systemCall('task_start', undefined, 1)]),
  exit: () => refused(['EINVAL', () => systemCall('exit', { status: 256 })]),
  getpid: () => {
    expect(getpid() === startInformation.pid, `${getpid()} is not ${startInformation.pid}`);
    return String(getpid());
  },
  getppid: () => {
    expect(
      taskList().some(({ pid }) => pid === getppid()),
      `there is no task ${getppid()}`,
    );
    return String(getppid());
  },
  spawn: () =>
    refused(
      ['EPERM', () => systemCall('spawn', { name: 'shell', arguments: [], notify: 0, rights: [] })],
      ['EINVAL', () => systemCall('spawn', { name: '', arguments: [], notify: 0, rights: [] })],
      ['E2BIG', () => systemCall('spawn', { name: 'job', arguments: LONG_ARGUMENTS, notify: 0, rights: [] })],
    ),
  start_rights: () => {
    const rights = startRights();
    expect(new Set(rights).size === rights.length, 'a right stands there twice');
    return `${rights.length} rights`;
  },
  waitpid: () => refused(['ECHILD', () => systemCall('waitpid', { pid: 0, timeout: 0 })]),
  kill: () =>
    refused(
      ['ESRCH', () => systemCall('kill', { pid: NO_PID, signal: 15 })],
      ['EINVAL', () => systemCall('kill', { pid: startInformation.pid, signal: 77 })],
    ),
  yield: () => {
    systemCall('yield', undefined);
    return '';
  },
  sleep: () => {
    const before = uptime();
    systemCall('sleep', { milliseconds: 5 });
    const slept = uptime() - before;
    expect(slept >= 4.9, `slept ${slept.toFixed(1)} ms instead of 5`);
    return `5 ms took ${slept.toFixed(1)} ms; ${refused(['EINVAL', () => systemCall('sleep', { milliseconds: -1 })])}`;
  },
  fork: () => refused(['ENOSYS', () => systemCall('fork', undefined)]),
  execve: () => refused(['ENOSYS', () => systemCall('execve', undefined)]),
  task_list: () => {
    const own = systemCall('task_list', undefined).find(({ pid }) => pid === startInformation.pid);
    expect(own?.state === 'RUNNING' && own.name === startInformation.name, 'this task is not in it as running');
    return `${taskList().length} tasks`;
  },
  task_capabilities: () => {
    const own = systemCall('task_capabilities', { pid: startInformation.pid });
    expect(own.length > 0, 'this task has none');
    return `${own.length} of this task; ${refused(['ESRCH', () => systemCall('task_capabilities', { pid: NO_PID })])}`;
  },
  signal_port: () => refused(['EBADF', () => systemCall('signal_port', undefined, NO_HANDLE)]),
  scheduler: () => {
    const { policy } = systemCall('scheduler', { policy: '' });
    return `${policy}; ${refused(['ENOENT', () => systemCall('scheduler', { policy: 'nonsense' })])}`;
  },
  set_priority: () => {
    const { pid } = startInformation;
    systemCall('set_priority', { pid, priority: 16, weight: 1024 });
    return refused(
      ['EINVAL', () => systemCall('set_priority', { pid, priority: 32, weight: 1024 })],
      ['EINVAL', () => systemCall('set_priority', { pid, priority: 16, weight: 0 })],
      ['ESRCH', () => systemCall('set_priority', { pid: NO_PID, priority: 16, weight: 1024 })],
    );
  },
};

const messageTests: Partial<Record<SystemCallName, Test>> = {
  ipc_create_port: () => {
    const port = ipcCreatePort();
    systemCall('ipc_destroy_port', undefined, port);
    return `made and destroyed; ${refused(['EBADF', () => systemCall('ipc_destroy_port', undefined, port)])}`;
  },
  ipc_create_named_port: () =>
    refused(
      ['EPERM', () => systemCall('ipc_create_named_port', { name: 'nonsense' })],
      ['ENAMETOOLONG', () => systemCall('ipc_create_named_port', { name: 'x'.repeat(65) })],
    ),
  ipc_find_port: () => {
    systemCall('ipc_release', undefined, systemCallHandle('ipc_find_port', { name: 'tty', timeout: 0 }));
    return `tty; ${refused(['EPERM', () => systemCall('ipc_find_port', { name: 'nonsense', timeout: 0 })])}`;
  },
  ipc_destroy_port: () => refused(['EBADF', () => systemCall('ipc_destroy_port', undefined, NO_HANDLE)]),
  ipc_send: () => refused(['EBADF', () => ipcSend(NO_HANDLE, message)]),
  ipc_recv: () => {
    const port = ipcCreatePort();
    const answer = refused(['ETIMEDOUT', () => ipcRecv([port], 1)], ['EBADF', () => ipcRecv([NO_HANDLE], FOREVER)]);
    systemCall('ipc_destroy_port', undefined, port);
    return answer;
  },
  ipc_try_recv: () => {
    const port = ipcCreatePort();
    expect(ipcTryRecv([port]) === undefined, 'there was a message');
    systemCall('ipc_destroy_port', undefined, port);
    return `nothing; ${refused(['EBADF', () => ipcTryRecv([NO_HANDLE])])}`;
  },
  ipc_mint: () => {
    const port = ipcCreatePort();
    const right = ipcMint(port, 5);
    ipcSend(right, message);
    const { badge } = ipcRecv([port], 0);
    expect(badge === 5, `the badge came as ${badge}`);
    systemCall('ipc_destroy_port', undefined, port);
    return `badge 5; ${refused(['EPIPE', () => ipcSend(right, message)], ['EBADF', () => ipcMint(port, 5)])}`;
  },
  ipc_duplicate: () => refused(['EBADF', () => systemCallHandle('ipc_duplicate', undefined, NO_HANDLE)]),
  ipc_release: () => refused(['EBADF', () => systemCall('ipc_release', undefined, NO_HANDLE)]),
  ipc_info: () => {
    const rows = systemCall('ipc_info', undefined);
    expect(
      rows.some(({ name }) => name === 'tty'),
      'the port tty is not in it',
    );
    return `${rows.length} ports`;
  },
  ipc_resting: () => {
    const resting = systemCall('ipc_resting', undefined);
    expect(!resting.includes(startInformation.pid), 'this task, which runs, is in it');
    return `${resting.length} tasks`;
  },
};

const deviceTests: Partial<Record<SystemCallName, Test>> = {
  request_io_port: () =>
    refused(
      ['EPERM', () => systemCall('request_io_port', { start: 0x1f0, end: 0x1f7 })],
      ['EINVAL', () => systemCall('request_io_port', { start: 2, end: 1 })],
    ),
  in: () => refused(['EINVAL', () => systemCallHandle('in', undefined, WIDTH_3)]),
  out: () => refused(['EINVAL', () => systemCall('out', 0, WIDTH_3)]),
  ins: () => refused(['EINVAL', () => systemCall('ins', { count: 1 }, WIDTH_3)]),
  outs: () => refused(['EINVAL', () => systemCall('outs', new Uint8Array(1), WIDTH_3)]),
  io_vector: () => {
    const { ended } = systemCall('io_vector', []);
    expect(ended === -1, `an empty vector ended at ${ended}`);
    return `empty; ${refused(['EINVAL', () => systemCall('io_vector', [99])])}`;
  },
  register_irq_handler: () => refused(['EPERM', () => systemCall('register_irq_handler', { irq: 14, port: 0 })]),
  interrupt_list: () => {
    const { lines } = systemCall('interrupt_list', undefined);
    expect(lines.length === 16, `${lines.length} lines`);
    return `${lines.reduce((sum, { count }) => sum + count, 0)} interrupts`;
  },
  irq_acknowledge: () => refused(['EPERM', () => systemCall('irq_acknowledge', { irq: 14 })]),
};

const otherTests: Partial<Record<SystemCallName, Test>> = {
  uptime: () => {
    const first = uptime();
    expect(uptime() >= first && first > 0, 'it goes backwards');
    return `${first.toFixed(3)} ms`;
  },
  time: () => new Date(systemCall('time', undefined)).toISOString(),
  alarm: () => {
    const port = ipcCreatePort();
    systemCall('alarm', { alarm: 1, milliseconds: 2 }, port);
    expect(ipcRecv([port], 2000).notice, 'a message came that is no notice');
    systemCall('alarm', { alarm: 1, milliseconds: 1000 }, port);
    systemCall('alarm', { alarm: 1, milliseconds: 0 }, port);
    systemCall('ipc_destroy_port', undefined, port);
    return `due and cancelled; ${refused(['EBADF', () => systemCall('alarm', { alarm: 1, milliseconds: 1 }, NO_HANDLE)])}`;
  },
  random: () => {
    const [first, second] = [systemCall('random', { count: 16 }), systemCall('random', { count: 16 })];
    expect(first.length === 16 && Buffer.compare(first, second) !== 0, 'two times the same');
    return `16 bytes; ${refused(['EINVAL', () => systemCall('random', { count: 65537 })])}`;
  },
  store_put: () => refused(['EPERM', () => systemCall('store_put', { key: 'k', value: 1 })]),
  store_get: () => refused(['EPERM', () => systemCall('store_get', { key: 'k' })]),
  store_delete: () => refused(['EPERM', () => systemCall('store_delete', { key: 'k' })]),
  store_keys: () => refused(['EPERM', () => systemCall('store_keys', { after: '' })]),
  log: () => {
    systemCall('log', { level: 20, text: 'syscall: a line of the system call test' });
    return refused(['EINVAL', () => systemCall('log', { level: 256, text: '' })]);
  },
  dmesg: () => {
    expect(systemCall('dmesg', { most: 1 }).length === 1, 'not one line');
    return `${systemCall('dmesg', { most: 4096 }).length} lines`;
  },
  crash_list: () => `${systemCall('crash_list', undefined).length} records`,
  crash_show: () => refused(['ENOENT', () => systemCall('crash_show', { number: 0xffff_ffff })]),
  memory_information: () => {
    const { kernelResident } = systemCall('memory_information', undefined);
    expect(kernelResident > 0, 'the kernel takes no memory');
    return `kernel ${Math.round(kernelResident / 1048576)} MiB`;
  },
  boot_arguments: () => `version ${systemCall('boot_arguments', undefined).version}`,
  halt: () => refused(['EPERM', () => systemCall('halt', { status: 0, reboot: false, reason: '' })]),
  manifest_list: () => refused(['EPERM', () => systemCall('manifest_list', undefined)]),
  service_lost: () => refused(['EPERM', () => systemCall('service_lost', { name: 'ata' })]),
  service_debug: () => refused(['EPERM', () => systemCall('service_debug', { name: 'ata' })]),
  service_forget: () => refused(['EPERM', () => systemCall('service_forget', { name: 'vrfs@x' })]),
  service_port: () => refused(['EPERM', () => systemCall('service_port', { name: 'ata' })]),
};

const tests = { ...taskTests, ...messageTests, ...deviceTests, ...otherTests };

/** Time of one getpid in microseconds. */
function nullCall(): string {
  const before = uptime();
  for (let call = 0; call < GOOD_CALLS; call++) getpid();
  const milliseconds = uptime() - before;
  return `${((milliseconds * 1000) / GOOD_CALLS).toFixed(1)} µs each, ${Math.round((GOOD_CALLS / milliseconds) * 1000)} calls/s`;
}

export const syscall: Run = (context) => {
  expectWords(context.words, 0, 0);
  const checks = new Checks(context);
  const untried: string[] = [];
  for (const name of Object.keys(systemCalls) as SystemCallName[]) {
    const test = tests[name];
    const label = `0x${systemCalls[name].number.toString(16).padStart(2, '0')} ${name}`;
    if (test === undefined) untried.push(name);
    else checks.run(label.padEnd(27), test);
  }
  checks.run(`getpid, ${GOOD_CALLS} times`, nullCall);
  context.lines(`used by every answer, so not tried alone: ${untried.join(', ')}`);
  return checks.finish();
};
