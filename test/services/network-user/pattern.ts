/**
 * The bytes that tests of the network send: word N of a stream is N × 0x9e3779b1, little endian, so a byte at a wrong
 * place is a wrong byte.
 */

/** Fills `target` with the bytes of the stream from `offset` on. */
export function fillPattern(target: Uint8Array, offset: number): void {
  for (let at = 0; at < target.length; ) {
    const word = Math.imul((offset + at) >>> 2, 0x9e3779b1);
    for (let byte = (offset + at) & 3; byte < 4 && at < target.length; byte++, at++) {
      target[at] = (word >>> (8 * byte)) & 0xff;
    }
  }
}

/** How many bytes are not those of the stream from `offset` on. */
export function wrongBytes(data: Uint8Array, offset: number): number {
  let wrong = 0;
  for (let at = 0; at < data.length; ) {
    const word = Math.imul((offset + at) >>> 2, 0x9e3779b1);
    for (let byte = (offset + at) & 3; byte < 4 && at < data.length; byte++, at++) {
      if (data[at] !== ((word >>> (8 * byte)) & 0xff)) wrong++;
    }
  }
  return wrong;
}
