/**
 * Checks inodes and the blocks of files and symbolic links. Directories are checked when all inodes are known
 * (check-directories.ts).
 */
import { MAX_PATH_BYTES, type NodeNumber } from '../file-system.ts';
import { LEVEL, readPointer, writePointer } from './block-map.ts';
import { DIRECTORY, FILE, type Findings, phase, SYMLINK } from './check-findings.ts';
import { NODE_BYTES, NODES_PER_BLOCK, ROOT } from './geometry.ts';
import { BLOCK_BYTES, damaged, damageOf, kind, newBlock, OWNER } from './metadata.ts';
import { DIRECT, FANOUT, INLINE_TARGET_BYTES, LEVELS, MAX_FILE_BYTES, Node, typeNumber } from './node.ts';
import { TARGET_BYTES } from './symlinks.ts';
import type { Volume } from './volume.ts';

/** See the head of this file. */
export class NodeCheck {
  private readonly volume: Volume;
  private readonly findings: Findings;

  constructor(volume: Volume, findings: Findings) {
    this.volume = volume;
    this.findings = findings;
  }

  /** A view of an inode whatever it says, for reading. */
  view(number: NodeNumber, change = false): Node {
    const { cache, geometry, verify } = this.volume;
    const block = geometry.tableStart + Math.floor(number / NODES_PER_BLOCK);
    const bytes = change ? cache.change(block, verify.nodes) : cache.read(block, verify.nodes);
    return new Node(number, bytes, ((number % NODES_PER_BLOCK) + 1) * NODE_BYTES);
  }

  /** Checks one block of the table with all inodes in it. EIO. */
  checkBlock(index: number): void {
    const { geometry, cache, verify } = this.volume;
    const block = geometry.tableStart + index;
    const first = index * NODES_PER_BLOCK;
    const damage = damageOf(() => cache.read(block, verify.nodes));
    if (damage !== '') {
      this.findings.incomplete = true;
      this.findings.add(phase.STRUCTURE, `${damage}: inodes ${first} to ${first + NODES_PER_BLOCK - 1} are lost`, () =>
        cache.replace(block, newBlock(kind.NODES), verify.nodes),
      );
      return;
    }
    for (let number = Math.max(first, ROOT); number < first + NODES_PER_BLOCK; number++) this.checkNode(number);
  }

  private checkNode(number: NodeNumber): void {
    const node = this.view(number);
    if (node.isFree) return;
    const { findings } = this;
    const { type } = node;
    if (type === undefined || node.size > MAX_FILE_BYTES) {
      findings.add(phase.STRUCTURE, `inode ${number} has no known type, or is too long`, () => {
        this.view(number, true).release();
      });
      findings.incomplete = true;
      return;
    }
    findings.types[number] = typeNumber(type);
    findings.links[number] = node.links;
    if (node.links === 0 || node.truncating) findings.orphans.add(number);
    if (node.nextOrphan !== 0 || node.previousOrphan !== 0) findings.linked.add(number);
    if (type === 'directory') findings.parents[number] = node.parent;
    else this.checkCount(node, type === 'file' ? this.checkFile(node) : this.checkSymlink(node));
  }

  /** Compares the blocks that were found with what the inode says. */
  checkCount(node: Node, blocks: number): void {
    if (node.blocks === blocks) return;
    const { number } = node;
    this.findings.add(
      phase.STRUCTURE,
      `inode ${number} says that it has ${node.blocks} blocks, and has ${blocks}`,
      () => {
        this.view(number, true).blocks = blocks;
      },
    );
  }

  private checkFile(node: Node): number {
    const { number } = node;
    const end = node.truncating ? Number.POSITIVE_INFINITY : Math.ceil(node.size / BLOCK_BYTES);
    let behind = false;
    let blocks = 0;
    let start = 0;
    for (let slot = 0; slot < DIRECT + LEVELS; slot++) {
      const level = Math.max(0, slot - DIRECT + 1);
      const clear = (): void => this.view(number, true).setPointer(slot, 0);
      const tree = this.checkTree(number, node.pointer(slot), level, start, clear);
      blocks += tree.blocks;
      behind ||= tree.end > end;
      start += FANOUT ** level;
    }
    if (behind)
      this.findings.add(phase.STRUCTURE, `inode ${number} has blocks behind its end`, () => {
        this.view(number, true).truncating = true;
      });
    return blocks;
  }

  /**
   * Checks a block of a file with all below it. `start`: index of the first data block under it. Answers how many
   * blocks it has, and the index behind the last data block.
   */
  private checkTree(
    number: NodeNumber,
    block: number,
    level: number,
    start: number,
    clear: () => void,
  ): { blocks: number; end: number } {
    if (block === 0) return { blocks: 0, end: 0 };
    const what = level === 0 ? 'block' : 'indirect block';
    const wrong = this.findings.claim(block);
    const damage = wrong === '' && level > 0 ? damageOf(() => this.indirect(number, block, level)) : '';
    if (wrong !== '' || damage !== '') {
      this.findings.incomplete ||= level > 0;
      const why = damage === '' ? `${what} ${block}, which ${wrong}` : `${what} ${block}: ${damage}`;
      this.findings.add(phase.STRUCTURE, `inode ${number} refers to ${why}`, clear);
      return { blocks: 0, end: 0 };
    }
    if (level === 0) return { blocks: 1, end: start + 1 };
    const bytes = this.indirect(number, block, level);
    const { cache, verify } = this.volume;
    let blocks = 1;
    let end = 0;
    for (let index = 0; index < FANOUT; index++) {
      const pointer = readPointer(bytes, index);
      if (pointer === 0) continue;
      const clearIt = (): void => writePointer(cache.change(block, verify.indirect), index, 0);
      const child = this.checkTree(number, pointer, level - 1, start + index * FANOUT ** (level - 1), clearIt);
      blocks += child.blocks;
      end = Math.max(end, child.end);
    }
    return { blocks, end };
  }

  private indirect(number: NodeNumber, block: number, level: number): Buffer {
    const bytes = this.volume.cache.read(block, this.volume.verify.indirect);
    if (bytes.readUInt32LE(OWNER) !== number || bytes.readUInt32LE(LEVEL) !== level)
      throw damaged(`it is one of level ${bytes.readUInt32LE(LEVEL)} of inode ${bytes.readUInt32LE(OWNER)}`);
    return bytes;
  }

  private checkSymlink(node: Node): number {
    if (node.size <= INLINE_TARGET_BYTES) return 0;
    const { number, size } = node;
    let damage = size > MAX_PATH_BYTES ? 'it is too long' : '';
    let blocks = 0;
    for (let index = 0; damage === '' && index * TARGET_BYTES < size; index++) {
      const block = node.pointer(index);
      damage = this.findings.claim(block);
      if (damage !== '') damage = `block ${block} ${damage}`;
      else {
        blocks++;
        damage = damageOf(() => this.volume.space.read(block, this.volume.verify.symlink, number));
      }
    }
    if (damage !== '') {
      this.findings.incomplete = true;
      this.findings.add(phase.STRUCTURE, `the symbolic link of inode ${number} has no target: ${damage}`, () => {
        this.view(number, true).release();
      });
      return node.blocks;
    }
    return blocks;
  }

  /** The root has to be there. */
  checkRoot(now: () => number): void {
    const { findings } = this;
    if (findings.types[ROOT] === DIRECTORY) return;
    findings.incomplete = true;
    findings.add(phase.STRUCTURE, 'there is no root directory', () => {
      const root = this.view(ROOT, true);
      root.clear('directory');
      root.mode = 0o755;
      root.links = 2;
      root.parent = ROOT;
      for (const time of ['accessed', 'modified', 'changed', 'created'] as const) root.setTime(time, now());
    });
  }

  /** For people: what is in use. */
  summary(): string {
    const count = (type: number): number =>
      this.findings.types.reduce((sum, found) => sum + (found === type ? 1 : 0), 0);
    const { dataEnd, dataStart } = this.volume.geometry;
    const { usedBlocks } = this.findings;
    return `${count(FILE)} files, ${count(DIRECTORY)} directories, ${count(SYMLINK)} symbolic links; ${usedBlocks} of ${dataEnd - dataStart} blocks in use`;
  }
}
