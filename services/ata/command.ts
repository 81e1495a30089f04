/**
 * One ATA command as vectors of port accesses.
 *
 * Read: ATA/ATAPI-6 clause 9: bus idle, non-data, PIO data-in and PIO data-out protocols; clause 6.20 for the register
 * order of 48-bit commands.
 *
 * The device may interrupt only where the driver waits for it: nIEN is cleared with the command (data-out: with the
 * last block) and set with the first status read afterwards. Interrupts in between, one for each block, would only come
 * back as stale ones once the line is acknowledged.
 */
import { SECTOR_BYTES } from '../../protocol/block.ts';
import { PortVector } from './port-vector.ts';
import { type ChannelRegisters, control, deviceBits, status } from './registers.ts';

/** Data of a command; it moves in blocks of `blockSectors`, the last may be shorter. */
export type Transfer =
  | { readonly direction: 'none' }
  | { readonly direction: 'in'; readonly sectors: number; readonly blockSectors: number }
  | { readonly direction: 'out'; readonly data: Uint8Array; readonly blockSectors: number };

/** A command for one of the two devices of a channel. */
export interface Command {
  readonly device: 0 | 1;
  readonly code: number;
  /** Sector count as the command takes it: 0 to 256, of which 28-bit commands see the low byte. */
  readonly count: number;
  readonly lba: number;
  /** A 48-bit command: address and count are written in two halves. */
  readonly extended: boolean;
  readonly transfer: Transfer;
  /** Longest wait for each step, in milliseconds (at most 10,000). */
  readonly timeoutMilliseconds: number;
}

const { BSY, DRDY, DF, DRQ, ERR } = status;
const WORDS_PER_SECTOR = SECTOR_BYTES / 2;

/** Device register that selects a device, in LBA mode. */
export function selection(device: 0 | 1): number {
  return deviceBits.OBSOLETE | deviceBits.LBA | (device === 1 ? deviceBits.DEV : 0);
}

/** Bits `shift` to `shift + 7` of a number below 2^53. */
function byteAt(value: number, shift: number): number {
  return Math.floor(value / 2 ** shift) % 0x100;
}

function writeTaskFile(vector: PortVector, { count, lba, extended }: Command): void {
  const { error: features, sectorCount, lbaLow, lbaMid, lbaHigh } = vector.registers;
  if (extended) {
    vector.write8(features, 0);
    vector.write8(sectorCount, byteAt(count, 8));
    vector.write8(lbaLow, byteAt(lba, 24));
    vector.write8(lbaMid, byteAt(lba, 32));
    vector.write8(lbaHigh, byteAt(lba, 40));
  }
  vector.write8(features, 0);
  vector.write8(sectorCount, byteAt(count, 0));
  vector.write8(lbaLow, byteAt(lba, 0));
  vector.write8(lbaMid, byteAt(lba, 8));
  vector.write8(lbaHigh, byteAt(lba, 16));
}

/** Blocks that one command may move: each costs four operations of a vector, which has at most 1,024. */
export const MAX_BLOCKS_PER_COMMAND = 128;

/** The device has come to a state with BSY clear; ends the vector unless it wants or has data and reports no error. */
function expectData(vector: PortVector): void {
  vector.check8(vector.registers.control, BSY | DRQ | DF | ERR, DRQ);
}

/** After each block the Alternate Status register is read once for nothing: the cycle the device has to set BSY in. */
function sendData(vector: PortVector, data: Uint8Array, blockSectors: number, command: Command, quiet: boolean): void {
  const { registers } = vector;
  const blockBytes = blockSectors * SECTOR_BYTES;
  vector.settle();
  for (let at = 0; at < data.length; at += blockBytes) {
    vector.poll8(registers.status, BSY, 0, command.timeoutMilliseconds);
    expectData(vector);
    if (!quiet && at + blockBytes >= data.length) vector.write8(registers.control, 0);
    vector.writeData(data.subarray(at, at + blockBytes)).read8(registers.control);
  }
}

/**
 * Selects the device and issues the command; data-out commands also get their data. `quiet`: the device is not to
 * interrupt.
 */
export function issue(vector: PortVector, command: Command, quiet: boolean): PortVector {
  const { registers } = vector;
  const { transfer, timeoutMilliseconds } = command;
  const address = command.extended ? 0 : byteAt(command.lba, 24) & 0x0f;
  vector.poll8(registers.control, BSY | DRQ, 0, timeoutMilliseconds);
  vector.write8(registers.device, selection(command.device) | address).settle();
  vector.poll8(registers.control, BSY | DRQ | DRDY, DRDY, timeoutMilliseconds);
  vector.write8(registers.control, quiet || transfer.direction === 'out' ? control.nIEN : 0);
  writeTaskFile(vector, command);
  vector.command(command.code);
  if (transfer.direction === 'out') sendData(vector, transfer.data, transfer.blockSectors, command, quiet);
  return vector;
}

/**
 * Ends a command: waits for its status, acknowledges the line, and fetches the blocks of a data-in command. The line is
 * acknowledged as soon as the device interrupts no more, so that a command that ends with an error has it acknowledged,
 * too.
 */
export function finish(vector: PortVector, { transfer, timeoutMilliseconds }: Command): PortVector {
  const { registers } = vector;
  vector.write8(registers.control, control.nIEN);
  vector.poll8(registers.status, BSY, 0, timeoutMilliseconds).acknowledge();
  if (transfer.direction === 'in') {
    for (let left = transfer.sectors; left > 0; left -= transfer.blockSectors) {
      expectData(vector);
      vector.readData(Math.min(left, transfer.blockSectors) * WORDS_PER_SECTOR).read8(registers.control);
      vector.poll8(registers.status, BSY, 0, timeoutMilliseconds);
    }
  }
  return vector.check8(registers.control, BSY | DRQ | DF | ERR, 0);
}

/** A command from beginning to end without its interrupt. */
export function polled(registers: ChannelRegisters, command: Command): PortVector {
  return finish(issue(new PortVector(registers), command, true).settle(), command);
}
