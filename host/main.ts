/**
 * vros: works on disk images without a machine.
 */
import { parseArgs } from 'node:util';
import { makeDirectories, removeAll } from './change.ts';
import { copy } from './copy.ts';
import { CommandError, UsageError } from './errors.ts';
import { checkFileSystem, makeFileSystem } from './format.ts';
import { cat, list } from './list.ts';
import { parseSize } from './sizes.ts';

export const usage = `usage: vros COMMAND …

  mkfs [-t TYPE] [-L LABEL] [-s SIZE] IMAGE   makes an empty file system (vrfs unless TYPE says fat, fat12, fat16, fat32 or ext2);
                                              -s makes the image first, of 64M or 1G, say
  fsck [-y] IMAGE                             checks a file system; -y repairs it
  ls [-a] [-l] [-R] IMAGE [PATH]              lists a directory
  cp [-r] SOURCE … TARGET                     copies files between the host and images; in an image a place is IMAGE:PATH
  cat IMAGE PATH …                            writes files to standard output
  mkdir IMAGE PATH …                          makes directories
  rm [-r] IMAGE PATH …                        removes files

IMAGE is a file: disk.img means the file system in it or in its first partition that has one, disk.img@2 its second partition, disk.img@0 all of it.
Exit status: 0, 1 when something failed, 64 for a mistake on the command line; of fsck 0 sound, 1 repaired, 4 problems are left, 8 when it failed.
`;

const FAILED = 1;
const USAGE = 64;

interface Command {
  readonly flags: string;
  readonly values: string;
  readonly least: number;
  readonly most: number;
  run(
    words: readonly string[],
    flags: ReadonlySet<string>,
    values: Readonly<Record<string, string | undefined>>,
  ): Promise<number>;
}

const MANY = Number.POSITIVE_INFINITY;
const done = () => 0;

const commands: Readonly<Record<string, Command>> = {
  mkfs: {
    ...{ flags: '', values: 'tLs', least: 1, most: 1 },
    run: ([image = ''], _flags, { t: type = 'vrfs', L: label, s: size }) =>
      makeFileSystem(image, { type, label, size: size === undefined ? undefined : parseSize(size) }).then(done),
  },
  fsck: {
    ...{ flags: 'y', values: '', least: 1, most: 1 },
    run: ([image = ''], flags) => checkFileSystem(image, flags.has('y')),
  },
  ls: {
    ...{ flags: 'alR', values: '', least: 1, most: 2 },
    run: ([image = '', at = '/'], flags) =>
      list(image, at, { all: flags.has('a'), long: flags.has('l'), recursive: flags.has('R') }).then(done),
  },
  cp: {
    ...{ flags: 'r', values: '', least: 2, most: MANY },
    run: (words, flags) => copy(words.slice(0, -1), words.at(-1) ?? '', flags.has('r')).then(done),
  },
  cat: {
    ...{ flags: '', values: '', least: 2, most: MANY },
    run: ([image = '', ...paths]) => cat(image, paths).then(done),
  },
  mkdir: {
    ...{ flags: '', values: '', least: 2, most: MANY },
    run: ([image = '', ...paths]) => makeDirectories(image, paths).then(done),
  },
  rm: {
    ...{ flags: 'r', values: '', least: 2, most: MANY },
    run: ([image = '', ...paths], flags) => removeAll(image, paths, flags.has('r')).then(done),
  },
};

function optionsOf({ flags, values }: Command): Record<string, { type: 'boolean' | 'string'; short: string }> {
  const all: Record<string, { type: 'boolean' | 'string'; short: string }> = {};
  for (const letter of flags) all[letter] = { type: 'boolean', short: letter };
  for (const letter of values) all[letter] = { type: 'string', short: letter };
  return all;
}

async function main([name = '', ...words]: readonly string[]): Promise<number> {
  const wantsHelp = name === '--help' || name === 'help' || words.includes('--help');
  if (wantsHelp) {
    process.stdout.write(usage);
    return 0;
  }
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) throw new UsageError(name === '' ? 'a command is missing' : `there is no command ${name}`);
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({ args: words, options: optionsOf(command), allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  const { values, positionals } = parsed;
  if (positionals.length < command.least) throw new UsageError(`${name}: an argument is missing`);
  if (positionals.length > command.most)
    throw new UsageError(`${name}: too many arguments: ${positionals[command.most]}`);
  const flags = new Set(Object.keys(values).filter((key) => values[key] === true));
  const texts = Object.entries(values).flatMap(([key, value]) =>
    typeof value === 'string' ? [[key, value] as const] : [],
  );
  return command.run(positionals, flags, Object.fromEntries(texts));
}

// A reader that has had enough, `head` say, is no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  process.stderr.write(`vros: standard output: ${error.message}\n`);
  process.exit(FAILED);
});

main(process.argv.slice(2)).then(
  (status) => {
    process.exitCode = status;
  },
  (error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof UsageError) process.stderr.write(`vros: ${message}\n\n${usage}`);
    else if (error instanceof CommandError) process.stderr.write(`vros ${process.argv[2]}: ${message}\n`);
    else process.stderr.write(`vros: ${error instanceof Error ? (error.stack ?? message) : message}\n`);
    process.exitCode = error instanceof UsageError ? USAGE : error instanceof CommandError ? error.status : FAILED;
  },
);
