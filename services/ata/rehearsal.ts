/**
 * What a standby of the driver rehearses (services/lib/rehearsal.ts): it finds one drive, reads its partition table,
 * and is asked to read, write and flush.
 *
 * The drive that is played agrees to everything: it is ready, has no partitions, holds zeros, and interrupts at once.
 * What a drive is like is known to hw/ata.
 */

import { SECTOR_BYTES } from '../../protocol/block.ts';
import { vectorOperation as operation } from '../../protocol/vector.ts';
import { block, type PlayedMessage, type Rehearsal } from '../lib/index.ts';
import { CHANNELS, type ChannelRegisters, status } from './registers.ts';

/** How often each request comes: until the engine has seen all of the code. */
const REPETITIONS = 4;
const SECTORS = 1 << 20;
/** The right to the first drive (devices.ts). */
const BADGE = 0x100;
/** Bit of the device register: the second device of a channel. */
const SECOND = 0x10;

const CHANNEL = CHANNELS[0] as ChannelRegisters;

/** IDENTIFY DEVICE (ATA/ATAPI-6, 8.15) of the drive: LBA, LBA48, FLUSH CACHE, 16 sectors per interrupt. */
function identity(): Uint8Array {
  const bytes = new Uint8Array(SECTOR_BYTES);
  const data = new DataView(bytes.buffer);
  const words = {
    47: 0x8010,
    49: 1 << 9,
    60: SECTORS & 0xffff,
    61: SECTORS >>> 16,
    83: 0x7400,
    100: 0,
    101: SECTORS >>> 16,
  };
  for (const [word, value] of Object.entries(words)) data.setUint16(2 * Number(word), value, true);
  return bytes;
}

/** See the head of this file. */
export class DriveRehearsal implements Rehearsal {
  /** A drive takes longer than any code, and the next standby is to be there soon. */
  readonly performances = 1;
  private selected = 0;
  private identified = false;
  private readonly play = messages();

  load(): undefined {
    return undefined;
  }

  vector(operations: readonly unknown[]): [number, unknown[]] {
    const results: unknown[] = [];
    let at = 0;
    const next = (): number => Number(operations[at++]);
    while (at < operations.length) {
      const code = next();
      const port = next();
      if (code === operation.READ8) results.push(this.statusAt(port));
      else if (code === operation.WRITE8) this.write(port, next());
      else if (code === operation.READ_BLOCK16) results.push(this.block(2 * next()));
      else if (code === operation.WRITE_BLOCK16 || code === operation.INTERRUPT) at++;
      else if (code === operation.CHECK8) at += 2;
      else if (code === operation.POLL8) {
        const mask = next();
        results.push((status.DRDY & ~mask) | next());
        at++;
      } else if (code !== operation.ACKNOWLEDGE) throw new Error(`operation ${code} is not played`);
    }
    return [-1, results];
  }

  /** Nothing answers on the other channel, nor as second device. */
  private statusAt(port: number): number {
    const here = this.selected === 0 && (port === CHANNEL.control || port === CHANNEL.status);
    return here ? status.DRDY : 0;
  }

  private write(port: number, value: number): void {
    if (port === CHANNEL.device) this.selected = value & SECOND;
  }

  private block(length: number): Uint8Array {
    if (this.identified) return new Uint8Array(length);
    this.identified = true;
    return identity();
  }

  answered(code: number): void {
    if (code !== 0) throw new Error(`the driver has answered with error ${code}`);
  }

  next(): PlayedMessage | null {
    const { done, value } = this.play.next();
    return done === true ? null : value;
  }
}

function* messages(): Generator<PlayedMessage, undefined> {
  const { read, write, flush, information } = block.methods;
  yield request(information.number, null);
  for (let turn = 0; turn < REPETITIONS; turn++) {
    for (const count of [1, 8, 128]) {
      yield request(read.number, [8 * turn, count]);
      yield request(write.number, [SECTORS - 256, new Uint8Array(count * SECTOR_BYTES)]);
    }
    yield request(flush.number, null);
  }
}

const request = (method: number, data: unknown): PlayedMessage => ({
  ...{ interface: block.number, method, badge: BADGE, notice: false, retry: false, data },
});
