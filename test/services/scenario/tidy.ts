/**
 * What is checked after every case: nothing is left of it. No task but init, no message, no owed answer, no unnamed
 * port, no capability of init that it did not have before.
 */
import { isTemplate } from '../../../protocol/template.ts';
import {
  getpid,
  ipcInfo,
  ipcTryRecv,
  manifestList,
  memoryInformation,
  serviceLost,
  storeDelete,
  storeKeys,
  taskCapabilities,
  taskList,
} from '../../../services/lib/index.ts';
import { equal } from './check.ts';
import { endPuppets, Puppet } from './puppet.ts';

/** Ends every puppet and service, and checks that the kernel is as it was. */
export function tidy(): void {
  endPuppets();
  equal(ipcTryRecv(), undefined, 'a message that is left');
  for (const { name } of manifestList()) if (name !== 'init' && !isTemplate(name)) serviceLost(name);
  // Notices outlive services too: that the last holder of a badge is gone stays true.
  for (const { name, owner } of ipcInfo().filter(({ queued, receiver }) => queued > 0 && receiver === 0)) {
    const heir = new Puppet(owner);
    heir.do('ipcDestroyPort', heir.do('ipcCreateNamedPort', name));
    heir.kill();
  }
  equal(ipcTryRecv(), undefined, 'a message that is left');
  for (const key of storeKeys()) storeDelete(key);
  equal(
    taskList().map(({ name }) => name),
    ['init'],
    'tasks that are left',
  );
  for (const port of ipcInfo()) {
    equal(
      { ...port, name: port.name !== '' },
      { ...port, name: true, queued: 0, waiting: 0, owed: 0 },
      `port ${port.name}`,
    );
  }
  equal(memoryInformation().messages, 0, 'bytes of messages that are left');
  const held = taskCapabilities(getpid()).map(({ kind, what }) => `${kind} ${what}`);
  equal(
    held.filter((capability) => capability !== 'receive init'),
    [],
    'capabilities that init still holds',
  );
}
