/** Commands that show texts or parts of them: cat, head, tail, wc. Read the POSIX utilities of these names. */
import { type CommandContext, type Run, wholeNumber } from '../command.ts';
import { UsageError } from '../errors.ts';
import { forEachSource, type Pieces, type Source } from '../operands.ts';
import { parseOptions } from '../options.ts';
import { parseSize } from '../sizes.ts';
import {
  behindBytes,
  behindLines,
  firstBytes,
  firstLines,
  lastBytes,
  lastLines,
  startOfLastLines,
} from '../text/ends.ts';
import { countText, linesOf, type TextCounts } from '../text/lines.ts';

const MAX_COUNT = Number.MAX_SAFE_INTEGER;

/** Writes all pieces. */
function copy({ output }: CommandContext, pieces: Pieces): void {
  for (const piece of pieces) output.write(piece);
}

const cat: Run = (context) => {
  const { flags, operands } = parseOptions(context.words, { flags: 'nu' });
  let number = 0;
  return forEachSource(context, operands, ({ pieces }) => {
    if (!flags.has('n')) {
      copy(context, pieces);
      return;
    }
    for (const line of linesOf(pieces)) {
      number += 1;
      context.print(`${String(number).padStart(6)}\t`);
      context.output.write(line);
    }
  });
};

/** The part of a source that `head` or `tail` shows. */
type Part = (source: Source) => Pieces;

/** Shows a part of each source, under its name where there are several. */
function showParts(context: CommandContext, operands: readonly string[], part: Part): number {
  let first = true;
  return forEachSource(context, operands, (source) => {
    if (operands.length > 1) {
      const name = source.path === '-' ? 'standard input' : source.path;
      context.print(`${first ? '' : '\n'}==> ${name} <==\n`);
    }
    first = false;
    copy(context, part(source));
  });
}

/** `head -5` and `tail -5` are `-n 5`. */
function withOldForm(words: readonly string[]): readonly string[] {
  const [first = '', ...rest] = words;
  return /^-\d+$/.test(first) ? ['-n', first.slice(1), ...rest] : words;
}

const head: Run = (context) => {
  const { values, operands } = parseOptions(withOldForm(context.words), { values: 'nc' });
  const bytes = values.get('c');
  const lines = wholeNumber(values.get('n') ?? '10', '-n', 0, MAX_COUNT);
  const size = bytes === undefined ? null : parseSize(bytes, '-c');
  return showParts(context, operands, ({ pieces }) =>
    size === null ? firstLines(pieces, lines) : firstBytes(pieces, size),
  );
};

function tailOfLines(source: Source, count: number): Pieces {
  const { file, pieces } = source;
  const size = file === null ? 0 : file.attributes().size;
  // Files of /proc have content and no size.
  if (file === null || size === 0) return lastLines(pieces, count);
  file.seek(startOfLastLines(file, size, count));
  return pieces;
}

function tailOfBytes({ file, pieces }: Source, count: number): Pieces {
  const size = file === null ? 0 : file.attributes().size;
  if (file === null || size === 0) return lastBytes(pieces, count);
  file.seek(Math.max(0, size - count));
  return pieces;
}

const tail: Run = (context) => {
  const { values, operands } = parseOptions(withOldForm(context.words), { values: 'nc' });
  if (values.has('c') && values.has('n')) throw new UsageError('give either -n or -c');
  const inBytes = values.has('c');
  const word = values.get('c') ?? values.get('n') ?? '10';
  const fromStart = word.startsWith('+');
  const digits = word.replace(/^[+-]/, '');
  const count = inBytes ? parseSize(digits, '-c') : wholeNumber(digits, '-n', 0, MAX_COUNT);
  return showParts(context, operands, (source) => {
    if (!fromStart) return inBytes ? tailOfBytes(source, count) : tailOfLines(source, count);
    const before = Math.max(0, count - 1);
    return inBytes ? behindBytes(source.pieces, before) : behindLines(source.pieces, before);
  });
};

const wc: Run = (context) => {
  const { flags, operands } = parseOptions(context.words, { flags: 'lwc' });
  const shown = (['lines', 'words', 'bytes'] as const).filter(
    (what) => flags.size === 0 || flags.has(what === 'bytes' ? 'c' : what.charAt(0)),
  );
  const total: TextCounts = { lines: 0, words: 0, bytes: 0 };
  const rows: (readonly [TextCounts, string])[] = [];
  const status = forEachSource(context, operands, ({ path, pieces }) => {
    const counts = countText(pieces, shown.includes('words'));
    for (const what of ['lines', 'words', 'bytes'] as const) total[what] += counts[what];
    rows.push([counts, operands.length === 0 ? '' : path]);
  });
  if (operands.length > 1) rows.push([total, 'total']);
  const width =
    shown.length === 1 && rows.length === 1 ? 1 : String(Math.max(total.lines, total.words, total.bytes)).length;
  for (const [counts, name] of rows)
    context.lines([...shown.map((what) => String(counts[what]).padStart(width)), name].join(' ').trimEnd());
  return status;
};

export const textRuns = { cat, head, tail, wc };
