/**
 * How a driver becomes a file: `run({ device: 'rtc', … })` makes `/dev/rtc`, on which the interface `file` is answered.
 * The request stands as long as the name does, so it comes again by itself when vfs has died; only when the kernel
 * gives it up it has to be made anew.
 */
import { MAX_TIMEOUT_MILLISECONDS } from '../../protocol/bounds.ts';
import type { SystemError } from '../../protocol/errno.ts';
import type { Handle, Infer } from '../../protocol/schema.ts';
import { vfs } from '../../protocol/vfs.ts';
import { asynchronousClient, findPortLater, type Outcome } from './asynchronous.ts';
import { ipcMint, ipcRelease } from './ipc.ts';
import { log } from './syscalls.ts';

/** What a driver is in `/dev`. */
export type DeviceType = Infer<typeof vfs.methods.register.request>['type'];

/**
 * Makes `/dev/NAME` for a program whose port is `port`, as soon as there is a vfs. The manifest has to let it look up
 * `vfs`.
 */
export function registerDevice(port: Handle, name: string, type: DeviceType = 'character'): void {
  const use = (found: Outcome<Handle>): void => {
    if (!found.ok) {
      giveUp(name, found.error);
      return;
    }
    const files = asynchronousClient(vfs, found.value, port, MAX_TIMEOUT_MILLISECONDS);
    files.register({ name, type, device: ipcMint(port, 0) }, (outcome) => {
      ipcRelease(found.value);
      // The name is not there any more, or never was.
      if (outcome.ok || outcome.error.code === 'EIO' || outcome.error.code === 'ETIMEDOUT')
        registerDevice(port, name, type);
      else giveUp(name, outcome.error);
    });
  };
  // Also when vfs has been stopped: the name is to be there when it is started again.
  findPortLater('vfs', port, MAX_TIMEOUT_MILLISECONDS, use, true);
}

function giveUp(name: string, { code, message }: SystemError): void {
  log(`there will be no /dev/${name}: ${message}`, code === 'EPERM' ? 'info' : 'warning');
}
