/** ls. Read POSIX, `ls`. */
import type { FileType } from '../../lib/index.ts';
import type { Command, CommandContext } from '../command.ts';
import { type ListedFile, longLines } from '../listing.ts';
import { unlessRefused } from '../name-source.ts';
import { attempt, joined } from '../operands.ts';
import { parseOptions } from '../options.ts';
import { shortSize } from '../sizes.ts';
import { formatColumns } from '../table.ts';
import { compareTexts } from '../texts.ts';
import { visibleText } from '../width.ts';

/** A name to be listed, and where it is. */
interface Named {
  readonly name: string;
  readonly path: string;
}

/** Lists names; on a terminal nothing in them can do harm. */
class Lister {
  private readonly context: CommandContext;
  private readonly flags: ReadonlySet<string>;
  private readonly columns: number | null;
  /** Whether something has been printed that the next heading keeps away from. */
  private begun = false;
  complete = true;

  constructor(context: CommandContext, flags: ReadonlySet<string>) {
    this.context = context;
    this.flags = flags;
    this.columns = context.descriptors.isTerminal(1) ? context.shell.columns() : null;
  }

  /** Lists operands: first what is no directory. */
  operands(paths: readonly string[]): void {
    const files: Named[] = [];
    const directories: string[] = [];
    for (const path of paths) {
      this.attempt(path, () => {
        if (this.typeOf(path) === 'directory' && !this.flags.has('d')) directories.push(path);
        else files.push({ name: path, path });
      });
    }
    this.names(this.sorted(files));
    const headings = paths.length > 1 || this.flags.has('R');
    const named = this.sorted(directories.map((path) => ({ name: path, path })));
    for (const { path } of named) this.directory(path, headings);
  }

  /** With -l and -d a symbolic link is shown itself. */
  private typeOf(path: string): FileType {
    const { files } = this.context;
    const { type } = files.attributes(path, false);
    if (type !== 'symlink' || this.flags.has('l') || this.flags.has('d')) return type;
    return unlessRefused(type, () => files.attributes(path).type);
  }

  private directory(path: string, heading: boolean): void {
    this.attempt(path, () => {
      const hidden = this.flags.has('a') || this.flags.has('A');
      const entries = [...this.context.files.entries(path)].filter(({ name }) => hidden || !name.startsWith('.'));
      const sorted = this.sorted(entries.map(({ name, type }) => ({ name, path: joined(path, name), type })));
      if (heading) this.context.print(`${this.begun ? '\n' : ''}${this.shown(path)}:\n`);
      this.begun ||= heading;
      const dots = this.flags.has('a') ? ['.', '..'].map((name) => ({ name, path: joined(path, name) })) : [];
      this.names([...dots, ...sorted], true);
      if (!this.flags.has('R')) return;
      for (const { path: inside, type } of sorted) if (type === 'directory') this.directory(inside, true);
    });
  }

  /** In the order that is asked for: by name, or with -t and -S the newest and the largest first. */
  private sorted<N extends Named>(named: readonly N[]): N[] {
    const { flags } = this;
    const keys = new Map<N, number>();
    if (flags.has('t') || flags.has('S')) for (const each of named) keys.set(each, this.keyOf(each.path));
    const sorted = [...named].sort((a, b) => (keys.get(b) ?? 0) - (keys.get(a) ?? 0) || compareTexts(a.name, b.name));
    return flags.has('r') ? sorted.reverse() : sorted;
  }

  private keyOf(path: string): number {
    return unlessRefused(0, () => {
      const { modified, size } = this.context.files.attributes(path, false);
      return this.flags.has('S') ? size : modified;
    });
  }

  private names(named: readonly Named[], isDirectory = false): void {
    const { context, columns } = this;
    if (this.flags.has('l')) this.long(named, isDirectory);
    else if (columns === null || this.flags.has('1')) context.lines(...named.map(({ name }) => this.shown(name)));
    else
      context.lines(
        ...formatColumns(
          named.map(({ name }) => name),
          columns,
        ),
      );
    this.begun ||= named.length > 0;
  }

  private long(named: readonly Named[], isDirectory: boolean): void {
    const { context } = this;
    const readable = this.flags.has('h');
    const rows: ListedFile[] = [];
    for (const { name, path } of named) {
      this.attempt(path, () => {
        const attributes = context.files.attributes(path, false);
        const target = attributes.type === 'symlink' ? this.shown(context.files.readLink(path)) : null;
        rows.push({ name: this.shown(name), attributes, target });
      });
    }
    const allocated = rows.reduce((sum, { attributes }) => sum + attributes.allocated, 0);
    if (isDirectory) context.lines(`total ${readable ? shortSize(allocated) : Math.ceil(allocated / 1024)}`);
    context.lines(...longLines(rows, readable));
  }

  private shown(text: string): string {
    return this.columns === null ? text : visibleText(text);
  }

  private attempt(path: string, act: () => void): void {
    if (!attempt(this.context, path, act)) this.complete = false;
  }
}

export const ls: Command = {
  name: 'ls',
  usage: '[-aAdhlrRSt1] [PATH …]',
  about: 'Lists directories',
  details: [
    '-l: with type and permissions, links, size, time (UTC). -a: also names that begin with a dot. -h: sizes for people. -R: everything below.',
    '-1: one name a line, as always where the output is no terminal. -d: directories themselves. -A: as -a, without . and ..',
    '-t: the newest first. -S: the largest first. -r: the other way round.',
  ],
  kind: (words) => (words.some((word) => /^-\w*R/.test(word)) ? 'job' : 'here'),
  run: (context) => {
    const { flags, operands } = parseOptions(context.words, { flags: 'aAdhlrRSt1' });
    const lister = new Lister(context, flags);
    lister.operands(operands.length === 0 ? ['.'] : operands);
    return lister.complete ? 0 : 1;
  },
};
