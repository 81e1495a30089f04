/**
 * What a check of VRFS collects: problems with the way to mend each, and what it has learnt about blocks and inodes.
 *
 * Problems are mended in phases, since each needs what the one before has put right: first the structure of inodes and
 * files, then bitmaps and counts, then directories, then names and links. After a phase everything is looked at again.
 */

import type { NodeNumber } from '../file-system.ts';
import type { Geometry } from './geometry.ts';
import { NODES_PER_BLOCK } from './geometry.ts';

/** Order in which problems are mended. */
export const phase = { STRUCTURE: 0, BITMAPS: 1, DIRECTORIES: 2, NAMES: 3 } as const;

export type Phase = (typeof phase)[keyof typeof phase];

export interface Problem {
  readonly phase: Phase;
  /** A sentence. */
  readonly text: string;
  readonly mend: Mend;
}

/** Mends a problem by operations that it passes to `run`. */
export type Mend = (run: (operation: () => void) => void) => void;

/** Problems that are kept; more are only counted. */
const MAX_PROBLEMS = 1000;

/** Numbers of types as in inodes. */
export const FILE = 1;
export const DIRECTORY = 2;
export const SYMLINK = 3;

/** See the head of this file. */
export class Findings {
  readonly problems: Problem[] = [];
  /** Problems beyond those that are kept. */
  more = 0;
  /** There may be more in use than was found: what a bitmap marks as used stays so. */
  incomplete = false;
  /** Type of each inode that exists, 0: free. */
  readonly types: Uint8Array;
  readonly links: Uint32Array;
  /** Names found for each inode. */
  readonly names: Uint32Array;
  /**
   * Of a directory: directories in it, the one that it is in by its own opinion, and the one where its name was found.
   */
  readonly subdirectories: Uint32Array;
  readonly parents: Uint32Array;
  readonly foundIn: Uint32Array;
  /** Inodes that have to be in the list of orphans, and those that say to be. */
  readonly orphans = new Set<NodeNumber>();
  readonly linked = new Set<NodeNumber>();
  private readonly geometry: Geometry;
  /** A bit for each block in use. */
  private readonly used: Uint8Array;
  usedBlocks = 0;

  constructor(geometry: Geometry, tableBlocks: number) {
    const nodes = tableBlocks * NODES_PER_BLOCK;
    this.geometry = geometry;
    this.types = new Uint8Array(nodes);
    this.links = new Uint32Array(nodes);
    this.names = new Uint32Array(nodes);
    this.subdirectories = new Uint32Array(nodes);
    this.parents = new Uint32Array(nodes);
    this.foundIn = new Uint32Array(nodes);
    this.used = new Uint8Array(Math.ceil(geometry.blocks / 8));
  }

  /** A problem that one operation mends. */
  add(inPhase: Phase, text: string, operation: () => void): void {
    this.addLong(inPhase, text, (run) => run(operation));
  }

  /** A problem that takes more than one operation. */
  addLong(inPhase: Phase, text: string, mend: Mend): void {
    if (this.problems.length < MAX_PROBLEMS) this.problems.push({ phase: inPhase, text, mend });
    else this.more++;
  }

  /** Notes that a block is in use; a sentence says why it cannot be. */
  claim(block: number): string {
    if (block < this.geometry.dataStart || block >= this.geometry.dataEnd) return 'is not in the data area';
    if (this.isUsed(block)) return 'is used twice';
    this.used[block >> 3] = (this.used[block >> 3] ?? 0) | (1 << (block & 7));
    this.usedBlocks++;
    return '';
  }

  isUsed(block: number): boolean {
    return ((this.used[block >> 3] ?? 0) & (1 << (block & 7))) !== 0;
  }
}
