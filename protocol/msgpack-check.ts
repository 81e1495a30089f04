/**
 * Checks msgpack from a peer before it is decoded: exactly one value, whole, no extension types, no deeper than the
 * bound, no container that claims more elements than there are bytes. Iterative, so that no input can exhaust the
 * stack. Format: the msgpack specification (msgpack.org, "Formats").
 */
import { MAX_MSGPACK_DEPTH } from './bounds.ts';

const remaining = new Float64Array(MAX_MSGPACK_DEPTH + 1);

/**
 * Looks at the bytes `start` to `end` of `buffer`. Returns null when they are one well-formed value, else what is wrong
 * in a few words.
 */
export function checkMsgpack(buffer: Uint8Array, start: number, end: number): string | null {
  const found = endOfMsgpack(buffer, start, end);
  if (typeof found === 'string') return found;
  return found === end ? null : 'bytes after the value';
}

/** Where the value ends that begins at `start`, at the latest at `end`; or what is wrong with it in a few words. */
export function endOfMsgpack(buffer: Uint8Array, start: number, end: number): number | string {
  let at = start;
  let depth = 0;
  remaining[0] = 1;
  for (;;) {
    while (remaining[depth] === 0) {
      if (depth === 0) return at;
      depth--;
    }
    if (at >= end) return 'cut short';
    remaining[depth] = (remaining[depth] ?? 0) - 1;
    const mark = buffer[at++] ?? 0;
    let skip = 0;
    let items = -1;
    if (mark <= 0x7f || mark >= 0xe0) continue;
    if (mark <= 0x8f) items = 2 * (mark & 0x0f);
    else if (mark <= 0x9f) items = mark & 0x0f;
    else if (mark <= 0xbf) skip = mark & 0x1f;
    else {
      switch (mark) {
        case 0xc0:
        case 0xc2:
        case 0xc3:
          break;
        case 0xc4:
        case 0xd9:
          if (end - at < 1) return 'cut short';
          skip = 1 + (buffer[at] ?? 0);
          break;
        case 0xc5:
        case 0xda:
          if (end - at < 2) return 'cut short';
          skip = 2 + read16(buffer, at);
          break;
        case 0xc6:
        case 0xdb:
          if (end - at < 4) return 'cut short';
          skip = 4 + read32(buffer, at);
          break;
        case 0xcc:
        case 0xd0:
          skip = 1;
          break;
        case 0xcd:
        case 0xd1:
          skip = 2;
          break;
        case 0xca:
        case 0xce:
        case 0xd2:
          skip = 4;
          break;
        case 0xcb:
        case 0xcf:
        case 0xd3:
          skip = 8;
          break;
        case 0xdc:
        case 0xde:
          if (end - at < 2) return 'cut short';
          items = read16(buffer, at) * (mark === 0xde ? 2 : 1);
          at += 2;
          break;
        case 0xdd:
        case 0xdf:
          if (end - at < 4) return 'cut short';
          items = read32(buffer, at) * (mark === 0xdf ? 2 : 1);
          at += 4;
          break;
        case 0xc1:
          return 'reserved mark 0xc1';
        default:
          return 'extension type';
      }
    }
    if (skip > end - at) return 'cut short';
    at += skip;
    if (items >= 0) {
      if (items > end - at) return 'cut short';
      if (depth >= MAX_MSGPACK_DEPTH) return 'nested too deep';
      remaining[++depth] = items;
    }
  }
}

function read16(buffer: Uint8Array, at: number): number {
  return ((buffer[at] ?? 0) << 8) | (buffer[at + 1] ?? 0);
}

function read32(buffer: Uint8Array, at: number): number {
  return (
    (buffer[at] ?? 0) * 0x1000000 +
    (((buffer[at + 1] ?? 0) << 16) | ((buffer[at + 2] ?? 0) << 8) | (buffer[at + 3] ?? 0))
  );
}
