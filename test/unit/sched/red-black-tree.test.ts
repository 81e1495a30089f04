/** The tree against a sorted array, and its checker against broken trees. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RedBlackTree, type TreeLinks } from '../../../kernel/sched/red-black-tree.ts';

interface Node extends TreeLinks<Node> {
  readonly key: number;
}

const newNode = (key: number): Node => ({ key, parent: undefined, left: undefined, right: undefined, red: false });
const newTree = () => new RedBlackTree<Node>((a, b) => a.key < b.key);

/** The model: a sorted array in which equal keys keep their order of insertion. */
function insertSorted(model: Node[], node: Node): void {
  const place = model.findIndex((other) => node.key < other.key);
  model.splice(place < 0 ? model.length : place, 0, node);
}

function compare(tree: RedBlackTree<Node>, model: readonly Node[]): void {
  tree.check();
  expect(tree.size).toBe(model.length);
  expect(tree.first).toBe(model[0]);
  expect([...tree].every((node, index) => node === model[index])).toBe(true);
}

describe('RedBlackTree', () => {
  it('is empty at first', () => {
    compare(newTree(), []);
  });

  it('does what a sorted array does, in random operations (a failure prints its seed)', () => {
    const operation = fc.record({
      insert: fc.integer({ min: 0, max: 2 }).map((dice) => dice > 0),
      // Few keys, so that many are equal.
      key: fc.integer({ min: 0, max: 40 }),
      place: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(operation, { minLength: 1, maxLength: 120, size: 'max' }), (operations) => {
        const tree = newTree();
        const model: Node[] = [];
        for (const { insert, key, place } of operations) {
          if (insert || model.length === 0) {
            const node = newNode(key);
            tree.insert(node);
            insertSorted(model, node);
          } else {
            const [node] = model.splice(place % model.length, 1);
            if (node !== undefined) tree.delete(node);
          }
          compare(tree, model);
        }
        // Then down to nothing, in an order of its own.
        while (model.length > 0) {
          const [node] = model.splice((model.length * 7) % model.length, 1);
          if (node !== undefined) tree.delete(node);
          compare(tree, model);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('takes a node again after its deletion, as the scheduler does', () => {
    const tree = newTree();
    const nodes = [5, 3, 8, 1, 9].map(newNode);
    for (let round = 0; round < 3; round += 1) {
      for (const node of nodes) tree.insert(node);
      expect([...tree].map((node) => node.key)).toEqual([1, 3, 5, 8, 9]);
      for (const node of nodes) {
        tree.delete(node);
        tree.check();
      }
      expect(tree.first).toBeUndefined();
    }
  });

  it('stays balanced when keys only grow, as virtual run times do', () => {
    const tree = newTree();
    for (let key = 0; key < 4_096; key += 1) tree.insert(newNode(key));
    tree.check();
    const depth = (node: Node | undefined): number =>
      node === undefined ? 0 : 1 + Math.max(depth(node.left), depth(node.right));
    let root = tree.first;
    while (root?.parent !== undefined) root = root.parent;
    expect(depth(root)).toBeLessThanOrEqual(2 * Math.log2(4_097));
  });

  it('has a check that notices broken rules', () => {
    const build = () => {
      const tree = newTree();
      const nodes = [1, 2, 3, 4, 5, 6].map(newNode);
      for (const node of nodes) tree.insert(node);
      let root = nodes[0];
      while (root?.parent !== undefined) root = root.parent;
      if (root?.right === undefined) throw new Error('the tree is not as expected');
      return { tree, root, right: root.right };
    };
    const redRoot = build();
    redRoot.root.red = true;
    expect(() => redRoot.tree.check()).toThrow('root is red');
    const wrongColour = build();
    wrongColour.right.red = !wrongColour.right.red;
    expect(() => wrongColour.tree.check()).toThrow(/black heights|red child/);
    const wrongParent = build();
    wrongParent.right.parent = wrongParent.right;
    expect(() => wrongParent.tree.check()).toThrow('parent');
    const disorder = build();
    Object.assign(disorder.right, { key: 0 });
    expect(() => disorder.tree.check()).toThrow('order');
  });
});
