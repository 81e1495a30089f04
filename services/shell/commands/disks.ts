/** Commands on disks and their driver: fdisk, atadrv. */
import { SECTOR_BYTES } from '../../../protocol/block.ts';
import { block, init } from '../../lib/index.ts';
import { type Command, expectWords } from '../command.ts';
import { DISK_SERVICE, deviceName, deviceNames, listDevices } from '../disks.ts';
import { CommandError, UsageError } from '../errors.ts';
import { parseOptions } from '../options.ts';
import { formatBytes, formatTable, type TableColumn } from '../table.ts';

const right = (title: string): TableColumn => ({ title, align: 'right' });
const left = (title: string): TableColumn => ({ title, align: 'left' });

/** Types of partitions that one meets. */
const typeNames: Readonly<Record<string, string>> = {
  ...{ '01': 'FAT12', '04': 'FAT16', '05': 'extended', '06': 'FAT16', '07': 'NTFS or exFAT', '0b': 'FAT32' },
  ...{ '0c': 'FAT32', '0e': 'FAT16', '0f': 'extended', '7f': 'VROS', '82': 'Linux swap', '83': 'Linux' },
  ...{ '85': 'extended', ee: 'GPT', ef: 'EFI' },
};

const fdisk: Command = {
  name: 'fdisk',
  usage: '-l [DISK …]',
  about: 'Shows the partition tables of disks',
  details: ['Sectors have 512 bytes. The tables are made on the host.'],
  kind: 'here',
  complete: (_words, services) => deviceNames(services),
  run: ({ words, services, lines }) => {
    const { flags, operands } = parseOptions(words, { flags: 'l' });
    if (!flags.has('l')) throw new UsageError('-l is missing: tables can only be shown');
    const devices = listDevices(services);
    const names = operands.map(deviceName);
    for (const name of names)
      if (!devices.some((device) => device.name === name && device.kind === 'disk'))
        throw new CommandError(`${name}: there is no such disk`);
    const disks = devices.filter(({ name, kind }) => kind === 'disk' && (names.length === 0 || names.includes(name)));
    for (const [index, disk] of disks.entries()) {
      const size = formatBytes(disk.sectors * SECTOR_BYTES);
      lines(...(index > 0 ? [''] : []), `${disk.name}: ${disk.model}, ${size}, ${disk.sectors} sectors`);
      const parts = devices.filter(({ name, kind }) => kind !== 'disk' && name.startsWith(disk.name));
      const columns = [left('DEVICE'), ...['START', 'END', 'SECTORS', 'SIZE'].map(right), left('TYPE'), left('NAME')];
      const rows = parts.map(({ name, kind, firstSector, sectors }) => [
        ...[name, String(firstSector), String(firstSector + sectors - 1), String(sectors)],
        ...[formatBytes(sectors * SECTOR_BYTES), kind, typeNames[kind] ?? ''],
      ]);
      lines(...(rows.length === 0 ? ['no partitions'] : formatTable(columns, rows)));
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

export const diskCommands: readonly Command[] = [fdisk, atadrv];
