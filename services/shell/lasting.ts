/** Whether files last. A machine may have a disk and yet keep `/mnt` in memory, because the disk holds nothing that could be mounted there; who works there is to know. */
import { block, SystemError, vfs } from '../lib/index.ts';
import { DISK_SERVICE } from './disks.ts';
import { MissingService } from './errors.ts';
import { Services } from './services.ts';

/** Where a disk is mounted at boot. */
const DIRECTORY = '/mnt';

/** Longest wait for each answer, in milliseconds: nobody's first command is to wait for a note. */
const WAIT_MS = 500;

/** A warning in words; null: files last, or there is no disk that they could last on, or nobody can tell now. */
export function warningOfLoss(): string | null {
  const services = new Services();
  try {
    const server = services.client(vfs, 'vfs', WAIT_MS);
    const [root, directory] = ['/', DIRECTORY].map(
      (path) => server.attributes({ place: { path, links: 0 }, follow: true }).fileSystem,
    );
    if (root !== directory || !hasDisk(services)) return null;
    return `no disk is mounted on ${DIRECTORY}: what is written there is lost when the machine ends; 'dmesg' says why`;
  } catch (error) {
    if (error instanceof SystemError || error instanceof MissingService) return null;
    throw error;
  } finally {
    services.release();
  }
}

/** Whether the machine has a disk. One whose driver does not answer may be there. */
function hasDisk(services: Services): boolean {
  try {
    return services.client(block, DISK_SERVICE, WAIT_MS).list().length > 0;
  } catch (error) {
    if (error instanceof SystemError || error instanceof MissingService) return true;
    throw error;
  }
}
