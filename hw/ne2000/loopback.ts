/**
 * Loopback: a transmitted packet comes back through the controller's receiver and never reaches memory. Its last bytes
 * and its length can be read from the FIFO.
 *
 * Read: DP8390D data sheet, chapter 12 (loopback diagnostics); National Semiconductor AN-937, whose tables give the
 * contents of the status registers for each mode.
 */

import { frameCheckSequence } from './checksum.ts';
import { ADDRESS_BYTES } from './memory.ts';
import { DATA, RECEIVE_STATUS, TRANSMIT, TRANSMIT_STATUS } from './registers.ts';

/** Half of the FIFO takes what comes back. */
const FIFO_BYTES = 8;
const CHECK_BYTES = 4;
/** What the transmitter misses by mode (none, controller, encoder, cable): carrier and heartbeat do not reach it. */
const MISSED = [0, TRANSMIT_STATUS.CRS | TRANSMIT_STATUS.CDH, TRANSMIT_STATUS.CDH, 0] as const;
/** The mode in which the packet goes out on the cable too. */
const MODE_CABLE = 3;

/** The contents of the status registers after a packet has come back. */
export interface LoopbackResult {
  readonly transmitStatus: number;
  readonly receiveStatus: number;
  readonly toCable: boolean;
}

/** The receiver's half of the FIFO. */
export class LoopbackFifo {
  readonly #bytes = new Uint8Array(FIFO_BYTES);
  #written = 0;
  #read = 0;

  /** Reads the next byte, round and round. */
  read(): number {
    const value = this.#bytes[this.#read % FIFO_BYTES] ?? 0;
    this.#read++;
    return value;
  }

  /**
   * A packet goes round.
   *
   * @param packet as it lies in memory; in word mode only every other byte of it is used
   * @param accepts whether the receiver takes a packet to a destination
   */
  transmit(
    packet: Uint8Array,
    transmitConfiguration: number,
    dataConfiguration: number,
    accepts: (destination: Uint8Array) => boolean,
  ): LoopbackResult {
    const mode = (transmitConfiguration & TRANSMIT.LOOPBACK) >>> TRANSMIT.LOOPBACK_SHIFT;
    const data = bytesUsed(packet, dataConfiguration);
    const inhibited = (transmitConfiguration & TRANSMIT.CRC) !== 0;
    const wire = inhibited ? data : Buffer.concat([data, frameCheckSequence(data)]);
    this.#fill(wire);
    // Transmitter and receiver share the check logic: it finds an error whenever it has just made a sequence itself.
    const good = inhibited && hasGoodCheck(wire);
    return {
      transmitStatus: TRANSMIT_STATUS.PTX | (MISSED[mode] ?? 0),
      receiveStatus: good || !accepts(data.subarray(0, ADDRESS_BYTES)) ? RECEIVE_STATUS.PRX : RECEIVE_STATUS.CRC,
      toCable: mode === MODE_CABLE,
    };
  }

  reset(): void {
    this.#bytes.fill(0);
    this.#written = 0;
    this.#read = 0;
  }

  /** The bytes, then the lower byte of their number and twice the upper one. */
  #fill(wire: Uint8Array): void {
    this.reset();
    for (const byte of wire) this.#push(byte);
    for (const byte of [wire.length, wire.length >>> 8, wire.length >>> 8]) this.#push(byte);
  }

  #push(byte: number): void {
    this.#bytes[this.#written % FIFO_BYTES] = byte;
    this.#written++;
  }
}

function hasGoodCheck(wire: Buffer): boolean {
  if (wire.length < CHECK_BYTES) return false;
  return frameCheckSequence(wire.subarray(0, -CHECK_BYTES)).equals(wire.subarray(-CHECK_BYTES));
}

/** In word mode the even bytes with BOS set, the odd ones without. */
function bytesUsed(packet: Uint8Array, dataConfiguration: number): Buffer {
  if ((dataConfiguration & DATA.WTS) === 0) return Buffer.from(packet);
  const parity = (dataConfiguration & DATA.BOS) === 0 ? 1 : 0;
  return Buffer.from(packet.filter((_, index) => index % 2 === parity));
}
