/**
 * Sends a batch of frames in one vector: while one of the two slots is being sent, the next frame is written to the
 * other.
 *
 * Read: DP8390D data sheet, chapter 8 (packet transmission), 9.0 (remote DMA); IEEE 802.3, 3.2.8: a frame has at least
 * 60 bytes, and the controller adds none.
 *
 * A driver that has just been started meets hundreds of frames before the engine has made anything of its code. So what
 * sends a frame is built once for each length, and a whole batch that has the lengths of the one before costs nothing
 * at all.
 */
import { type FrameBatch, frameCount, frameLength } from '../../protocol/net.ts';
import { vectorOperation as operation, PackedOperations } from '../../protocol/vector.ts';
import type { Operand, VectorResult } from './hardware.ts';
import { DMA_MICROSECONDS, remembering } from './port-vector.ts';
import {
  CR,
  command,
  DATA,
  ISR,
  interrupt,
  RBCR0,
  RBCR1,
  RSAR0,
  RSAR1,
  RUNNING,
  TBCR0,
  TBCR1,
  TPSR,
  TRANSMIT_PAGES,
  TSR,
  transmitStatus,
} from './registers.ts';

const MINIMUM_FRAME_BYTES = 60;

/** Longest wait for a frame to go out, in microseconds: 16 attempts with the longest pauses take less. */
const TRANSMIT_MICROSECONDS = 500_000;

const remembered = remembering();

/**
 * Sends a frame of `length` bytes from the slot of its turn; but for the first frame of a batch, the one before has to
 * be out.
 */
function frameStretch(length: number, index: number, words: boolean): Uint8Array {
  const key = 8 * length + (words ? 4 : 0) + 2 * (index & 1) + (index === 0 ? 1 : 0);
  return remembered(key, () => buildStretch(length, index, words));
}

function buildStretch(length: number, index: number, words: boolean): PackedOperations {
  const page = TRANSMIT_PAGES[(index & 1) as 0 | 1];
  const sent = Math.max(length, MINIMUM_FRAME_BYTES);
  const width = words ? 2 : 1;
  const written = sent + (sent % width);
  const zeros = Math.floor((written - length) / width);
  const stretch = new PackedOperations()
    .write8(ISR, interrupt.RDC)
    .write8(RBCR0, written & 0xff)
    .write8(RBCR1, written >>> 8)
    .write8(RSAR0, 0)
    .write8(RSAR1, page)
    .write8(CR, command.STA | command.WRITE)
    .writeBlock(DATA, width, length, zeros)
    .await8(ISR, interrupt.RDC, interrupt.RDC, DMA_MICROSECONDS);
  if (index > 0) awaitTransmission(stretch);
  return stretch
    .write8(TPSR, page)
    .write8(TBCR0, sent & 0xff)
    .write8(TBCR1, sent >>> 8)
    .write8(CR, RUNNING | command.TXP);
}

function awaitTransmission(stretch: PackedOperations): PackedOperations {
  return stretch.await8(CR, command.TXP, 0, TRANSMIT_MICROSECONDS).check8(TSR, transmitStatus.PTX, transmitStatus.PTX);
}

const BEGIN = new PackedOperations().write8(CR, RUNNING).build();
const END = awaitTransmission(new PackedOperations()).read8(TSR).build();

/**
 * Operations of a vector in front of the first frame, for the first frame, and for each other one; and where those wait
 * for the frame before, and check what has become of it.
 */
const [BEFORE, FIRST, EACH, CHECK] = [2, 12, 14, 9] as const;

let last = { lengths: new Uint8Array(0), words: false, operations: BEGIN };

/** The packed operations for frames of such lengths. */
function operationsFor(batch: FrameBatch, words: boolean): Uint8Array {
  const { lengths } = batch;
  if (words === last.words && Buffer.compare(lengths, last.lengths) === 0) return last.operations;
  const count = frameCount(batch);
  const parts = [BEGIN];
  for (let index = 0; index < count; index++) parts.push(frameStretch(frameLength(batch, index), index, words));
  parts.push(END);
  last = { lengths: Uint8Array.from(lengths), words, operations: Buffer.concat(parts) };
  return last.operations;
}

/** The vector for some frames; the result, which is the last transmit status, is kept under a key. */
export function transmitVector(batch: FrameBatch, key: string, tag: number, words: boolean): Operand[] {
  return [operation.KEEP, key, tag, operation.PACKED, operationsFor(batch, words), batch.bytes];
}

/**
 * How a vector for `count` frames has ended: how many have gone out, and whether the next one has failed (else, unless
 * that is all, the card has come to a halt).
 */
export function transmitOutcome({ ended }: VectorResult, count: number): { sent: number; failed: boolean } {
  if (ended === -1) return { sent: count, failed: false };
  const at = ended - BEFORE - FIRST;
  if (at < 0) return { sent: 0, failed: false };
  const sent = Math.floor(at / EACH);
  return { sent, failed: at % EACH === (sent === count - 1 ? 1 : CHECK) };
}
