/**
 * The bytes that sources send and sinks expect: repeated every 65,521 bytes, so that a piece that is lost, doubled or
 * in the wrong place does not fit.
 */
const PERIOD = 65521;
/** Longest piece that is asked for at once. */
const MOST = 64 * 1024;

const content = ((): Buffer => {
  const bytes = Buffer.alloc(PERIOD + MOST);
  let state = 1;
  for (let at = 0; at < PERIOD; at++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    bytes[at] = state >>> 16;
  }
  // The longest piece is longer than a period.
  bytes.copy(bytes, PERIOD, 0, PERIOD);
  bytes.copy(bytes, 2 * PERIOD, 0, MOST - PERIOD);
  return bytes;
})();

/** `length` bytes, at most 64 KiB, of the content from `offset` on. */
export function piece(offset: number, length: number): Buffer {
  const start = offset % PERIOD;
  return content.subarray(start, start + Math.min(length, MOST));
}
