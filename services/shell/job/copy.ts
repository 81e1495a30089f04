/** cp and mv. Read the POSIX utilities of these names. */
import { SystemError } from '../../lib/index.ts';
import type { CommandContext, Run } from '../command.ts';
import { CommandError, fileReason, UsageError } from '../errors.ts';
import { forEachOperand } from '../operands.ts';
import { parseOptions } from '../options.ts';
import { removeTree } from '../walk.ts';
import { copyTree, destinationOf, expectDirectory } from './copying.ts';

/** Does something with each source and where it is to go. */
function toDestination(
  context: CommandContext,
  operands: readonly string[],
  act: (from: string, to: string) => boolean,
): number {
  if (operands.length < 2)
    throw new UsageError(operands.length === 0 ? 'a file is missing' : 'a destination is missing');
  const last = operands.at(-1) ?? '';
  if (operands.length > 2) expectDirectory(context.files, last);
  let complete = true;
  const status = forEachOperand(context, operands.slice(0, -1), (from) => {
    complete = act(from, destinationOf(context.files, from, last)) && complete;
  });
  return complete ? status : 1;
}

const cp: Run = (context) => {
  // A file at the destination is replaced in any case, which is all that -f could add.
  const { flags, operands } = parseOptions(context.words, { flags: 'arRpf' });
  const archive = flags.has('a');
  const options = {
    recursive: archive || flags.has('r') || flags.has('R'),
    keepTimes: archive || flags.has('p'),
  };
  return toDestination(context, operands, (from, to) => copyTree(context, from, to, options));
};

/** Moves one file or tree; from one file system to another by copying and removing. */
function move(context: CommandContext, from: string, to: string): boolean {
  const { files } = context;
  const attributes = files.attributes(from, false);
  try {
    files.rename(from, to);
    return true;
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    if (error.code !== 'EXDEV') throw new CommandError(`${from} to ${to}: ${fileReason(error)}`);
  }
  replaceable(context, attributes.type === 'directory', to);
  // What could not be copied as a whole stays where it was.
  return copyTree(context, from, to, { recursive: true, keepTimes: true }) && removeTree(context, from);
}

/**
 * Makes room at the destination, as `rename` would: a file takes the place of a file, a directory that of an empty
 * directory.
 */
function replaceable({ files }: CommandContext, isDirectory: boolean, to: string): void {
  try {
    if (isDirectory) files.removeDirectory(to);
    else files.unlink(to);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    if (error.code !== 'ENOENT') throw new CommandError(`${to}: ${fileReason(error)}`);
  }
}

const mv: Run = (context) => {
  const { operands } = parseOptions(context.words, { flags: 'f' });
  return toDestination(context, operands, (from, to) => move(context, from, to));
};

export const copyRuns = { cp, mv };
