/** Checks link counts, nodes without a name, and the list of orphans. */
import type { NodeNumber } from '../file-system.ts';
import { DIRECTORY, type Findings, phase } from './check-findings.ts';
import type { NodeCheck } from './check-nodes.ts';
import type { Directories } from './directory.ts';
import { NODES_PER_BLOCK, ROOT } from './geometry.ts';
import { damaged, damageOf } from './metadata.ts';
import { MAX_NAMES, typeNumber } from './node.ts';
import type { Volume } from './volume.ts';

const LOST_AND_FOUND = Buffer.from('lost+found');

/** See the head of this file. */
export class LinkCheck {
  private readonly volume: Volume;
  private readonly findings: Findings;
  private readonly nodes: NodeCheck;
  private readonly directories: Directories;
  private readonly now: () => number;

  constructor(volume: Volume, findings: Findings, nodes: NodeCheck, directories: Directories, now: () => number) {
    this.volume = volume;
    this.findings = findings;
    this.nodes = nodes;
    this.directories = directories;
    this.now = now;
  }

  /** Compares the links of an inode with the names that were found. */
  check(number: NodeNumber): void {
    const { findings } = this;
    const type = findings.types[number] ?? 0;
    const links = findings.links[number] ?? 0;
    const names = findings.names[number] ?? 0;
    if (type === 0) return;
    if (names === 0 && number !== ROOT) {
      // Nodes without a name are orphans, or lost.
      if (links > 0) findings.add(phase.NAMES, `inode ${number} has no name`, () => this.attach(number, type));
      return;
    }
    const expected = type === DIRECTORY ? 2 + (findings.subdirectories[number] ?? 0) : names;
    if (links !== expected)
      findings.add(phase.NAMES, `inode ${number} has ${expected} links, and says that it has ${links}`, () => {
        this.nodes.view(number, true).links = Math.min(expected, MAX_NAMES);
      });
  }

  /** Gives a lost inode a name in /lost+found. */
  private attach(number: NodeNumber, type: number): void {
    const found = this.lostAndFound();
    const directory = this.nodes.view(found, true);
    let name = Buffer.from(`#${number}`);
    for (let copy = 1; this.directories.find(directory, name) !== undefined; copy++)
      name = Buffer.from(`#${number}.${copy}`);
    this.directories.insert(directory, name, number, type);
    const node = this.nodes.view(number, true);
    if (type !== DIRECTORY) {
      node.links = 1;
      return;
    }
    node.parent = found;
    directory.links++;
  }

  private lostAndFound(): NodeNumber {
    const root = this.nodes.view(ROOT, true);
    const known = this.directories.find(root, LOST_AND_FOUND);
    if (known !== undefined) {
      if (known.type !== DIRECTORY) throw damaged('/lost+found is not a directory');
      return known.node;
    }
    const node = this.volume.nodes.allocate('directory');
    node.mode = 0o700;
    node.links = 2;
    node.parent = ROOT;
    for (const time of ['accessed', 'modified', 'changed', 'created'] as const) node.setTime(time, this.now());
    this.directories.insert(root, LOST_AND_FOUND, node.number, typeNumber('directory'));
    root.links++;
    return node.number;
  }

  /** Checks the list of orphans against what the inodes say. */
  checkOrphans(): void {
    const { findings, volume } = this;
    const listed = new Set<NodeNumber>();
    const damage = damageOf(() => {
      let previous = 0;
      for (let number = volume.state.orphans; number !== 0; ) {
        if (number >= volume.state.tableBlocks * NODES_PER_BLOCK) throw damaged(`there is no inode ${number}`);
        if (listed.has(number)) throw damaged('it goes in a circle');
        if (!findings.orphans.has(number)) throw damaged(`inode ${number} is no orphan`);
        const node = this.nodes.view(number);
        if (node.previousOrphan !== previous) throw damaged(`inode ${number} does not refer back`);
        listed.add(number);
        previous = number;
        number = node.nextOrphan;
      }
      for (const number of findings.orphans) if (!listed.has(number)) throw damaged(`inode ${number} is not in it`);
      for (const number of findings.linked)
        if (!listed.has(number)) throw damaged(`inode ${number} says that it is in it`);
    });
    if (damage !== '')
      findings.addLong(phase.NAMES, `the list of orphans is damaged: ${damage}`, (run) => this.rebuildOrphans(run));
  }

  private rebuildOrphans(run: (operation: () => void) => void): void {
    const { findings, volume } = this;
    run(() => {
      volume.state.orphans = 0;
    });
    for (const number of findings.linked) {
      run(() => {
        const node = this.nodes.view(number, true);
        node.nextOrphan = 0;
        node.previousOrphan = 0;
      });
    }
    for (const number of findings.orphans) {
      run(() => {
        const node = this.nodes.view(number, true);
        const next = volume.state.orphans;
        if (node.isFree || (node.links > 0 && !node.truncating)) return;
        node.nextOrphan = next;
        if (next !== 0) this.nodes.view(next, true).previousOrphan = number;
        volume.state.orphans = number;
      });
    }
  }
}
