/**
 * Text in character cells: what the cursor treats as one character, how it is shown and how wide that is. Read UAX #11
 * (East Asian Width) and, for what is done more simply here, UAX #29 (Text Segmentation): a cluster is one code point
 * and the zero-width ones behind it.
 */
import { characterWidth } from '../../protocol/character.ts';

/** What a lone combining mark is shown on. */
const DOTTED_CIRCLE = '\u{25cc}';

const control = /^[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u;

/** Control characters, lone surrogates and separators of lines: nothing that a terminal may get as text. */
export function isControl(character: string): boolean {
  return control.test(character);
}

/** Cuts text into clusters. Joined they give the text again. */
export function clustersOf(text: string): string[] {
  const clusters: string[] = [];
  for (const character of text) {
    const last = clusters.at(-1);
    const codePoint = character.codePointAt(0) ?? 0;
    const joins = codePoint >= 0x80 && characterWidth(codePoint) === 0 && !isControl(character);
    if (joins && last !== undefined && !isControl(last)) clusters[clusters.length - 1] = last + character;
    else clusters.push(character);
  }
  return clusters;
}

/**
 * How a cluster is shown: control characters as ^X, others that cannot be shown as U+FFFD, a lone combining mark on a
 * dotted circle.
 */
export function visible(cluster: string): string {
  const code = cluster.codePointAt(0) ?? 0;
  if (code < 0x20 || code === 0x7f) return `^${String.fromCharCode(code ^ 0x40)}`;
  if (code < 0x80) return cluster;
  if (isControl(cluster)) return '\u{fffd}';
  return characterWidth(code) === 0 ? DOTTED_CIRCLE + cluster : cluster;
}

/** Cells of what `visible` gives. */
export function visibleWidth(shown: string): number {
  let width = 0;
  for (const character of shown) width += characterWidth(character.codePointAt(0) ?? 0);
  return width;
}

/** Text with everything in it made visible. */
export function visibleText(text: string): string {
  return /^[\x20-\x7e]*$/.test(text) ? text : clustersOf(text).map(visible).join('');
}

/** Cells that a text takes when it is made visible. */
export function textWidth(text: string): number {
  return visibleWidth(visibleText(text));
}
