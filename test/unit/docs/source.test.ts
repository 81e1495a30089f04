/** What the sources have in common beyond what formatter and linter see: they can be read. */
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../../..');
const MOST_LINES = 500;
const COLUMNS = 120;

const outside = new Set(['node_modules', 'dist', '.git', '.vros']);

/** All sources, as paths from the root. */
function sources(folder = ''): string[] {
  return fs.readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = path.join(folder, entry.name);
    if (entry.isDirectory()) return outside.has(entry.name) ? [] : sources(name);
    return /\.(ts|mjs|cjs)$/.test(entry.name) ? [name] : [];
  });
}

describe('the sources', () => {
  const texts = sources().map((name) => ({ name, lines: fs.readFileSync(path.join(root, name), 'utf8').split('\n') }));

  it('are found', () => {
    expect(texts.length).toBeGreaterThan(500);
  });

  it(`have at most ${MOST_LINES} lines a file`, () => {
    expect(texts.filter(({ lines }) => lines.length > MOST_LINES).map(({ name }) => name)).toEqual([]);
  });

  it(`have comments of at most ${COLUMNS} columns`, () => {
    const wide = texts.flatMap(({ name, lines }) =>
      lines.flatMap((line, index) =>
        line.length > COLUMNS && /^\s*(\*|\/\/|\/\*)/.test(line) ? [`${name}:${index + 1}`] : [],
      ),
    );
    expect(wide).toEqual([]);
  });
});
