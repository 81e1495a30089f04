/** The page that shows what is in a directory. */
import { compareTexts } from '../../texts.ts';
import { percentEncoded } from './target.ts';

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** A text as it stands in HTML, also in attributes. */
export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (mark) => entities[mark] ?? mark);
}

/** A page with a title and lines of HTML. */
export function htmlPage(title: string, lines: readonly string[]): string {
  const head = `<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8"><title>${escapeHtml(title)}</title></head>`;
  return `${head}\n<body>\n<h1>${escapeHtml(title)}</h1>\n${lines.join('\n')}\n</body>\n</html>\n`;
}

/** An entry: its name and whether it is a directory. */
export interface ListedEntry {
  readonly name: string;
  readonly directory: boolean;
}

/** The page of a directory; `path` as the request had it, with a slash at its end. */
export function listingPage(path: string, entries: readonly ListedEntry[]): string {
  const sorted = [...entries].sort((a, b) => compareTexts(a.name, b.name));
  const names = sorted.map(({ name, directory }) => ({ name, end: directory ? '/' : '' }));
  const items = names.map(
    ({ name, end }) => `<li><a href="./${percentEncoded(name)}${end}">${escapeHtml(name)}${end}</a></li>`,
  );
  const up = path === '/' ? [] : ['<li><a href="../">../</a></li>'];
  return htmlPage(`Index of ${path}`, ['<ul>', ...up, ...items, '</ul>']);
}
