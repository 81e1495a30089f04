/**
 * What lies in a stretch of the receive ring: frames, each with a header of four bytes in front: status, page of the next frame, length with the frame check
 * sequence. Nothing of it is believed before it has been checked.
 *
 * Read: DP8390D data sheet, chapter 7 (packet reception: "linking receive buffer pages", "beginning of reception", "end of packet").
 */
import { inRing, PAGE_BYTES, pagesBetween, receiveStatus } from './registers.ts';

const HEADER_BYTES = 4;
const CHECK_BYTES = 4;
/** Shortest and longest frame on the wire, without check sequence (IEEE 802.3, 3.2.8). */
const MINIMUM_FRAME_BYTES = 60;
const MAXIMUM_FRAME_BYTES = 1514;

const { PRX, CRC, FAE, FO, MPA } = receiveStatus;

/** The frames of a stretch. */
export interface Taken {
  /** They lie in the stretch. */
  readonly frames: Uint8Array[];
  /** Frames that the card itself has marked as damaged. */
  readonly errors: number;
  /** Why the rest cannot be believed, or null. */
  readonly corrupt: string | null;
}

/** Reads the stretch of pages that begins with `first`. */
export function parseRing(stretch: Uint8Array, first: number): Taken {
  const frames: Uint8Array[] = [];
  let errors = 0;
  let page = first;
  for (let at = 0; at < stretch.length; ) {
    const [status = 0, next = 0, low = 0, high = 0] = stretch.subarray(at, at + HEADER_BYTES);
    const length = low + high * 256 - CHECK_BYTES;
    const pages = pagesBetween(page, next);
    const wrong = faultOf(next, pages, length, at + pages * PAGE_BYTES > stretch.length);
    if (wrong !== null) return { frames, errors, corrupt: `the header on page ${page}: ${wrong}` };
    if ((status & (PRX | CRC | FAE | FO | MPA)) === PRX)
      frames.push(stretch.subarray(at + HEADER_BYTES, at + HEADER_BYTES + length));
    else errors++;
    at += pages * PAGE_BYTES;
    page = next;
  }
  return { frames, errors, corrupt: null };
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
