/** Commands on directories: cd, pwd, mkdir, rmdir. Read the POSIX utilities of these names. */
import { type Files, SystemError } from '../../lib/index.ts';
import { type Command, expectWords } from '../command.ts';
import { aboutFile, CommandError, UsageError } from '../errors.ts';
import { HOME_DIRECTORY } from '../expand.ts';
import { forEachOperand } from '../operands.ts';
import { parseOptions } from '../options.ts';

const cd: Command = {
  name: 'cd',
  usage: '[DIRECTORY | -]',
  about: 'Changes the working directory',
  details: [
    `Without an operand it is the home directory, which is ${HOME_DIRECTORY}. -: the one before. Symbolic links are resolved.`,
  ],
  kind: 'here',
  operands: 'directories',
  run: ({ words, shell, files, lines }) => {
    const [word = HOME_DIRECTORY] = expectWords(words[0] === '--' ? words.slice(1) : words, 0, 1);
    if (word === '-' && shell.previousDirectory === null)
      throw new CommandError('there is no directory before this one');
    const path = word === '-' ? (shell.previousDirectory ?? HOME_DIRECTORY) : word;
    aboutFile(path, () => files.changeDirectory(path));
    shell.previousDirectory = shell.directory;
    shell.directory = files.directory();
    if (word === '-') lines(shell.directory);
    return 0;
  },
};

const pwd: Command = {
  name: 'pwd',
  usage: '',
  about: 'Prints the working directory',
  kind: 'here',
  operands: 'none',
  run: ({ words, shell, lines }) => {
    expectWords(words, 0, 0);
    lines(shell.directory);
    return 0;
  },
};

/** Makes a directory, and before it those it is to be in. */
function makeWithParents(files: Files, path: string): void {
  try {
    files.makeDirectory(path);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    const parent = /^(.*[^/])\/+[^/]+\/*$/.exec(path)?.[1];
    if (error.code === 'ENOENT' && parent !== undefined) {
      makeWithParents(files, parent);
      files.makeDirectory(path);
    } else if (error.code !== 'EEXIST' || files.attributes(path).type !== 'directory') {
      throw error;
    }
  }
}

const mkdir: Command = {
  name: 'mkdir',
  usage: '[-p] DIRECTORY …',
  about: 'Makes directories',
  details: ['-p: also those they are to be in; one that is there already is no error.'],
  kind: 'here',
  operands: 'directories',
  run: (context) => {
    const { flags, operands } = parseOptions(context.words, { flags: 'p' });
    if (operands.length === 0) throw new UsageError('a directory is missing');
    return forEachOperand(context, operands, (path) => {
      if (flags.has('p')) makeWithParents(context.files, path);
      else context.files.makeDirectory(path);
    });
  },
};

const rmdir: Command = {
  name: 'rmdir',
  usage: 'DIRECTORY …',
  about: 'Removes empty directories',
  kind: 'here',
  operands: 'directories',
  run: (context) => {
    const { operands } = parseOptions(context.words, {});
    if (operands.length === 0) throw new UsageError('a directory is missing');
    return forEachOperand(context, operands, (path) => context.files.removeDirectory(path));
  },
};

export const directoryCommands: readonly Command[] = [cd, pwd, mkdir, rmdir];
