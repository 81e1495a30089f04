/** Length and a sum of all bytes and their places. */
export function digest(data: Uint8Array): string {
  let sum = 0x811c9dc5;
  for (const byte of data) sum = Math.imul(sum ^ byte, 0x01000193);
  return `${data.length} ${(sum >>> 0).toString(16)}`;
}
