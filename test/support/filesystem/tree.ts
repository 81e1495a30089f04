/**
 * All that can be seen of a file system, as text: one line for each name, in the order of the names. Two file systems
 * are in the same state when the texts are equal. On the way the views that a file system gives of one thing are
 * compared with one another: listing, look-up, attributes, parents.
 */
import { createHash } from 'node:crypto';
import type { Attributes, DirectoryEntry, FileSystem, NodeNumber } from '../../../filesystems/file-system.ts';

/** What to look at; what a format cannot keep is left out. */
export interface TreeOptions {
  /** Permission bits. */
  readonly modes: boolean;
  /** Numbers of links, and which names lead to one node. */
  readonly links: boolean;
  /** Times of modification and change. */
  readonly times: boolean;
  /** Lines at most: more is a failure, as is a directory within itself. */
  readonly most?: number;
}

/** Everything. */
export const wholeTree: TreeOptions = { modes: true, links: true, times: true };

const READ_BYTES = 64 * 1024;
const MAX_READ_BYTES = 16 * 1024 * 1024;
const DEFAULT_MOST_LINES = 100_000;

/** Thrown when a file system contradicts itself. */
export class Contradiction extends Error {}

/** A digest of a file's content; of a very large one of its beginning and its end. */
export function contentDigest(fs: FileSystem, node: NodeNumber, size: number): string {
  const hash = createHash('md5');
  const parts: [number, number][] = size <= MAX_READ_BYTES ? [[0, size]] : largeParts(size);
  for (const [from, to] of parts) {
    for (let at = from; at < to; ) {
      const wanted = Math.min(READ_BYTES, to - at);
      const bytes = fs.read(node, at, wanted);
      if (bytes.length !== wanted)
        throw new Contradiction(`${bytes.length} bytes at ${at} of ${size} instead of ${wanted}`);
      hash.update(bytes);
      at += wanted;
    }
  }
  if (fs.read(node, size, 1).length !== 0) throw new Contradiction(`there are bytes behind the end at ${size}`);
  return hash.digest('hex').slice(0, 16);
}

function largeParts(size: number): [number, number][] {
  return [
    [0, READ_BYTES],
    [size - READ_BYTES, size],
  ];
}

/** All entries of a directory, in parts of `part`. */
export function listDirectory(
  fs: FileSystem,
  directory: NodeNumber,
  part = 50,
  most = DEFAULT_MOST_LINES,
): DirectoryEntry[] {
  const entries: DirectoryEntry[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const found: ReturnType<FileSystem['readDirectory']> = fs.readDirectory(directory, cursor, part);
    if (found.entries.length > part) throw new Contradiction(`${found.entries.length} entries instead of ${part}`);
    entries.push(...found.entries);
    if (entries.length > most) throw new Contradiction('a listing without end');
    cursor = found.cursor;
  }
  return entries;
}

/** The text of one node, without its name. */
export function describeNode(fs: FileSystem, attributes: Attributes, options: TreeOptions): string {
  const { node, type, mode, links, size, modified, changed } = attributes;
  const words: (string | number)[] = [type];
  if (options.modes && type !== 'symlink') words.push(mode.toString(8));
  if (options.links) words.push(`links ${links}`);
  if (type !== 'directory') words.push(`size ${size}`);
  if (options.times) words.push(`modified ${modified} changed ${changed}`);
  if (type === 'symlink') words.push(`-> ${fs.readLink(node)}`);
  if (type === 'file') words.push(contentDigest(fs, node, size));
  return words.join(' ');
}

/** A name that was found, with the text of its node. */
export interface NamedNode {
  readonly path: string;
  /** What is equal for names of the same node, and for them only. */
  readonly node: NodeNumber;
  readonly text: string;
}

/** Puts the text of a whole file system together. */
export function treeText(names: NamedNode[], options: TreeOptions): string {
  names.sort((a, b) => (a.path < b.path ? -1 : 1));
  const first = new Map<NodeNumber, string>();
  const lines = names.map(({ path, node, text }) => {
    const known = first.get(node);
    if (known === undefined) first.set(node, path);
    else if (!options.links) throw new Contradiction(`${path} and ${known} are one file`);
    return `${path} ${text}${known === undefined ? '' : ` = ${known}`}`;
  });
  return lines.join('\n');
}

/** The text of a whole file system. Throws Contradiction, and what the file system throws. */
export function readTree(fs: FileSystem, options: TreeOptions = wholeTree): string {
  const names: NamedNode[] = [{ path: '/', node: fs.root, text: describeNode(fs, fs.attributes(fs.root), options) }];
  const directories = new Set([fs.root]);
  if (fs.parent(fs.root) !== fs.root) throw new Contradiction('the root is in another directory');
  const pending: [NodeNumber, string][] = [[fs.root, '']];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [directory, path] = next;
    const entries = listDirectory(fs, directory, 3 + (names.length % 50));
    if (new Set(entries.map(({ name }) => name)).size < entries.length) {
      throw new Contradiction(`a name in ${path}/ is listed twice`);
    }
    for (const { name, node, type } of entries) {
      const full = `${path}/${name}`;
      if (fs.lookup(directory, name) !== node) throw new Contradiction(`${full} is listed and looked up differently`);
      const attributes = fs.attributes(node);
      if (attributes.type !== type) throw new Contradiction(`${full} is listed as ${type} and is ${attributes.type}`);
      if (directories.has(node)) throw new Contradiction(`${full} is a second name of a directory`);
      names.push({ path: full, node, text: describeNode(fs, attributes, options) });
      if (names.length > (options.most ?? DEFAULT_MOST_LINES)) throw new Contradiction('more names than can be');
      if (type !== 'directory') continue;
      if (fs.parent(node) !== directory) throw new Contradiction(`${full} has another parent`);
      directories.add(node);
      pending.push([node, full]);
    }
  }
  return treeText(names, options);
}

/** Characters of a line that are shown. */
const MAX_LINE = 160;

/** The lines in which two texts differ, for people. */
export function treeDifference(expected: string, actual: string): string {
  const wanted = new Set(expected.split('\n'));
  const found = new Set(actual.split('\n'));
  const missing = [...wanted].filter((line) => !found.has(line)).map((line) => `- ${line.slice(0, MAX_LINE)}`);
  const surplus = [...found].filter((line) => !wanted.has(line)).map((line) => `+ ${line.slice(0, MAX_LINE)}`);
  return [...missing, ...surplus].join('\n');
}
