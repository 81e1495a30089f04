/** `vros mkdir` and `vros rm`. */
import type { FileSystem } from '../filesystems/file-system.ts';
import { about, CommandError } from './errors.ts';
import { withFileSystem } from './image.ts';
import { ImageTree } from './tree.ts';

/** Makes directories in an image. Throws CommandError. */
export async function makeDirectories(image: string, paths: readonly string[]): Promise<void> {
  await withFileSystem(image, false, (fileSystem) => {
    const tree = new ImageTree(fileSystem);
    for (const at of paths) about(`${image}: ${at}`, () => tree.makeDirectory(at, 0o755));
  });
}

function remove(fileSystem: FileSystem, tree: ImageTree, at: string, recursive: boolean, image: string): void {
  const item = about(`${image}: ${at}`, () => tree.item(at, false));
  if (item === undefined) throw new CommandError(`${image}: ${at}: no such file or directory`);
  if (at.split('/').every((part) => part === '')) throw new CommandError(`${image}: ${at}: the root cannot be removed`);
  if (item.type === 'directory') {
    if (!recursive) throw new CommandError(`${image}: ${at}: is a directory; -r removes directories`);
    for (const name of tree.names(at)) remove(fileSystem, tree, tree.join(at, name), true, image);
  }
  about(`${image}: ${at}`, () => {
    const { directory, name } = tree.name(at);
    if (item.type === 'directory') fileSystem.removeDirectory(directory, name);
    else fileSystem.unlink(directory, name);
    fileSystem.commit();
  });
}

/** Removes files, with `recursive` directories and what is in them, from an image. Throws CommandError. */
export async function removeAll(image: string, paths: readonly string[], recursive: boolean): Promise<void> {
  await withFileSystem(image, false, (fileSystem) => {
    const tree = new ImageTree(fileSystem);
    for (const at of paths) remove(fileSystem, tree, at, recursive, image);
  });
}
