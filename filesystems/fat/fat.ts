/**
 * FAT12, FAT16 and FAT32 as a FileSystem. Read: fatgen103, and docs/fat.md for what is done where it leaves a choice;
 * that follows Linux's vfat.
 *
 * Each operation looks everything up first, and changes only then, within Volume.change, which takes all of it back
 * should it fail.
 */
import { type ErrorName, SystemError } from '../../protocol/errno.ts';
import type {
  AttributeChange,
  Attributes,
  DirectoryPart,
  FileSystem,
  FileSystemInformation,
  NodeNumber,
  RequestNumber,
  RequestResult,
} from '../file-system.ts';
import { ENTRY_BYTES, isCluster, sectorOf, typeName } from './boot-sector.ts';
import { Content } from './content.ts';
import { Directories, type Directory, isDots, type Name, SLOTS_PER_SECTOR } from './directory.ts';
import { attribute, clampTime, decodeEntry, type EntryFields, newEntry } from './entry.ts';
import { readLabel } from './label.ts';
import { checkName } from './names.ts';
import { Nodes, ROOT } from './nodes.ts';
import type { Volume } from './volume.ts';

/** Modes as Linux's vfat shows them: FAT knows only whether a file may be changed. */
const MODE = 0o755;
const WRITE_BITS = 0o222;

/** Deepest nesting of directories: names are not checked further up. */
const MAX_DEPTH = 4096;

/** Clusters that a new name can need: for a directory that grows, and for a new one. */
const NAME_CLUSTERS = 3;

/** Number of the slot with the entry for the parent in a directory. */
const PARENT_OFFSET = ENTRY_BYTES;

function refuse(code: ErrorName, text?: string): never {
  throw new SystemError(code, text);
}

/** See the head of this file. */
export class FatFileSystem implements FileSystem {
  readonly root = ROOT;
  private readonly volume: Volume;
  private readonly nodes: Nodes;
  private readonly directories: Directories;
  private readonly content: Content;
  private readonly label: string;

  /** Throws SystemError EIO. */
  constructor(volume: Volume) {
    this.volume = volume;
    this.nodes = new Nodes(volume);
    this.directories = new Directories(volume);
    this.content = new Content(volume, this.nodes);
    this.label = readLabel(volume.cache, volume.geometry) ?? volume.geometry.label;
  }

  information(): FileSystemInformation {
    const { geometry, readOnly, reason, table } = this.volume;
    return {
      type: typeName(geometry.bits),
      label: this.label,
      readOnly: readOnly || reason !== '',
      readOnlyReason: reason,
      blockBytes: geometry.clusterBytes,
      blocks: geometry.clusters,
      freeBlocks: table.free(),
      ...{ nodes: 0, freeNodes: 0 },
    };
  }

  attributes(node: NodeNumber): Attributes {
    const fields = this.nodes.load(node);
    const { attributes, first, size, created, accessed, modified } = fields;
    const times = { accessed, modified, changed: modified, created };
    const named = this.nodes.isNamed(node);
    if (isDirectory(fields)) {
      const directory = named ? this.directories.at(first) : undefined;
      const bytes = directory?.bytes ?? 0;
      const links = directory === undefined ? 0 : 2 + directory.subdirectories;
      return { node, type: 'directory', mode: MODE, links, size: bytes, allocated: bytes, ...times };
    }
    const { clusterBytes } = this.volume.geometry;
    const mode = (attributes & attribute.READ_ONLY) !== 0 ? MODE & ~WRITE_BITS : MODE;
    const allocated = Math.ceil(size / clusterBytes) * clusterBytes;
    return { node, type: 'file', mode, links: named ? 1 : 0, size, allocated, ...times };
  }

  setAttributes(node: NodeNumber, { mode, accessed, modified }: AttributeChange): void {
    this.volume.change(0, () => {
      const fields = this.nodes.load(node);
      let { attributes } = fields;
      if (mode !== undefined && !isDirectory(fields)) attributes = withMode(attributes, mode);
      this.nodes.store(node, {
        ...fields,
        attributes,
        accessed: accessed === undefined ? fields.accessed : clampTime(accessed),
        modified: modified === undefined ? fields.modified : clampTime(modified),
      });
    });
  }

  lookup(directory: NodeNumber, name: string): NodeNumber {
    const { at, found } = this.find(directory, name);
    return this.nodes.numberAt(at.position(found.slot));
  }

  parent(directory: NodeNumber): NodeNumber {
    const fields = this.nodes.load(directory);
    if (!isDirectory(fields)) refuse('ENOTDIR');
    if (directory === ROOT) return ROOT;
    if (!this.nodes.isNamed(directory)) refuse('ENOENT', 'the directory has been removed');
    const parent = this.parentCluster(fields.first);
    if (parent === this.rootCluster) return ROOT;
    const above = this.directories.at(this.parentCluster(parent));
    for (let name = above.after(-1); name !== undefined; name = above.after(name.slot)) {
      const place = above.position(name.slot);
      if (name.isDirectory && this.nodes.load(this.nodes.numberAt(place)).first === parent)
        return this.nodes.numberAt(place);
    }
    return refuse('EUCLEAN', `the directory at cluster ${parent} is not in the one that it says it is in`);
  }

  private get rootCluster(): number {
    return this.volume.geometry.rootCluster;
  }

  /** First cluster of the directory that one is in, by what it says itself. Throws SystemError EUCLEAN. */
  private parentCluster(first: number): number {
    const { geometry, cache } = this.volume;
    if (!isCluster(geometry, first)) refuse('EUCLEAN', `a directory begins at cluster ${first}, which does not exist`);
    const bytes = cache.read(sectorOf(geometry, first));
    if (!isDots(bytes, PARENT_OFFSET)) refuse('EUCLEAN', `the directory at cluster ${first} has no parent`);
    const parent = decodeEntry(bytes, PARENT_OFFSET, geometry.bits).first;
    return parent === 0 ? this.rootCluster : parent;
  }

  readDirectory(directory: NodeNumber, cursor: string, most: number): DirectoryPart {
    if (!/^\d{0,6}$/.test(cursor)) refuse('EINVAL', 'no such cursor');
    const fields = this.nodes.load(directory);
    if (!isDirectory(fields)) refuse('ENOTDIR');
    if (!this.nodes.isNamed(directory)) return { entries: [], cursor: null };
    const at = this.directories.at(fields.first);
    const entries: DirectoryPart['entries'][number][] = [];
    let slot = cursor === '' ? -1 : Number(cursor);
    while (entries.length < most) {
      const name = at.after(slot);
      if (name === undefined) return { entries, cursor: null };
      slot = name.slot;
      const node = this.nodes.numberAt(at.position(slot));
      entries.push({ name: name.name, node, type: name.isDirectory ? 'directory' : 'file' });
    }
    return { entries, cursor: String(slot) };
  }

  readLink(node: NodeNumber): string {
    this.nodes.load(node);
    return refuse('EINVAL', 'FAT has no symbolic links');
  }

  create(directory: NodeNumber, name: string, mode: number): NodeNumber {
    const { first, kept } = this.vacant(directory, name);
    return this.volume.change(NAME_CLUSTERS, () => {
      const attributes = withMode(attribute.ARCHIVE, mode);
      return this.enter(directory, first, kept, this.newFields(attributes, 0));
    });
  }

  makeDirectory(directory: NodeNumber, name: string, _mode: number): NodeNumber {
    const { first, kept } = this.vacant(directory, name);
    const { volume } = this;
    return volume.change(NAME_CLUSTERS, () => {
      const [extent] = volume.table.allocate(1, 0);
      const fields = this.newFields(attribute.DIRECTORY, extent?.cluster ?? 0);
      const content = Buffer.alloc(volume.geometry.clusterBytes);
      // The root is cluster 0 here, also on FAT32 (fatgen103, "Directory Structure").
      const parent = { ...fields, first: directory === ROOT ? 0 : first };
      content.set(newEntry(Buffer.from('.'.padEnd(11)), fields, volume.geometry.bits));
      content.set(newEntry(Buffer.from('..'.padEnd(11)), parent, volume.geometry.bits), PARENT_OFFSET);
      volume.writeCluster(fields.first, content);
      return this.enter(directory, first, kept, fields);
    });
  }

  private newFields(attributes: number, first: number): EntryFields {
    const now = clampTime(this.volume.now());
    return { attributes, first, size: 0, created: now, accessed: now, modified: now };
  }

  private enter(directory: NodeNumber, first: number, name: string, fields: EntryFields): NodeNumber {
    const at = this.directories.toChange(first);
    const entered = at.add(name, (shortName) => newEntry(shortName, fields, this.volume.geometry.bits));
    this.touch(directory);
    return this.nodes.numberAt(at.position(entered.slot));
  }

  makeSymlink(_directory: NodeNumber, _name: string, _target: string): NodeNumber {
    return refuse('EOPNOTSUPP', 'FAT has no symbolic links');
  }

  link(_node: NodeNumber, _directory: NodeNumber, _name: string): void {
    refuse('EOPNOTSUPP', 'FAT has no second names');
  }

  unlink(directory: NodeNumber, name: string): void {
    const { first, found } = this.find(directory, name);
    if (found.isDirectory) refuse('EISDIR');
    this.volume.change(0, () => {
      this.remove(first, found);
      this.touch(directory);
    });
  }

  removeDirectory(directory: NodeNumber, name: string): void {
    const { at, first, found } = this.find(directory, name);
    if (!found.isDirectory) refuse('ENOTDIR');
    this.checkEmpty(at, found);
    this.volume.change(0, () => {
      this.remove(first, found);
      this.touch(directory);
    });
  }

  private checkEmpty(at: Directory, found: Name): void {
    const { first } = this.fieldsOf(at, found);
    if (this.directories.at(first).size > 0) refuse('ENOTEMPTY');
  }

  private fieldsOf(at: Directory, { slot }: Name): EntryFields {
    return this.nodes.load(this.nodes.numberAt(at.position(slot)));
  }

  /** Removes a name, and what it leads to unless that is retained. */
  private remove(directoryCluster: number, name: Name): void {
    const at = this.directories.toChange(directoryCluster);
    const place = at.position(name.slot);
    const fields = this.fieldsOf(at, name);
    const directory = isDirectory(fields);
    this.drop(at, name);
    // Of a directory nothing is left but its number.
    const unused = this.nodes.removed(place, directory ? { ...fields, first: 0 } : fields);
    if (directory) this.directories.forget(fields.first);
    if (fields.first !== 0 && (unused || directory)) this.volume.free(fields.first);
  }

  private drop(at: Directory, name: Name): void {
    if (!at.remove(name)) this.directories.forget(at.first);
  }

  rename(directory: NodeNumber, name: string, newDirectory: NodeNumber, newName: string): void {
    const source = this.find(directory, name);
    const first = this.directoryCluster(newDirectory);
    const kept = checkName(newName);
    const into = this.directories.at(first);
    const target = into.find(kept);
    const fields = this.fieldsOf(source.at, source.found);
    const itself = source.first === first && target?.slot === source.found.slot;
    if (itself && source.found.name === kept) return;
    if (isDirectory(fields) && this.isAbove(fields.first, first))
      refuse('EINVAL', 'a directory cannot be moved into itself');
    if (target !== undefined && !itself) {
      // What would be replaced holds what is moved: so says Linux before it compares the two.
      if (target.isDirectory && this.isAbove(this.fieldsOf(into, target).first, source.first)) refuse('ENOTEMPTY');
      if (isDirectory(fields) && !target.isDirectory) refuse('ENOTDIR');
      if (!isDirectory(fields) && target.isDirectory) refuse('EISDIR');
      if (target.isDirectory) this.checkEmpty(into, target);
    }
    this.volume.change(NAME_CLUSTERS, () => {
      if (target !== undefined && !itself) this.remove(first, target);
      this.move(source.first, source.found, first, kept, target);
      if (isDirectory(fields) && source.first !== first)
        this.setParent(fields.first, newDirectory === ROOT ? 0 : first);
      this.touch(directory);
      if (newDirectory !== directory) this.touch(newDirectory);
    });
  }

  /** Moves an entry; `replaced`: what had the new name, and is gone already unless it is the entry itself. */
  private move(from: number, name: Name, to: number, newName: string, replaced: Name | undefined): void {
    const { cache } = this.volume;
    const source = this.directories.toChange(from);
    const place = source.position(name.slot);
    const sector = cache.read(Math.floor(place / SLOTS_PER_SECTOR));
    const offset = (place % SLOTS_PER_SECTOR) * ENTRY_BYTES;
    const entry = Buffer.from(sector.subarray(offset, offset + ENTRY_BYTES));
    // Small letters were in the long name; the new one has its own.
    entry[12] = 0;
    const entered = (): Name => {
      const target = this.directories.toChange(to);
      const enter = (shortName: Buffer): Buffer => Buffer.concat([shortName, entry.subarray(shortName.length)]);
      return target.add(newName, enter, replaced?.firstSlot);
    };
    // The new name comes first, so that a loss of power in between leaves one of them at least; but not where there is
    // no room for both, or one hides the other.
    const hides = replaced !== undefined && from === to && replaced.slot === name.slot;
    const oldFirst = hides || (from === to && !source.hasRoom(newName));
    if (oldFirst) this.drop(source, name);
    const added = entered();
    if (!oldFirst) this.drop(source, name);
    this.nodes.moved(place, this.directories.at(to).position(added.slot));
  }

  private setParent(first: number, parent: number): void {
    const { cache, geometry } = this.volume;
    const sector = sectorOf(geometry, first);
    if (!isDots(cache.read(sector), PARENT_OFFSET)) return;
    const bytes = cache.change(sector);
    bytes.writeUInt16LE(parent & 0xffff, PARENT_OFFSET + 26);
    if (geometry.bits === 32) bytes.writeUInt16LE(parent >>> 16, PARENT_OFFSET + 20);
  }

  /** Whether the directory in cluster `inner` is the one in `outer`, or below it. */
  private isAbove(outer: number, inner: number): boolean {
    let at = inner;
    for (let depth = 0; at !== this.rootCluster; depth++) {
      if (at === outer) return true;
      if (depth > MAX_DEPTH) refuse('EUCLEAN', 'directories are nested without end');
      at = this.parentCluster(at);
    }
    return false;
  }

  read(node: NodeNumber, offset: number, count: number): Uint8Array {
    return this.content.read(node, offset, count);
  }

  write(node: NodeNumber, offset: number, data: Uint8Array): void {
    this.content.write(node, offset, data);
  }

  truncate(node: NodeNumber, size: number): void {
    this.content.truncate(node, size);
  }

  retain(node: NodeNumber): void {
    this.nodes.load(node);
    this.nodes.retain(node);
  }

  release(node: NodeNumber): void {
    this.nodes.release(node);
  }

  restoreRetained(nodes: readonly NodeNumber[]): void {
    this.nodes.restore(nodes);
    this.commit();
  }

  note(request: RequestNumber, result: RequestResult): void {
    this.volume.log.note(request, result);
  }

  completed(request: RequestNumber): RequestResult | undefined {
    return this.volume.log.completed(request);
  }

  commit(): void {
    this.volume.commit();
  }

  sync(): void {
    this.volume.sync();
  }

  close(): void {
    this.nodes.close();
    this.volume.close();
  }

  /** First cluster of a directory, 0 for a root without. Throws SystemError: ENOTDIR; ENOENT: it has been removed. */
  private directoryCluster(directory: NodeNumber): number {
    const fields = this.nodes.load(directory);
    if (!isDirectory(fields)) refuse('ENOTDIR');
    if (!this.nodes.isNamed(directory)) refuse('ENOENT', 'the directory has been removed');
    return fields.first;
  }

  private find(directory: NodeNumber, name: string): { first: number; at: Directory; found: Name } {
    const first = this.directoryCluster(directory);
    const at = this.directories.at(first);
    const found = at.find(name) ?? refuse('ENOENT');
    return { first, at, found };
  }

  /** The cluster of a directory in which a name is free, and the name as it will be. */
  private vacant(directory: NodeNumber, name: string): { first: number; kept: string } {
    const first = this.directoryCluster(directory);
    const kept = checkName(name);
    if (this.directories.at(first).find(kept) !== undefined) refuse('EEXIST');
    return { first, kept };
  }

  /** What is in a directory has changed. */
  private touch(directory: NodeNumber): void {
    if (directory === ROOT) return;
    this.nodes.store(directory, { ...this.nodes.load(directory), modified: clampTime(this.volume.now()) });
  }
}

function isDirectory({ attributes }: EntryFields): boolean {
  return (attributes & attribute.DIRECTORY) !== 0;
}

/** Attributes with read-only set as a mode says. */
function withMode(attributes: number, mode: number): number {
  return (mode & WRITE_BITS) === 0 ? attributes | attribute.READ_ONLY : attributes & ~attribute.READ_ONLY;
}
