/** What a file system on FAT is to be, in the simplest form: trees of maps; names count without regard to capitals. */

/** A file or directory of the model. */
export interface ModelNode {
  /** Null: a directory. */
  data: Buffer | null;
  readOnly: boolean;
  readonly children: Map<string, { name: string; node: ModelNode }>;
  parent: ModelNode | null;
}

function newNode(data: Buffer | null, parent: ModelNode | null): ModelNode {
  return { data, readOnly: false, children: new Map(), parent };
}

const key = (name: string): string => name.replace(/\.+$/, '').toUpperCase();

/** Every method answers an error code, '' if there is none. */
export class Model {
  root = newNode(null, null);

  find(directory: ModelNode, name: string): ModelNode | undefined {
    return directory.children.get(key(name))?.node;
  }

  make(directory: ModelNode, name: string, data: Buffer | null, readOnly = false): string {
    if (directory.data !== null) return 'ENOTDIR';
    if (this.find(directory, name) !== undefined) return 'EEXIST';
    const node = newNode(data, directory);
    node.readOnly = readOnly;
    directory.children.set(key(name), { name: name.replace(/\.+$/, ''), node });
    return '';
  }

  remove(directory: ModelNode, name: string, directoryWanted: boolean): string {
    if (directory.data !== null) return 'ENOTDIR';
    const node = this.find(directory, name);
    if (node === undefined) return 'ENOENT';
    if (directoryWanted && node.data !== null) return 'ENOTDIR';
    if (!directoryWanted && node.data === null) return 'EISDIR';
    if (node.children.size > 0) return 'ENOTEMPTY';
    directory.children.delete(key(name));
    return '';
  }

  rename(directory: ModelNode, name: string, newDirectory: ModelNode, newName: string): string {
    if (directory.data !== null || newDirectory.data !== null) return 'ENOTDIR';
    const node = this.find(directory, name);
    if (node === undefined) return 'ENOENT';
    for (let at: ModelNode | null = newDirectory; at !== null; at = at.parent) if (at === node) return 'EINVAL';
    const target = this.find(newDirectory, newName);
    for (let at: ModelNode | null = directory; at !== null; at = at.parent) if (at === target) return 'ENOTEMPTY';
    if (target !== undefined && target !== node) {
      if (node.data === null && target.data !== null) return 'ENOTDIR';
      if (node.data !== null && target.data === null) return 'EISDIR';
      if (target.children.size > 0) return 'ENOTEMPTY';
    }
    directory.children.delete(key(name));
    newDirectory.children.set(key(newName), { name: newName.replace(/\.+$/, ''), node });
    node.parent = newDirectory;
    return '';
  }

  write(node: ModelNode, offset: number, data: Buffer): string {
    if (node.data === null) return 'EISDIR';
    if (data.length === 0) return '';
    const whole = Buffer.alloc(Math.max(node.data.length, offset + data.length));
    node.data.copy(whole);
    data.copy(whole, offset);
    node.data = whole;
    return '';
  }

  truncate(node: ModelNode, size: number): string {
    if (node.data === null) return 'EISDIR';
    const whole = Buffer.alloc(size);
    node.data.copy(whole);
    node.data = whole;
    return '';
  }

  /** All nodes, the root first. */
  nodes(from = this.root): ModelNode[] {
    return [from, ...[...from.children.values()].flatMap(({ node }) => this.nodes(node))];
  }

  /** A copy, so that there is a state to go back to. */
  copy(): Model {
    const model = new Model();
    const copyOf = (node: ModelNode, parent: ModelNode | null): ModelNode => {
      const made = newNode(node.data === null ? null : Buffer.from(node.data), parent);
      made.readOnly = node.readOnly;
      for (const [folded, { name, node: child }] of node.children)
        made.children.set(folded, { name, node: copyOf(child, made) });
      return made;
    };
    model.root = copyOf(this.root, null);
    return model;
  }
}
