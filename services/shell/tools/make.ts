/** mkfs. */
import { SECTOR_BYTES } from '../../../filesystems/block-device.ts';
import { formats } from '../../../filesystems/formats.ts';
import { random, time } from '../../lib/index.ts';
import { type CommandContext, expectWords } from '../command.ts';
import { UsageError } from '../errors.ts';
import { parseOptions } from '../options.ts';
import { formatBytes } from '../table.ts';
import { expectNoPartitions, formatNames, withDevice } from './devices.ts';
import { ProgressLine } from './progress.ts';

const DEFAULT_TYPE = 'vrfs';

/** Formats of FAT that fix the bits of a table entry. */
const fatBits = new Map<string, 12 | 16 | 32>([
  ['fat12', 12],
  ['fat16', 16],
  ['fat32', 32],
]);

/** Runs mkfs. Throws CommandError, UsageError. */
export function makeFileSystem(context: CommandContext): number {
  const { values, operands } = parseOptions(context.words, { values: 'tL' });
  const [word = ''] = expectWords(operands, 1, 1);
  const type = values.get('t') ?? DEFAULT_TYPE;
  const label = values.get('L');
  const bits = fatBits.get(type);
  const format = formats.find(({ name }) => name === (bits === undefined ? type : 'fat'));
  if (format === undefined) throw new UsageError(`-t: there is no format ${type}; there are ${formatNames()}`);
  withDevice(context, word, { readOnly: false }, (device, name) => {
    expectNoPartitions(context, name);
    const progress = new ProgressLine(context, name);
    try {
      format.format(device, {
        ...(label === undefined ? {} : { label }),
        ...(bits === undefined ? {} : { fatBits: bits }),
        ...{ now: time, random, progress: progress.show },
      });
      device.flush();
    } finally {
      progress.end();
    }
    const size = formatBytes(device.sectors * SECTOR_BYTES);
    context.lines(`${name}: ${type}, ${size}${label === undefined ? '' : `, label ${label}`}`);
  });
  return 0;
}
