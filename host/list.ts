/** `vros ls` and `vros cat`. */
import type { Attributes } from '../filesystems/file-system.ts';
import { about, CommandError } from './errors.ts';
import { withFileSystem } from './image.ts';
import { ImageTree } from './tree.ts';

/** How to list. */
export interface ListOptions {
  readonly long: boolean;
  readonly all: boolean;
  readonly recursive: boolean;
}

const TYPE_LETTERS = { file: '-', directory: 'd', symlink: 'l', character: 'c', block: 'b', pipe: 'p' } as const;

/** `drwxr-xr-x`. */
function modeText({ type, mode }: Attributes): string {
  const bits = [...'rwxrwxrwx'].map((letter, index) => ((mode >> (8 - index)) & 1 ? letter : '-'));
  return TYPE_LETTERS[type] + bits.join('');
}

/** `2026-11-25 18:33`, UTC. */
function timeText(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(0, 16).replace('T', ' ');
}

/** Names with what would move the cursor or ring the bell shown as question marks. */
function visible(name: string): string {
  return name.replace(/\p{Cc}/gu, '?');
}

function longRows(tree: ImageTree, rows: readonly { name: string; path: string }[]): string[] {
  const cells = rows.map(({ name, path }) => {
    const attributes = tree.fileSystem.attributes(tree.node(path, false));
    const target = attributes.type === 'symlink' ? ` -> ${visible(tree.readLink(path))}` : '';
    const { links, size, modified } = attributes;
    return [modeText(attributes), String(links), String(size), timeText(modified), visible(name) + target];
  });
  const width = (column: number): number => Math.max(0, ...cells.map((row) => row[column]?.length ?? 0));
  const [links, size] = [width(1), width(2)];
  return cells.map((row) => `${row[0]} ${row[1]?.padStart(links)} ${row[2]?.padStart(size)} ${row[3]} ${row[4]}`);
}

/** Lists what is at a path of an image. Throws CommandError. */
export async function list(image: string, at: string, options: ListOptions): Promise<void> {
  await withFileSystem(image, true, (fileSystem) => {
    const tree = new ImageTree(fileSystem);
    const show = (rows: readonly { name: string; path: string }[]): void => {
      const lines = options.long ? longRows(tree, rows) : rows.map(({ name }) => visible(name));
      for (const line of lines) process.stdout.write(`${line}\n`);
    };
    const item = about(`${image}: ${at}`, () => tree.item(at, true));
    if (item === undefined) throw new CommandError(`${image}: ${at}: no such file or directory`);
    if (item.type !== 'directory') {
      show([{ name: at, path: at }]);
      return;
    }
    const waiting = [at];
    for (let directory = waiting.shift(); directory !== undefined; directory = waiting.shift()) {
      const here = directory;
      const entries = about(`${image}: ${here}`, () => tree.entries(here)).filter(
        ({ name }) => options.all || !name.startsWith('.'),
      );
      if (options.recursive) process.stdout.write(`${here === at ? '' : '\n'}${visible(here)}:\n`);
      about(`${image}: ${here}`, () => show(entries.map(({ name }) => ({ name, path: tree.join(here, name) }))));
      if (options.recursive) {
        const inside = entries.filter(({ type }) => type === 'directory').map(({ name }) => tree.join(here, name));
        waiting.unshift(...inside);
      }
    }
  });
}

/** Writes files of an image to standard output. Throws CommandError. */
export async function cat(image: string, paths: readonly string[]): Promise<void> {
  await withFileSystem(image, true, async (fileSystem) => {
    const tree = new ImageTree(fileSystem);
    for (const at of paths) {
      if (about(`${image}: ${at}`, () => tree.item(at, true)) === undefined)
        throw new CommandError(`${image}: ${at}: no such file or directory`);
      const pieces = tree.pieces(at)[Symbol.iterator]();
      for (;;) {
        const piece = about(`${image}: ${at}`, () => pieces.next());
        if (piece.done === true) break;
        const copy = Buffer.from(piece.value);
        if (!process.stdout.write(copy)) await new Promise((resolve) => process.stdout.once('drain', resolve));
      }
    }
  });
}
