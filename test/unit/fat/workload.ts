/** Random operations, done on a file system and on the model of it. */
import { crc32c } from '../../../filesystems/crc32c.ts';
import type { FileSystem } from '../../../filesystems/file-system.ts';
import type { Random } from '../../support/random.ts';
import { Model, type ModelNode } from './model.ts';
import { codeOf } from './volume.ts';

const NAMES = [
  ...['a', 'B', 'README.TXT', 'readme.txt', 'Readme.Txt', 'long name with blanks', 'Long Name With Blanks', 'x.tar.gz'],
  ...[
    'ÄÖÜ.txt',
    'äöü.txt',
    'смешанный Регистр',
    '日本語の名前.日本',
    'emoji 😀 name',
    '.hidden',
    'dots...',
    'a+b=c;[d],e',
  ],
  ...[
    `${'n'.repeat(120)}.${'e'.repeat(100)}`,
    'NOEXT',
    'noext',
    'UPPER',
    'Mixed.TXT',
    'mixed.txt',
    'file.longextension',
  ],
  ...['similar name 1', 'similar name 2', 'similar name 3', 'similar name 4', 'similar name 5', 'similar name 6'],
] as const;

/** How large what is written may become. */
export interface WorkloadOptions {
  readonly maxFileBytes: number;
  readonly maxNodes: number;
}

/** An operation: done on the file system, whose error code is answered, and on the model. */
interface Operation {
  readonly text: string;
  act(fs: FileSystem): void;
  model(): string;
}

/** See the head of this file. */
export class Workload {
  model = new Model();
  private readonly random: Random;
  private readonly options: WorkloadOptions;

  constructor(random: Random, options: WorkloadOptions) {
    this.random = random;
    this.options = options;
  }

  /** The number of a node on the file system. */
  number(fs: FileSystem, node: ModelNode): number {
    if (node.parent === null) return fs.root;
    for (const { name, node: child } of node.parent.children.values())
      if (child === node) return fs.lookup(this.number(fs, node.parent), name);
    throw new Error('a node without a name');
  }

  private pick(nodes: readonly ModelNode[]): ModelNode {
    return nodes[this.random.below(nodes.length)] ?? this.model.root;
  }

  private bytes(): Buffer {
    const length = this.random.below(3) === 0 ? this.random.below(this.options.maxFileBytes) : this.random.below(700);
    return Buffer.alloc(length, this.random.bytes(13));
  }

  /** An operation for the state as it is. */
  next(): Operation {
    const { random, model } = this;
    const nodes = model.nodes();
    const directory = this.pick(nodes.filter(({ data }) => data === null));
    const file = this.pick(nodes);
    const name = random.pick(NAMES);
    const known = [...directory.children.values()];
    const there = known.length > 0 && random.below(8) > 0 ? (known[random.below(known.length)]?.name ?? name) : name;
    const full = nodes.length > this.options.maxNodes;
    const at = (fs: FileSystem): number => this.number(fs, directory);
    const readOnly = random.below(5) === 0;
    switch (random.below(full ? 6 : 10)) {
      case 0:
      case 1:
        return {
          text: `unlink ${there}`,
          act: (fs) => fs.unlink(at(fs), there),
          model: () => model.remove(directory, there, false),
        };
      case 2:
        return {
          text: `rmdir ${there}`,
          act: (fs) => fs.removeDirectory(at(fs), there),
          model: () => model.remove(directory, there, true),
        };
      case 3: {
        const target = this.pick(nodes.filter(({ data }) => data === null));
        const newName = random.below(3) === 0 ? there : random.pick(NAMES);
        return {
          text: `rename ${there} ${newName}`,
          act: (fs) => fs.rename(at(fs), there, this.number(fs, target), newName),
          model: () => model.rename(directory, there, target, newName),
        };
      }
      case 4:
      case 5: {
        const size = random.below(this.options.maxFileBytes);
        if (random.below(2) === 0) {
          return {
            text: `truncate ${size}`,
            act: (fs) => fs.truncate(this.number(fs, file), size),
            model: () => model.truncate(file, size),
          };
        }
        const data = this.bytes();
        const offset = random.below(2) === 0 ? (file.data?.length ?? 0) : random.below(this.options.maxFileBytes);
        return {
          text: `write ${data.length} at ${offset}`,
          act: (fs) => fs.write(this.number(fs, file), offset, data),
          model: () => model.write(file, offset, data),
        };
      }
      case 6:
      case 7:
      case 8:
        return {
          text: `create ${name}`,
          act: (fs) => fs.create(at(fs), name, readOnly ? 0o444 : 0o644),
          model: () => model.make(directory, name, Buffer.alloc(0), readOnly),
        };
      default:
        return {
          text: `mkdir ${name}`,
          act: (fs) => fs.makeDirectory(at(fs), name, 0o755),
          model: () => model.make(directory, name, null),
        };
    }
  }

  /** Does an operation on both. Answers what was done, and what came out of it on both sides. */
  step(fs: FileSystem): { text: string; got: string; wanted: string } {
    const { text, act, model } = this.next();
    const got = codeOf(() => act(fs));
    // A full disk is no matter of the model.
    return { text, got, wanted: got === 'ENOSPC' ? got : model() };
  }

  /** What `picture` has to show. */
  picture(node = this.model.root, path = ''): string[] {
    return [...node.children.values()]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .flatMap(({ name, node: child }) => {
        if (child.data !== null)
          return [`${path}/${name} ${child.readOnly ? 0o555 : 0o755} ${child.data.length} ${crc32c(child.data)}`];
        const directories = [...child.children.values()].filter((entry) => entry.node.data === null).length;
        return [`${path}/${name}/ ${0o755} ${2 + directories}`, ...this.picture(child, `${path}/${name}`)];
      });
  }
}
