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
    this.names(files);
    const headings = paths.length > 1 || this.flags.has('R');
    for (const path of directories) this.directory(path, headings);
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
      const entries = [...this.context.files.entries(path)]
        .filter(({ name }) => this.flags.has('a') || !name.startsWith('.'))
        .sort((a, b) => compareTexts(a.name, b.name));
      if (heading) this.context.print(`${this.begun ? '\n' : ''}${this.shown(path)}:\n`);
      this.begun ||= heading;
      const names = [...(this.flags.has('a') ? ['.', '..'] : []), ...entries.map(({ name }) => name)];
      this.names(
        names.map((name) => ({ name, path: joined(path, name) })),
        true,
      );
      if (!this.flags.has('R')) return;
      for (const { name, type } of entries) if (type === 'directory') this.directory(joined(path, name), true);
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
  usage: '[-lahR1d] [PATH …]',
  about: 'Lists directories',
  details: [
    '-l: with type and permissions, links, size, time (UTC). -a: also names that begin with a dot. -h: sizes for people. -R: everything below.',
    '-1: one name a line, as always where the output is no terminal. -d: directories themselves.',
  ],
  kind: (words) => (words.some((word) => /^-\w*R/.test(word)) ? 'job' : 'here'),
  run: (context) => {
    const { flags, operands } = parseOptions(context.words, { flags: 'lahR1d' });
    const lister = new Lister(context, flags);
    lister.operands(operands.length === 0 ? ['.'] : [...operands].sort(compareTexts));
    return lister.complete ? 0 : 1;
  },
};
