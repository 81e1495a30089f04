/** `vros cp`: files and trees from the host into images, out of them, and from one into another. */
import fs from 'node:fs';
import path from 'node:path';
import { about, CommandError, reasonOf } from './errors.ts';
import { withFileSystem } from './image.ts';
import { ProgressLine } from './progress.ts';
import { formatSize } from './sizes.ts';
import { hostTree, ImageTree, type Item, type Tree } from './tree.ts';

/** A place as the user names it: a path of the host, or `IMAGE:PATH`. */
interface Place {
  readonly name: string;
  /** '' for the host. */
  readonly image: string;
  readonly path: string;
}

/** `disk.img:/a` is a path in an image if there is a file `disk.img`; anything else is a path of the host. */
export function parsePlace(name: string): Place {
  if (!fs.existsSync(name)) {
    for (let at = name.indexOf(':'); at > 0; at = name.indexOf(':', at + 1)) {
      const image = name.slice(0, at);
      const file = image.replace(/@\d{1,2}$/, '');
      if (fs.existsSync(image) || fs.existsSync(file)) return { name, image, path: name.slice(at + 1) || '/' };
    }
  }
  return { name, image: '', path: name };
}

/** Opens the trees of some places, each image once, and works with them. */
async function withTrees(
  images: readonly { image: string; readOnly: boolean }[],
  work: (trees: ReadonlyMap<string, Tree>) => void,
  opened = new Map<string, Tree>([['', hostTree]]),
): Promise<void> {
  const [first, ...rest] = images;
  if (first === undefined) work(opened);
  else {
    await withFileSystem(first.image, first.readOnly, (fileSystem) =>
      withTrees(rest, work, new Map([...opened, [first.image, new ImageTree(fileSystem)]])),
    );
  }
}

/** A copy under way. */
class Copy {
  /** What failed, without ending the copy. */
  readonly failures: string[] = [];
  private readonly recursive: boolean;
  private readonly progress = new ProgressLine('copying');
  private files = 0;
  private bytes = 0;

  constructor(recursive: boolean) {
    this.recursive = recursive;
  }

  end(): void {
    this.progress.end();
  }

  /**
   * Copies what is at one place to another. Links named by the user are followed; those found in trees are copied as
   * links.
   */
  copy(from: Tree, at: string, to: Tree, target: string, shown: string, follow: boolean): void {
    try {
      const item = from.item(at, follow);
      if (item === undefined) throw new CommandError('no such file or directory');
      this.one(from, at, item, to, target, shown);
      if (item.type !== 'symlink') to.setModified(target, item.modified);
    } catch (error) {
      const ofHost = error instanceof Error && 'code' in error;
      if (!ofHost && !(error instanceof CommandError)) throw error;
      this.failures.push(`${shown}: ${reasonOf(error)}`);
    }
  }

  private one(from: Tree, at: string, item: Item, to: Tree, target: string, shown: string): void {
    switch (item.type) {
      case 'file':
        to.write(target, this.counted(from.pieces(at), shown), item.mode);
        this.files++;
        return;
      case 'symlink':
        to.makeSymlink(target, from.readLink(at));
        return;
      case 'directory': {
        if (!this.recursive) throw new CommandError('is a directory; -r copies directories');
        if (to.item(target, true)?.type !== 'directory') to.makeDirectory(target, item.mode | 0o700);
        for (const name of from.names(at)) {
          this.copy(from, from.join(at, name), to, to.join(target, name), `${shown.replace(/\/$/, '')}/${name}`, false);
        }
        return;
      }
      default:
        throw new CommandError('neither file nor directory nor symbolic link');
    }
  }

  private *counted(pieces: Iterable<Uint8Array>, shown: string): Iterable<Uint8Array> {
    for (const piece of pieces) {
      yield piece;
      this.bytes += piece.length;
      this.progress.text(() => `${this.files} files, ${formatSize(this.bytes)}, ${shown}`);
    }
  }
}

/** Whether a path is that of something in another one, or the same. */
function isInside(inner: string, outer: string): boolean {
  const relative = path.relative(path.resolve(outer), path.resolve(inner));
  return relative === '' || !(relative === '..' || relative.startsWith('../'));
}

/**
 * Copies `sources` to `target`, a directory if there are several. Throws CommandError, at the end if something could
 * not be copied.
 */
export async function copy(sources: readonly string[], target: string, recursive: boolean): Promise<void> {
  const [from, to] = [sources.map(parsePlace), parsePlace(target)];
  const images = [...new Set([to, ...from].map(({ image }) => image))].filter((image) => image !== '');
  const work = new Copy(recursive);
  await withTrees(
    images.map((image) => ({ image, readOnly: image !== to.image })),
    (trees) => {
      const tree = (image: string): Tree => trees.get(image) ?? hostTree;
      const targetTree = tree(to.image);
      const intoDirectory = about(target, () => targetTree.item(to.path, true))?.type === 'directory';
      if (from.length > 1 && !intoDirectory) throw new CommandError(`${target} is not a directory`);
      for (const source of from) {
        const name = path.basename(path.resolve('/', source.path)) || path.basename(source.image);
        const place = intoDirectory ? targetTree.join(to.path, name) : to.path;
        if (source.image === to.image && isInside(place, source.path))
          throw new CommandError(`${source.name}: cannot be copied into itself (${target})`);
        work.copy(tree(source.image), source.path, targetTree, place, source.name, true);
      }
    },
  ).finally(() => work.end());
  if (work.failures.length > 0) throw new CommandError(work.failures.join('\nvros cp: '));
}
