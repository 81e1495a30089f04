/** FAT12, FAT16 and FAT32: see fat.ts for where to begin to read, and docs/fat.md. */
import type { BlockDevice } from '../block-device.ts';
import type { FileSystem, Format, MountOptions } from '../file-system.ts';
import { isResumable } from '../redo-log.ts';
import { type Geometry, looksLikeBootSector, readBootSector, typeName } from './boot-sector.ts';
import { checkFat } from './check.ts';
import { FatFileSystem } from './fat.ts';
import { makeFat } from './make.ts';
import { TableCopies } from './table-copies.ts';
import { isMarkedDirty, Volume, volumeName } from './volume.ts';

/** Findings of a check that are written to the log one by one. */
const LOGGED_FINDINGS = 20;

function mount(device: BlockDevice, options: MountOptions): FileSystem {
  const geometry = readBootSector(device.read(0, 1), device.sectors);
  const { keeper, readOnly } = options;
  const copies = new TableCopies(device, geometry);
  const dirty = isMarkedDirty((sector) => copies.read(sector, 1), geometry);
  const resumed = keeper !== null && isResumable(keeper, volumeName(geometry));
  let reason = '';
  if (dirty && !resumed) {
    if (readOnly || device.readOnly)
      log(options, geometry, 'was not unmounted; it is not checked before it is mounted for writing');
    else reason = checkDirty(device, geometry, options);
  }
  const volume = new Volume(device, geometry, options);
  volume.reason = reason;
  return new FatFileSystem(volume);
}

/** Checks and mends a file system that was not closed. Answers why it cannot be changed; '' if it can. */
function checkDirty(device: BlockDevice, geometry: Geometry, options: MountOptions): string {
  const { problems, repaired } = checkFat(device, true);
  log(options, geometry, `was not unmounted: ${repaired.length} findings repaired, ${problems.length} not`);
  const findings = [...repaired.map((text) => `repaired: ${text}`), ...problems];
  for (const finding of findings.slice(0, LOGGED_FINDINGS)) log(options, geometry, finding);
  const [problem] = problems;
  return problem === undefined ? '' : `it is damaged: ${problem}`;
}

function log(options: MountOptions, { bits }: Geometry, text: string): void {
  options.log(`${typeName(bits)}: ${text}`, 'warning');
}

/** FAT12, FAT16 and FAT32. */
export const fat: Format = {
  name: 'fat',
  probe: (device) => device.sectors > 0 && looksLikeBootSector(device.read(0, 1)),
  mount,
  format: makeFat,
  check: checkFat,
};
