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

/** An entry as it stands on the page. */
export interface ListedItem {
  readonly name: string;
  readonly html: string;
}

export function listedItem(name: string, directory: boolean): ListedItem {
  const end = directory ? '/' : '';
  return { name, html: `<li><a href="./${percentEncoded(name)}${end}">${escapeHtml(name)}${end}</a></li>` };
}

/** The page of a directory; `path` as the request had it, with a slash at its end. */
export function listingPage(path: string, items: readonly ListedItem[]): string {
  const sorted = [...items].sort((a, b) => compareTexts(a.name, b.name));
  const up = path === '/' ? [] : ['<li><a href="../">../</a></li>'];
  return htmlPage(`Index of ${path}`, ['<ul>', ...up, ...sorted.map(({ html }) => html), '</ul>']);
}
