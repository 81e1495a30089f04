/**
 * One ATA channel: finds devices, resets, and executes commands one at a time, by interrupts or polling. Every wait is
 * bounded.
 *
 * Read: ATA/ATAPI-6 clause 9 (software reset, bus idle, signatures); command.ts for the course of a command.
 */
import { type Command, finish, issue, polled, selection } from './command.ts';
import type { Hardware, VectorResult } from './hardware.ts';
import { PortVector } from './port-vector.ts';
import { type ChannelRegisters, control, status } from './registers.ts';
import type { Log, Statistics } from './report.ts';

/**
 * How a command ended. `error`: the device reports one. `stuck`: it does not do what the protocol says, and has to be
 * reset.
 */
export type Outcome =
  | { readonly kind: 'done'; readonly blocks: readonly Uint8Array[] }
  | {
      readonly kind: 'error';
      /** The device refused the command before any data moved. */
      readonly refused: boolean;
      readonly status: number;
      readonly error: number;
      /** The sector the device names as the first that failed. */
      readonly lba: number;
    }
  | { readonly kind: 'stuck'; readonly why: string };

/**
 * Longest wait for a device to come out of reset. The standard allows 31 s; what takes longer than this is given up.
 */
const RESET_MILLISECONDS = 5000;

/** Time the standard gives the devices between the end of SRST and the first look at their status. */
const RESET_PAUSE_MILLISECONDS = 2;

/** Stale interrupts that are taken off before a command. */
const MAX_STALE_INTERRUPTS = 4;

const { BSY, DF, DRQ, ERR, DRDY } = status;

function hex(value: number): string {
  return `0x${value.toString(16).padStart(2, '0')}`;
}

function lastRegister({ results }: VectorResult): number {
  const last = results.at(-1);
  return typeof last === 'number' ? last : BSY;
}

/** One channel with up to two devices. */
export class Channel {
  readonly registers: ChannelRegisters;
  /** Number of software resets so far: whoever keeps settings in a device makes them again after each. */
  resets = 0;
  readonly #hardware: Hardware;
  readonly #index: number;
  readonly #statistics: Statistics;
  readonly #log: Log;
  /** A notice may be waiting that belongs to no command of ours. */
  #stale = true;

  constructor(hardware: Hardware, registers: ChannelRegisters, index: number, statistics: Statistics, log: Log) {
    this.#hardware = hardware;
    this.registers = registers;
    this.#index = index;
    this.#statistics = statistics;
    this.#log = log;
  }

  /**
   * Whether anything answers here. Without a device the lines float high or are pulled low; a device that an earlier
   * incarnation left in the middle of a command shows BSY or DRQ and counts.
   */
  occupied(): boolean {
    return this.#shows(0) || this.#shows(1);
  }

  #shows(device: 0 | 1): boolean {
    const { registers } = this;
    const vector = new PortVector(registers).write8(registers.device, selection(device)).settle();
    const value = lastRegister(this.#hardware.vector(vector.operations));
    return value !== 0 && value !== 0xff && value !== 0x7f;
  }

  /** Whether an ATA device is at this place. To be asked after a reset; answers at once where nothing is. */
  present(device: 0 | 1): boolean {
    if (!this.#shows(device)) return false;
    const vector = new PortVector(this.registers).poll8(this.registers.control, BSY | DRQ, 0, RESET_MILLISECONDS);
    const result = this.#hardware.vector(vector.operations);
    // A packet device comes out of reset with DRDY clear.
    return result.ended === -1 && (lastRegister(result) & DRDY) !== 0;
  }

  /**
   * Software reset of both devices. False: they do not come out of it. The devices interrupt no more until the next
   * command.
   */
  reset(): boolean {
    const { registers } = this;
    const hardware = this.#hardware;
    this.#statistics.resets++;
    this.resets++;
    this.#stale = true;
    hardware.vector(new PortVector(registers).write8(registers.control, control.nIEN | control.SRST).operations);
    // SRST has to stay set for 5 us; entering the kernel takes longer.
    hardware.vector(new PortVector(registers).write8(registers.control, control.nIEN).operations);
    hardware.pause(RESET_PAUSE_MILLISECONDS);
    const vector = new PortVector(registers).poll8(registers.control, BSY, 0, RESET_MILLISECONDS);
    return hardware.vector(vector.operations).ended === -1;
  }

  /** Executes a command; the device interrupts when it has data or has ended. */
  execute(command: Command): Outcome {
    this.#dropStale();
    const { control: alternateStatus } = this.registers;
    const issued = issue(new PortVector(this.registers), command, false).awaitInterrupt(command.timeoutMilliseconds);
    const whole = finish(issued.check8(alternateStatus, BSY, 0), command);
    const result = this.#hardware.vector(whole.operations);
    const { interruptAt } = whole;
    const interrupted = result.ended === -1 || result.ended > interruptAt;
    if (interrupted) this.#statistics.interrupts++;
    if (result.ended === interruptAt) return this.#withoutInterrupt(command);
    // The interrupt was that of an earlier command: one too many may come now.
    this.#stale = result.ended === interruptAt + 1;
    if (!this.#stale) return this.#conclude(command, whole, result);
    const late = finish(new PortVector(this.registers), command);
    return this.#conclude(command, late, this.#hardware.vector(late.operations));
  }

  /** Ends a command whose interrupt has not come in time; it may come now. */
  #withoutInterrupt(command: Command): Outcome {
    this.#stale = true;
    const { control: alternateStatus } = this.registers;
    const end = finish(new PortVector(this.registers).check8(alternateStatus, BSY, 0), command);
    const result = this.#hardware.vector(end.operations);
    if (result.ended === 0) return { kind: 'stuck', why: `no interrupt in ${command.timeoutMilliseconds} ms` };
    this.#log(`${this.registers.name}: an interrupt was lost`, 'warning');
    return this.#conclude(command, end, result);
  }

  /** Executes a command without interrupts, in one vector. */
  executePolled(command: Command): Outcome {
    const vector = polled(this.registers, command);
    return this.#conclude(command, vector, this.#hardware.vector(vector.operations));
  }

  #conclude(command: Command, vector: PortVector, result: VectorResult): Outcome {
    if (result.ended !== -1) return this.#diagnose(command, vector, result);
    return { kind: 'done', blocks: result.results.filter((value) => value instanceof Uint8Array) };
  }

  /** What stopped a vector: the register it read last is a status. */
  #diagnose(command: Command, vector: PortVector, result: VectorResult): Outcome {
    const value = lastRegister(result);
    if ((value & BSY) !== 0) return { kind: 'stuck', why: `busy (status ${hex(value)})` };
    if (result.ended < vector.commandAt) return { kind: 'stuck', why: `not ready (status ${hex(value)})` };
    if ((value & (ERR | DF)) === 0) return { kind: 'stuck', why: `unexpected status ${hex(value)}` };
    const refused = command.transfer.direction !== 'none' && result.ended < vector.dataAt;
    return { kind: 'error', refused, status: value, ...this.#errorRegisters(command) };
  }

  #errorRegisters({ extended }: Command): { error: number; lba: number } {
    const { registers } = this;
    const vector = new PortVector(registers).read8(registers.error).read8(registers.device);
    const address = () => vector.read8(registers.lbaLow).read8(registers.lbaMid).read8(registers.lbaHigh);
    address();
    if (extended) {
      vector.write8(registers.control, control.nIEN | control.HOB);
      address().write8(registers.control, control.nIEN);
    }
    const bytes = this.#hardware.vector(vector.operations).results.map((value) => Number(value) & 0xff);
    const [error = 0, device = 0, low = 0, mid = 0, high = 0, third = 0, fourth = 0, fifth = 0] = bytes;
    const top = extended ? third + fourth * 0x100 + fifth * 0x10000 : device & 0x0f;
    return { error, lba: low + mid * 0x100 + high * 0x10000 + top * 0x1000000 };
  }

  /** Takes interrupts of the past off, so that the next one is the command's. */
  #dropStale(): void {
    if (!this.#stale) return;
    const { registers } = this;
    const acknowledge = new PortVector(registers).read8(registers.status).acknowledge().operations;
    this.#hardware.vector(acknowledge);
    for (let count = 0; count < MAX_STALE_INTERRUPTS; count++) {
      if (!this.#hardware.takeInterrupt(this.#index)) break;
      this.#hardware.vector(acknowledge);
    }
    this.#stale = false;
  }
}
