/** What becomes of the system when init dies: the kernel starts it again, and it finds its children and its store. */

import { kernelNotices } from '../../../protocol/kernel.ts';
import {
  exit,
  getpid,
  halt,
  ipcCreateNamedPort,
  ipcRecv,
  kill,
  log,
  sleep,
  startInformation,
  storeGet,
  storePut,
  taskList,
  waitpid,
} from '../../../services/lib/index.ts';
import { equal, present } from './check.ts';
import { Puppet } from './puppet.ts';

/** Dies once in the middle of its work, and checks in its next life that nothing was lost. */
export function dieOnce(): void {
  if (startInformation.incarnation === 1) {
    const server = new Puppet('server');
    storePut('server', [server.pid, server.row?.host]);
    exit(3);
  }
  const [pid, host] = storeGet('server') as [number, number];
  const row = present(
    taskList().find((task) => task.pid === pid),
    'the server',
  );
  equal([row.host, row.parent, row.incarnation], [host, getpid(), 1], 'the same process, now a child of this init');
  equal(startInformation.incarnation, 2, 'incarnation of init');
  // The port `init` is still there, with the message that had not been dealt with; the end of the child is told to it.
  const port = ipcCreateNamedPort('init');
  const again = ipcRecv([port], 5000);
  equal([again.sender, again.retry], [pid, true], 'the registration comes again');
  kill(pid, 'KILL');
  const notice = ipcRecv([port], 5000);
  equal(kernelNotices.methods.exit.request.fromWire(notice.data, []).pid, pid, 'the exit notice');
  equal(waitpid(pid, 5000), { pid, status: 137, signal: 9 }, 'how it ended');
  log('RESULT "init has everything it had"');
  halt(0, false);
}

/** Dies in every life, after it has been busy for some time. */
export function dieLate(): never {
  sleep(150);
  exit(1);
}

/** Dies in every life. */
export function dieAlways(): never {
  exit(1);
}
