/**
 * Commands that look for something, and that put it in order: grep, sort, find. Read the POSIX utilities of these
 * names.
 */
import type { FileType } from '../../../protocol/file.ts';
import type { FileAttributes } from '../../lib/index.ts';
import { type CommandContext, type Run, wholeNumber } from '../command.ts';
import { UsageError } from '../errors.ts';
import { baseName, forEachSource, type Source } from '../operands.ts';
import { parseOptions } from '../options.ts';
import { compilePattern } from '../patterns.ts';
import { parseSize } from '../sizes.ts';
import { linesOf, withoutNewline } from '../text/lines.ts';
import { searcher } from '../text/search.ts';
import { collectLines, parseKey, sortLines } from '../text/sorting.ts';
import { type Visited, walk } from '../walk.ts';

const NEWLINE = Buffer.from('\n');

/** What `grep` does with the lines it selects. */
interface GrepMode {
  readonly selects: (line: Uint8Array) => boolean;
  readonly flags: ReadonlySet<string>;
  /** Names stand before lines. */
  readonly named: boolean;
}

/** Searches one source. Answers whether a line was selected. */
function grepSource(context: CommandContext, { path, pieces }: Source, mode: GrepMode): boolean {
  const { flags, named, selects } = mode;
  const name = path === '-' ? '(standard input)' : path;
  const prefix = named ? `${name}:` : '';
  const silent = flags.has('q') || flags.has('c') || flags.has('l');
  let count = 0;
  let number = 0;
  for (const line of linesOf(pieces)) {
    number += 1;
    const text = withoutNewline(line);
    if (!selects(text)) continue;
    count += 1;
    if (flags.has('q') || flags.has('l')) break;
    if (silent) continue;
    if (text.includes(0)) {
      context.print(`grep: ${name}: binary file matches\n`);
      break;
    }
    context.print(flags.has('n') ? `${prefix}${number}:` : prefix);
    context.output.write(text);
    context.output.write(NEWLINE);
  }
  if (flags.has('l') && count > 0) context.print(`${name}\n`);
  else if (flags.has('c') && !flags.has('q')) context.print(`${prefix}${count}\n`);
  return count > 0;
}

const grep: Run = (context) => {
  const { flags, values, operands } = parseOptions(context.words, { flags: 'EFGHchilnqrvx', values: 'e' });
  const pattern = values.get('e') ?? operands[0];
  if (pattern === undefined) throw new UsageError('a pattern is missing');
  const files = values.has('e') ? operands : operands.slice(1);
  const matches = searcher(pattern, {
    ...{ fixed: flags.has('F'), extended: flags.has('E') },
    ...{ ignoreCase: flags.has('i'), whole: flags.has('x') },
  });
  const recursive = flags.has('r');
  const mode: GrepMode = {
    flags,
    named: flags.has('H') || (!flags.has('h') && (files.length > 1 || recursive)),
    selects: flags.has('v') ? (line) => !matches(line) : matches,
  };
  let found = false;
  let failed = false;
  const search = (paths: readonly string[]): void => {
    const status = forEachSource(context, paths, (source) => {
      found = grepSource(context, source, mode) || found;
    });
    failed ||= status !== 0;
  };
  if (!recursive) search(files);
  for (const path of recursive ? (files.length === 0 ? ['.'] : files) : []) {
    const before = ({ path: inside, type }: Visited): undefined => {
      if (type === 'file') search([inside]);
    };
    if (!walk(context, path, { before })) failed = true;
  }
  if (found && flags.has('q')) return 0;
  if (failed) return 2;
  return found ? 0 : 1;
};

const sort: Run = (context) => {
  const { flags, values, operands } = parseOptions(context.words, { flags: 'nru', values: 'kt' });
  const key = values.has('k') ? parseKey(values.get('k') ?? '') : null;
  const separator = values.get('t') ?? null;
  if (separator !== null && [...separator].length !== 1) throw new UsageError('-t: expected one character');
  const lines: string[] = [];
  const status = forEachSource(context, operands, ({ pieces }) => collectLines(pieces, lines));
  // A part of the lines in order is no answer. POSIX: above 1 for an error.
  if (status !== 0) return 2;
  const sorted = sortLines(lines, {
    ...{ numeric: flags.has('n') || key?.numeric === true, reverse: flags.has('r') || key?.reverse === true },
    // Lines are texts of bytes, so the separator is one too.
    ...{ unique: flags.has('u'), key, separator: separator && Buffer.from(separator).toString('latin1') },
  });
  for (const line of sorted) context.output.write(Buffer.from(`${line}\n`, 'latin1'));
  return 0;
};

const types: Readonly<Record<string, FileType>> = {
  ...{ f: 'file', d: 'directory', l: 'symlink' },
  ...{ b: 'block', c: 'character', p: 'pipe' },
};

/** What `find` tests of a path. The attributes are asked for only where a test needs them. */
type FindTest = (path: string, type: FileType, attributes: () => FileAttributes) => boolean;

/** `+10k`: more than, `-10k`: less than, `10k`: exactly so many units, rounded up. Without unit 512 bytes. */
function sizeTest(word: string): FindTest {
  const sign = /^[+-]/.exec(word)?.[0] ?? '';
  const text = word.slice(sign.length);
  const unit = /\d$/.test(text) ? 512 : parseSize(`1${text.slice(-1)}`, '-size');
  const wanted = parseSize(text.replace(/[a-z]$/i, ''), '-size');
  return (_path, _type, attributes) => {
    const units = Math.ceil(attributes().size / unit);
    return sign === '+' ? units > wanted : sign === '-' ? units < wanted : units === wanted;
  };
}

/** Cuts the words into paths and tests. Throws UsageError. */
function findPlan(words: readonly string[]): { paths: readonly string[]; tests: FindTest[]; deepest: number } {
  const first = words.findIndex((word) => word.startsWith('-') && word !== '-');
  const paths = first < 0 ? words : words.slice(0, first);
  const tests: FindTest[] = [];
  let deepest = Number.POSITIVE_INFINITY;
  for (let at = first < 0 ? words.length : first; at < words.length; at += 1) {
    const option = words[at] ?? '';
    if (option === '-print') continue;
    const value = words[++at];
    if (value === undefined) throw new UsageError(`${option}: a value is missing, or there is no such test`);
    if (option === '-name') {
      const matches = compilePattern(value);
      tests.push((path) => matches(baseName(path)));
    } else if (option === '-type') {
      const wanted = types[value];
      if (wanted === undefined) throw new UsageError(`-type: expected one of ${Object.keys(types).join(', ')}`);
      tests.push((_path, type) => type === wanted);
    } else if (option === '-size') tests.push(sizeTest(value));
    else if (option === '-maxdepth') deepest = wholeNumber(value, '-maxdepth', 0, 10_000);
    else throw new UsageError(`${option}: no such test`);
  }
  return { paths: paths.length === 0 ? ['.'] : paths, tests, deepest };
}

const find: Run = (context) => {
  const { paths, tests, deepest } = findPlan(context.words);
  let status = 0;
  for (const start of paths) {
    const before = ({ path, type }: Visited): undefined => {
      const attributes = (): FileAttributes => context.files.attributes(path, false);
      if (tests.every((test) => test(path, type, attributes))) context.print(`${path}\n`);
    };
    if (!walk(context, start, { before, deepest })) status = 1;
  }
  return status;
};

export const searchRuns = { grep, sort, find };
