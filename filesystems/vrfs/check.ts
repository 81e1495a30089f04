/**
 * Checks a VRFS file system and mends it (docs/vrfs.md, "Check"). What is in the journal counts: without repair it is
 * applied in memory only.
 *
 * Repair works in rounds: look at everything, mend the problems of the earliest phase, unmount, and look again, until
 * nothing is found that can be mended. Each round is made of the transactions of an ordinary mount, so a repair that is
 * interrupted does no harm.
 */
import { SystemError } from '../../protocol/errno.ts';
import type { BlockDevice } from '../block-device.ts';
import type { CheckReport, Progress } from '../file-system.ts';
import { BlockMap } from './block-map.ts';
import { checkBitmaps } from './check-bitmaps.ts';
import { DirectoryCheck } from './check-directories.ts';
import { DIRECTORY, Findings } from './check-findings.ts';
import { LinkCheck } from './check-links.ts';
import { NodeCheck } from './check-nodes.ts';
import { Directories } from './directory.ts';
import { NODES_PER_BLOCK, ROOT } from './geometry.ts';
import { type JournalHeader, readHeader, writeHeader } from './journal-header.ts';
import { BOOT_BYTES } from './journal-record.ts';
import { BLOCK_BYTES, kind, readBlocks, Seals, writeBlocks } from './metadata.ts';
import { Notes } from './notes.ts';
import { Orphans } from './orphans.ts';
import { readJournal } from './recovery.ts';
import { encodeSuperblock, readSuperblock, type Superblock, superblockIsSound } from './superblock.ts';
import { Symlinks } from './symlinks.ts';
import { Volume } from './volume.ts';

/** Rounds of mending at most; each phase is due once in most cases. */
const MAX_ROUNDS = 16;

const NO_BOOT = Buffer.alloc(BOOT_BYTES);

/** What is known of the device before a round. */
interface Base {
  readonly device: BlockDevice;
  readonly superblock: Superblock;
  readonly seals: Seals;
  /** The time for what is made: that of the file system itself, since there is no clock here. */
  readonly now: number;
}

/** See Format. */
export function checkDevice(device: BlockDevice, repair: boolean, progress: Progress = () => {}): CheckReport {
  if (repair && device.readOnly) throw new SystemError('EROFS', 'the device is read-only');
  const check = new Check(device, repair, progress);
  try {
    check.run();
  } catch (error) {
    if (!(error instanceof SystemError) || error.code === 'EIO' || error.code === 'EOPNOTSUPP') throw error;
    check.problems.push(error.reason);
  }
  progress(1);
  return { problems: check.problems, repaired: check.repaired, summary: check.summary };
}

/** See the head of this file. */
class Check {
  readonly problems: string[] = [];
  readonly repaired: string[] = [];
  summary = '';
  private readonly device: BlockDevice;
  private readonly repair: boolean;
  private readonly progress: Progress;

  constructor(device: BlockDevice, repair: boolean, progress: Progress) {
    this.device = device;
    this.repair = repair;
    this.progress = progress;
  }

  /** Something is wrong that can be mended here and now. */
  private found(text: string, mend: () => void): void {
    if (this.repair) {
      mend();
      this.repaired.push(text);
    } else this.problems.push(text);
  }

  run(): void {
    const { device } = this;
    const superblock = readSuperblock(device);
    if (superblock.readOnlyReason !== '') throw new SystemError('EOPNOTSUPP', superblock.readOnlyReason);
    this.checkSuperblocks(superblock);
    const seals = new Seals(superblock.identity);
    const base = { device, superblock, seals, now: superblock.created };
    const header = this.checkHeaders(base);
    if (header === undefined) return;
    for (let round = 1; ; round++) {
      const inForce = round === 1 ? header : readHeader(device, superblock.geometry, seals).header;
      const { findings, mended } = this.look(base, inForce, this.repair && round < MAX_ROUNDS);
      if (mended > 0) continue;
      for (const { text } of findings.problems) this.problems.push(text);
      if (findings.more > 0) this.problems.push(`${findings.more} more`);
      return;
    }
  }

  private checkSuperblocks(superblock: Superblock): void {
    const { device } = this;
    const copy = superblock.geometry.blocks - 1;
    for (const [block, name] of [
      [0, 'the superblock'],
      [copy, 'the copy of the superblock'],
    ] as const) {
      if (superblockIsSound(device, block, superblock.identity)) continue;
      this.found(`${name} is damaged`, () => {
        writeBlocks(device, block, encodeSuperblock(superblock, block));
        device.flush();
      });
    }
  }

  /** The header in force; undefined: there is none, and none is to be made. */
  private checkHeaders(base: Base): JournalHeader | undefined {
    const { device, seals } = base;
    const { geometry } = base.superblock;
    try {
      const { header, other } = readHeader(device, geometry, seals);
      if (header.clean && other === undefined)
        this.found('one header of the journal is damaged', () => {
          writeHeader(device, geometry, seals, { ...header, generation: header.generation + 1 });
          device.flush();
        });
      return readHeader(device, geometry, seals).header;
    } catch (error) {
      if (!(error instanceof SystemError) || error.code !== 'EUCLEAN') throw error;
      this.found(`${error.message}: what is in the journal is lost`, () => this.makeHeaders(base));
      return this.repair ? readHeader(device, geometry, seals).header : undefined;
    }
  }

  /**
   * New headers for an empty journal. The counts are put right later; how far the inode table goes is found by looking.
   */
  private makeHeaders({ device, superblock: { geometry }, seals }: Base): void {
    let tableBlocks = 1;
    for (let index = 0, misses = 0; index < geometry.tableBlocks && misses < NODES_PER_BLOCK * 4; index++) {
      const block = geometry.tableStart + index;
      if (seals.holds(readBlocks(device, block, 1), block, kind.NODES)) {
        tableBlocks = index + 1;
        misses = 0;
      } else misses++;
    }
    const state = { freeBlocks: 0, freeNodes: 0, tableBlocks, orphans: 0 };
    const zeros = Buffer.alloc(BLOCK_BYTES);
    for (let block = geometry.journalStart; block < geometry.journalStart + geometry.journalBlocks; block++)
      writeBlocks(device, block, zeros);
    device.flush();
    const empty = { tail: 0, clean: true, previous: 0, durable: 0, next: 0, boot: NO_BOOT, state, notes: new Notes() };
    for (const generation of [0, 1]) writeHeader(device, geometry, seals, { ...empty, generation });
    device.flush();
  }

  /**
   * Looks at everything; with `mending`, mends the problems of the earliest phase. Answers what was found, and how much
   * of it is mended.
   */
  private look(base: Base, header: JournalHeader, mending: boolean): { findings: Findings; mended: number } {
    const { device, superblock, seals } = base;
    const { geometry } = superblock;
    const recovery = readJournal(device, geometry, seals, header, NO_BOOT);
    if (recovery.problem !== '') this.found(recovery.problem, () => {});
    const volume = new Volume(device, geometry, seals, header, recovery, {
      ...{ readOnly: !this.repair, readOnlyReason: '', boot: NO_BOOT },
      log: () => {},
    });
    const findings = new Findings(geometry, Math.min(volume.state.tableBlocks, geometry.tableBlocks));
    const directories = new Directories(volume.space, volume.verify.directory);
    const nodes = new NodeCheck(volume, findings);
    this.scan(volume, findings, nodes, directories, base.now);
    this.summary = nodes.summary();
    const mended = mending ? this.mend(volume, findings) : 0;
    if (this.repair && findings.problems.length === 0) freeOrphans(volume);
    volume.close();
    return { findings, mended };
  }

  private scan(volume: Volume, findings: Findings, nodes: NodeCheck, directories: Directories, now: number): void {
    const names = new DirectoryCheck(volume, findings, nodes, directories);
    const links = new LinkCheck(volume, findings, nodes, directories, () => now);
    const blocks = Math.min(volume.state.tableBlocks, volume.geometry.tableBlocks);
    for (let index = 0; index < blocks; index++) {
      nodes.checkBlock(index);
      this.progress((0.5 * index) / blocks);
    }
    nodes.checkRoot(() => now);
    const count = findings.types.length;
    for (let number = ROOT; number < count; number++) {
      if (findings.types[number] === DIRECTORY) names.check(number);
      if (number % NODES_PER_BLOCK === 0) this.progress(0.5 + (0.4 * number) / count);
    }
    names.checkReach();
    for (let number = ROOT; number < count; number++) links.check(number);
    links.checkOrphans();
    checkBitmaps(volume, findings);
  }

  /**
   * Mends the problems of the earliest phase. What cannot be mended, for want of room for example, is left for the next
   * round or for the report.
   */
  private mend(volume: Volume, findings: Findings): number {
    const first = Math.min(...findings.problems.map((problem) => problem.phase));
    let mended = 0;
    for (const problem of findings.problems) {
      if (problem.phase !== first) continue;
      try {
        problem.mend((operation) => volume.change(operation));
        mended++;
        this.repaired.push(problem.text);
      } catch (error) {
        if (!(error instanceof SystemError) || error.code === 'EIO' || error.code === 'EROFS') throw error;
      }
    }
    volume.commit();
    return mended;
  }
}

/** Frees what nobody has open any more. */
function freeOrphans(volume: Volume): void {
  const symlinks = new Symlinks(volume.space, volume.verify.symlink);
  const orphans = new Orphans(volume, new BlockMap(volume.space, volume.verify.indirect), symlinks);
  orphans.restore([], () => {});
  orphans.work(() => {});
}
