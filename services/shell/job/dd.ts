/** dd. Read POSIX, `dd`; of its operands those that make sense here. */
import { type File, uptime } from '../../lib/index.ts';
import { type CommandContext, type Run, wholeNumber } from '../command.ts';
import { aboutFile, CommandError, UsageError } from '../errors.ts';
import { parseSize } from '../sizes.ts';
import { formatBytes, formatMilliseconds } from '../table.ts';

/** Largest block, in bytes. */
const MAX_BLOCK_BYTES = 16 * 1024 * 1024;

/** Milliseconds between two lines of progress. */
const PROGRESS_MS = 500;

/** What `dd` was told. */
export interface CopyPlan {
  readonly input: string | null;
  readonly output: string | null;
  readonly blockBytes: number;
  /** Blocks to copy; null: to the end. */
  readonly count: number | null;
  /** Blocks of the input, and of the output, that are passed over. */
  readonly skip: number;
  readonly seek: number;
  /** `notrunc`, `fsync`. */
  readonly conversions: ReadonlySet<string>;
  readonly progress: boolean;
}

/** Reads `if=FILE`, `bs=4K` and the like. Throws UsageError. */
export function parsePlan(words: readonly string[]): CopyPlan {
  const given = new Map<string, string>();
  for (const word of words) {
    const [, name = '', value = ''] = /^([a-z]+)=(.*)$/s.exec(word) ?? [];
    if (!['if', 'of', 'bs', 'count', 'skip', 'seek', 'conv', 'status'].includes(name))
      throw new UsageError(`${word}: no such operand`);
    given.set(name, value);
  }
  const blocks = (name: string): number => wholeNumber(given.get(name) ?? '0', name, 0, Number.MAX_SAFE_INTEGER);
  const blockBytes = parseSize(given.get('bs') ?? '512', 'bs');
  if (blockBytes < 1 || blockBytes > MAX_BLOCK_BYTES) throw new UsageError(`bs: 1 to ${formatBytes(MAX_BLOCK_BYTES)}`);
  const conversions = new Set((given.get('conv') ?? '').split(',').filter((word) => word !== ''));
  for (const word of conversions)
    if (word !== 'notrunc' && word !== 'fsync') throw new UsageError(`conv=${word}: expected notrunc or fsync`);
  const status = given.get('status') ?? '';
  if (status !== '' && status !== 'progress') throw new UsageError(`status=${status}: expected progress`);
  return {
    input: given.get('if') ?? null,
    output: given.get('of') ?? null,
    blockBytes,
    count: given.has('count') ? blocks('count') : null,
    ...{ skip: blocks('skip'), seek: blocks('seek') },
    ...{ conversions, progress: status === 'progress' },
  };
}

/** Blocks copied: whole ones and others. */
export interface CopyFigures {
  whole: number;
  partial: number;
  bytes: number;
}

/**
 * Copies blocks until the end of the input, or as many as were asked for. Short reads, as of pipes, are put together.
 * `write` answers how many bytes it has written; of a block whose rest cannot be written, these count.
 */
export function copyBlocks(
  read: (count: number) => Uint8Array,
  write: (data: Uint8Array) => number,
  { blockBytes, count }: Pick<CopyPlan, 'blockBytes' | 'count'>,
  figures: CopyFigures,
): void {
  while (count === null || figures.whole + figures.partial < count) {
    const block = readBlock(read, blockBytes);
    if (block.length === 0) return;
    let written = 0;
    try {
      while (written < block.length) written += write(block.subarray(written));
    } finally {
      figures.bytes += written;
      if (written === blockBytes) figures.whole += 1;
      else if (written > 0) figures.partial += 1;
    }
  }
}

/** One block, which is smaller only at the end. */
function readBlock(read: (count: number) => Uint8Array, bytes: number): Uint8Array {
  const first = read(bytes);
  if (first.length === bytes || first.length === 0) return first;
  const pieces = [first];
  for (let left = bytes - first.length; left > 0; ) {
    const piece = read(left);
    if (piece.length === 0) break;
    pieces.push(piece);
    left -= piece.length;
  }
  return Buffer.concat(pieces);
}

/** The input from behind `skip` bytes. */
function readerOf(context: CommandContext, file: File | null, skip: number): (count: number) => Uint8Array {
  if (file !== null && !file.stream) {
    file.position += skip;
    return (count) => file.read(count);
  }
  let waiting: Uint8Array = new Uint8Array(0);
  const read = (count: number): Uint8Array => {
    if (waiting.length === 0) waiting = file === null ? context.input.read() : file.read(count);
    const piece = waiting.subarray(0, count);
    waiting = waiting.subarray(piece.length);
    return piece;
  };
  for (let left = skip; left > 0; ) {
    const piece = read(left);
    if (piece.length === 0) break;
    left -= piece.length;
  }
  return read;
}

/** Opens the output and goes to where the copy begins. */
function openOutput({ files }: CommandContext, path: string, { seek, blockBytes, conversions }: CopyPlan): File {
  const file = aboutFile(path, () => files.open(path, { write: true, create: true }));
  const start = seek * blockBytes;
  aboutFile(path, () => {
    if (file.stream) {
      if (start > 0) throw new CommandError(`${path}: cannot seek`);
    } else {
      if (!conversions.has('notrunc') && file.type === 'file') file.truncate(start);
      file.seek(start);
    }
  });
  return file;
}

function summary({ whole, partial, bytes }: CopyFigures, milliseconds: number): string {
  const rate = milliseconds > 0 ? (bytes / 1e6 / (milliseconds / 1000)).toFixed(1) : '-';
  return `${whole}+${partial} blocks, ${bytes} bytes (${formatBytes(bytes)}) in ${formatMilliseconds(milliseconds)}, ${rate} MB/s`;
}

export const dd: Run = (context) => {
  const plan = parsePlan(context.words);
  const { input, output, blockBytes, skip, conversions } = plan;
  if (output === null && plan.seek > 0) throw new UsageError('seek needs of');
  const source = input === null ? null : aboutFile(input, () => context.files.open(input));
  const target = output === null ? null : openOutput(context, output, plan);
  const errors = context.descriptors.error;
  const began = uptime();
  let shown = began;
  const figures: CopyFigures = { whole: 0, partial: 0, bytes: 0 };
  const progress = (): void => {
    const now = uptime();
    if (now - shown < PROGRESS_MS) return;
    shown = now;
    errors.print(`\r${summary(figures, now - began)}   `);
    errors.flush();
  };
  const write = (data: Uint8Array): number => {
    if (plan.progress) progress();
    if (target !== null) return aboutFile(output ?? '', () => target.writeSome(data));
    context.output.write(data);
    return data.length;
  };
  const file = source ?? context.descriptors.inputFile;
  const read = readerOf(context, file, skip * blockBytes);
  try {
    copyBlocks((count) => aboutFile(input ?? 'standard input', () => read(count)), write, plan, figures);
    if (conversions.has('fsync') && target !== null) aboutFile(output ?? '', () => target.sync());
    context.output.flush();
  } finally {
    errors.print(`${shown === began ? '' : '\r'}${summary(figures, uptime() - began)}\n`);
    source?.close();
    target?.close();
  }
  return 0;
};
