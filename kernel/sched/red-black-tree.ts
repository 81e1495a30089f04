/**
 * A red-black tree whose links live in the elements, with the first element at hand.
 *
 * The rules that keep it balanced: the root is black; a red node has no red child; every path from a node down to a
 * missing child passes the same number of black nodes. Insertion and deletion are O(log n) and allocate nothing;
 * `first` is O(1).
 *
 * Further reading: Cormen, Leiserson, Rivest, Stein, Introduction to Algorithms, chapter "Red-Black Trees".
 */

/** What an element carries. It may be in one tree at a time, and its order must not change while it is. */
export interface TreeLinks<N> {
  parent: N | undefined;
  left: N | undefined;
  right: N | undefined;
  red: boolean;
}

export class RedBlackTree<N extends TreeLinks<N>> {
  readonly #before: (a: N, b: N) => boolean;
  #root: N | undefined = undefined;
  #first: N | undefined = undefined;
  #size = 0;

  /** `before(a, b)`: whether a is strictly less than b. Equal elements keep the order they were inserted in. */
  constructor(before: (a: N, b: N) => boolean) {
    this.#before = before;
  }

  get size(): number {
    return this.#size;
  }

  /** The least element, or undefined. */
  get first(): N | undefined {
    return this.#first;
  }

  /** Inserts an element that is in no tree. */
  insert(node: N): void {
    let parent: N | undefined;
    let place = this.#root;
    let goesLeft = false;
    let isFirst = true;
    while (place !== undefined) {
      parent = place;
      goesLeft = this.#before(node, place);
      if (!goesLeft) isFirst = false;
      place = goesLeft ? place.left : place.right;
    }
    node.parent = parent;
    node.left = undefined;
    node.right = undefined;
    node.red = true;
    if (parent === undefined) this.#root = node;
    else if (goesLeft) parent.left = node;
    else parent.right = node;
    if (isFirst) this.#first = node;
    this.#size += 1;
    this.#repairAfterInsertion(node);
  }

  /** Deletes an element, which must be in this tree. */
  delete(node: N): void {
    if (this.#first === node) this.#first = successor(node);
    this.#size -= 1;
    // What closes the gap, and above which node the gap is: `filler` may be missing and so cannot know its parent.
    let filler: N | undefined;
    let above: N | undefined;
    let removedRed = node.red;
    const { left, right } = node;
    if (left === undefined || right === undefined) {
      filler = left ?? right;
      above = node.parent;
      this.#replace(node, filler);
    } else {
      // Two children: the successor, which has no left child, takes the node's place and colour.
      const heir = leftmost(right);
      removedRed = heir.red;
      filler = heir.right;
      if (heir.parent === node) {
        above = heir;
      } else {
        above = heir.parent;
        this.#replace(heir, filler);
        heir.right = right;
        right.parent = heir;
      }
      this.#replace(node, heir);
      heir.left = left;
      left.parent = heir;
      heir.red = node.red;
    }
    node.parent = undefined;
    node.left = undefined;
    node.right = undefined;
    if (!removedRed) this.#repairAfterDeletion(filler, above);
  }

  /** In order. The tree must not change meanwhile. */
  *[Symbol.iterator](): IterableIterator<N> {
    for (let node = this.#first; node !== undefined; node = successor(node)) yield node;
  }

  /**
   * Checks order, colours, black heights, parent links, `first` and `size`, in O(n): for tests.
   * @throws Error that names the broken rule
   */
  check(): void {
    if (this.#root?.red === true) throw new Error('the root is red');
    if (this.#root?.parent !== undefined) throw new Error('the root has a parent');
    this.#blackHeight(this.#root);
    let count = 0;
    let previous: N | undefined;
    for (const node of this) {
      if (previous !== undefined && this.#before(node, previous)) throw new Error('elements are out of order');
      previous = node;
      count += 1;
    }
    if (count !== this.#size) throw new Error(`size is ${this.#size}, but ${count} elements were found`);
    if (this.#root !== undefined && leftmost(this.#root) !== this.#first) throw new Error('first is not the leftmost');
    if (this.#root === undefined && this.#first !== undefined) throw new Error('an empty tree has a first element');
  }

  #blackHeight(node: N | undefined): number {
    if (node === undefined) return 1;
    for (const child of [node.left, node.right]) {
      if (child === undefined) continue;
      if (child.parent !== node) throw new Error('a child does not know its parent');
      if (child.red && node.red) throw new Error('a red node has a red child');
    }
    const height = this.#blackHeight(node.left);
    if (height !== this.#blackHeight(node.right)) throw new Error('black heights differ');
    return node.red ? height : height + 1;
  }

  /** Hangs `filler` where `node` hangs. */
  #replace(node: N, filler: N | undefined): void {
    const { parent } = node;
    if (parent === undefined) this.#root = filler;
    else if (parent.left === node) parent.left = filler;
    else parent.right = filler;
    if (filler !== undefined) filler.parent = parent;
  }

  /** Lifts the right child above `node`. */
  #rotateLeft(node: N): void {
    const child = node.right;
    if (child === undefined) return;
    node.right = child.left;
    if (child.left !== undefined) child.left.parent = node;
    this.#replace(node, child);
    child.left = node;
    node.parent = child;
  }

  /** Lifts the left child above `node`. */
  #rotateRight(node: N): void {
    const child = node.left;
    if (child === undefined) return;
    node.left = child.right;
    if (child.right !== undefined) child.right.parent = node;
    this.#replace(node, child);
    child.right = node;
    node.parent = child;
  }

  /** The only rule that can be broken: `node` is red, and its parent may be red too. */
  #repairAfterInsertion(inserted: N): void {
    let node = inserted;
    for (;;) {
      let parent: N | undefined = node.parent;
      const grandparent: N | undefined = parent?.parent;
      if (parent === undefined || !parent.red || grandparent === undefined) break;
      const parentIsLeft = grandparent.left === parent;
      const uncle: N | undefined = parentIsLeft ? grandparent.right : grandparent.left;
      if (uncle?.red === true) {
        parent.red = false;
        uncle.red = false;
        grandparent.red = true;
        node = grandparent;
        continue;
      }
      // An inner grandchild is first turned to the outside.
      if (parentIsLeft && parent.right === node) {
        this.#rotateLeft(parent);
        parent = node;
      } else if (!parentIsLeft && parent.left === node) {
        this.#rotateRight(parent);
        parent = node;
      }
      parent.red = false;
      grandparent.red = true;
      if (parentIsLeft) this.#rotateRight(grandparent);
      else this.#rotateLeft(grandparent);
      break;
    }
    if (this.#root !== undefined) this.#root.red = false;
  }

  /** The paths through `start`, which hangs (or would hang) below `above`, have one black node too few. */
  #repairAfterDeletion(start: N | undefined, above: N | undefined): void {
    let node = start;
    let parent = above;
    while (parent !== undefined && node?.red !== true) {
      const isLeft: boolean = parent.left === node;
      let sibling: N | undefined = isLeft ? parent.right : parent.left;
      if (sibling?.red === true) {
        sibling.red = false;
        parent.red = true;
        if (isLeft) this.#rotateLeft(parent);
        else this.#rotateRight(parent);
        sibling = isLeft ? parent.right : parent.left;
      }
      // The other side has a black node more, so there is a sibling.
      if (sibling === undefined) break;
      const outer: N | undefined = isLeft ? sibling.right : sibling.left;
      const inner: N | undefined = isLeft ? sibling.left : sibling.right;
      if (outer?.red !== true && inner?.red !== true) {
        sibling.red = true;
        node = parent;
        parent = node.parent;
        continue;
      }
      if (outer?.red !== true && inner !== undefined) {
        inner.red = false;
        sibling.red = true;
        if (isLeft) this.#rotateRight(sibling);
        else this.#rotateLeft(sibling);
        sibling = inner;
      }
      const far: N | undefined = isLeft ? sibling.right : sibling.left;
      sibling.red = parent.red;
      parent.red = false;
      if (far !== undefined) far.red = false;
      if (isLeft) this.#rotateLeft(parent);
      else this.#rotateRight(parent);
      return;
    }
    if (node !== undefined) node.red = false;
  }
}

function leftmost<N extends TreeLinks<N>>(from: N): N {
  let node = from;
  while (node.left !== undefined) node = node.left;
  return node;
}

function successor<N extends TreeLinks<N>>(from: N): N | undefined {
  if (from.right !== undefined) return leftmost(from.right);
  let node = from;
  let parent = node.parent;
  while (parent !== undefined && parent.right === node) {
    node = parent;
    parent = node.parent;
  }
  return parent;
}
