/**
 * Commands that jobs run, and commands that need the code of all formats: what they are. How they are run is in the
 * programs of the jobs (job/, tools/), so that the shell itself starts quickly.
 */
import type { Command } from '../command.ts';
import { deviceNames } from '../disks.ts';
import { JOB_PROGRAM, TOOLS_PROGRAM } from '../launch.ts';

/** What is known of a command here. */
export type Descriptions = Readonly<Record<string, Omit<Command, 'name' | 'kind' | 'program' | 'run'>>>;

/** Commands that take time. */
const timing = {
  sleep: {
    usage: 'SECONDS',
    about: 'Waits',
    operands: 'none',
  },
  time: {
    usage: 'COMMAND [WORD …]',
    about: 'Runs a command and says how long it took',
    details: ['cpu: CPU time of the task that ran it; services that worked for it are not counted.'],
    complete: ([, command, ...rest], services, shell) =>
      command === undefined
        ? [...shell.commands.keys()]
        : (shell.commands.get(command)?.complete?.([command, ...rest], services, shell) ?? []),
  },
} as const satisfies Descriptions;

/** Commands on files. */
const files = {
  cat: {
    usage: '[-n] [FILE …]',
    about: 'Copies files, or its input, to its output',
    details: ['-n: with the numbers of the lines. - stands for the input.'],
  },
  head: {
    usage: '[-n LINES | -c BYTES] [FILE …]',
    about: 'Shows the beginning of files',
    details: ['Ten lines, unless -n says how many lines or -c how many bytes (512, 4K, 1M).'],
  },
  tail: {
    usage: '[-n [+]LINES | -c [+]BYTES] [FILE …]',
    about: 'Shows the end of files',
    details: [
      'Ten lines, unless -n says how many lines or -c how many bytes. With + it is the line or byte to begin at, from 1.',
    ],
  },
  wc: {
    usage: '[-l] [-w] [-c] [FILE …]',
    about: 'Counts lines, words and bytes',
    details: ['-l: lines. -w: words. -c: bytes. All three unless some are named.'],
  },
  grep: {
    usage: '[-E | -F] [-chHilnqrvx] [-e] PATTERN [FILE …]',
    about: 'Shows the lines that match a pattern',
    details: [
      'The pattern is a basic regular expression; with -E an extended one, with -F a text. Several stand one in a line.',
      '-i: upper and lower case are the same. -v: lines that do not match. -x: whole lines. -n: with numbers. -c: only how many. -l: only names of files. -h, -H: without and with the names of files.',
      '-q: nothing, only the status. -r: all files in directories. Status 0: found, 1: not found, 2: something went wrong.',
    ],
  },
  sort: {
    usage: '[-nru] [-k FIRST[,LAST]] [-t CHARACTER] [FILE …]',
    about: 'Sorts lines',
    details: [
      'By their bytes, or with -n by the number they begin with. -r: backwards. -u: of equal ones only the first. -k: by these fields, from 1. -t: what divides',
      'fields, blanks unless given. Up to 32 MiB and a million lines, which are held in memory.',
    ],
  },
  find: {
    usage: '[PATH …] [-name PATTERN] [-type f|d|l|b|c|p] [-size [+-]N[ckMG]] [-maxdepth N]',
    about: 'Lists what is in directories and below',
    details: [
      'All tests have to hold. -size: in units of 512 bytes unless one is given, rounded up; + more than, - less than.',
    ],
  },
  tee: {
    usage: '[-a] [FILE …]',
    about: 'Copies its input to its output and to files',
    details: ['-a: to their end.'],
  },
  cmp: {
    usage: '[-s] FILE [FILE]',
    about: 'Compares two files byte by byte',
    details: [
      '-s: only the status. 0: the same, 1: different, 2: something went wrong. Without the second file, or for -, it is the input.',
    ],
  },
  sha256sum: {
    usage: '[-c] [FILE …]',
    about: 'Prints the SHA-256 of files, or checks a list of them',
    details: ['-c: the files are lists that it has printed; it checks the files in them.'],
  },
  seq: {
    usage: '[FIRST [STEP]] LAST',
    about: 'Counts: whole numbers, one a line',
    operands: 'none',
  },
  yes: {
    usage: '[WORD …]',
    about: 'Prints a line again and again, until nobody reads it',
    operands: 'none',
  },
  hexdump: {
    usage: '[-s SKIP] [-n BYTES] [FILE …] | DEVICE [SECTOR [COUNT]]',
    about: 'Shows files, or sectors of a disk, in hexadecimal and as text',
    details: [
      '-s: passes over so many bytes. -n: shows so many (512, 4K). DEVICE: a disk or partition such as hda1. SECTOR: the first one, 0 unless given. COUNT: how',
      'many, 1 unless given.',
    ],
    complete: (words, services) => (words.length === 1 ? deviceNames(services) : []),
    operands: 'paths',
  },
  dd: {
    usage: '[if=FILE] [of=FILE] [bs=SIZE] [count=N] [skip=N] [seek=N] [conv=notrunc,fsync] [status=progress]',
    about: 'Copies blocks of files and devices',
    details: [
      'bs: bytes of a block, 512 unless given (4K, 1M). skip, seek: blocks of the input and of the output that are passed over. notrunc: the output keeps its',
      'length. fsync: it is on the disk before dd ends. status=progress: tells how far it is.',
    ],
  },
  cp: {
    usage: '[-afpr] FILE … DESTINATION',
    about: 'Copies files',
    details: [
      '-r: also directories with everything in them; symbolic links stay links. -p: with the times. Several files need a directory.',
      '-a: both. A file at the destination is replaced, with -f or without.',
    ],
  },
  mv: {
    usage: 'FILE … DESTINATION',
    about: 'Moves or renames files',
    details: [
      'A file at the destination is replaced. To another file system they are copied, with their times, and removed afterwards.',
    ],
  },
  du: {
    usage: '[-sh] [PATH …]',
    about: 'Shows what directories take on the disk',
    details: ['In KiB; -h: in units for people. -s: only the sum of each operand.'],
  },
  sync: {
    usage: '[FILE …]',
    about: 'Returns when everything written is on the disks, or that of some files',
  },
} as const satisfies Descriptions;

/** Commands that test the system. */
const tests = {
  blktest: {
    usage: '[-w] [DEVICE]',
    about: 'Tests reading from a disk; -w: also writing, with what was there put back',
    details: [
      '-w needs a device. Nobody else may use the disk meanwhile: a kill in the middle leaves test data behind.',
    ],
    complete: (_words, services) => ['-w', ...deviceNames(services)],
  },
  atatest: {
    usage: '',
    about: 'Tests the disk driver; changes nothing on the disks',
    operands: 'none',
  },
  ipctest: {
    usage: '',
    about: "Tests and times messages, with the service 'echo'",
    operands: 'none',
  },
  drvtest: {
    usage: '',
    about: 'Starts the driver of the clock, kills it again and again, and reads the clock all the same',
    details: ['The driver is examples/rtc/main.ts; drvstop stops it.'],
    operands: 'none',
  },
  syscall: {
    usage: '',
    about: 'Tests the system calls, with right and wrong arguments, and times the shortest',
    operands: 'none',
  },
} as const satisfies Descriptions;

/** Commands on the file systems of disks. */
const tools = {
  lsblk: {
    usage: '',
    about: 'Lists disks and partitions with their file systems',
    details: [
      "TYPE: 'disk', or the partition's type in hexadecimal. START: first sector of the partition on its disk. FS, LABEL: file system. MOUNTED ON: where it is",
      'in the tree.',
    ],
    operands: 'none',
  },
  mkfs: {
    usage: '[-t TYPE] [-L LABEL] DEVICE',
    about: 'Makes an empty file system on a disk or partition; what was there is lost',
    details: [
      '-t: vrfs unless given; fat takes the fitting width of its table, fat12, fat16 and fat32 fix it; ext2. A mounted device is refused.',
    ],
    complete: (_words, services) => deviceNames(services),
  },
  fsck: {
    usage: '[-y] [-t TYPE] DEVICE',
    about: 'Checks the file system of a disk or partition; -y: also repairs it',
    details: [
      'Status 0: it is sound, 1: it was repaired, 4: it has problems, 8: it could not be checked. A mounted device is refused.',
    ],
    complete: (_words, services) => deviceNames(services),
  },
} as const satisfies Descriptions;

/** Names of what the program of jobs has to run, and of what the tools have to. */
export type JobCommandName = keyof typeof timing | keyof typeof files | keyof typeof tests;
export type ToolName = keyof typeof tools;

/** The commands of some descriptions, which a program runs. */
export function commandsOf(descriptions: Descriptions, program: string): Command[] {
  return Object.entries(descriptions).map(([name, description]) => ({ name, kind: 'job', program, ...description }));
}

export const timingCommands: readonly Command[] = commandsOf(timing, JOB_PROGRAM);
export const fileCommands: readonly Command[] = commandsOf(files, JOB_PROGRAM);
export const testCommands: readonly Command[] = commandsOf(tests, JOB_PROGRAM);
export const toolCommands: readonly Command[] = commandsOf(tools, TOOLS_PROGRAM);
