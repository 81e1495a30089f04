/**
 * Sends a batch of frames in one vector: while one of the two slots is being sent, the next frame is written to the other.
 *
 * Read: DP8390D data sheet, chapter 8 (packet transmission); IEEE 802.3, 3.2.8: a frame has at least 60 bytes, and the controller adds none.
 *
 * The results are for each frame the end of its remote DMA, then, once it is sent, the command register and the transmit status.
 */
import { PortVector } from './port-vector.ts';
import { CR, command, PAGE_BYTES, RUNNING, TBCR0, TBCR1, TPSR, TRANSMIT_PAGES, TSR } from './registers.ts';

const MINIMUM_FRAME_BYTES = 60;

/** Longest wait for a frame to go out, in microseconds: 16 attempts with the longest pauses take less. */
const TRANSMIT_MICROSECONDS = 500_000;

/** The vector for some frames; the results are kept under a key. */
export function transmitVector(frames: readonly Uint8Array[], key: string, tag: number, words: boolean): PortVector {
  const vector = new PortVector().keep(key, tag).write(CR, RUNNING);
  for (const [index, frame] of frames.entries()) {
    const page = TRANSMIT_PAGES[(index & 1) as 0 | 1];
    const length = Math.max(frame.length, MINIMUM_FRAME_BYTES);
    const padding = length - frame.length - (words ? frame.length & 1 : 0);
    vector.writeMemory(page * PAGE_BYTES, frame, Math.max(padding, 0), words);
    if (index > 0) awaitTransmission(vector);
    vector
      .write(TPSR, page)
      .write(TBCR0, length & 0xff)
      .write(TBCR1, length >>> 8)
      .write(CR, RUNNING | command.TXP);
  }
  return awaitTransmission(vector);
}

function awaitTransmission(vector: PortVector): PortVector {
  return vector.poll(CR, command.TXP, 0, TRANSMIT_MICROSECONDS).read(TSR);
}

/** The transmit statuses of the frames that were sent, from the results of such a vector for `count` frames. */
export function statusesOf(results: readonly unknown[], count: number): number[] {
  const statuses: number[] = [];
  for (let index = 0; index < count; index++) {
    const at = index < count - 1 ? 3 * index + 3 : 3 * index + 2;
    const status = results[at];
    if (typeof status !== 'number') break;
    statuses.push(status);
  }
  return statuses;
}
