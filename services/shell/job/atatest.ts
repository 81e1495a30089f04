/** atatest: whether the disk driver keeps what protocol/block.ts promises, errors included. */
import { MAX_REQUEST_SECTORS, SECTOR_BYTES } from '../../../protocol/block.ts';
import { block } from '../../lib/index.ts';
import { Checks, equalBytes, expect, expectError } from '../checks.ts';
import { type CommandContext, expectWords, type Run } from '../command.ts';
import { type DeviceDescription, DISK_SERVICE, listDevices, type OpenDevice, openDevice } from '../disks.ts';
import { CommandError } from '../errors.ts';

function checkDescription(row: DeviceDescription, all: readonly DeviceDescription[]): string {
  expect(row.sectors > 0, 'it has no sectors');
  if (row.kind === 'disk') {
    expect(/^hd[a-d]$/.test(row.name), `the name ${row.name}`);
    expect(row.firstSector === 0, `it begins at sector ${row.firstSector}`);
    expect(row.model.trim() !== '' && row.serial.trim() !== '', 'model or serial number is empty');
    const per = row.sectorsPerInterrupt;
    expect(per >= 1 && per <= 128 && (per & (per - 1)) === 0, `${per} sectors per interrupt`);
    return `${row.model}, ${row.sectors} sectors`;
  }
  const disk = all.find(({ name }) => name === row.name.slice(0, 3));
  expect(disk !== undefined, 'its disk is not listed');
  expect(row.firstSector + row.sectors <= disk.sectors, 'it ends beyond its disk');
  return `type ${row.kind}, sectors ${row.firstSector} to ${row.firstSector + row.sectors - 1}`;
}

function checkBounds({ disk, description }: OpenDevice): string {
  const { sectors } = description;
  expectError('ERANGE', () => disk.read({ sector: sectors, count: 1 }));
  expectError('ERANGE', () => disk.read({ sector: Number.MAX_SAFE_INTEGER, count: 1 }));
  if (sectors < MAX_REQUEST_SECTORS) expectError('ERANGE', () => disk.read({ sector: 1, count: sectors }));
  else expectError('ERANGE', () => disk.read({ sector: sectors - 1, count: 2 }));
  expectError('EINVAL', () => disk.read({ sector: 0, count: 0 }));
  expectError('EINVAL', () => disk.read({ sector: 0, count: MAX_REQUEST_SECTORS + 1 }));
  return `beyond the end ERANGE, 0 and ${MAX_REQUEST_SECTORS + 1} sectors EINVAL`;
}

/** Only writes that have to be refused: nothing changes. */
function checkRefusedWrites({ disk, description }: OpenDevice): string {
  const sector = new Uint8Array(SECTOR_BYTES);
  expectError('EINVAL', () => disk.write({ sector: 0, data: new Uint8Array(0) }));
  expectError('EINVAL', () => disk.write({ sector: 0, data: new Uint8Array(SECTOR_BYTES - 1) }));
  expectError('ERANGE', () => disk.write({ sector: description.sectors, data: sector }));
  if (!description.readOnly) return 'no data and half a sector EINVAL, beyond the end ERANGE';
  expectError('EROFS', () => disk.write({ sector: 0, data: sector }));
  return 'no data and half a sector EINVAL, beyond the end ERANGE, all others EROFS';
}

function checkConsistency({ disk, description }: OpenDevice): string {
  for (const sector of new Set([0, description.sectors - 1])) {
    const first = disk.read({ sector, count: 1 }).slice();
    expect(first.length === SECTOR_BYTES, `sector ${sector}: ${first.length} bytes`);
    expect(equalBytes(first, disk.read({ sector, count: 1 })), `sector ${sector}: two reads differ`);
  }
  return `sector 0 and sector ${description.sectors - 1} read alike twice`;
}

/** The first sector of a partition is a sector of its disk. */
function checkPartition(context: CommandContext, partition: OpenDevice): string {
  const { name, firstSector } = partition.description;
  const whole = openDevice(context.services, name.slice(0, 3));
  try {
    const inside = partition.disk.read({ sector: 0, count: 1 }).slice();
    expect(equalBytes(inside, whole.disk.read({ sector: firstSector, count: 1 })), 'not the sector of the disk');
  } finally {
    whole.close();
  }
  return `its sector 0 is sector ${firstSector} of the disk`;
}

function checkDevice(checks: Checks, context: CommandContext, row: DeviceDescription): void {
  const device = openDevice(context.services, row.name);
  checks.run(`${row.name}: information`, () => {
    expect(JSON.stringify(device.disk.information()) === JSON.stringify(row), 'not what the list says');
    return 'as in the list';
  });
  checks.run(`${row.name}: bounds`, () => checkBounds(device));
  checks.run(`${row.name}: refused writes`, () => checkRefusedWrites(device));
  checks.run(`${row.name}: consistency`, () => checkConsistency(device));
  checks.run(`${row.name}: flush`, () => {
    device.disk.flush();
    return '';
  });
  if (row.kind !== 'disk') checks.run(`${row.name}: place`, () => checkPartition(context, device));
  device.close();
}

export const atatest: Run = (context) => {
  expectWords(context.words, 0, 0);
  const { services } = context;
  const devices = listDevices(services);
  if (devices.length === 0) throw new CommandError('there is no disk');
  const driver = services.client(block, DISK_SERVICE);
  const checks = new Checks(context);
  for (const row of devices) checks.run(row.name, () => checkDescription(row, devices));
  checks.run('unknown device', () => expectError('ENODEV', () => driver.open('hdz9')));
  checks.run('right without a device', () => expectError('EBADF', () => driver.read({ sector: 0, count: 1 })));
  for (const row of devices) checkDevice(checks, context, row);
  checks.run('statistics', () => {
    const before = driver.statistics();
    const [first] = devices;
    expect(first !== undefined, 'there is no disk');
    const device = openDevice(services, first.name);
    device.disk.read({ sector: 0, count: 1 });
    device.close();
    const after = driver.statistics();
    expect(after.reads > before.reads && after.sectorsRead > before.sectorsRead, 'a read was not counted');
    return `${after.reads} reads, ${after.interrupts} interrupts, ${after.errors} errors`;
  });
  return checks.finish();
};
