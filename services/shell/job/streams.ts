/** Commands for pipelines: tee, cmp, sha256sum, seq, yes. */
import type { File } from '../../lib/index.ts';
import { type CommandContext, expectWords, type Run } from '../command.ts';
import { aboutFile, CommandError, UsageError } from '../errors.ts';
import { attempt, forEachSource, type Pieces, piecesOf, standardInput } from '../operands.ts';
import { parseOptions } from '../options.ts';
import { firstDifference } from '../text/difference.ts';
import { linesOf, withoutNewline } from '../text/lines.ts';
import { Sha256 } from '../text/sha256.ts';

const tee: Run = (context) => {
  const { flags, operands } = parseOptions(context.words, { flags: 'a' });
  const options = flags.has('a')
    ? { write: true, create: true, append: true }
    : { write: true, create: true, truncate: true };
  const opened: { path: string; file: File }[] = [];
  let status = 0;
  for (const path of operands) {
    if (!attempt(context, path, () => opened.push({ path, file: context.files.open(path, options) }))) status = 1;
  }
  for (const piece of standardInput(context)) {
    context.output.write(piece);
    for (const [index, { path, file }] of opened.entries()) {
      if (attempt(context, path, () => file.write(piece))) continue;
      // A file that cannot be written is left, the others are not.
      opened.splice(index, 1);
      file.close();
      status = 1;
    }
  }
  for (const { file } of opened) file.close();
  return status;
};

const cmp: Run = (context) => {
  const { flags, operands } = parseOptions(context.words, { flags: 's' });
  const [first = '', second = '-'] = expectWords(operands, 1, 2);
  const opened: File[] = [];
  const pieces = (path: string): Pieces => {
    if (path === '-') return standardInput(context);
    const file = aboutFile(path, () => context.files.open(path));
    opened.push(file);
    return piecesOf(path, () => context.descriptors.read(file));
  };
  try {
    const found = firstDifference(pieces(first), pieces(second));
    if (found === null) return 0;
    const { at, line, ended } = found;
    if (flags.has('s')) return 1;
    if (ended === null) context.lines(`${first} ${second} differ: byte ${at + 1}, line ${line}`);
    else context.complain(`${ended === 'first' ? first : second} ends after byte ${at}`);
    return 1;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    context.complain(error.message);
    return 2;
  } finally {
    for (const file of opened) file.close();
  }
};

function digest(pieces: Pieces): string {
  const sum = new Sha256();
  for (const piece of pieces) sum.update(piece);
  return sum.hex();
}

/** Checks the sums of a list as `sha256sum` prints it. Answers whether all are right. */
function checkSums(context: CommandContext, list: string, pieces: Pieces): boolean {
  const decoder = new TextDecoder();
  let right = true;
  let rows = 0;
  for (const line of linesOf(pieces)) {
    const text = decoder.decode(withoutNewline(line));
    const [, wanted = '', path = ''] = /^([0-9a-f]{64}) [ *](.+)$/i.exec(text) ?? [];
    if (wanted === '') continue;
    rows += 1;
    let found = '';
    const read = attempt(context, path, () => {
      found = context.files.with(path, { read: true }, (file) =>
        digest(piecesOf(path, () => context.descriptors.read(file))),
      );
    });
    const verdict = !read ? 'FAILED to read' : found === wanted.toLowerCase() ? 'OK' : 'FAILED';
    right &&= verdict === 'OK';
    context.lines(`${path}: ${verdict}`);
  }
  if (rows === 0) throw new CommandError(`${list}: no line is a sum and a file`);
  return right;
}

const sha256sum: Run = (context) => {
  const { flags, operands } = parseOptions(context.words, { flags: 'c' });
  let right = true;
  const status = forEachSource(context, operands, ({ path, pieces }) => {
    if (flags.has('c')) right = checkSums(context, path, pieces) && right;
    else context.lines(`${digest(pieces)}  ${path}`);
  });
  return right ? status : 1;
};

const seq: Run = ({ words, lines }) => {
  const numbers = expectWords(words, 1, 3).map((word) => {
    const number = /^-?\d+$/.test(word) ? Number(word) : Number.NaN;
    if (!Number.isSafeInteger(number)) throw new UsageError(`expected a whole number, got '${word}'`);
    return number;
  });
  const [first = 1, step = 1, last = first] =
    numbers.length === 1 ? [1, 1, numbers[0]] : numbers.length === 2 ? [numbers[0], 1, numbers[1]] : numbers;
  if (step === 0) throw new UsageError('STEP is 0');
  for (let number = first; step > 0 ? number <= last : number >= last; number += step) lines(String(number));
  return 0;
};

const yes: Run = ({ words, output }) => {
  const line = `${words.length === 0 ? 'y' : words.join(' ')}\n`;
  const lines = Buffer.from(line.repeat(Math.ceil(8192 / line.length)));
  for (;;) output.write(lines);
};

export const streamRuns = { tee, cmp, sha256sum, seq, yes };
