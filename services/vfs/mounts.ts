/**
 * Mounting and unmounting disks. Each is work in steps (work.ts) of which any can take long or fail; what has been
 * begun is in a record, so that the request, when it comes again after a death of this process, goes on, and what
 * nobody asks for any more is undone.
 */
import type { Format } from '../../filesystems/file-system.ts';
import { SystemError } from '../../protocol/errno.ts';
import type { filesystem } from '../../protocol/filesystem.ts';
import type { Reply, Request } from '../../protocol/interface.ts';
import type { Handle } from '../../protocol/schema.ts';
import type { MountRow } from '../../protocol/vfs.ts';
import { type DiskMount, Gate, type Mount, rowOf } from './mount.ts';
import { type MountRecord, type MountRecords, serviceName } from './mount-records.ts';
import type { MountTable } from './mount-table.ts';
import { probe, type SlowDevice } from './probe.ts';
import { start, type Work, wait } from './work.ts';

type Attach = Request<typeof filesystem.methods.attach>;
type Attached = Reply<typeof filesystem.methods.attach>;

/** A disk or partition, as far as mounting is concerned. */
export interface Disk {
  readonly name: string;
  /** `disk`, or the type of a partition. */
  readonly kind: string;
  readonly sectors: number;
  readonly readOnly: boolean;
}

/** What mounting needs of the world. */
export interface MountWorld {
  /** All disks and partitions. Throws SystemError. */
  disks(): Work<readonly Disk[]>;
  /** Throws SystemError ENODEV. */
  device(name: string): Work<SlowDevice>;
  /** Starts a service, or stops it. Throws SystemError. */
  startService(name: string): Work<void>;
  stopService(name: string): Work<void>;
  /** A right to the port of a service that has been started. Throws SystemError. */
  findService(name: string): Work<Handle>;
  /** The same at once; null: there is no such port, or its service has been given up. */
  findServiceNow(name: string): Handle | null;
  /** Lets go of a right to the port of a service. */
  release(server: Handle): void;
  attach(server: Handle, request: Attach): Work<Attached>;
  /** Asks what is attached, with little patience. */
  ask(server: Handle, request: Attach): Work<Attached>;
  detach(server: Handle): Work<void>;
  /** Everything written to a file system is on its medium. Throws SystemError. */
  sync(server: Handle): Work<void>;
  /** The same of disks, whatever was written to them by. Throws SystemError. */
  flushDisks(): Work<void>;
  /** The path of a directory without symbolic links and dots. Throws SystemError. */
  resolve(path: string): Work<string>;
  /** Tells the owner of a directory that another file system is mounted there, or no more. Throws SystemError. */
  cover(path: string, covered: boolean): Work<void>;
  /** Who has a working directory in a directory, for people; '' is nobody. */
  whoIsIn(path: string): string;
  log(text: string, level: 'info' | 'warning' | 'error'): void;
}

/** Number of a request, for what must not be done twice. */
interface RequestNumber {
  readonly sender: number;
  readonly sequence: number;
}

/** How a request to mount is to be read. */
interface Wanted {
  readonly device: string;
  readonly path: string;
  readonly type: string;
  readonly readOnly: boolean;
  readonly format: boolean;
}

/** Name of the disk of a partition. */
const wholeDisk = (device: string): string => device.replace(/\d+$/, '');

/** Whether two devices have sectors in common. */
export function overlap(one: string, other: string): boolean {
  return one === other || one === wholeDisk(other) || other === wholeDisk(one);
}

/** See the head of this file. */
export class Mounts {
  private readonly world: MountWorld;
  private readonly table: MountTable<Mount>;
  private readonly records: MountRecords;
  private readonly formats: readonly Format[];
  /** Records that are being worked on. */
  private readonly inWork = new Set<MountRecord>();

  /** Takes up the mounts of an earlier incarnation. */
  constructor(world: MountWorld, table: MountTable<Mount>, records: MountRecords, formats: readonly Format[]) {
    this.world = world;
    this.table = table;
    this.records = records;
    this.formats = formats;
    for (const known of records.all) {
      if (known.stage !== 'mounting') table.add(this.diskMount(known, null, known.stage === 'unmounting'));
    }
  }

  /** Everything that comes again has come: what was begun and nobody asks for any more is brought to an end. */
  settled(): void {
    for (const known of this.records.all) {
      if (this.inWork.has(known) || (known.request.sender === 0 && !this.records.bootIsDone)) continue;
      if (known.stage === 'mounting') start(this.working(known, this.undo(known)), () => {});
      if (known.stage === 'unmounting') start(this.working(known, this.takeAway(known, known.request)), () => {});
    }
  }

  /** Device names that are mounted, or being mounted. */
  isMounted(device: string): boolean {
    return this.records.all.some((known) => overlap(known.device, device));
  }

  /** See `mount` in protocol/vfs.ts. */
  *mount(request: Omit<Wanted, 'format'>, number: RequestNumber): Work<MountRow> {
    const begun = this.records.of(number);
    if (begun?.stage === 'mounted') return begun.row;
    // What has been begun is gone on with at once: as soon as it waits for somebody, it may be taken for forgotten.
    const { row } = yield* begun === undefined
      ? this.mountNew(request, number)
      : this.establish({ ...begun, format: false }, number);
    return row;
  }

  private *mountNew(request: Omit<Wanted, 'format'>, number: RequestNumber): Work<DiskMount> {
    const path = yield* this.world.resolve(request.path);
    this.checkFree(request.device, path);
    const disk = (yield* this.world.disks()).find(({ name }) => name === request.device);
    if (disk === undefined) throw new SystemError('ENODEV', `there is no disk or partition ${request.device}`);
    const type = yield* this.typeOf(request.device, request.type);
    // Meanwhile another request may have been faster.
    this.checkFree(request.device, path);
    const readOnly = request.readOnly || disk.readOnly;
    return yield* this.establish({ ...request, path, type, readOnly, format: false }, number);
  }

  private checkFree(device: string, path: string): void {
    const known = this.records.all.find((other) => overlap(other.device, device));
    if (known !== undefined) throw new SystemError('EBUSY', `${known.device} is mounted on ${known.path}`);
    if (this.table.at(path) !== undefined || this.records.all.some((other) => other.path === path))
      throw new SystemError('EBUSY', `a file system is mounted on ${path} already`);
  }

  private *typeOf(device: string, wanted: string): Work<string> {
    const names = this.formats.map(({ name }) => name);
    if (wanted !== '') {
      if (names.includes(wanted)) return wanted;
      throw new SystemError('EINVAL', `there is no type ${wanted}: ${names.join(', ')}`);
    }
    const opened = yield* this.world.device(device);
    try {
      const found = yield* probe(opened, this.formats);
      if (found !== undefined) return found.name;
    } finally {
      opened.close();
    }
    throw new SystemError('EINVAL', `${device} holds no file system of a known type (${names.join(', ')})`);
  }

  /** Mounts a device of which everything is known. */
  *establish(wanted: Wanted, request: RequestNumber): Work<DiskMount> {
    const { device, path, type, readOnly } = wanted;
    const { sender, sequence } = request;
    const begun = this.records.all.find(
      (known) => known.stage === 'mounting' && known.device === device && known.path === path && known.type === type,
    );
    const known = begun ?? this.records.add({ device, path, type, readOnly, request: { sender, sequence } });
    return yield* this.working(known, this.putThere(known, wanted));
  }

  private *putThere(known: MountRecord, { readOnly, format }: Wanted): Work<DiskMount> {
    const service = serviceName(known.type, known.device);
    let server: Handle | null = null;
    try {
      yield* this.world.startService(service);
      server = yield* this.world.findService(service);
      const { device, path, number } = known;
      const { figures, state } = yield* this.attach(server, { device, path, number, readOnly, format });
      const row: MountRow = { path, device, type: figures.type, readOnly: figures.readOnly, state, service };
      const mount = this.diskMount({ ...known, row }, server, true);
      // In the table first: a path that comes back from the covered directory has to find it.
      this.table.add(mount);
      yield* this.world.cover(path, true);
      this.records.update(known, { stage: 'mounted', readOnly, row });
      mount.gate.open();
      this.world.log(`${device} is mounted on ${path}: ${row.type}, ${readable(row)}`, 'info');
      return mount;
    } catch (error) {
      yield* this.undo(known);
      if (server !== null) this.world.release(server);
      throw error;
    }
  }

  /** A service that was stopped when its file system was unmounted still has that, and lets go of it first. */
  private *attach(server: Handle, request: Attach): Work<Attached> {
    try {
      return yield* this.world.attach(server, request);
    } catch (error) {
      if (!(error instanceof SystemError) || error.code !== 'EBUSY') throw error;
    }
    yield* this.world.detach(server);
    return yield* this.world.attach(server, request);
  }

  /** Undoes as much of a mount as has been done. */
  private *undo(known: MountRecord): Work<void> {
    const mount = this.table.at(known.path);
    if (mount?.kind === 'disk' && mount.device === known.device) this.table.remove(mount);
    const service = serviceName(known.type, known.device);
    yield* this.attempt(`detach ${known.device}`, this.detach(service));
    yield* this.attempt(`uncover ${known.path}`, this.world.cover(known.path, false));
    yield* this.attempt(`stop ${service}`, this.world.stopService(service));
    this.records.remove(known);
    if (mount?.kind === 'disk') mount.gate.open();
  }

  /** See `unmount` in protocol/vfs.ts. */
  *unmount(path: string, request: RequestNumber): Work<void> {
    if (this.records.isUnmounted(request)) return;
    const mount = yield* this.mountAt(path);
    const known = this.records.all.find((candidate) => candidate.path === mount.path);
    if (mount.kind !== 'disk' || known === undefined)
      throw new SystemError('EBUSY', `${mount.path} is a part of the system`);
    if (this.inWork.has(known)) throw new SystemError('EBUSY', `${known.device} is being mounted or unmounted`);
    const [below] = this.table.below(mount.path);
    if (below !== undefined) throw new SystemError('EBUSY', `a file system is mounted on ${below.path}`);
    const inside = this.world.whoIsIn(mount.path);
    if (inside !== '') throw new SystemError('EBUSY', `working directory of ${inside}`);
    yield* this.working(known, this.takeAway(known, request));
  }

  private *mountAt(path: string): Work<Mount> {
    const { mount, inner } = this.table.locate(path);
    if (mount.kind === 'held') {
      yield* wait<void>((done) => mount.gate.wait(() => done({ ok: true, value: undefined })));
      return yield* this.mountAt(path);
    }
    if (/^[./]*$/.test(inner) && !inner.includes('..')) return mount;
    const resolved = yield* this.world.resolve(path);
    const found = this.table.at(resolved);
    if (found === undefined) throw new SystemError('EINVAL', `nothing is mounted on ${resolved}`);
    return found;
  }

  private *takeAway(known: MountRecord, { sender, sequence }: RequestNumber): Work<void> {
    const mount = this.table.at(known.path);
    const service = serviceName(known.type, known.device);
    if (mount?.kind === 'disk') mount.gate.closed = true;
    try {
      this.records.update(known, { stage: 'unmounting', request: { sender, sequence } });
      yield* this.detach(service);
    } catch (error) {
      this.records.update(known, { stage: 'mounted' });
      if (mount?.kind === 'disk') mount.gate.open();
      throw error;
    }
    yield* this.attempt(`uncover ${known.path}`, this.world.cover(known.path, false));
    if (mount !== undefined) this.table.remove(mount);
    if (mount?.kind === 'disk') mount.gate.open();
    yield* this.attempt(`stop ${service}`, this.world.stopService(service));
    if (mount?.kind === 'disk' && mount.right !== null) {
      // The instance can go only when nobody has a right to its port.
      this.world.release(mount.right);
      mount.right = null;
    }
    this.records.remove(known, { sender, sequence });
    this.world.log(`${known.device} is unmounted from ${known.path}`, 'info');
  }

  /** A service lets go of its device; one that has been given up has nothing open and nothing to write. */
  private *detach(service: string): Work<void> {
    const server = this.world.findServiceNow(service);
    if (server === null) return;
    try {
      yield* this.world.detach(server);
    } finally {
      this.world.release(server);
    }
  }

  /** All mounts, as the services see them now. */
  *rows(): Work<MountRow[]> {
    for (const known of this.records.all) {
      const mount = this.table.at(known.path);
      if (mount?.kind !== 'disk' || mount.gate.closed) continue;
      const server = this.rightOf(mount);
      try {
        if (server === null) throw new SystemError('EIO', 'its service is not running');
        const { device, path, number, readOnly } = known;
        const { figures, state } = yield* this.world.ask(server, { device, path, number, readOnly, format: false });
        mount.row = { ...mount.row, type: figures.type, readOnly: figures.readOnly, state };
      } catch (error) {
        if (!(error instanceof SystemError)) throw error;
        mount.row = { ...mount.row, state: error.message.slice(0, 200) };
      }
    }
    return this.table.all.flatMap((mount) => rowOf(mount) ?? []);
  }

  /**
   * Everything written is on its medium: file systems first, for they write to disks. Throws SystemError: the first
   * error, after all have been tried.
   */
  *sync(): Work<void> {
    let failure: SystemError | undefined;
    const mounts = this.table.all.map((mount) => this.syncMount(mount));
    for (const step of [...mounts, this.world.flushDisks()]) {
      try {
        yield* step;
      } catch (error) {
        if (!(error instanceof SystemError)) throw error;
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
  }

  /** One that has been unmounted while others were synced has been synced with that. */
  private *syncMount(mount: Mount): Work<void> {
    if (mount.kind !== 'disk' || mount.gate.closed || this.table.at(mount.path) !== mount) return;
    const server = this.rightOf(mount);
    if (server === null) throw new SystemError('EIO', `${mount.service} is not running`);
    yield* this.world.sync(server);
  }

  /** The right to the port of a file system that is in the table; null: it is not there. */
  rightOf(mount: DiskMount): Handle | null {
    mount.right ??= this.world.findServiceNow(mount.service);
    return mount.right;
  }

  private diskMount({ path, device, row }: MountRecord, right: Handle | null, closed: boolean): DiskMount {
    return { kind: 'disk', path, device, service: row.service, row, right, gate: new Gate(closed) };
  }

  private *working<R>(known: MountRecord, work: Work<R>): Work<R> {
    this.inWork.add(known);
    try {
      return yield* work;
    } finally {
      this.inWork.delete(known);
    }
  }

  /** Does something that may fail without harm. */
  private *attempt(what: string, work: Work<void>): Work<void> {
    try {
      yield* work;
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.world.log(`${what}: ${error.message}`, 'warning');
    }
  }
}

const readable = ({ readOnly, state }: MountRow): string =>
  `${readOnly ? 'read-only' : 'read and write'}${state === '' ? '' : ` (${state})`}`;
