/** Commands on what files are and take: stat, df. Read the POSIX utility `df`. */
import type { FileAttributes, FileSystemFigures, MountRow } from '../../lib/index.ts';
import { type Command, expectWords } from '../command.ts';
import { modeText, timeText } from '../listing.ts';
import { attempt, forEachOperand } from '../operands.ts';
import { parseOptions } from '../options.ts';
import { shortSize } from '../sizes.ts';
import { formatTable, type TableColumn } from '../table.ts';
import { visibleText } from '../width.ts';

const left = (title: string): TableColumn => ({ title, align: 'left' });
const right = (title: string): TableColumn => ({ title, align: 'right' });

const names: Readonly<Record<FileAttributes['type'], string>> = {
  ...{ file: 'file', directory: 'directory', symlink: 'symbolic link' },
  ...{ character: 'character device', block: 'block device', pipe: 'pipe' },
};

const stat: Command = {
  name: 'stat',
  usage: 'PATH …',
  about: 'Shows all that is known of files',
  details: ['A symbolic link is shown itself. Times are in UTC.'],
  kind: 'here',
  run: (context) => {
    const paths = expectWords(context.words, 1, Number.POSITIVE_INFINITY);
    return forEachOperand(context, paths, (path) => {
      const attributes = context.files.attributes(path, false);
      const { type, mode, size, allocated, links, fileSystem, node } = attributes;
      const target = type === 'symlink' ? ` -> ${visibleText(context.files.readLink(path))}` : '';
      const octal = (mode & 0o7777).toString(8).padStart(4, '0');
      context.lines(
        `    path ${visibleText(path)}${target}`,
        `    type ${names[type]}`,
        `    size ${size} bytes, ${allocated} on the disk`,
        `    mode ${octal} ${modeText(attributes)}, ${links} link${links === 1 ? '' : 's'}`,
        `    node ${node} of file system ${fileSystem}`,
        `accessed ${timeText(attributes.accessed)}`,
        `modified ${timeText(attributes.modified)}`,
        ` changed ${timeText(attributes.changed)}`,
        ...(attributes.created === 0 ? [] : [` created ${timeText(attributes.created)}`]),
      );
    });
  },
};

/** The mount that a path without symbolic links lies in. */
function mountOf(mounts: readonly MountRow[], path: string): MountRow | undefined {
  const holds = (mount: MountRow): boolean => `${path}/`.startsWith(mount.path === '/' ? '/' : `${mount.path}/`);
  return mounts.filter(holds).sort((a, b) => b.path.length - a.path.length)[0];
}

function usageRow({ device, path }: MountRow, figures: FileSystemFigures, size: (bytes: number) => string): string[] {
  const { blockBytes, blocks, freeBlocks } = figures;
  const used = blocks - freeBlocks;
  const percent = blocks === 0 ? '-' : `${Math.ceil((100 * used) / blocks)}%`;
  const sizes = [blocks, used, freeBlocks].map((count) => size(count * blockBytes));
  return [device === '' ? '-' : device, figures.type, ...sizes, percent, path];
}

const df: Command = {
  name: 'df',
  usage: '[-h] [PATH …]',
  about: 'Shows how full file systems are',
  details: ['In KiB; -h: in units for people. Without paths all that have blocks.'],
  kind: 'here',
  run: (context) => {
    const { flags, operands } = parseOptions(context.words, { flags: 'h' });
    const { files } = context;
    const mounts = files.mounts();
    const size = (bytes: number): string => (flags.has('h') ? shortSize(bytes) : String(Math.ceil(bytes / 1024)));
    const rows: string[][] = [];
    let status = 0;
    const add = (path: string, mount: MountRow | undefined, always: boolean): void => {
      const shown = attempt(context, path, () => {
        const figures = files.figures(path);
        if (mount !== undefined && (always || figures.blocks > 0)) rows.push(usageRow(mount, figures, size));
      });
      if (!shown) status = 1;
    };
    if (operands.length === 0) for (const mount of mounts) add(mount.path, mount, false);
    for (const path of operands) {
      const found = attempt(context, path, () => add(path, mountOf(mounts, files.resolve(path)), true));
      if (!found) status = 1;
    }
    const figures = [flags.has('h') ? 'SIZE' : 'KIB', 'USED', 'FREE', 'USE%'].map(right);
    const columns = [left('DEVICE'), left('TYPE'), ...figures, left('MOUNTED ON')];
    if (rows.length > 0) context.lines(...formatTable(columns, rows));
    return status;
  },
};

export const spaceCommands: readonly Command[] = [stat, df];
