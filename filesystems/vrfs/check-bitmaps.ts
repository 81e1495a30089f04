/** Compares the bitmaps and the counts of free blocks and inodes with what is in use. */
import type { Verify } from '../block-cache.ts';
import { type Findings, phase } from './check-findings.ts';
import { BITS_PER_BLOCK, ROOT } from './geometry.ts';
import { CONTENT, damageOf, kind, newBlock } from './metadata.ts';
import type { Volume } from './volume.ts';

/** A bitmap to compare. */
interface Bitmap {
  readonly what: string;
  readonly start: number;
  /** Bits that stand for something; those behind them are 1. */
  readonly bits: number;
  readonly kind: number;
  readonly verify: Verify;
  isUsed(number: number): boolean;
}

/** Compares one block of a bitmap; answers how many of its bits are 0 when it is as it should be. */
function checkBlock(volume: Volume, findings: Findings, bitmap: Bitmap, index: number): number {
  const { cache } = volume;
  const block = bitmap.start + index;
  let found: Buffer | undefined;
  const damage = damageOf(() => {
    found = cache.read(block, bitmap.verify);
  });
  const expected = newBlock(bitmap.kind);
  let free = 0;
  const first = index * BITS_PER_BLOCK;
  const count = Math.min(BITS_PER_BLOCK, bitmap.bits - first);
  expected.fill(0xff, CONTENT + (count >> 3));
  if (count < BITS_PER_BLOCK) expected[CONTENT + (count >> 3)] = (0xff << (count & 7)) & 0xff;
  for (let bit = 0; bit < count; bit++) {
    const at = CONTENT + (bit >> 3);
    const mask = 1 << (bit & 7);
    const mayStay = findings.incomplete && ((found?.[at] ?? 0xff) & mask) !== 0;
    if (mayStay || bitmap.isUsed(first + bit)) expected[at] = (expected[at] ?? 0) | mask;
    else free++;
  }
  const text = found === undefined ? damage : differences(found, expected, bitmap.what, first);
  if (text !== '') findings.add(phase.BITMAPS, text, () => cache.replace(block, expected, bitmap.verify));
  return free;
}

/** What differs between two bitmap blocks, in a sentence; '' if nothing does. */
function differences(found: Buffer, expected: Buffer, what: string, first: number): string {
  const counts = [0, 0];
  let example = -1;
  for (let at = CONTENT; at < found.length; at++) {
    const [is, due] = [found[at] ?? 0, expected[at] ?? 0];
    for (let bit = 0; is !== due && bit < 8; bit++) {
      const [isSet, dueSet] = [(is >> bit) & 1, (due >> bit) & 1];
      if (isSet === dueSet) continue;
      counts[isSet] = (counts[isSet] ?? 0) + 1;
      if (example < 0) example = first + (at - CONTENT) * 8 + bit;
    }
  }
  if (example < 0) return '';
  return `the bitmap is wrong: ${counts[1]} ${what} are free and marked as used, ${counts[0]} are used and marked as free; the first is ${example}`;
}

/** See the head of this file. EIO. */
export function checkBitmaps(volume: Volume, findings: Findings): void {
  const { geometry, state, verify } = volume;
  const { dataStart, dataEnd, nodes } = geometry;
  const blockBitmap: Bitmap = {
    ...{
      what: 'blocks',
      start: geometry.blockBitmapStart,
      bits: dataEnd,
      kind: kind.BLOCK_BITMAP,
      verify: verify.blockBitmap,
    },
    isUsed: (block) => block < dataStart || findings.isUsed(block),
  };
  const nodeBitmap: Bitmap = {
    ...{
      what: 'inodes',
      start: geometry.nodeBitmapStart,
      bits: nodes,
      kind: kind.NODE_BITMAP,
      verify: verify.nodeBitmap,
    },
    isUsed: (number) => number < ROOT || (findings.types[number] ?? 0) !== 0,
  };
  const free = (bitmap: Bitmap, blocks: number): number =>
    Array.from({ length: blocks }, (_, index) => checkBlock(volume, findings, bitmap, index)).reduce(
      (a, b) => a + b,
      0,
    );
  const freeBlocks = free(blockBitmap, geometry.blockBitmapBlocks);
  const freeNodes = free(nodeBitmap, geometry.nodeBitmapBlocks);
  if (state.freeBlocks !== freeBlocks)
    findings.add(phase.BITMAPS, `${freeBlocks} blocks are free, and ${state.freeBlocks} are said to be`, () => {
      state.freeBlocks = freeBlocks;
    });
  if (state.freeNodes !== freeNodes)
    findings.add(phase.BITMAPS, `${freeNodes} inodes are free, and ${state.freeNodes} are said to be`, () => {
      state.freeNodes = freeNodes;
    });
}
