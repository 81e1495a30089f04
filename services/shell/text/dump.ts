/** Bytes in hexadecimal and as text, in the canonical form of `hexdump -C`. */

const LINE_BYTES = 16;

function offsetText(offset: number): string {
  return offset.toString(16).padStart(8, '0');
}

/**
 * Lines of `hexdump -C`: offset, 16 bytes in hexadecimal, the same as text. Lines equal to the one before are left out,
 * with one `*` in their place; the last line is the offset of the end. `offset` is that of the first byte. No bytes
 * give no lines.
 */
export function* hexdump(pieces: Iterable<Uint8Array>, offset = 0): Generator<string> {
  let at = offset;
  let rest: Uint8Array = new Uint8Array(0);
  let before: Uint8Array | null = null;
  let starred = false;
  for (const piece of pieces) {
    const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
    let start = 0;
    for (; bytes.length - start >= LINE_BYTES; start += LINE_BYTES) {
      const line = bytes.subarray(start, start + LINE_BYTES);
      if (before !== null && Buffer.compare(line, before) === 0) {
        if (!starred) yield '*';
        starred = true;
      } else {
        yield offsetText(at) + dumpLine(line);
        starred = false;
        before = line;
      }
      at += LINE_BYTES;
    }
    rest = bytes.subarray(start);
  }
  if (rest.length > 0) yield offsetText(at) + dumpLine(rest);
  at += rest.length;
  if (at > offset) yield offsetText(at);
}

function dumpLine(line: Uint8Array): string {
  let numbers = '';
  let text = '';
  for (let index = 0; index < LINE_BYTES; index += 1) {
    if (index % 8 === 0) numbers += ' ';
    const byte = line[index];
    numbers += byte === undefined ? '   ' : ` ${byte.toString(16).padStart(2, '0')}`;
    if (byte !== undefined) text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.';
  }
  return `${numbers}  |${text}|`;
}
