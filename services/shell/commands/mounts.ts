/** Commands on mounted file systems: mount, umount. */
import type { MountRow } from '../../lib/index.ts';
import { type Command, expectWords } from '../command.ts';
import { deviceName, deviceNames } from '../disks.ts';
import { aboutFile, CommandError } from '../errors.ts';
import { unlessRefused } from '../name-source.ts';
import { parseOptions } from '../options.ts';
import { visibleText } from '../width.ts';

function mountText({ device, path, type, readOnly, state }: MountRow): string {
  const why = state === '' ? '' : `, ${visibleText(state)}`;
  return `${device === '' ? type : device} on ${visibleText(path)} type ${type} (${readOnly ? 'ro' : 'rw'}${why})`;
}

const mount: Command = {
  name: 'mount',
  usage: '[[-t TYPE] [-r] DEVICE DIRECTORY]',
  about: 'Mounts the file system of a disk or partition on a directory, or lists what is mounted',
  details: ['-t: its type, which is found out unless given. -r: read-only.'],
  kind: 'here',
  complete: (words, services) => (words.length === 1 ? deviceNames(services) : []),
  operands: 'directories',
  run: ({ words, files, lines }) => {
    const { flags, values, operands } = parseOptions(words, { flags: 'r', values: 't' });
    if (words.length === 0) {
      lines(...files.mounts().map(mountText));
      return 0;
    }
    const [device = '', directory = ''] = expectWords(operands, 2, 2);
    const path = aboutFile(directory, () => files.resolve(directory));
    const name = deviceName(device);
    const row = aboutFile(name, () =>
      files.mount(name, path, { type: values.get('t') ?? '', readOnly: flags.has('r') }),
    );
    if (row.state !== '') lines(mountText(row));
    return 0;
  },
};

const umount: Command = {
  name: 'umount',
  usage: 'DIRECTORY | DEVICE',
  about: 'Takes a mounted file system away again',
  details: ['It writes everything to the disk before. While files are open in it, it says who has them.'],
  kind: 'here',
  complete: (_words, services) => services.files.mounts().flatMap(({ device, path }) => (device === '' ? [] : [path])),
  run: ({ words, files }) => {
    const [word = ''] = expectWords(words, 1, 1);
    // A path that is being mounted is not resolved before that is done.
    const path = unlessRefused(word, () => files.resolve(word));
    const mounts = files.mounts();
    const found =
      mounts.find((row) => row.path === path) ??
      mounts.find(({ device }) => device !== '' && device === deviceName(word));
    if (found === undefined) throw new CommandError(`${word}: not mounted`);
    aboutFile(word, () => files.unmount(found.path));
    return 0;
  },
};

export const mountCommands: readonly Command[] = [mount, umount];
