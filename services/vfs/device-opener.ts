/**
 * `/dev` as its users see it: which devices there are, and opening them. A device of a driver answers the interface
 * `file` itself; who opens it gets a right to the driver.
 */
import { SystemError } from '../../protocol/errno.ts';
import type { filesystem } from '../../protocol/filesystem.ts';
import type { Reply, Request } from '../../protocol/interface.ts';
import type { Handle } from '../../protocol/schema.ts';
import { openFlags } from '../../protocol/vfs.ts';
import { LeadsOut, type Volume } from '../lib/filesystem/index.ts';
import type { Deferred, LATER, RequestContext } from '../lib/index.ts';
import { builtinBadge } from './builtin-devices.ts';
import { type BuiltinDevice, builtinDevices, type Device, type DeviceFileSystem } from './devices.ts';
import type { MemoryMount } from './mount.ts';
import type { Outside } from './outside.ts';
import { answerLater, type Work } from './work.ts';

type Open = (typeof filesystem.methods)['open'];
type Opened = Reply<Open>;

/** What opening devices needs of the world. */
export interface DeviceWorld {
  readonly outside: Pick<Outside, 'disks' | 'diskFile' | 'deviceAttributes'>;
  mint(badge: number): Handle;
  duplicate(right: Handle): Handle;
  release(right: Handle): void;
  /** Whether a disk or partition is mounted, or another one that has sectors in common with it. */
  isMounted(device: string): boolean;
  isAlive(pid: number): boolean;
}

/** A device that a driver has registered; its request stands as long as the name does. */
interface Registration {
  readonly device: Handle;
  readonly driver: number;
  readonly deferred: Deferred<void>;
}

const BYTES_PER_SECTOR = 512;
const NOT_FOR_DEVICES = openFlags.DIRECTORY;

/** See the head of this file. */
export class DeviceOpener {
  private readonly world: DeviceWorld;
  private readonly devices: DeviceFileSystem;
  private readonly registrations = new Map<string, Registration>();

  constructor(world: DeviceWorld, devices: DeviceFileSystem) {
    this.world = world;
    this.devices = devices;
  }

  /** The mount of the volume, with what is particular to devices. */
  mount(volume: Volume): MemoryMount {
    return {
      kind: 'memory',
      path: volume.path,
      volume,
      open: (request, context, goOn) => this.open(volume, request, context, goOn),
      prepare: (inner) => this.prepare(inner),
    };
  }

  /** See `register` in protocol/vfs.ts. Throws SystemError. */
  register(name: string, type: Device['type'], device: Handle, context: RequestContext): typeof LATER {
    for (const [known, registration] of [...this.registrations])
      if (!this.world.isAlive(registration.driver)) this.forget(known, registration);
    this.devices.register(name, type);
    return context.later<void>((deferred) => {
      this.registrations.set(name, { device, driver: context.sender, deferred });
    });
  }

  private forget(name: string, { device, deferred }: Registration): void {
    this.registrations.delete(name);
    this.devices.unregister(name);
    this.world.release(device);
    deferred.fail(new SystemError('ECANCELED', 'the driver has gone'));
  }

  /** Which disks there are has to be asked, unless another device is meant. */
  private prepare(inner: string): Work<void> | null {
    const [name = ''] = inner.split('/');
    const isKnown = (builtinDevices as readonly string[]).includes(name) || this.registrations.has(name);
    return isKnown ? null : this.findDisks();
  }

  private *findDisks(): Work<void> {
    try {
      const disks = yield* this.world.outside.disks();
      this.devices.setDisks(disks.map(({ name, sectors }) => ({ name, bytes: sectors * BYTES_PER_SECTOR })));
    } catch (error) {
      // Without the driver there are no disks.
      if (!(error instanceof SystemError)) throw error;
      this.devices.setDisks([]);
    }
  }

  private open(
    volume: Volume,
    request: Request<Open>,
    context: RequestContext,
    goOn: (request: Request<Open>) => Opened | typeof LATER,
  ): Opened | typeof LATER {
    const { place, flags } = request;
    try {
      const { node } = volume.find(place, (flags & openFlags.NO_FOLLOW) === 0);
      if (node === volume.core.root) return this.openFolder(volume, flags, context);
      return this.openDevice(this.devices.device(node), flags, context);
    } catch (error) {
      if (error instanceof LeadsOut) return goOn({ ...request, place: error.to });
      throw error;
    }
  }

  private openFolder(volume: Volume, flags: number, context: RequestContext): Opened {
    if ((flags & (openFlags.WRITE | openFlags.CREATE)) !== 0) throw new SystemError('EISDIR');
    if ((flags & openFlags.READ) === 0) throw new SystemError('EINVAL', 'open neither for reading nor for writing');
    return volume.open(volume.core.root, flags, '', context);
  }

  private openDevice(device: Device, flags: number, context: RequestContext): Opened | typeof LATER {
    const { READ, WRITE, CREATE, EXCLUSIVE } = openFlags;
    if ((flags & (READ | WRITE)) === 0) throw new SystemError('EINVAL', 'open neither for reading nor for writing');
    if ((flags & NOT_FOR_DEVICES) !== 0) throw new SystemError('ENOTDIR');
    if ((flags & CREATE) !== 0 && (flags & EXCLUSIVE) !== 0) throw new SystemError('EEXIST');
    if (device.origin === 'builtin') {
      const file = this.world.mint(builtinBadge(device.name as BuiltinDevice, flags));
      return { file, type: device.type, size: 0, stream: true };
    }
    return answerLater(context, device.origin === 'disk' ? this.openDisk(device, flags) : this.openRegistered(device));
  }

  private *openDisk({ name, type }: Device, flags: number): Work<Opened> {
    if ((flags & openFlags.WRITE) !== 0 && this.world.isMounted(name))
      throw new SystemError('EBUSY', `${name} is mounted: writing to it would destroy the file system`);
    const opened = yield* this.world.outside.diskFile(name, flags & (openFlags.READ | openFlags.WRITE));
    return { file: opened.file, type, size: opened.size, stream: false };
  }

  private *openRegistered({ name, type }: Device): Work<Opened> {
    const known = this.registrations.get(name);
    if (known === undefined) throw new SystemError('ENOENT', 'no such device');
    try {
      const { size } = yield* this.world.outside.deviceAttributes(known.device);
      const stream = type === 'character';
      return { file: this.world.duplicate(known.device), type, size, stream };
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      throw new SystemError('ENXIO', `the driver of /dev/${name} does not answer: ${error.message}`);
    }
  }
}
