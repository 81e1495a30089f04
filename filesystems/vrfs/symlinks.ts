/**
 * Targets of symbolic links (docs/vrfs.md, "Symbolic links"): in the inode if they are short, else in one or two
 * metadata blocks.
 */
import type { Verify } from '../block-cache.ts';
import { MAX_PATH_BYTES } from '../file-system.ts';
import { BLOCK_BYTES, damaged, kind } from './metadata.ts';
import { INLINE_TARGET_BYTES, type Node } from './node.ts';
import type { Space } from './space.ts';

const TARGET = 16;
/** Bytes of a target in one block. */
export const TARGET_BYTES: number = BLOCK_BYTES - TARGET;

/** See the head of this file. */
export class Symlinks {
  private readonly space: Space;
  private readonly verify: Verify;

  constructor(space: Space, verify: Verify) {
    this.space = space;
    this.verify = verify;
  }

  /** Sets the target of a new link, within an operation. ENOSPC, EUCLEAN, EIO. */
  write(node: Node, target: Buffer): void {
    node.size = target.length;
    if (target.length <= INLINE_TARGET_BYTES) {
      node.setInlineTarget(target);
      return;
    }
    for (let index = 0; index * TARGET_BYTES < target.length; index++) {
      const { block, bytes } = this.space.create(node, kind.SYMLINK, this.verify);
      target.copy(bytes, TARGET, index * TARGET_BYTES);
      node.setPointer(index, block);
    }
  }

  /** The target. EUCLEAN, EIO. */
  read(node: Node): Buffer {
    const { size } = node;
    if (size <= INLINE_TARGET_BYTES) return node.inlineTarget();
    if (size > MAX_PATH_BYTES) throw damaged(`the symbolic link of inode ${node.number} is too long`);
    const parts: Buffer[] = [];
    for (let index = 0; index * TARGET_BYTES < size; index++)
      parts.push(this.space.read(node.pointer(index), this.verify, node.number).subarray(TARGET));
    return Buffer.concat(parts, size);
  }

  /** Frees the blocks of a long target, within an operation. EUCLEAN, EIO. */
  destroy(node: Node): void {
    for (let index = 0; index * TARGET_BYTES < Math.min(node.size, MAX_PATH_BYTES); index++)
      this.space.destroy(node, node.pointer(index));
  }
}
