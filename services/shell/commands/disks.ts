/** Commands on disks: lsblk, hexdump, atadrv. */
import { MAX_REQUEST_SECTORS, SECTOR_BYTES } from '../../../protocol/block.ts';
import { block, init } from '../../lib/index.ts';
import { type Command, expectWords, wholeNumber } from '../command.ts';
import { DISK_SERVICE, deviceNames, listDevices, openDevice } from '../disks.ts';
import { about, CommandError } from '../errors.ts';
import { hexdump as dumpLines, formatBytes, formatTable, type TableColumn } from '../table.ts';

const right = (title: string): TableColumn => ({ title, align: 'right' });
const left = (title: string): TableColumn => ({ title, align: 'left' });

/** Above so many sectors a dump is a job. */
const SHORT_DUMP_SECTORS = 64;

const DUMP_LINE_BYTES = 16;

const lsblk: Command = {
  name: 'lsblk',
  usage: '',
  about: 'Lists disks and partitions',
  details: ["TYPE: 'disk', or the partition's type in hexadecimal. START: first sector of the partition on its disk."],
  kind: 'here',
  run: ({ words, services, lines }) => {
    expectWords(words, 0, 0);
    const columns = [
      ...[left('NAME'), left('TYPE'), right('START'), right('SECTORS'), right('SIZE'), left('RO')],
      ...[left('MODEL'), left('SERIAL')],
    ];
    const devices = listDevices(services);
    if (devices.length === 0) {
      lines('no disk');
      return 0;
    }
    const rows = devices.map((row) => [
      ...[row.name, row.kind, String(row.firstSector), String(row.sectors), formatBytes(row.sectors * SECTOR_BYTES)],
      ...[row.readOnly ? 'yes' : 'no', row.kind === 'disk' ? row.model : '', row.kind === 'disk' ? row.serial : ''],
    ]);
    lines(...formatTable(columns, rows));
    return 0;
  },
};

const hexdump: Command = {
  name: 'hexdump',
  usage: 'DEVICE [SECTOR [COUNT]]',
  about: 'Shows sectors of a disk in hexadecimal and as text',
  details: ['SECTOR: the first one, 0 unless given. COUNT: how many, 1 unless given.'],
  kind: ([, , count = '1']) => (Number(count) > SHORT_DUMP_SECTORS ? 'job' : 'here'),
  complete: (words, services) => (words.length === 1 ? deviceNames(services) : []),
  run: ({ words, services, lines }) => {
    const [name = '', sectorWord = '0', countWord = '1'] = expectWords(words, 1, 3);
    const sector = wholeNumber(sectorWord, 'SECTOR', 0, Number.MAX_SAFE_INTEGER);
    const count = wholeNumber(countWord, 'COUNT', 1, Number.MAX_SAFE_INTEGER);
    const { description, disk, close } = openDevice(services, name);
    try {
      const end = sector + count;
      if (end > description.sectors)
        throw new CommandError(`${name}: sector ${end - 1}: the last one is ${description.sectors - 1}`);
      let before: Uint8Array = new Uint8Array(0);
      let star = false;
      for (let at = sector; at < end; ) {
        const part = Math.min(MAX_REQUEST_SECTORS, end - at);
        const data = about(`${name}: sector ${at}`, () => disk.read({ sector: at, count: part }));
        // The last line of the piece before tells whether the first one here repeats it.
        const offset = at * SECTOR_BYTES - before.length;
        const dump = dumpLines(Buffer.concat([before, data]), offset).slice(before.length === 0 ? 0 : 1);
        at += part;
        const last = at < end ? dump.slice(0, -1) : dump;
        lines(...(star && last[0] === '*' ? last.slice(1) : last));
        star = last.at(-1) === '*';
        before = data.subarray(data.length - DUMP_LINE_BYTES);
      }
    } finally {
      close();
    }
    return 0;
  },
};

const atadrv: Command = {
  name: 'atadrv',
  usage: '',
  about: 'Shows the state of the disk driver and its counters',
  kind: 'here',
  run: ({ words, services, lines }) => {
    expectWords(words, 0, 0);
    const row = services
      .client(init, 'init')
      .list()
      .find(({ name }) => name === DISK_SERVICE);
    if (row !== undefined)
      lines(`${row.name}: ${row.state}, pid ${row.pid}, incarnation ${row.incarnation}, ${row.restarts} restarts`);
    const figures = services.client(block, DISK_SERVICE).statistics();
    const names: readonly [string, number][] = [
      ['reads', figures.reads],
      ['writes', figures.writes],
      ['flushes', figures.flushes],
      ['sectors read', figures.sectorsRead],
      ['sectors written', figures.sectorsWritten],
      ['interrupts', figures.interrupts],
      ['command retries', figures.commandRetries],
      ['resets', figures.resets],
      ['errors', figures.errors],
    ];
    lines(
      ...formatTable(
        [left('COUNTER'), right('SINCE START')],
        names.map(([name, value]) => [name, String(value)]),
      ),
    );
    for (const device of listDevices(services).filter(({ kind }) => kind === 'disk')) {
      lines(
        `${device.name}: ${device.model}, firmware ${device.firmware}, serial ${device.serial}, ` +
          `${device.sectors} sectors, ${device.sectorsPerInterrupt} per interrupt${device.readOnly ? ', read-only' : ''}`,
      );
    }
    return 0;
  },
};

export const diskCommands: readonly Command[] = [lsblk, hexdump, atadrv];
