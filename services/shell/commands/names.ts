/** Commands that make and remove files and names: touch, write, rm, ln. Read the POSIX utilities of these names. */
import { SystemError, time } from '../../lib/index.ts';
import { type Command, expectWords } from '../command.ts';
import { aboutFile, CommandError, UsageError } from '../errors.ts';
import { unlessRefused } from '../name-source.ts';
import { baseName, forEachOperand, joined } from '../operands.ts';
import { parseOptions } from '../options.ts';
import { removeTree } from '../walk.ts';

const touch: Command = {
  name: 'touch',
  usage: 'FILE …',
  about: 'Sets the times of files to now, and makes those that are not there',
  kind: 'here',
  run: (context) => {
    const { operands } = parseOptions(context.words, {});
    if (operands.length === 0) throw new UsageError('a file is missing');
    const now = time();
    return forEachOperand(context, operands, (path) => {
      const { files } = context;
      try {
        files.setAttributes(path, { accessed: now, modified: now });
      } catch (error) {
        if (!(error instanceof SystemError) || error.code !== 'ENOENT') throw error;
        files.open(path, { write: true, create: true }).close();
      }
    });
  },
};

const write: Command = {
  name: 'write',
  usage: 'FILE TEXT …',
  about: 'Makes a file hold one line of text',
  kind: 'here',
  run: ({ words, files }) => {
    const [path = '', ...texts] = expectWords(words, 2, Number.POSITIVE_INFINITY);
    aboutFile(path, () => files.write(path, Buffer.from(`${texts.join(' ')}\n`)));
    return 0;
  },
};

const rm: Command = {
  name: 'rm',
  usage: '[-rf] FILE …',
  about: 'Removes files',
  details: ['-r: also directories with everything in them. -f: what is not there is no error.'],
  kind: (words) => (words.some((word) => /^-\w*[rR]/.test(word)) ? 'job' : 'here'),
  run: (context) => {
    const { flags, operands } = parseOptions(context.words, { flags: 'rRf' });
    if (operands.length === 0 && !flags.has('f')) throw new UsageError('a file is missing');
    const recursive = flags.has('r') || flags.has('R');
    let complete = true;
    const status = forEachOperand(context, operands, (path) => {
      if (/^(?:\/|\.|\.\.)$/.test(baseName(path))) throw new CommandError(`${path}: '/', '.' and '..' are not removed`);
      try {
        const { type } = context.files.attributes(path, false);
        if (type !== 'directory') context.files.unlink(path);
        else if (recursive) complete = removeTree(context, path) && complete;
        else throw new CommandError(`${path}: is a directory; -r removes it with everything in it`);
      } catch (error) {
        if (!flags.has('f') || !(error instanceof SystemError) || error.code !== 'ENOENT') throw error;
      }
    });
    return complete ? status : 1;
  },
};

const ln: Command = {
  name: 'ln',
  usage: '[-sf] TARGET … LINK',
  about: 'Gives a file another name; -s: makes a symbolic link',
  details: [
    'If LINK is a directory, the links are made in it. -f: a file of that name is removed before. A symbolic link may lead to nothing.',
  ],
  kind: 'here',
  run: (context) => {
    const { flags, operands } = parseOptions(context.words, { flags: 'sf' });
    if (operands.length === 0) throw new UsageError('a target is missing');
    const { files } = context;
    const last = operands.at(-1) ?? '';
    const place = operands.length === 1 ? '.' : last;
    const targets = operands.length === 1 ? operands : operands.slice(0, -1);
    const isDirectory = unlessRefused(false, () => files.attributes(place).type === 'directory');
    if (targets.length > 1 && !isDirectory) throw new CommandError(`${place}: not a directory`);
    return forEachOperand(context, targets, (target) => {
      const path = isDirectory ? joined(place, baseName(target)) : place;
      aboutFile(path, () => {
        if (flags.has('f')) unlessRefused(undefined, () => files.unlink(path));
        if (flags.has('s')) files.makeSymlink(target, path);
      });
      // Either may be missing; the target is what people get wrong.
      if (!flags.has('s')) aboutFile(`${target} to ${path}`, () => files.link(target, path));
    });
  },
};

export const nameCommands: readonly Command[] = [touch, write, rm, ln];
