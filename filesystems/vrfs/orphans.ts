/**
 * Files without a name that are still open, and files whose blocks are freed bit by bit because they are many
 * (docs/vrfs.md, "Orphans"). Both are in a list on the disk, linked through the inodes in both directions, so that what
 * a crash leaves of them is found at mount.
 */
import { SystemError } from '../../protocol/errno.ts';
import type { NodeNumber } from '../file-system.ts';
import type { BlockMap } from './block-map.ts';
import { BLOCK_BYTES, damaged } from './metadata.ts';
import type { Node } from './node.ts';
import type { Symlinks } from './symlinks.ts';
import type { Volume } from './volume.ts';

/** Blocks that one step of freeing changes at most, and runs that it frees. */
const STEP_BLOCKS = 48;
const STEP_RUNS = 2048;

/** Steps after one commit; the rest follows after the next. */
const MAX_STEPS = 16;

/** See the head of this file. */
export class Orphans {
  private readonly volume: Volume;
  private readonly map: BlockMap;
  private readonly symlinks: Symlinks;
  /** Nodes in use that must not be freed, with how often they are retained. */
  private readonly retained = new Map<NodeNumber, number>();
  /** Those in the list that there is something to do for. */
  private readonly waiting = new Set<NodeNumber>();

  constructor(volume: Volume, map: BlockMap, symlinks: Symlinks) {
    this.volume = volume;
    this.map = map;
    this.symlinks = symlinks;
  }

  /** See FileSystem. ENOENT. */
  retain(number: NodeNumber): void {
    this.volume.nodes.read(number);
    this.retained.set(number, (this.retained.get(number) ?? 0) + 1);
  }

  /** See FileSystem. What has no name any more is freed after the next commit. */
  release(number: NodeNumber): void {
    const count = this.retained.get(number) ?? 0;
    if (count > 1) this.retained.set(number, count - 1);
    else if (this.retained.delete(number)) this.waiting.add(number);
  }

  /** See FileSystem. EIO; a list that is damaged is left as it is, with a warning in the log. */
  restore(nodes: readonly NodeNumber[], log: (text: string) => void): void {
    for (const number of nodes) this.retained.set(number, (this.retained.get(number) ?? 0) + 1);
    try {
      for (const { number, truncating } of this.list())
        if (truncating || !this.retained.has(number)) this.waiting.add(number);
    } catch (error) {
      if (!(error instanceof SystemError) || error.code === 'EIO') throw error;
      log(`the list of orphans is damaged, and some space may not be freed: ${error.message}`);
    }
  }

  private *list(): Generator<Node> {
    const { state, nodes, geometry } = this.volume;
    let number = state.orphans;
    for (let count = 0; number !== 0; count++) {
      if (count > geometry.nodes) throw damaged('the list of orphans goes in a circle');
      const node = nodes.read(number);
      const next = node.nextOrphan;
      yield node;
      number = next;
    }
  }

  private add(node: Node): void {
    const { state, nodes } = this.volume;
    if (this.isListed(node)) return;
    node.nextOrphan = state.orphans;
    node.previousOrphan = 0;
    if (state.orphans !== 0) nodes.change(state.orphans).previousOrphan = node.number;
    state.orphans = node.number;
  }

  private remove(node: Node): void {
    const { state, nodes } = this.volume;
    const { nextOrphan: next, previousOrphan: previous } = node;
    if (previous === 0) state.orphans = next;
    else nodes.change(previous).nextOrphan = next;
    if (next !== 0) nodes.change(next).previousOrphan = previous;
    node.nextOrphan = 0;
    node.previousOrphan = 0;
  }

  private isListed(node: Node): boolean {
    return node.previousOrphan !== 0 || this.volume.state.orphans === node.number;
  }

  /** Within an operation: the last name of a node is gone. Frees it, or notes that this is to be done. EUCLEAN, EIO. */
  dispose(node: Node): void {
    if (this.retained.has(node.number)) this.add(node);
    else if (this.freeBlocks(node)) this.volume.nodes.free(node.number);
    else {
      this.add(node);
      this.wait(node.number);
    }
  }

  /** Within an operation: frees the blocks behind the end of a file, or notes that this is to be done. EUCLEAN, EIO. */
  shorten(node: Node): void {
    if (this.map.release(node, Math.ceil(node.size / BLOCK_BYTES), this.budget())) return;
    node.truncating = true;
    this.add(node);
    this.wait(node.number);
  }

  private wait(number: NodeNumber): void {
    this.waiting.add(number);
    this.volume.cache.undo(() => this.waiting.delete(number));
  }

  /** As long as it says yes, a step may go on. */
  private budget(): () => boolean {
    let runs = 0;
    return () => runs++ < STEP_RUNS && this.volume.cache.operationCount < STEP_BLOCKS;
  }

  /** Frees blocks of a node without a name; false: there are more. */
  private freeBlocks(node: Node): boolean {
    if (node.type === 'file') return this.map.release(node, 0, this.budget());
    // A directory that may be removed has no blocks, so these are the target of a symbolic link.
    if (node.type === 'symlink' && node.blocks > 0) this.symlinks.destroy(node);
    return true;
  }

  /** Before an operation: frees what is still behind the end of a file, so that it can grow. EROFS, EUCLEAN, EIO. */
  finish(number: NodeNumber): void {
    const { nodes } = this.volume;
    for (let node = nodes.read(number); node.truncating; node = nodes.read(number)) {
      if (!this.isListed(node)) throw damaged(`inode ${number} is being shortened, and is not in the list of orphans`);
      this.volume.change(() => this.step(number));
      this.volume.commitEarly();
    }
  }

  /** One step for a node in the list; true: there is nothing more to do for it. */
  private step(number: NodeNumber): boolean {
    const { nodes } = this.volume;
    const seen = nodes.read(number);
    if (!this.isListed(seen)) return true;
    const unused = seen.links === 0 && !this.retained.has(number);
    if (!unused && !seen.truncating) return true;
    const node = nodes.change(number);
    if (!unused) {
      if (!this.map.release(node, Math.ceil(node.size / BLOCK_BYTES), this.budget())) return false;
      node.truncating = false;
      if (node.links > 0) this.remove(node);
      return true;
    }
    if (!this.freeBlocks(node)) return false;
    this.remove(node);
    nodes.free(number);
    return true;
  }

  /**
   * After a commit: frees some of what waits. What cannot be freed for damage stays, with a warning in the log. EIO.
   */
  work(log: (text: string) => void): void {
    let steps = 0;
    for (const number of this.waiting) {
      for (let done = false; !done; ) {
        if (this.volume.readOnly || steps++ >= MAX_STEPS) return;
        done = this.workOn(number, log);
      }
      this.waiting.delete(number);
    }
  }

  private workOn(number: NodeNumber, log: (text: string) => void): boolean {
    try {
      const done = this.volume.change(() => this.step(number));
      this.volume.commit();
      return done;
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      if (error.code !== 'ENOENT') log(`inode ${number} cannot be freed: ${error.message}`);
      return true;
    }
  }
}
