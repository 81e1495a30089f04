/**
 * The vector that takes what lies in the receive ring. When the ring was full, more waits in the cable, and mostly
 * frames of the same size: then they come in as the ring is emptied, and fill just as many pages again. So the vector
 * goes on as long as that is so, and a transfer of much data takes one entry into the kernel for several rings.
 *
 * Its results are BNRY before it, then what it has read; and, if it has not come to its end, where the card is about to
 * write (CURR) instead of where it was expected.
 */
import { PackedOperations } from '../../protocol/vector.ts';
import { addReadMemory, remembering } from './port-vector.ts';
import {
  BNRY,
  CR,
  CURR,
  PAGE_BYTES,
  pageBefore,
  RING_PAGES,
  RING_START,
  RUNNING,
  RUNNING_PAGE_1,
} from './registers.ts';

/** Stretches that one request takes. */
export const MAX_STRETCHES = 8;

/** With so many pages used there was no room for a frame of any size, so more frames wait in the cable. */
const HELD_UP_PAGES = RING_PAGES - 6;

/** Whether the cable was held up. */
export const isHeldUp = (pages: number): boolean => pages > HELD_UP_PAGES;

/** The page that lies so many behind another, round the ring. */
export const pageBehind = (page: number, pages: number): number =>
  RING_START + ((page - RING_START + pages) % RING_PAGES);

const rememberedPage = remembering();
const rememberedDrain = remembering();

/** The operations that read a page, and take nothing. */
export function pageOperations(page: number, words: boolean): Uint8Array {
  return rememberedPage(page * 2 + (words ? 1 : 0), () =>
    addReadMemory(new PackedOperations().write8(CR, RUNNING), page * PAGE_BYTES, PAGE_BYTES, words),
  );
}

/** The operations that take `pages` pages from `first` on, `stretches` times one behind the other. */
export function drainOperations(first: number, pages: number, stretches: number, words: boolean): Uint8Array {
  const key = ((first * 256 + pages) * 16 + stretches) * 2 + (words ? 1 : 0);
  return rememberedDrain(key, () => {
    const operations = new PackedOperations().write8(CR, RUNNING).read8(BNRY);
    let page = first;
    for (let stretch = 0; stretch < stretches; stretch++) {
      const behind = pageBehind(page, pages);
      if (stretch > 0) operations.write8(CR, RUNNING_PAGE_1).check8(CURR, 0xff, behind).write8(CR, RUNNING);
      addReadMemory(operations, page * PAGE_BYTES, pages * PAGE_BYTES, words);
      operations.write8(BNRY, pageBefore(behind));
      page = behind;
    }
    return operations;
  });
}
