/**
 * What commands on files do with their operands: one after the other, and what is wrong with one is told without harm
 * to the others.
 */
import { type File, SystemError } from '../lib/index.ts';
import type { CommandContext } from './command.ts';
import { aboutFile, CommandError, fileReason, MissingService } from './errors.ts';

/** Bytes that come one after the other. */
export type Pieces = Iterable<Uint8Array>;

/** Something to be read. */
export interface Source {
  /** The operand; `-` for the standard input. */
  readonly path: string;
  /** The file, when it has positions to go to. */
  readonly file: File | null;
  readonly pieces: Pieces;
}

/** Runs an act; a failure is told. Answers whether it went well. */
export function attempt(context: CommandContext, path: string, act: () => void): boolean {
  try {
    act();
    return true;
  } catch (error) {
    if (error instanceof MissingService) throw error;
    if (error instanceof CommandError) context.complain(error.message);
    else if (error instanceof SystemError) context.complain(`${path}: ${fileReason(error)}`);
    else throw error;
    return false;
  }
}

/** Does something to each operand. Answers the status: 0, or 1 when something went wrong. */
export function forEachOperand(
  context: CommandContext,
  operands: readonly string[],
  act: (operand: string) => void,
): number {
  let status = 0;
  for (const operand of operands) if (!attempt(context, operand, () => act(operand))) status = 1;
  return status;
}

/** The standard input to its end. */
export function* standardInput({ input }: CommandContext): Generator<Uint8Array> {
  for (let piece = input.read(); piece.length > 0; piece = input.read()) yield piece;
}

/**
 * Reads each operand; without any, and for `-`, the standard input. Answers the status: 0, or 1 when something went
 * wrong.
 */
export function forEachSource(
  context: CommandContext,
  operands: readonly string[],
  act: (source: Source) => void,
): number {
  return forEachOperand(context, operands.length === 0 ? ['-'] : operands, (path) => {
    if (path === '-') {
      act({ path, file: context.descriptors.inputFile, pieces: standardInput(context) });
      return;
    }
    context.files.with(path, { read: true }, (file) => {
      act({ path, file: file.stream ? null : file, pieces: piecesOf(path, () => context.descriptors.read(file)) });
    });
  });
}

/** The pieces of a file that `read` answers one after the other. Throws CommandError. */
export function* piecesOf(path: string, read: () => Uint8Array): Generator<Uint8Array> {
  for (;;) {
    const piece = aboutFile(path, read);
    if (piece.length === 0) return;
    yield piece;
  }
}

/** The path of a name in a directory. */
export function joined(directory: string, name: string): string {
  return directory.endsWith('/') ? directory + name : `${directory}/${name}`;
}

/** The last component of a path; `/` for the root. */
export function baseName(path: string): string {
  return /([^/]+)\/*$/.exec(path)?.[1] ?? (path === '' ? '' : '/');
}
