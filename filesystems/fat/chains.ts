/**
 * Where the clusters of files are: what has been seen of their chains is remembered, so that neither reading on nor
 * seeking walks a chain from its beginning. A chain that comes back to itself is noticed by R. P. Brent's algorithm, at
 * the latest when a part of it is asked for that would come a third time.
 */
import { SystemError } from '../../protocol/errno.ts';
import { type Extent, LAST, type Table } from './table.ts';

/** Chains that are remembered. */
const MAX_CHAINS = 256;

/** Extents of one chain that are remembered; when there are more, every second one is forgotten. */
const MAX_EXTENTS = 2048;

/** Clusters that follow one another on the disk, from number `index` of the file on. */
interface Piece {
  readonly index: number;
  readonly cluster: number;
  count: number;
}

interface Chain {
  /** In order; there may be gaps between them. */
  pieces: Piece[];
  /** The last cluster seen: its number in the file, and which it is. */
  index: number;
  cluster: number;
  ended: boolean;
  /** The cluster that must not come again, and the number at which it is replaced. */
  witness: number;
  replaceAt: number;
}

/** See the head of this file. */
export class Chains {
  private readonly table: Table;
  private readonly chains = new Map<number, Chain>();

  constructor(table: Table) {
    this.table = table;
  }

  /**
   * Where number `index` of a file is that begins at cluster `first`, and how many clusters follow one another from
   * there, of `wanted`. Undefined: the chain ends before. Throws SystemError EUCLEAN: the chain is damaged.
   */
  locate(first: number, index: number, wanted: number): Extent | undefined {
    const chain = this.chain(first);
    while (!chain.ended && chain.index < index) this.advance(chain);
    if (chain.index < index) return undefined;
    const piece = pieceBefore(chain.pieces, index);
    let cluster = piece.cluster + Math.min(index - piece.index, piece.count - 1);
    // Pieces in between have been forgotten.
    for (let at = piece.index + piece.count - 1; at < index; at++) cluster = this.table.following(cluster);
    const known = piece.index + piece.count - index;
    let count = Math.max(1, Math.min(wanted, known));
    for (; count < wanted; count++) {
      if (index + count - 1 < chain.index) {
        if (this.table.following(cluster + count - 1) !== cluster + count) break;
      } else {
        if (!chain.ended) this.advance(chain);
        if (chain.index !== index + count || chain.cluster !== cluster + count) break;
      }
    }
    return { cluster, count };
  }

  /** The last cluster of a chain, and how many clusters it has; `most`: EUCLEAN if there are more. */
  end(first: number, most: number): { cluster: number; count: number } {
    const chain = this.chain(first);
    while (!chain.ended) {
      this.advance(chain);
      if (chain.index >= most) throw new SystemError('EUCLEAN', `the chain from cluster ${first} on is too long`);
    }
    return { cluster: chain.cluster, count: chain.index + 1 };
  }

  /** A chain has been made longer. */
  extended(first: number, extents: readonly Extent[]): void {
    const chain = this.chains.get(first);
    if (chain === undefined || !chain.ended) return;
    for (const { cluster, count } of extents) for (let at = 0; at < count; at++) add(chain, cluster + at);
  }

  /** A chain is no more what it was. */
  forget(first: number): void {
    this.chains.delete(first);
  }

  /** Forgets everything. */
  clear(): void {
    this.chains.clear();
  }

  private chain(first: number): Chain {
    let chain = this.chains.get(first);
    if (chain === undefined) {
      // Also finds out whether the first cluster is one of a file at all.
      this.table.following(first);
      const pieces = [{ index: 0, cluster: first, count: 1 }];
      chain = { pieces, index: 0, cluster: first, ended: false, witness: first, replaceAt: 2 };
    } else {
      this.chains.delete(first);
    }
    this.chains.set(first, chain);
    if (this.chains.size > MAX_CHAINS) {
      const [oldest] = this.chains.keys();
      if (oldest !== undefined) this.chains.delete(oldest);
    }
    return chain;
  }

  private advance(chain: Chain): void {
    const next = this.table.following(chain.cluster);
    if (next === LAST) {
      chain.ended = true;
      return;
    }
    if (next === chain.witness)
      throw new SystemError('EUCLEAN', `the chain of a file comes back to its cluster ${next}`);
    add(chain, next);
    if (chain.index < chain.replaceAt) return;
    chain.witness = next;
    chain.replaceAt *= 2;
  }
}

function add(chain: Chain, cluster: number): void {
  const last = chain.pieces.at(-1);
  chain.index++;
  chain.cluster = cluster;
  if (last !== undefined && last.index + last.count === chain.index && last.cluster + last.count === cluster) {
    last.count++;
    return;
  }
  chain.pieces.push({ index: chain.index, cluster, count: 1 });
  if (chain.pieces.length > MAX_EXTENTS) chain.pieces = chain.pieces.filter((_, at) => at % 2 === 0);
}

/** The last piece that begins at or before number `index`. */
function pieceBefore(pieces: readonly Piece[], index: number): Piece {
  let [low, high] = [0, pieces.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const piece = pieces[middle];
    if (piece !== undefined && piece.index <= index) low = middle;
    else high = middle - 1;
  }
  const found = pieces[low];
  if (found === undefined) throw new Error('a chain without clusters');
  return found;
}
