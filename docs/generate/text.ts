/**
 * Small tools of the documentation's generator: Markdown tables, generated sections between markers, and the doc
 * comments of a source file.
 */

/** A Markdown table. Vertical bars in cells are escaped. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** `0x22`. */
export function hex(number: number, digits = 2): string {
  return `0x${number.toString(16).padStart(digits, '0')}`;
}

/** A number with separators: `1,048,576`. */
export function grouped(number: number): string {
  return number.toString().replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Puts a sentence into code marks unless it is empty. */
export function code(text: string): string {
  return text === '' ? '' : `\`${text}\``;
}

const sectionPattern = /(<!-- generated: ([a-z-]+) -->\n)[\s\S]*?(<!-- end of \2 -->)/g;

/** Names of the generated sections of a page. */
export function sectionNames(page: string): string[] {
  return [...page.matchAll(sectionPattern)].map((match) => match[2] ?? '');
}

/** Replaces what stands between the markers of each generated section. Throws for a section nobody generates. */
export function fillSections(page: string, sections: Readonly<Record<string, () => string>>): string {
  return page.replaceAll(sectionPattern, (_all, start: string, name: string, end: string) => {
    const make = sections[name];
    if (make === undefined) throw new Error(`no generated section is named ${name}`);
    return `${start}\n${make().trim()}\n\n${end}`;
  });
}

/** Prose of a source file as Markdown: `<termios.h>` is no tag. */
function prose(text: string): string {
  return text.replace(/</g, '\\<').trim();
}

/** The doc comments of a source file, by the constant, class or method they stand in front of, as one line each. */
export function docComments(source: string): Map<string, string> {
  const comments = new Map<string, string>();
  const pattern = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*(?:export const |export function |export class )?(\w+)/g;
  for (const [, text = '', name = ''] of source.matchAll(pattern)) {
    const words = text.replace(/^\s*\* ?/gm, ' ').replace(/\s+/g, ' ');
    comments.set(name, prose(words));
  }
  return comments;
}

/** The prose on top of a source file, as one line; tables and code in it are left out. */
export function headComment(source: string): string {
  const text = /^\/\*\*([\s\S]*?)\*\//.exec(source)?.[1] ?? '';
  return text
    .replace(/^\s*\* ?/gm, '')
    .trim()
    .split(/\n\s*\n/)
    .filter((paragraph) => !/^ {4}/.test(paragraph))
    .map((paragraph) => prose(paragraph.replace(/\s+/g, ' ')))
    .join('\n\n');
}
