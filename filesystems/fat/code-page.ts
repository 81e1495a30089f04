/**
 * Code page 437, in which short names and labels are written: ASCII and these 128 characters. Read: unicode.org,
 * Mappings/VENDORS/MICSFT/PC/CP437.TXT.
 */

const UPPER_HALF =
  'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0';

const codes = new Map([...UPPER_HALF].map((character, index) => [character, 0x80 + index]));

/** The text of bytes in code page 437; control characters stay what they are. */
export function decodeText(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += byte < 0x80 ? String.fromCharCode(byte) : (UPPER_HALF[byte - 0x80] ?? '');
  return text;
}

/** The byte of a character; undefined: code page 437 has none. */
export function encodeCharacter(character: string): number | undefined {
  const code = character.codePointAt(0) ?? 0;
  return code < 0x80 ? code : codes.get(character);
}
