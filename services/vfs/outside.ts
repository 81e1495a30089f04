/**
 * Everything outside of this process, without waiting for it: init, the disk driver, and the services of mounted disks.
 */
import { SECTOR_BYTES } from '../../protocol/block.ts';
import { SystemError } from '../../protocol/errno.ts';
import type { FileAttributes } from '../../protocol/file.ts';
import type { filesystem as filesystemType } from '../../protocol/filesystem.ts';
import type { Interface, Methods, Reply, Request } from '../../protocol/interface.ts';
import {
  type AsynchronousClient,
  asynchronousClient,
  block,
  file,
  filesystem,
  findPortLater,
  type Handle,
  init,
  ipcFindPort,
  ipcRelease,
} from '../lib/index.ts';
import type { Disk } from './mounts.ts';
import type { SlowDevice } from './probe.ts';
import { type Work, wait } from './work.ts';

type FileSystemMethods = typeof filesystemType.methods;

/** Longest wait for a port, in milliseconds: services that have been started make theirs in some hundred. */
const FIND_MS = 10_000;

/** Longest wait for the disk driver and for init, in milliseconds. A driver that hangs is restarted before. */
const CALL_MS = 30_000;

/** The same for work on a whole file system: mounting a damaged one, making one, writing everything back. */
const LONG_MS = 600_000;

/** Patience where the answer is only for people, or something is likely to be dead, in milliseconds. */
const SHORT_MS = 2000;

/** See the head of this file. */
export class Outside {
  /** The port of this service. */
  own = 0 as Handle;
  private readonly known = new Map<string, Handle>();

  /** Disks and partitions, in the order of the driver. Throws SystemError. */
  *disks(): Work<Disk[]> {
    const ata = yield* this.peer(block, 'ata');
    return yield* wait<Disk[]>((done) => ata.list(undefined, done));
  }

  /** Throws SystemError: ENODEV, EIO. */
  *device(name: string): Work<SlowDevice> {
    const ata = yield* this.peer(block, 'ata');
    const { device, description } = yield* wait<Reply<(typeof block.methods)['open']>>((done) => ata.open(name, done));
    const opened = asynchronousClient(block, device, this.own, CALL_MS);
    return {
      sectors: description.sectors,
      read: (sector, count) => (done) =>
        opened.read({ sector, count }, (outcome) => {
          const complete = !outcome.ok || outcome.value.length === count * SECTOR_BYTES;
          done(complete ? outcome : { ok: false, error: new SystemError('EIO', `${name} gives too few bytes`) });
        }),
      close: () => ipcRelease(device),
    };
  }

  /**
   * What was written to disks by whatever way is on their media. While there is no driver nobody can be asked. Throws
   * SystemError: the first error, after all have been tried.
   */
  *flushDisks(): Work<void> {
    if (this.findServiceNow('ata') === null) return;
    let failure: SystemError | undefined;
    for (const { name, kind, readOnly } of yield* this.disks()) {
      if (kind !== 'disk' || readOnly) continue;
      try {
        yield* this.flushDisk(name);
      } catch (error) {
        if (!(error instanceof SystemError)) throw error;
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
  }

  private *flushDisk(name: string): Work<void> {
    const ata = yield* this.peer(block, 'ata');
    const { device } = yield* wait<Reply<(typeof block.methods)['open']>>((done) => ata.open(name, done));
    try {
      const opened = asynchronousClient(block, device, this.own, CALL_MS);
      yield* wait<void>((done) => opened.flush(undefined, done));
    } finally {
      ipcRelease(device);
    }
  }

  /** Opens a disk or partition as a file. Throws SystemError: ENODEV, EROFS, EIO. */
  *diskFile(name: string, flags: number): Work<{ file: Handle; size: number }> {
    const ata = yield* this.peer(block, 'ata');
    return yield* wait((done) => ata.open_file({ name, flags }, done));
  }

  /** Attributes of a driver's device. Throws SystemError. */
  *deviceAttributes(device: Handle): Work<FileAttributes> {
    const driver = asynchronousClient(file, device, this.own, SHORT_MS);
    return yield* wait<FileAttributes>((done) => driver.attributes(undefined, done));
  }

  *startService(name: string): Work<void> {
    const supervisor = yield* this.peer(init, 'init');
    yield* wait<void>((done) => supervisor.start(name, done));
  }

  *stopService(name: string): Work<void> {
    const supervisor = yield* this.peer(init, 'init');
    yield* wait<void>((done) => supervisor.stop(name, done));
  }

  findService(name: string): Work<Handle> {
    return wait<Handle>((done) => findPortLater(name, this.own, FIND_MS, done));
  }

  findServiceNow(name: string): Handle | null {
    try {
      return ipcFindPort(name, 0);
    } catch (error) {
      if (error instanceof SystemError) return null;
      throw error;
    }
  }

  attach(server: Handle, request: Request<FileSystemMethods['attach']>): Work<Reply<FileSystemMethods['attach']>> {
    return wait((done) => this.fileSystem(server, LONG_MS).attach(request, done));
  }

  ask(server: Handle, request: Request<FileSystemMethods['attach']>): Work<Reply<FileSystemMethods['attach']>> {
    return wait((done) => this.fileSystem(server, SHORT_MS).attach(request, done));
  }

  detach(server: Handle): Work<void> {
    return wait<void>((done) => this.fileSystem(server, LONG_MS).detach(undefined, done));
  }

  sync(server: Handle): Work<void> {
    return wait<void>((done) => this.fileSystem(server, LONG_MS).sync(undefined, done));
  }

  coverThere(server: Handle, request: Request<FileSystemMethods['cover']>): Work<void> {
    return wait<void>((done) => this.fileSystem(server, CALL_MS).cover(request, done));
  }

  resolveThere(
    server: Handle,
    request: Request<FileSystemMethods['resolve']>,
  ): Work<Reply<FileSystemMethods['resolve']>> {
    return wait((done) => this.fileSystem(server, CALL_MS).resolve(request, done));
  }

  attributesThere(server: Handle, request: Request<FileSystemMethods['attributes']>): Work<FileAttributes> {
    return wait((done) => this.fileSystem(server, CALL_MS).attributes(request, done));
  }

  private fileSystem(server: Handle, timeout: number): AsynchronousClient<FileSystemMethods> {
    return asynchronousClient(filesystem, server, this.own, timeout);
  }

  /** A client of a service that is always there. Its port is looked for when it is needed first. */
  private *peer<M extends Methods>(definition: Interface<M>, name: string): Work<AsynchronousClient<M>> {
    const port = this.known.get(name) ?? (yield* this.findService(name));
    this.known.set(name, port);
    return asynchronousClient(definition, port, this.own, CALL_MS);
  }
}
