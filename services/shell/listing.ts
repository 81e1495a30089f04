/** How `ls` and `stat` show what is known of files. */
import type { FileAttributes, FileType } from '../lib/index.ts';
import { shortSize } from './sizes.ts';
import { formatTable, type TableColumn } from './table.ts';

const letters: Readonly<Record<FileType, string>> = {
  ...{ file: '-', directory: 'd', symlink: 'l' },
  ...{ character: 'c', block: 'b', pipe: 'p' },
};

/** `-rw-r--r--`: type and permission bits, as POSIX wants them from `ls -l`. */
export function modeText({ type, mode }: Pick<FileAttributes, 'type' | 'mode'>): string {
  const bits = [6, 3, 0].map((shift) => {
    const part = mode >> shift;
    const special = (mode & (shift === 6 ? 0o4000 : shift === 3 ? 0o2000 : 0o1000)) !== 0;
    const letter = shift === 0 ? 't' : 's';
    const execute = (part & 1) !== 0 ? (special ? letter : 'x') : special ? letter.toUpperCase() : '-';
    return ((part & 4) !== 0 ? 'r' : '-') + ((part & 2) !== 0 ? 'w' : '-') + execute;
  });
  return letters[type] + bits.join('');
}

/** `2026-11-25 19:08:03`, in UTC. A time outside of the calendar is shown in milliseconds. */
export function timeText(milliseconds: number): string {
  const date = new Date(milliseconds);
  if (Number.isNaN(date.getTime())) return `${milliseconds} ms`;
  return date.toISOString().replace('T', ' ').slice(0, 19);
}

/** A row of `ls -l`. */
export interface ListedFile {
  readonly name: string;
  readonly attributes: FileAttributes;
  /** Where a symbolic link leads. */
  readonly target: string | null;
}

const columns: readonly TableColumn[] = [
  { title: '', align: 'left' },
  { title: '', align: 'right' },
  { title: '', align: 'right' },
  { title: '', align: 'left' },
];

/** The lines of `ls -l`: mode, links, size, time of the last change, name. */
export function longLines(files: readonly ListedFile[], readableSizes: boolean): string[] {
  const figures = files.map(({ attributes }) => [
    modeText(attributes),
    String(attributes.links),
    readableSizes ? shortSize(attributes.size) : String(attributes.size),
    timeText(attributes.modified).slice(0, 16),
  ]);
  const lines = formatTable(columns, figures).slice(1);
  return files.map(({ name, target }, index) => {
    const arrow = target === null ? '' : ` -> ${target}`;
    return `${lines[index] ?? ''} ${name}${arrow}`;
  });
}
