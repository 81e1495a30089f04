/**
 * The service of a mounted disk: interfaces `filesystem` and `file` in front of one format. `services/vrfs/main.ts` and
 * its like are nothing but a call of `serveFileSystem`.
 *
 * A restart loses nothing that was answered: the device is attached again, open files and covered directories are read
 * back from the recovery store, and the core recovers what it committed. Requests that come again are not carried out
 * twice (batch.ts).
 */
import type { Format } from '../../../filesystems/file-system.ts';
import { SystemError } from '../../../protocol/errno.ts';
import type { Handlers } from '../../../protocol/interface.ts';
import type { Handle } from '../../../protocol/schema.ts';
import {
  file,
  filesystem,
  ipcFindPort,
  ipcMint,
  ipcRelease,
  log,
  offer,
  type RequestContext,
  random,
  run,
  startInformation,
  taskList,
  vfs,
} from '../index.ts';
import { Attachment } from './attachment.ts';
import { Batch } from './batch.ts';
import { Clock } from './clock.ts';
import { openDriverDevice, recoveryStore } from './device.ts';
import { fileHandlers, pathHandlers, performFile, performPath } from './perform.ts';
import type { Volume } from './volume.ts';

/** How long to wait for vfs to be there, in milliseconds. It is restarted in a few. */
const VFS_WAIT_MS = 10_000;

/** Runs the service of one format for ever. */
export function serveFileSystem(format: Format): never {
  let port = 0 as Handle;
  let nameSpace: Handle | undefined;
  const clock = new Clock();
  const batch = new Batch();
  const attachment = new Attachment(format, {
    openDevice: openDriverDevice,
    keeper: recoveryStore,
    now: () => clock.now(),
    random,
    log,
    mint: (badge) => ipcMint(port, badge),
    release: ipcRelease,
    taskName: (pid) => taskList().find((task) => task.pid === pid)?.name,
  });

  /** The volume for a request of vfs. */
  function volumeFor({ badge }: RequestContext): Volume {
    checkPlain(badge);
    clock.expire();
    return attachment.volume;
  }

  const filesystemHandlers: Handlers<typeof filesystem.methods, RequestContext> = {
    attach: (request, { badge }) => {
      checkPlain(badge);
      clock.expire();
      return attachment.attach(request);
    },
    detach: (_request, context) => {
      checkPlain(context.badge);
      // Files that have just been closed are told of by notices, and those come first.
      return batch.whenQuiet(context, () => attachment.detach());
    },
    cover: ({ place, covered }, context) => volumeFor(context).cover(place, covered),
    sync: (_request, context) =>
      batch.perform(volumeFor(context).core, context, { answer: () => undefined, sync: true }),
    ...pathHandlers((name, request, context) =>
      performPath(batch, volumeFor(context), name, request, context, (absolute) => {
        nameSpace ??= ipcFindPort('vfs', VFS_WAIT_MS);
        // The requests of these methods are the same in both interfaces.
        return context.forward(nameSpace, vfs, name, absolute as never);
      }),
    ),
  };

  const fileMethods = fileHandlers((name, request, context) => {
    clock.expire();
    return performFile(batch, attachment.volume, name, request, context);
  });

  return run({
    port: startInformation.name,
    start: () => attachment.start(),
    ready: (handle) => {
      port = handle;
    },
    settled: () => attachment.settle(),
    offers: [offer(filesystem, filesystemHandlers), offer(file, fileMethods)],
    notices: {
      no_senders: ({ badge }) => {
        clock.expire();
        if (attachment.close(badge)) batch.touch(attachment.volume.core);
      },
    },
    gathering: batch,
    stop: () => attachment.stop(),
  });
}

/** What concerns the whole file system is not for those who have a file open. */
function checkPlain(badge: number): void {
  if (badge !== 0) throw new SystemError('EPERM', 'a right to an open file');
}
