/**
 * Names: bytes on the disk, text for everybody else. Bytes that are no UTF-8 (other systems do not check), and '/' and
 * NUL, which no name can have but a damaged one, appear as the private characters U+F700 + byte, so that such files can
 * be listed, read and removed.
 */
const ESCAPES = 0xf700;

/** The text of a name on the disk. */
export function decodeName(bytes: Buffer, start: number, end: number): string {
  let plain = true;
  for (let at = start; at < end && plain; at++) {
    const byte = bytes[at] ?? 0;
    plain = byte < 0x80 && byte !== 0 && byte !== 0x2f;
  }
  if (plain) return bytes.toString('latin1', start, end);
  const text = bytes.toString('utf8', start, end);
  if (!text.includes('/') && !text.includes('\0') && Buffer.from(text).equals(bytes.subarray(start, end))) return text;
  return withPrivateCharacters(bytes.subarray(start, end));
}

/** The same where it is no valid name. */
function withPrivateCharacters(bytes: Buffer): string {
  let text = '';
  for (const byte of bytes) {
    const isStrange = byte >= 0x80 || byte === 0 || byte === 0x2f;
    text += String.fromCharCode(isStrange ? ESCAPES + byte : byte);
  }
  return text;
}
