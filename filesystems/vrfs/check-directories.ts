/** Checks directories: their trees, their entries, and whether all are reached from the root. */
import type { NodeNumber } from '../file-system.ts';
import { DIRECTORY, type Findings, phase } from './check-findings.ts';
import type { NodeCheck } from './check-nodes.ts';
import type { Directories } from './directory.ts';
import { compareKeys, countOf, type Entry, entryAt, type Key, keyOf, levelOf } from './directory-node.ts';
import { ROOT } from './geometry.ts';
import { BLOCK_BYTES, damaged, damageOf } from './metadata.ts';
import { nameText } from './namespace.ts';
import { Node } from './node.ts';
import type { Volume } from './volume.ts';

/** What is found in the tree of a directory. */
interface Tree {
  readonly entries: Entry[];
  blocks: number;
  /** What is wrong with it, in short; '' if nothing is. */
  damage: string;
}

/** See the head of this file. */
export class DirectoryCheck {
  private readonly volume: Volume;
  private readonly findings: Findings;
  private readonly nodes: NodeCheck;
  private readonly directories: Directories;

  constructor(volume: Volume, findings: Findings, nodes: NodeCheck, directories: Directories) {
    this.volume = volume;
    this.findings = findings;
    this.nodes = nodes;
    this.directories = directories;
  }

  /** Checks one directory. EIO. */
  check(number: NodeNumber): void {
    const { findings } = this;
    const node = this.nodes.view(number);
    const tree = this.readTree(number, node.pointer(0));
    if (tree.damage !== '') {
      findings.incomplete = true;
      findings.addLong(phase.DIRECTORIES, `directory ${number} is damaged: ${tree.damage}`, (run) =>
        this.rebuild(number, run),
      );
    } else this.nodes.checkCount(node, tree.blocks);
    const isGone = findings.links[number] === 0;
    if (isGone && tree.entries.length > 0)
      findings.add(phase.NAMES, `directory ${number} has been removed, and is not empty`, () => {
        this.nodes.view(number, true).links = 2;
      });
    for (const entry of tree.entries) this.checkEntry(number, entry);
  }

  private readTree(number: NodeNumber, root: number): Tree {
    const tree: Tree = { entries: [], blocks: 0, damage: '' };
    if (root !== 0) this.readBlock(number, root, undefined, undefined, undefined, tree);
    return tree;
  }

  /** Reads a block with all below it. Its keys have to be from `low` on and below `high`. */
  private readBlock(
    number: NodeNumber,
    block: number,
    expectedLevel: number | undefined,
    low: Key | undefined,
    high: Key | undefined,
    tree: Tree,
  ): void {
    const wrong = this.findings.claim(block);
    if (wrong !== '') {
      tree.damage ||= `block ${block} ${wrong}`;
      return;
    }
    tree.blocks++;
    let bytes: Buffer | undefined;
    const damage = damageOf(() => {
      bytes = this.volume.space.read(block, this.volume.verify.directory, number);
      if (expectedLevel !== undefined && levelOf(bytes) !== expectedLevel)
        throw damaged(`block ${block} is of the wrong level`);
    });
    tree.damage ||= damage;
    if (bytes === undefined || damage !== '') return;
    const level = levelOf(bytes);
    const count = countOf(bytes);
    for (let index = 0; index < count; index++) {
      const found = entryAt(bytes, index);
      const entry = { ...found, name: Buffer.from(found.name) };
      if (level === 0) {
        if ((low !== undefined && compareKeys(entry, low) < 0) || (high !== undefined && compareKeys(entry, high) >= 0))
          tree.damage ||= `an entry of block ${block} is out of order`;
        if (entry.hash !== keyOf(entry.name).hash) tree.damage ||= `an entry of block ${block} has a wrong hash`;
        tree.entries.push(entry);
        continue;
      }
      const next = index + 1 < count ? entryAt(bytes, index + 1) : undefined;
      const childHigh = next === undefined ? high : { hash: next.hash, name: Buffer.from(next.name) };
      // The first child also has what is below its own key.
      this.readBlock(number, entry.pointer, level - 1, index === 0 ? low : entry, childHigh, tree);
    }
  }

  private checkEntry(number: NodeNumber, entry: Entry): void {
    const { findings } = this;
    const { pointer: target, type } = entry;
    const name = nameText(entry.name);
    const where = `directory ${number}, entry ${JSON.stringify(entry.name.toString())}`;
    const remove = (): void => {
      this.directories.remove(this.nodes.view(number, true), entry.name);
    };
    if (name === undefined) {
      findings.add(phase.DIRECTORIES, `${where}: this cannot be a name`, remove);
      return;
    }
    const found = findings.types[target] ?? 0;
    if (found === 0 || target === ROOT) {
      findings.add(
        phase.DIRECTORIES,
        `${where} leads to inode ${target}, which ${found === 0 ? 'is free' : 'is the root'}`,
        remove,
      );
      return;
    }
    if (found === DIRECTORY && findings.foundIn[target] !== 0) {
      findings.add(phase.DIRECTORIES, `${where} is a second name of directory ${target}`, remove);
      return;
    }
    if (found !== type)
      findings.add(phase.DIRECTORIES, `${where} has a wrong type`, () =>
        this.directories.replace(this.nodes.view(number, true), entry.name, target, found),
      );
    findings.names[target] = (findings.names[target] ?? 0) + 1;
    if (found !== DIRECTORY) return;
    findings.foundIn[target] = number;
    findings.subdirectories[number] = (findings.subdirectories[number] ?? 0) + 1;
    if (findings.parents[target] !== number)
      findings.add(
        phase.NAMES,
        `directory ${target} is in directory ${number}, and says that it is in ${findings.parents[target]}`,
        () => {
          this.nodes.view(target, true).parent = number;
        },
      );
  }

  /**
   * Puts the entries that can still be read into a new tree, and then that in the place of the old one, whose blocks
   * are found to be free afterwards.
   */
  private rebuild(number: NodeNumber, run: (operation: () => void) => void): void {
    const entries = new Map<string, Entry>();
    for (const entry of this.salvage(number)) entries.set(entry.name.toString('hex'), entry);
    const draft = new Node(number, Buffer.alloc(BLOCK_BYTES), 0);
    for (const { name, pointer, type } of entries.values())
      run(() => this.directories.insert(draft, name, pointer, type));
    run(() => {
      const node = this.nodes.view(number, true);
      node.setPointer(0, draft.pointer(0));
      node.blocks = draft.blocks;
    });
  }

  /** Entries of a damaged directory in all blocks of it that are sound. */
  private salvage(number: NodeNumber): Entry[] {
    const root = this.nodes.view(number).pointer(0);
    const entries: Entry[] = [];
    const seen = new Set<number>();
    const visit = (block: number): void => {
      if (seen.has(block)) return;
      seen.add(block);
      damageOf(() => {
        const bytes = this.volume.space.read(block, this.volume.verify.directory, number);
        const isLeaf = levelOf(bytes) === 0;
        for (let index = 0; index < countOf(bytes); index++) {
          const entry = entryAt(bytes, index);
          if (!isLeaf) visit(entry.pointer);
          else if (nameText(entry.name) !== undefined) entries.push({ ...entry, name: Buffer.from(entry.name) });
        }
      });
    };
    if (root !== 0) visit(root);
    return entries;
  }

  /**
   * Directories that have names, and are not reached from the root: they are in one another. One name of each such
   * circle is removed.
   */
  checkReach(): void {
    const { findings } = this;
    const count = findings.types.length;
    /** 0: not looked at; 1: on the way; 2: done. */
    const seen = new Uint8Array(count);
    for (let number = ROOT; number < count; number++) {
      if (findings.types[number] !== DIRECTORY) continue;
      const way: NodeNumber[] = [];
      let at = number;
      while (at !== 0 && seen[at] === 0) {
        seen[at] = 1;
        way.push(at);
        at = findings.foundIn[at] ?? 0;
      }
      if (at !== 0 && seen[at] === 1) this.breakCircle(at);
      for (const passed of way) seen[passed] = 2;
    }
  }

  private breakCircle(number: NodeNumber): void {
    const parent = this.findings.foundIn[number] ?? 0;
    this.findings.add(phase.DIRECTORIES, `directory ${number} is inside of itself`, () => {
      const node = this.nodes.view(parent, true);
      for (const { name, pointer } of this.salvage(parent)) if (pointer === number) this.directories.remove(node, name);
    });
  }
}
