/**
 * An ATA channel: the I/O ports and the interrupt line that up to two drives share.
 *
 * Both devices hear every register write; the DEV bit of the device register says which of them takes commands and
 * answers reads. With one device on the channel the other one's registers keep what is written, its status and error
 * registers read 0, and commands to it do nothing.
 *
 * Read: ATA/ATAPI-6, chapter 7 (registers), 9.1 to 9.4 (resets, interrupts, device selection), 9.16 (one device).
 */
import type { Device, InterruptLine, PortRange, Width } from '../device.ts';
import type { DiskBackend } from '../disk/backend.ts';
import { AtaDrive, type DriveHost } from './drive.ts';
import { COMMAND, CONTROL, DEVICE, REGISTER, TaskFile } from './registers.ts';

/** What a channel is made of. */
export interface AtaChannelOptions {
  readonly name: string;
  /** The first of the eight ports of the command block: 0x1f0 or 0x170. */
  readonly commandBase: number;
  /** The port of the device control and alternate status registers: 0x3f6 or 0x376. */
  readonly controlPort: number;
  readonly line: InterruptLine;
  /** Devices 0 and 1; null where there is none. */
  readonly drives: readonly [DiskBackend | null, DiskBackend | null];
  /** Default: VROS HARDDISK. */
  readonly model?: string;
  /** Default: the name of the channel, and 0 or 1. */
  readonly serials?: readonly [string, string];
  /** Default: 1.0. */
  readonly firmware?: string;
  /** Called when the registers changed outside of a port access. */
  readonly changed: () => void;
}

/** The devices of one channel on the port bus. */
export class AtaChannel implements Device {
  readonly name: string;
  readonly ports: readonly PortRange[];
  /** The data port takes 16 and 32 bits at once. */
  readonly widePorts: readonly PortRange[];
  readonly #commandBase: number;
  readonly #controlPort: number;
  readonly #line: InterruptLine;
  readonly #files: readonly [TaskFile, TaskFile] = [new TaskFile(), new TaskFile()];
  readonly #drives: readonly [AtaDrive | null, AtaDrive | null];
  /** Device 0 or 1. */
  #selected: 0 | 1 = 0;
  #control = 0;

  constructor(options: AtaChannelOptions) {
    const { name, commandBase, controlPort, line, drives, changed } = options;
    this.name = name;
    this.#commandBase = commandBase;
    this.#controlPort = controlPort;
    this.#line = line;
    this.ports = [
      { first: commandBase, last: commandBase + REGISTER.command },
      { first: controlPort, last: controlPort },
    ];
    this.widePorts = [{ first: commandBase, last: commandBase }];
    const host: DriveHost = {
      interrupt: () => {
        if ((this.#control & CONTROL.nIEN) === 0) line.set(true);
      },
      changed,
    };
    const serials = options.serials ?? [`${name}-0`, `${name}-1`];
    const attach = (unit: 0 | 1): AtaDrive | null => {
      const disk = drives[unit];
      const model = options.model ?? 'VROS HARDDISK';
      const identity = { model, serial: serials[unit], firmware: options.firmware ?? '1.0' };
      return disk === null ? null : new AtaDrive(disk, this.#files[unit], identity, host);
    };
    this.#drives = [attach(0), attach(1)];
    this.reset();
  }

  read(port: number, width: Width): number {
    const offset = port - this.#commandBase;
    if (offset === REGISTER.data && width !== 1) return this.#drive?.data.read(width) ?? 0;
    if (width !== 1) return width === 2 ? 0xffff : 0xffff_ffff;
    if (port === this.#controlPort) return this.#drive?.status ?? 0;
    if (offset < 0 || offset > REGISTER.status) return 0xff;
    return this.#readRegister(offset);
  }

  write(port: number, width: Width, value: number): void {
    const offset = port - this.#commandBase;
    if (offset === REGISTER.data && width !== 1) this.#drive?.data.write(width, value);
    else if (width !== 1) return;
    else if (port === this.#controlPort) this.#writeControl(value & 0xff);
    else if (offset > REGISTER.data && offset <= REGISTER.command) this.#writeRegister(offset, value & 0xff);
  }

  readBlock(port: number, width: Width, target: Buffer): void {
    if (port === this.#commandBase && width !== 1) {
      if (this.#drive === null) target.fill(0);
      else this.#drive.data.readRun(width, target);
      return;
    }
    for (let at = 0; at < target.length; at += width) target.writeUIntLE(this.read(port, width), at, width);
  }

  writeBlock(port: number, width: Width, source: Buffer): void {
    if (port === this.#commandBase && width !== 1) {
      this.#drive?.data.writeRun(width, source);
      return;
    }
    for (let at = 0; at < source.length; at += width) this.write(port, width, source.readUIntLE(at, width));
  }

  reset(): void {
    this.#control = 0;
    this.#line.set(false);
    this.#resetDrives('power');
  }

  get #drive(): AtaDrive | null {
    return this.#drives[this.#selected];
  }

  #readRegister(offset: number): number {
    const hob = (this.#control & CONTROL.HOB) !== 0;
    const drive = this.#drive;
    if (this.#drives[0] === null && this.#drives[1] === null) return 0;
    switch (offset) {
      case REGISTER.data:
        // An 8-bit access takes a whole word from the data port and gives its low byte.
        return (drive?.data.read(2) ?? 0) & 0xff;
      case REGISTER.status:
        this.#line.set(false);
        return drive?.status ?? 0;
      case REGISTER.error:
        if (drive === null) return 0;
        return hob ? this.#files[this.#selected].read(REGISTER.feature, true) : drive.error;
      default:
        return this.#files[this.#selected].read(offset, hob && offset !== REGISTER.device);
    }
  }

  #writeRegister(offset: number, value: number): void {
    if (offset === REGISTER.command) {
      this.#control &= ~CONTROL.HOB;
      this.#line.set(false);
      this.#execute(value);
      return;
    }
    if (this.#drive?.occupied) return;
    this.#control &= ~CONTROL.HOB;
    for (const file of this.#files) {
      if (offset === REGISTER.device) file.device = value;
      else file.write(offset, value);
    }
    if (offset === REGISTER.device) this.#selected = (value & DEVICE.DEV) === 0 ? 0 : 1;
  }

  #execute(command: number): void {
    const drive = this.#drive;
    if (drive === null || drive.occupied) return;
    if (command !== COMMAND.diagnostic) {
      drive.execute(command);
      return;
    }
    // Both devices run it, and device 0 answers.
    this.#selected = 0;
    for (const each of this.#drives) each?.diagnose();
  }

  /**
   * The reset starts when SRST is set and does not wait for it to be cleared, which hosts are told to do 5 µs later. As
   * in QEMU, setting it again without that is another reset.
   */
  #writeControl(value: number): void {
    this.#control = value;
    if ((value & CONTROL.SRST) !== 0) this.#resetDrives('software');
  }

  #resetDrives(kind: 'power' | 'software'): void {
    this.#selected = 0;
    for (const unit of [0, 1] as const) {
      const drive = this.#drives[unit];
      if (drive === null) this.#files[unit].reset(false);
      else drive.reset(kind);
    }
  }
}
