/** hexdump, of files and of sectors of disks. */
import { MAX_REQUEST_SECTORS, SECTOR_BYTES } from '../../../protocol/block.ts';
import { type CommandContext, expectWords, type Run, wholeNumber } from '../command.ts';
import { openDevice } from '../disks.ts';
import { about, CommandError } from '../errors.ts';
import { forEachSource } from '../operands.ts';
import { parseOptions } from '../options.ts';
import { parseSize } from '../sizes.ts';
import { hexdump as dumpLines } from '../text/dump.ts';
import { behindBytes, firstBytes } from '../text/ends.ts';

/** A disk or partition, as the driver names it. */
const isDeviceName = (word: string): boolean => /^hd[a-d]\d*$/.test(word);

/** Dumps sectors, straight from the driver. */
function dumpSectors({ words, services, lines }: CommandContext): number {
  const [name = '', sectorWord = '0', countWord = '1'] = expectWords(words, 1, 3);
  const sector = wholeNumber(sectorWord, 'SECTOR', 0, Number.MAX_SAFE_INTEGER);
  const count = wholeNumber(countWord, 'COUNT', 1, Number.MAX_SAFE_INTEGER);
  const { description, disk, close } = openDevice(services, name);
  const end = sector + count;
  function* pieces(): Generator<Uint8Array> {
    for (let at = sector; at < end; at += MAX_REQUEST_SECTORS) {
      const part = Math.min(MAX_REQUEST_SECTORS, end - at);
      yield about(`${name}: sector ${at}`, () => disk.read({ sector: at, count: part }));
    }
  }
  try {
    if (end > description.sectors)
      throw new CommandError(`${name}: sector ${end - 1}: the last one is ${description.sectors - 1}`);
    for (const line of dumpLines(pieces(), sector * SECTOR_BYTES)) lines(line);
  } finally {
    close();
  }
  return 0;
}

function dumpFiles(context: CommandContext): number {
  const { values, operands } = parseOptions(context.words, { flags: 'C', values: 'ns' });
  const skip = parseSize(values.get('s') ?? '0', '-s');
  const most = values.has('n') ? parseSize(values.get('n') ?? '', '-n') : null;
  return forEachSource(context, operands, ({ file, pieces }) => {
    if (file !== null) file.position += skip;
    const behind = file === null ? behindBytes(pieces, skip) : pieces;
    for (const line of dumpLines(most === null ? behind : firstBytes(behind, most), skip)) context.lines(line);
  });
}

export const hexdump: Run = (context) =>
  isDeviceName(context.words[0] ?? '') ? dumpSectors(context) : dumpFiles(context);
