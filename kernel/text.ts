/** Texts of services as the kernel keeps them: in the log, and in crash records. */

/** Control characters but for tab and newline. */
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f]/g;

/**
 * A text with its control characters made visible, so that no service can forge lines or colours, and cut between two
 * characters to at most so many bytes of UTF-8.
 */
export function shown(text: string, mostBytes: number): string {
  // No character takes less than a byte.
  const whole = text
    .slice(0, mostBytes)
    .replace(CONTROL, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);
  if (whole.length <= mostBytes / 3) return whole;
  const bytes = Buffer.from(whole);
  if (bytes.length <= mostBytes) return whole;
  let end = mostBytes;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end);
}
