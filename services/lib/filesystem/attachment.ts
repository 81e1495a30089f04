/**
 * The device of a file system service: attached when vfs asks for it, again at the start of each further incarnation,
 * and let go when vfs asks or the service is stopped.
 */
import type { BlockDevice, Keeper } from '../../../filesystems/block-device.ts';
import type { Format } from '../../../filesystems/file-system.ts';
import { SystemError } from '../../../protocol/errno.ts';
import type { filesystem } from '../../../protocol/filesystem.ts';
import type { Reply, Request } from '../../../protocol/interface.ts';
import { bool, type Handle, type Infer, record, text, u32 } from '../../../protocol/schema.ts';
import { path } from '../../../protocol/vfs.ts';
import { clear, partOf } from './device.ts';
import { Volume } from './volume.ts';

type AttachRequest = Request<typeof filesystem.methods.attach>;
type Attached = Reply<typeof filesystem.methods.attach>;

/** A device that can be let go. */
export interface AttachedDevice extends BlockDevice {
  close(): void;
}

/** What a file system service needs of the world. */
export interface AttachmentEffects {
  /** Throws SystemError: ENODEV, EIO. */
  openDevice(name: string): AttachedDevice;
  readonly keeper: Keeper;
  now(): number;
  random(count: number): Uint8Array;
  log(text: string, level: 'info' | 'warning' | 'error'): void;
  mint(badge: number): Handle;
  release(right: Handle): void;
  taskName(pid: number): string | undefined;
}

/** Top byte of the badges of open files. */
const BADGE_KIND = 1;

/** A device that begins with so many zeros holds nothing. */
const BLANK_SECTORS = 128;

const ATTACHED_KEY = 'attached';

/**
 * What is kept: what to attach at the next start. `formatting`: making the file system was begun, and may not have come
 * to its end.
 */
const kept = record({ device: text(64), path, number: u32, readOnly: bool, formatting: bool });
type Kept = Infer<typeof kept>;

/** See the head of this file. */
export class Attachment {
  private readonly format: Format;
  private readonly effects: AttachmentEffects;
  private readonly ownKeeper: Keeper;
  private device: AttachedDevice | null = null;
  private mounted: Volume | null = null;
  /** Why what is to be attached could not be attached again. */
  private failure: SystemError | null = null;
  private settled = false;

  constructor(format: Format, effects: AttachmentEffects) {
    this.format = format;
    this.effects = effects;
    this.ownKeeper = partOf(effects.keeper, 'server.');
  }

  /** The volume. Throws SystemError: ENODEV: nothing is attached; or why it could not be attached again. */
  get volume(): Volume {
    if (this.mounted !== null) return this.mounted;
    throw this.failure ?? new SystemError('ENODEV', 'no device is attached');
  }

  /** Takes up what an earlier incarnation had attached. */
  start(): void {
    const attached = this.kept();
    if (attached === undefined || attached.formatting) return;
    try {
      this.mount(attached);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.failure = error;
      this.effects.log(`${attached.device} cannot be attached again: ${error.message}`, 'error');
    }
  }

  /** Everything that comes again has come. */
  settle(): void {
    this.settled = true;
    this.mounted?.settle();
  }

  /** Nobody has a file open any more. True if something has to be committed. */
  close(badge: number): boolean {
    return this.mounted?.close(badge) ?? false;
  }

  /** See `attach` in protocol/filesystem.ts. */
  attach({ device, path: mountPath, number, readOnly, format }: AttachRequest): Attached {
    const before = this.kept();
    const same = before !== undefined && before.device === device && before.path === mountPath;
    if (before !== undefined && !same)
      throw new SystemError('EBUSY', `${before.device} is attached for ${before.path}`);
    if (this.mounted === null) {
      if (before === undefined || before.formatting) {
        this.attachNew({ device, path: mountPath, number, readOnly, formatting: before !== undefined }, format);
      } else this.mount(before);
      if (this.settled) this.volume.settle();
    }
    return this.describe(this.volume);
  }

  private attachNew(wanted: Kept, format: boolean): void {
    try {
      this.device = this.effects.openDevice(wanted.device);
      if (format && (wanted.formatting || isBlank(this.device))) this.makeFileSystem(this.device, wanted);
      this.keep({ ...wanted, formatting: false });
      this.mount(wanted);
    } catch (error) {
      this.letGo();
      throw error;
    }
  }

  private makeFileSystem(device: BlockDevice, wanted: Kept): void {
    const { now, random, log } = this.effects;
    this.keep({ ...wanted, formatting: true });
    this.format.format(device, { now, random });
    log(`${wanted.device}: made a file system, ${this.format.name}`, 'info');
  }

  private mount({ device: name, path: mountPath, number, readOnly }: Kept): void {
    const { effects } = this;
    this.device ??= effects.openDevice(name);
    const core = this.format.mount(this.device, {
      readOnly,
      now: effects.now,
      keeper: partOf(effects.keeper, 'core.'),
      log: (line, level) => effects.log(`${name}: ${line}`, level),
      random: effects.random,
    });
    this.mounted = new Volume({
      core,
      path: mountPath,
      number,
      keeper: partOf(this.ownKeeper, 'volume.'),
      badgeKind: BADGE_KIND,
      mint: effects.mint,
      release: effects.release,
    });
    this.failure = null;
  }

  private describe(volume: Volume): Attached {
    return { figures: volume.figures(), state: volume.core.information().readOnlyReason };
  }

  /** See `detach` in protocol/filesystem.ts. */
  detach(): void {
    const volume = this.mounted;
    if (volume !== null) {
      const [other] = volume.mountedHere;
      if (other !== undefined) throw new SystemError('EBUSY', `a file system is mounted on ${other}`);
      if (volume.files.size > 0) throw new SystemError('EBUSY', `open: ${volume.users(this.effects.taskName)}`);
      // A disk that fails has been complained of when it began to, and must be got rid of all the same.
      if (volume.core.information().readOnlyReason === '') volume.core.sync();
      this.closeCore(volume);
    }
    this.letGo();
  }

  /** The service ends in order: the disk is left clean. The next incarnation attaches it again. */
  stop(): void {
    if (this.mounted !== null) this.closeCore(this.mounted);
    this.mounted = null;
  }

  private closeCore({ core }: Volume): void {
    try {
      core.close();
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.effects.log(`the file system is not left clean: ${error.message}`, 'error');
    }
  }

  /** Nothing is attached any more. */
  private letGo(): void {
    this.mounted = null;
    this.failure = null;
    this.device?.close();
    this.device = null;
    // What is to be attached goes first: without it the rest means nothing.
    this.ownKeeper.delete(ATTACHED_KEY);
    clear(this.effects.keeper);
  }

  private keep(attached: Kept): void {
    this.ownKeeper.put(ATTACHED_KEY, kept.toWire(attached, []));
  }

  private kept(): Kept | undefined {
    const wire = this.ownKeeper.get(ATTACHED_KEY);
    return wire === undefined ? undefined : kept.fromWire(wire, []);
  }
}

function isBlank(device: BlockDevice): boolean {
  return device.read(0, Math.min(BLANK_SECTORS, device.sectors)).every((byte) => byte === 0);
}
