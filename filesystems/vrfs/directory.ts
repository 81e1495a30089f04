/**
 * Directories (docs/vrfs.md, "Directories"): a B+-tree of the blocks of a directory, ordered by (hash of the name,
 * name). Look-up, insertion and removal touch one block of each level. A block that has become empty is given up; an
 * empty directory has no block at all.
 */
import type { Verify } from '../block-cache.ts';
import type { NodeNumber } from '../file-system.ts';
import {
  childFor,
  clearNode,
  compareKeys,
  countOf,
  type Entry,
  entriesOf,
  entryAt,
  fillNode,
  insertAt,
  type Key,
  keyOf,
  levelOf,
  middleOf,
  pointerOf,
  removeAt,
  search,
  setPointerAt,
} from './directory-node.ts';
import { damaged, kind } from './metadata.ts';
import type { Node } from './node.ts';
import type { Space } from './space.ts';

/** A step on the way from the root to a leaf: a block, and the entry followed in it. */
interface Step {
  readonly block: number;
  readonly index: number;
}

const FIRST_KEY: Key = { hash: 0, name: Buffer.alloc(0) };

/** See the head of this file. */
export class Directories {
  private readonly space: Space;
  private readonly verify: Verify;

  /** `verify` includes `checkNode`. */
  constructor(space: Space, verify: Verify) {
    this.space = space;
    this.verify = verify;
  }

  private read(directory: Node, block: number): Buffer {
    return this.space.read(block, this.verify, directory.number);
  }

  private change(directory: Node, block: number): Buffer {
    return this.space.change(block, this.verify, directory.number);
  }

  /** The way to the leaf where a key belongs. The directory is not empty. */
  private descend(directory: Node, key: Key): Step[] {
    const steps: Step[] = [];
    let block = directory.pointer(0);
    let expected: number | undefined;
    for (;;) {
      const bytes = this.read(directory, block);
      const level = levelOf(bytes);
      if (expected !== undefined && level !== expected)
        throw damaged(`directory block ${block} has level ${level} where ${expected} is due`);
      if (level === 0) {
        steps.push({ block, index: search(bytes, key).index });
        return steps;
      }
      const index = childFor(bytes, key);
      steps.push({ block, index });
      block = pointerOf(bytes, index);
      expected = level - 1;
    }
  }

  /** The leaf that has a key, and where; undefined: nobody has it. */
  private locate(directory: Node, key: Key): { steps: Step[]; block: number; index: number } | undefined {
    if (directory.pointer(0) === 0) return undefined;
    const steps = this.descend(directory, key);
    const { block = 0, index = 0 } = steps.pop() ?? {};
    const bytes = this.read(directory, block);
    if (index >= countOf(bytes) || compareKeys(entryAt(bytes, index), key) !== 0) return undefined;
    return { steps, block, index };
  }

  /** What is under a name; undefined: nothing. EUCLEAN, EIO. */
  find(directory: Node, name: Buffer): { node: NodeNumber; type: number } | undefined {
    const place = this.locate(directory, keyOf(name));
    if (place === undefined) return undefined;
    const { pointer, type } = entryAt(this.read(directory, place.block), place.index);
    return { node: pointer, type };
  }

  /** Points a name, which is there, to another node. EUCLEAN, EIO. */
  replace(directory: Node, name: Buffer, node: NodeNumber, type: number): void {
    const place = this.locate(directory, keyOf(name));
    if (place === undefined) throw damaged(`directory ${directory.number} has lost a name`);
    setPointerAt(this.change(directory, place.block), place.index, node, type);
  }

  /** Adds a name, which is not there. ENOSPC, EUCLEAN, EIO. */
  insert(directory: Node, name: Buffer, node: NodeNumber, type: number): void {
    const entry = { ...keyOf(name), pointer: node, type };
    if (directory.pointer(0) === 0) {
      directory.setPointer(0, this.create(directory, 0, [entry]));
      return;
    }
    const steps = this.descend(directory, entry);
    let inserted: Entry = entry;
    for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
      const bytes = this.change(directory, step.block);
      const level = levelOf(bytes);
      const index = level === 0 ? step.index : step.index + 1;
      if (insertAt(bytes, index, inserted)) return;
      inserted = this.split(directory, bytes, index, inserted);
      if (steps.length === 0) {
        const children = [{ ...FIRST_KEY, pointer: step.block, type: 0 }, inserted];
        directory.setPointer(0, this.create(directory, level + 1, children));
      }
    }
  }

  private create(directory: Node, level: number, entries: readonly Entry[]): number {
    const { block, bytes } = this.space.create(directory, kind.DIRECTORY, this.verify);
    clearNode(bytes, level);
    fillNode(bytes, entries);
    return block;
  }

  /**
   * Divides a full block and inserts an entry into the right half. Answers the entry by which the parent finds the new
   * block.
   */
  private split(directory: Node, bytes: Buffer, index: number, entry: Entry): Entry {
    const entries = entriesOf(bytes);
    entries.splice(index, 0, entry);
    const middle = middleOf(entries);
    const right = entries.slice(middle);
    const block = this.create(directory, levelOf(bytes), right);
    fillNode(bytes, entries.slice(0, middle));
    const [first = entry] = right;
    // All names in the left leaf with another hash: the hash alone tells the two apart.
    const byHash = levelOf(bytes) === 0 && entries[middle - 1]?.hash !== first.hash;
    const name = byHash ? FIRST_KEY.name : first.name;
    return { hash: first.hash, name, pointer: block, type: 0 };
  }

  /** Removes a name; false: it is not there. EUCLEAN, EIO. */
  remove(directory: Node, name: Buffer): boolean {
    const place = this.locate(directory, keyOf(name));
    if (place === undefined) return false;
    const { steps } = place;
    for (let step: Step | undefined = place; step !== undefined; step = steps.pop()) {
      const bytes = this.change(directory, step.block);
      removeAt(bytes, step.index);
      if (countOf(bytes) > 0) break;
      this.space.destroy(directory, step.block);
      if (steps.length === 0) directory.setPointer(0, 0);
    }
    this.lowerRoot(directory);
    return true;
  }

  /** Gives up roots that have only one child. */
  private lowerRoot(directory: Node): void {
    for (let block = directory.pointer(0); block !== 0; block = directory.pointer(0)) {
      const bytes = this.read(directory, block);
      if (levelOf(bytes) === 0 || countOf(bytes) > 1) return;
      directory.setPointer(0, pointerOf(bytes, 0));
      this.space.destroy(directory, block);
    }
  }

  /** Up to `most` entries in the order of their keys, behind `after` or from the first on. EUCLEAN, EIO. */
  list(directory: Node, after: Key | undefined, most: number): Entry[] {
    const entries: Entry[] = [];
    if (directory.pointer(0) === 0) return entries;
    // The key right behind a key is the same with a zero byte at the end of the name.
    let from: Key | undefined =
      after === undefined ? FIRST_KEY : { hash: after.hash, name: Buffer.concat([after.name, Buffer.alloc(1)]) };
    while (from !== undefined && entries.length < most) {
      const steps = this.descend(directory, from);
      const { block = 0, index = 0 } = steps.pop() ?? {};
      const bytes = this.read(directory, block);
      for (let at = index; at < countOf(bytes) && entries.length < most; at++) entries.push(entryAt(bytes, at));
      from = this.behind(directory, steps, from);
    }
    return entries;
  }

  /** The lowest key of the leaf behind the one that steps lead to; undefined: it is the last. */
  private behind(directory: Node, steps: Step[], from: Key): Key | undefined {
    for (const { block, index } of steps.reverse()) {
      const bytes = this.read(directory, block);
      if (index + 1 >= countOf(bytes)) continue;
      const key = entryAt(bytes, index + 1);
      if (compareKeys(key, from) <= 0) throw damaged(`directory block ${block} is not in order`);
      return key;
    }
    return undefined;
  }

  isEmpty(directory: Node): boolean {
    return directory.pointer(0) === 0;
  }
}
