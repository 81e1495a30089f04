/**
 * What lies in stretches of the receive ring: frames, each with a header of four bytes in front: status, page of the
 * next frame, length with the frame check sequence. Nothing of it is believed before it has been checked.
 *
 * Read: DP8390D data sheet, chapter 7 (packet reception: "linking receive buffer pages", "beginning of reception", "end
 * of packet").
 */
import { type PlacedFrames, placeFrame } from '../../protocol/net.ts';
import { inRing, PAGE_BYTES, pagesBetween, receiveStatus } from './registers.ts';

const HEADER_BYTES = 4;
const CHECK_BYTES = 4;
/** Shortest and longest frame on the wire, without check sequence (IEEE 802.3, 3.2.8). */
const MINIMUM_FRAME_BYTES = 60;
const MAXIMUM_FRAME_BYTES = 1514;

const { PRX, CRC, FAE, FO, MPA } = receiveStatus;

/** The frames of some stretches, which stay where they are. */
export class TakenFrames {
  count = 0;
  /** Bytes of all frames. */
  bytes = 0;
  /** Frames that the card itself has marked as damaged. */
  errors = 0;
  readonly stretches: Uint8Array[] = [];
  private readonly places: number[] = [];
  private length = 0;

  /** Adds the stretch of pages that begins with `first`. Answers why the rest of it cannot be believed, or null. */
  add(stretch: Uint8Array, first: number): string | null {
    let page = first;
    for (let at = 0; at < stretch.length; ) {
      const status = stretch[at] ?? 0;
      const next = stretch[at + 1] ?? 0;
      const length = (stretch[at + 2] ?? 0) + 256 * (stretch[at + 3] ?? 0) - CHECK_BYTES;
      const pages = pagesBetween(page, next);
      const wrong = faultOf(next, pages, length, at + pages * PAGE_BYTES > stretch.length);
      if (wrong !== null) {
        this.keep(stretch);
        return `the header on page ${page}: ${wrong}`;
      }
      if ((status & (PRX | CRC | FAE | FO | MPA)) === PRX) {
        placeFrame(this.places, this.length + at + HEADER_BYTES, length);
        this.count++;
        this.bytes += length;
      } else this.errors++;
      at += pages * PAGE_BYTES;
      page = next;
    }
    this.keep(stretch);
    return null;
  }

  private keep(stretch: Uint8Array): void {
    this.stretches.push(stretch);
    this.length += stretch.length;
  }

  /** All of them, for who has asked for them. */
  get placed(): PlacedFrames {
    const [only] = this.stretches;
    const bytes = this.stretches.length === 1 && only !== undefined ? only : Buffer.concat(this.stretches);
    return { bytes, places: new Uint8Array(this.places) };
  }
}

/** Pages that a frame takes: some controllers leave a page of its own for a check sequence that they do not store. */
function faultOf(next: number, pages: number, length: number, beyond: boolean): string | null {
  if (!inRing(next)) return `next page ${next}`;
  if (length < MINIMUM_FRAME_BYTES || length > MAXIMUM_FRAME_BYTES) return `length ${length}`;
  const least = Math.ceil((HEADER_BYTES + length) / PAGE_BYTES);
  const most = Math.ceil((HEADER_BYTES + length + CHECK_BYTES) / PAGE_BYTES);
  if (pages < least || pages > most) return `${pages} pages for ${length} bytes`;
  return beyond ? 'ends beyond what has been received' : null;
}
