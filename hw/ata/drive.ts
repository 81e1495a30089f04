/**
 * One ATA disk: its status and error registers, its buffer, and the course of a command from start to end.
 *
 * A drive that is neither busy nor offering data has no request under way at its back end: commands, and resets too,
 * end only when their last request has. So the buffer never changes hands under a request, a late answer never meets a
 * later command, and what a host can leave behind by resetting is bounded.
 *
 * Read: ATA/ATAPI-6, chapter 7 (status and error registers), chapter 9 (protocols).
 */
import { type DiskBackend, type DiskDone, type DiskError, SECTOR_BYTES } from '../disk/backend.ts';
import { writeAddress } from './address.ts';
import { COMMANDS, type CommandDrive, type DriveSettings, powerOnSettings } from './commands.ts';
import { DataPort } from './dataport.ts';
import type { DriveIdentity } from './identify.ts';
import { DIAGNOSTIC_PASSED, ERROR, REGISTER, STATUS, type TaskFile } from './registers.ts';
import { BUFFER_SECTORS, type Transfer } from './transfer.ts';

const READY = STATUS.DRDY | STATUS.DSC;

/** What a drive needs of its channel. */
export interface DriveHost {
  /** Asserts INTRQ, unless the host has switched interrupts off. */
  interrupt(): void;
  /** The registers have changed outside of a port access. */
  changed(): void;
}

/** A disk at a channel. The channel selects it and passes on what is for it. */
export class AtaDrive implements CommandDrive {
  readonly disk: DiskBackend;
  readonly file: TaskFile;
  readonly identity: DriveIdentity;
  readonly data: DataPort;
  settings: DriveSettings;
  ext = false;
  readonly #host: DriveHost;
  #status: number = READY;
  #error = 0;
  #buffer: Buffer | null = null;
  #outstanding = 0;
  /** The reset that waits for requests to end. */
  #resetting: 'power' | 'software' | null = null;
  #transfer: Transfer | null = null;

  constructor(disk: DiskBackend, file: TaskFile, identity: DriveIdentity, host: DriveHost) {
    this.disk = disk;
    this.file = file;
    this.identity = identity;
    this.data = new DataPort(() => this.#blockDone());
    this.settings = powerOnSettings(disk.sectors);
    this.#host = host;
  }

  get status(): number {
    return this.#status;
  }

  get error(): number {
    return this.#error;
  }

  /** BSY or DRQ is set: register writes and commands are ignored. */
  get occupied(): boolean {
    return (this.#status & (STATUS.BSY | STATUS.DRQ)) !== 0;
  }

  /** Starts a command; unknown ones are aborted. The caller has seen to it that the drive is not occupied. */
  execute(command: number): void {
    this.#status = READY;
    this.#error = 0;
    this.ext = false;
    const handler = COMMANDS.get(command);
    if (handler === undefined) this.refuse(ERROR.ABRT);
    else handler(this);
  }

  begin(transfer: Transfer): void {
    this.#transfer = transfer;
  }

  get buffer(): Buffer {
    this.#buffer ??= Buffer.alloc(BUFFER_SECTORS * SECTOR_BYTES);
    return this.#buffer;
  }

  get outstanding(): number {
    return this.#outstanding;
  }

  request(start: (done: DiskDone) => void, answer: (error: DiskError | null) => void): void {
    let inside = true;
    this.#outstanding += 1;
    start((error) => {
      this.#outstanding -= 1;
      if (this.#resetting === null) answer(error);
      else if (this.#outstanding === 0) this.#finishReset(this.#resetting);
      if (!inside) this.#host.changed();
    });
    inside = false;
  }

  busy(): void {
    this.data.close();
    this.#status = READY | STATUS.BSY;
  }

  offer(direction: 'in' | 'out', start: number, end: number, interrupt: boolean): void {
    this.data.open(this.buffer, direction, start, end);
    this.#status = READY | STATUS.DRQ;
    if (interrupt) this.#host.interrupt();
  }

  send(data: Buffer): void {
    this.data.open(data, 'in', 0, data.length);
    this.#status = READY | STATUS.DRQ;
    this.#host.interrupt();
  }

  #blockDone(): void {
    if (this.#transfer === null) this.complete(false);
    else this.#transfer.blockDone();
  }

  progress(lba: number, remaining: number): void {
    writeAddress(this.file, this.ext, this.settings.geometry, lba);
    this.file.set(REGISTER.count, remaining);
  }

  complete(interrupt: boolean): void {
    this.#transfer = null;
    this.data.close();
    this.#status = READY;
    if (interrupt) this.#host.interrupt();
  }

  refuse(error: number): void {
    this.complete(false);
    this.#status = READY | STATUS.ERR;
    this.#error = error;
    this.#host.interrupt();
  }

  fail(error: number, lba: number, remaining: number): void {
    this.progress(lba, remaining);
    this.refuse(error);
  }

  flush(): void {
    this.busy();
    this.request(
      (done) => this.disk.flush(done),
      (error) => {
        if (error === null) this.complete(true);
        else this.refuse(ERROR.ABRT);
      },
    );
  }

  writesDone(): void {
    if (this.settings.writeCache) this.complete(true);
    else this.flush();
  }

  /**
   * Forgets the command under way; blocks of a write that the drive has taken still reach the back end. A software
   * reset ends with an interrupt, a power-on reset without one.
   */
  reset(kind: 'power' | 'software'): void {
    const initial = powerOnSettings(this.disk.sectors);
    const { geometry, writeCache, lookAhead, revertOnReset } = this.settings;
    this.settings = initial;
    if (kind === 'software') {
      this.settings = { ...initial, writeCache, lookAhead, geometry: revertOnReset ? initial.geometry : geometry };
    }
    this.#transfer = null;
    this.file.reset(true);
    this.#resetting = kind;
    this.busy();
    if (this.#outstanding === 0) this.#finishReset(kind);
  }

  #finishReset(kind: 'power' | 'software'): void {
    this.#resetting = null;
    this.#status = READY;
    this.#error = 0;
    if (kind === 'software') this.diagnose();
  }

  /** EXECUTE DEVICE DIAGNOSTIC, which the channel has both its drives do. */
  diagnose(): void {
    this.file.device = 0;
    this.file.signature(true);
    this.#status = READY;
    this.#error = DIAGNOSTIC_PASSED;
    this.#host.interrupt();
  }
}
