/** fsck. */
import { formats } from '../../../filesystems/formats.ts';
import { SystemError } from '../../lib/index.ts';
import { type CommandContext, expectWords } from '../command.ts';
import { CommandError, fileReason, UsageError } from '../errors.ts';
import { parseOptions } from '../options.ts';
import { visibleText } from '../width.ts';
import { formatNames, withDevice } from './devices.ts';
import { ProgressLine } from './progress.ts';

/** Exit statuses, as those of fsck(8). */
const status = { SOUND: 0, REPAIRED: 1, PROBLEMS: 4, FAILED: 8 } as const;

/** Runs fsck. Throws UsageError. */
export function check(context: CommandContext): number {
  const { flags, values, operands } = parseOptions(context.words, { flags: 'yn', values: 't' });
  const [word = ''] = expectWords(operands, 1, 1);
  const type = values.get('t');
  const wanted = formats.find(({ name }) => name === type);
  if (type !== undefined && wanted === undefined)
    throw new UsageError(`-t: there is no format ${type}; there are ${formatNames()}`);
  const repair = flags.has('y') && !flags.has('n');
  try {
    return withDevice(context, word, { readOnly: !repair }, (device, name) => {
      const format = wanted ?? formats.find((each) => each.probe(device));
      if (format === undefined) throw new CommandError(`${name}: it holds no file system that is known`);
      const progress = new ProgressLine(context, name);
      const { problems, repaired, summary } = (() => {
        try {
          return format.check(device, repair, progress.show);
        } finally {
          progress.end();
        }
      })();
      context.lines(...repaired.map((line) => `repaired: ${visibleText(line)}`), ...problems.map(visibleText));
      const verdict = problems.length === 0 ? 'sound' : `${problems.length} problem${problems.length === 1 ? '' : 's'}`;
      context.lines(`${name}: ${format.name}, ${summary}: ${verdict}`);
      if (problems.length > 0) return status.PROBLEMS;
      return repaired.length > 0 ? status.REPAIRED : status.SOUND;
    });
  } catch (error) {
    // Status 1 says something else here.
    if (error instanceof CommandError) context.complain(error.message);
    else if (error instanceof SystemError) context.complain(fileReason(error));
    else throw error;
    return status.FAILED;
  }
}
