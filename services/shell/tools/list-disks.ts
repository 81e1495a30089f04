/** lsblk. */
import { SECTOR_BYTES } from '../../../filesystems/block-device.ts';
import { formats } from '../../../filesystems/formats.ts';
import { type MountRow, random, SystemError, time } from '../../lib/index.ts';
import { type CommandContext, expectWords } from '../command.ts';
import { type DeviceDescription, listDevices, openDevice } from '../disks.ts';
import { MissingService } from '../errors.ts';
import { unlessRefused } from '../name-source.ts';
import { formatBytes, formatTable, type TableColumn } from '../table.ts';
import { readingDevice } from './devices.ts';

const right = (title: string): TableColumn => ({ title, align: 'right' });
const left = (title: string): TableColumn => ({ title, align: 'left' });

/** What is known of the file system of a device. */
interface Content {
  readonly type: string;
  readonly label: string;
  readonly path: string;
}

/** What is mounted; nothing when vfs does not run. */
function mountsOf(context: CommandContext): readonly MountRow[] {
  try {
    return context.files.mounts();
  } catch (error) {
    if (error instanceof MissingService || error instanceof SystemError) return [];
    throw error;
  }
}

/** Looks at a device that is not mounted. What is damaged has a type and no label. */
function probe(context: CommandContext, name: string): Content {
  const opened = openDevice(context.services, name);
  const device = readingDevice(opened);
  try {
    const format = unlessRefused(undefined, () => formats.find((each) => each.probe(device)));
    if (format === undefined) return { type: '', label: '', path: '' };
    const options = { readOnly: true, now: time, keeper: null, log: () => undefined, random };
    const known = unlessRefused(null, () => format.mount(device, options).information());
    return { type: known?.type ?? format.name, label: known?.label ?? '', path: '' };
  } finally {
    opened.close();
  }
}

function contentOf(context: CommandContext, { name }: DeviceDescription, mounts: readonly MountRow[]): Content {
  const mounted = mounts.find(({ device }) => device === name);
  if (mounted === undefined) return probe(context, name);
  const { path, type } = mounted;
  return { type, path, label: unlessRefused('', () => context.files.figures(path).label) };
}

/** Runs lsblk. Throws CommandError. */
export function listDisks(context: CommandContext): number {
  expectWords(context.words, 0, 0);
  const devices = listDevices(context.services);
  if (devices.length === 0) {
    context.lines('no disk');
    return 0;
  }
  const mounts = mountsOf(context);
  const columns = [
    ...[left('NAME'), left('TYPE'), right('START'), right('SECTORS'), right('SIZE'), left('RO')],
    ...[left('FS'), left('LABEL'), left('MOUNTED ON'), left('MODEL'), left('SERIAL')],
  ];
  const rows = devices.map((row) => {
    const { type, label, path } = contentOf(context, row, mounts);
    const isDisk = row.kind === 'disk';
    return [
      ...[row.name, row.kind, String(row.firstSector), String(row.sectors), formatBytes(row.sectors * SECTOR_BYTES)],
      ...[row.readOnly ? 'yes' : 'no', type, label, path, isDisk ? row.model : '', isDisk ? row.serial : ''],
    ];
  });
  context.lines(...formatTable(columns, rows));
  return 0;
}
