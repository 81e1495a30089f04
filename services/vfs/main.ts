/**
 * vfs: the name space (protocol/vfs.ts). It keeps `/`, `/proc` and `/dev` and pipes itself, mounts disks, and hands
 * what names a path to the file system that owns it.
 *
 * A restart loses nothing: files, open files, sessions, pipes and mounts are kept in the recovery store, and drivers'
 * devices are registered by requests that come again.
 */
import { recoveryStore } from '../lib/filesystem/index.ts';
import { file, offer, run, vfs } from '../lib/index.ts';
import { NameSpaceService } from './service.ts';

const service = new NameSpaceService(recoveryStore);

run({
  port: 'vfs',
  ready: (port) => service.ready(port),
  settled: () => service.settled(),
  offers: [offer(vfs, service.handlers), offer(file, service.fileHandlers)],
  notices: { no_senders: ({ badge }) => service.noSenders(badge) },
  gathering: service.batch,
});
