/**
 * Whether files last. A machine may have a disk and yet keep `/mnt` in memory, because the disk holds nothing that
 * could be mounted there; who works there is to know.
 */
import { block, init, SystemError, vfs } from '../lib/index.ts';
import { DISK_SERVICE } from './disks.ts';
import { MissingService } from './errors.ts';
import { Services } from './services.ts';

/** Where a disk is mounted at boot. */
const DIRECTORY = '/mnt';

/** Longest wait for each service and each answer, in milliseconds: nobody's command is to wait for a note. */
const WAIT_MS = 300;

/** What is to be said when files do not last. */
export const WARNING = `no disk is mounted on ${DIRECTORY}: what is written there is lost when the machine ends; 'dmesg' says why`;

/**
 * What becomes of files below `/mnt`: they are on a disk, or lost with the machine though it has one; or there is no
 * disk, which is nobody's mistake; or nobody can tell now.
 */
export type Lasting = 'on a disk' | 'lost' | 'no disk' | 'unknown';

/** Finds out. */
export function lastingOfFiles(): Lasting {
  const services = new Services();
  try {
    services.port('vfs', WAIT_MS);
    const server = services.client(vfs, 'vfs', WAIT_MS);
    const [root, directory] = ['/', DIRECTORY].map(
      (path) => server.attributes({ place: { path, links: 0 }, follow: true }).fileSystem,
    );
    if (root !== directory) return 'on a disk';
    return hasDisk(services) ? 'lost' : 'no disk';
  } catch (error) {
    if (error instanceof SystemError || error instanceof MissingService) return 'unknown';
    throw error;
  } finally {
    services.release();
  }
}

/**
 * Whether the machine has a disk. One whose driver runs and does not answer, or should run and does not, may be there.
 * Throws SystemError, MissingService.
 */
function hasDisk(services: Services): boolean {
  services.port('init', WAIT_MS);
  const driver = services
    .client(init, 'init', WAIT_MS)
    .list()
    .find(({ name }) => name === DISK_SERVICE);
  if (driver === undefined) return false;
  try {
    services.port(DISK_SERVICE, WAIT_MS);
    return services.client(block, DISK_SERVICE, WAIT_MS).list().length > 0;
  } catch (error) {
    if (error instanceof SystemError || error instanceof MissingService) return true;
    throw error;
  }
}
