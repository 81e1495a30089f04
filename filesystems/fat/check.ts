/**
 * Checks a FAT file system, and mends it: boot sector, copies of the table, tree (check-tree.ts), clusters that belong
 * to nobody, figures, and the mark of an unclean end. What belongs to two files stays with the one that is found first;
 * clusters of nobody are freed.
 */
import { SystemError } from '../../protocol/errno.ts';
import { type BlockDevice, SECTOR_BYTES } from '../block-device.ts';
import type { CheckReport, Progress } from '../file-system.ts';
import { FIELDS, FIRST_CLUSTER, type Geometry, looksLikeBootSector, readBootSector } from './boot-sector.ts';
import { TreeCheck } from './check-tree.ts';
import { Findings } from './findings.ts';
import { isInformationSector, newInformationSector, readInformation } from './information-sector.ts';
import { DEFECTIVE, FREE } from './table.ts';
import { Volume } from './volume.ts';

/** Where the copy of the boot sector of FAT32 is, if the boot sector cannot tell. */
const USUAL_BACKUP = 6;

/** Sectors of the table compared at a time. */
const COMPARED_SECTORS = 128;

/** Clusters freed in one operation. */
const FREED_CLUSTERS = 4096;

/** How far the walk through the tree brings the check; the rest is the table. */
const WALK_SHARE = 0.6;

/** See Format.check. Throws SystemError: EOPNOTSUPP, EIO, EROFS. */
export function checkFat(device: BlockDevice, repair: boolean, progress?: Progress): CheckReport {
  const before: string[] = [];
  let geometry = geometryOf(device, 0);
  if (geometry instanceof SystemError) {
    const copy = geometryOf(device, USUAL_BACKUP);
    const found = `the boot sector is damaged (${geometry.reason})`;
    if (copy instanceof SystemError && geometry.code === 'EOPNOTSUPP') throw geometry;
    if (copy instanceof SystemError) return { problems: [found], repaired: [], summary: 'nothing could be checked' };
    if (!repair)
      return {
        problems: [`${found}; its copy in sector ${USUAL_BACKUP} is sound`],
        repaired: [],
        summary: 'nothing could be checked',
      };
    device.write(0, device.read(USUAL_BACKUP, 1));
    before.push(found);
    geometry = copy;
  }
  const report = new Check(device, geometry, repair, progress).run();
  return { ...report, repaired: [...before, ...report.repaired] };
}

/** The geometry that a boot sector gives, or why it does not. */
function geometryOf(device: BlockDevice, sector: number): Geometry | SystemError {
  if (sector >= device.sectors) return new SystemError('EINVAL', 'there is none');
  try {
    return readBootSector(device.read(sector, 1), device.sectors);
  } catch (error) {
    if (error instanceof SystemError && error.code !== 'EIO') return error;
    throw error;
  }
}

class Check {
  private readonly device: BlockDevice;
  private readonly geometry: Geometry;
  private readonly volume: Volume;
  private readonly findings: Findings;
  private readonly progress: Progress | undefined;

  constructor(device: BlockDevice, geometry: Geometry, repair: boolean, progress: Progress | undefined) {
    this.device = device;
    this.geometry = geometry;
    this.progress = progress;
    this.volume = new Volume(device, geometry, { readOnly: !repair, keeper: null, now: () => 0 });
    this.findings = new Findings(this.volume, repair);
  }

  run(): CheckReport {
    const { volume, findings } = this;
    const wasDirty = volume.dirty;
    // Before anything is changed: that begins with a mark in the first sector of all tables.
    this.checkStart();
    this.checkBackup();
    this.checkCopies();
    const tree = new TreeCheck(findings, (owned) => this.progress?.((WALK_SHARE * owned) / this.geometry.clusters));
    tree.run();
    const { free, defective } = this.sweep(tree);
    this.checkInformation(free);
    if (wasDirty) findings.found('the file system was not unmounted, or something went wrong with it then', () => {});
    if (findings.repair) {
      volume.table.recount();
      if (findings.changed) volume.close();
    }
    this.progress?.(1);
    const { files, directories } = tree;
    const { clusters } = this.geometry;
    const used = clusters - free - defective;
    const bad = defective === 0 ? '' : `, ${defective} defective`;
    return {
      problems: findings.problems,
      repaired: findings.repaired,
      summary: `${files} files, ${directories} directories, ${used} of ${clusters} clusters in use${bad}`,
    };
  }

  /** The copy of the boot sector of FAT32: all but the mark of an unclean end has to be equal. */
  private checkBackup(): void {
    const { backup } = this.geometry;
    if (backup === 0) return;
    const boot = Buffer.from(this.device.read(0, 1));
    const copy = Buffer.from(this.device.read(backup, 1));
    copy[FIELDS.state.long] = boot[FIELDS.state.long] ?? 0;
    if (copy.equals(boot)) return;
    const what = looksLikeBootSector(copy) ? 'differs from it' : 'is damaged';
    this.findings.found(`the copy of the boot sector in sector ${backup} ${what}`, () => {
      const now = Buffer.from(this.volume.cache.read(0));
      now[FIELDS.state.long] = (now[FIELDS.state.long] ?? 0) & ~1;
      this.volume.cache.change(backup).set(now);
    });
  }

  /** The first entry of the table: the medium, and ones. */
  private checkStart(): void {
    const { table, media, copies } = this.geometry;
    if (this.isStart(this.device.read(table, 1))) return;
    for (const copy of copies) {
      const start = Buffer.from(this.device.read(copy, 1));
      if (!this.isStart(start)) continue;
      this.findings.found('the table does not begin as it has to, but a copy of it does, and is used', () =>
        this.takeCopy(copy, start),
      );
      return;
    }
    this.findings.found('the table does not begin as it has to', () => {
      const sector = this.volume.cache.change(table);
      sector[0] = media;
      sector.fill(0xff, 1, this.startBytes);
      if (this.geometry.bits === 12) sector[1] = (sector[1] ?? 0) | 0x0f;
      if (this.geometry.bits === 32) sector[3] = 0x0f;
    });
  }

  /**
   * Bytes at the beginning of the table of which all bits belong to its first entry, but for 4 of the last one of
   * FAT32.
   */
  private get startBytes(): number {
    return { 12: 1, 16: 2, 32: 4 }[this.geometry.bits];
  }

  private isStart(sector: Uint8Array): boolean {
    const { bits, media } = this.geometry;
    const high = bits === 12 ? ((sector[1] ?? 0) & 0x0f) === 0x0f : sector[1] === 0xff;
    const higher = bits !== 32 || (sector[2] === 0xff && ((sector[3] ?? 0) & 0x0f) === 0x0f);
    return sector[0] === media && high && higher;
  }

  /** Makes a copy the table; `start` is its first sector. */
  private takeCopy(copy: number, start: Buffer): void {
    const { table, tableSectors } = this.geometry;
    for (let at = 0; at < tableSectors; at += COMPARED_SECTORS) {
      const count = Math.min(COMPARED_SECTORS, tableSectors - at);
      const bytes = Buffer.from(this.device.read(copy + at, count));
      if (at === 0) bytes.set(start);
      this.volume.device.write(table + at, bytes);
      for (let sector = 0; sector < count; sector++)
        this.volume.cache.keep(table + at + sector, bytes.subarray(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES));
    }
  }

  private checkCopies(): void {
    const { table, tableSectors, copies } = this.geometry;
    for (const [index, copy] of copies.entries()) {
      let different = 0;
      for (let at = 0; at < tableSectors; at += COMPARED_SECTORS) {
        const count = Math.min(COMPARED_SECTORS, tableSectors - at);
        const [bytes, others] = [
          Buffer.from(this.volume.device.read(table + at, count)),
          Buffer.from(this.device.read(copy + at, count)),
        ];
        if (bytes.equals(others)) continue;
        for (let sector = 0; sector < count; sector++) {
          const from = sector * SECTOR_BYTES;
          if (bytes.compare(others, from, from + SECTOR_BYTES, from, from + SECTOR_BYTES) !== 0) different++;
        }
        if (this.findings.repair) this.device.write(copy + at, bytes);
      }
      if (different > 0)
        this.findings.found(`copy ${index + 1} of the table differs from it in ${different} sectors`, () => {});
    }
  }

  /** Looks for clusters that are taken and belong to nobody. */
  private sweep(tree: TreeCheck): { free: number; defective: number } {
    const { table } = this.volume;
    const end = this.geometry.clusters + FIRST_CLUSTER;
    let [free, defective, lost] = [0, 0, 0];
    for (let cluster = FIRST_CLUSTER; cluster < end; cluster++) {
      const value = table.get(cluster);
      if (value === FREE) free++;
      else if (value === DEFECTIVE) defective++;
      else if (!tree.isOwned(cluster)) lost++;
      if (cluster % FREED_CLUSTERS === 0) this.progress?.(WALK_SHARE + ((1 - WALK_SHARE) * cluster) / end);
    }
    if (lost === 0) return { free, defective };
    const mended = this.findings.found(`${lost} clusters are taken, but belong to no file`, () => {});
    if (mended)
      for (let from = FIRST_CLUSTER; from < end; from += FREED_CLUSTERS)
        this.freeLost(tree, from, Math.min(end, from + FREED_CLUSTERS));
    return { free: mended ? free + lost : free, defective };
  }

  private freeLost(tree: TreeCheck, from: number, to: number): void {
    const { volume } = this;
    volume.change(0, () => {
      for (let cluster = from; cluster < to; cluster++) {
        const value = volume.table.get(cluster);
        if (value !== FREE && value !== DEFECTIVE && !tree.isOwned(cluster)) volume.table.set(cluster, FREE);
      }
    });
    volume.pause();
  }

  private checkInformation(free: number): void {
    const { geometry, volume } = this;
    const { information } = geometry;
    if (information === 0) return;
    if (!isInformationSector(volume.cache.read(information))) {
      this.findings.found(`sector ${information}, of the figures of free clusters, is damaged`, () =>
        volume.cache.change(information).set(newInformationSector(free, FIRST_CLUSTER)),
      );
      return;
    }
    const said = readInformation(volume.cache, geometry).free;
    if (said !== null && said !== free)
      this.findings.found(`${free} clusters are free, where ${said} are said to be`, () => {});
  }
}
