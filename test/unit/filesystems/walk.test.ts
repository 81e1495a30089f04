/** Path resolution on a ramfs: dots, slashes, symbolic links, ways out of the file system, and what is refused. */
import { beforeEach, describe, expect, it } from 'vitest';
import { type FileSystem, MAX_LINKS, MAX_NAME_BYTES, MAX_PATH_BYTES } from '../../../filesystems/file-system.ts';
import { ramfs } from '../../../filesystems/ram/ramfs.ts';
import { findName, findNode, type Surroundings } from '../../../filesystems/walk.ts';
import { SystemError } from '../../../protocol/errno.ts';
import { MemoryKeeper } from '../../support/memory-keeper.ts';

let fileSystem: FileSystem;
let nodes: Record<string, number>;
const covered = new Map<number, string>();
const inside: Surroundings = { mountedOn: '/mnt/disk', covered };

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof SystemError) return error.code;
    throw error;
  }
  return 'none';
}

beforeEach(() => {
  covered.clear();
  fileSystem = ramfs({ keeper: new MemoryKeeper(), now: () => 0, bytes: 2 ** 20, keys: 1024 });
  const { root } = fileSystem;
  const a = fileSystem.makeDirectory(root, 'a', 0o755);
  const b = fileSystem.makeDirectory(a, 'b', 0o755);
  const file = fileSystem.create(b, 'file', 0o644);
  fileSystem.makeSymlink(root, 'relative', 'a/b');
  fileSystem.makeSymlink(root, 'absolute', '/etc/x');
  fileSystem.makeSymlink(root, 'up', 'a/../../beside');
  fileSystem.makeSymlink(a, 'loop', 'loop');
  fileSystem.makeSymlink(root, 'dangling', 'a/new');
  fileSystem.makeSymlink(root, 'slash', 'a/b/');
  nodes = { '': root, a, 'a/b': b, 'a/b/file': file };
});

const node = (path: string, follow = true, links = 0) => findNode(fileSystem, inside, { path, links }, follow);
const name = (path: string, follow = true) => findName(fileSystem, inside, { path, links: 0 }, follow);

describe('a path', () => {
  it('leads to a node by way of dots, slashes and links', () => {
    const ways: [string, string][] = [
      ['', ''],
      ['.', ''],
      ['a', 'a'],
      ['a/', 'a'],
      ['a//b/.', 'a/b'],
      ['./a/b/../b/file', 'a/b/file'],
      ['a/b/../..', ''],
      ['relative', 'a/b'],
      ['relative/file', 'a/b/file'],
      ['relative/..', 'a'],
      ['slash', 'a/b'],
    ];
    for (const [way, path] of ways) expect(node(way), way).toEqual({ kind: 'node', node: nodes[path], path });
  });

  it('is not followed at its last link unless asked to, or where a directory is wanted', () => {
    expect(node('relative', false)).toMatchObject({ kind: 'node', path: 'relative' });
    expect(node('relative/', false)).toMatchObject({ kind: 'node', path: 'a/b' });
    expect(node('relative/.', false)).toMatchObject({ kind: 'node', path: 'a/b' });
  });

  it('leads out by an absolute link, the parent of the root, and a covered directory', () => {
    expect(node('absolute')).toEqual({ kind: 'outside', path: '/etc/x', links: 1 });
    expect(node('absolute/y/z/', true, 3)).toEqual({ kind: 'outside', path: '/etc/x/y/z/', links: 4 });
    expect(node('..')).toEqual({ kind: 'outside', path: '/mnt', links: 1 });
    expect(node('a/../../other/x')).toEqual({ kind: 'outside', path: '/mnt/other/x', links: 1 });
    expect(node('up')).toEqual({ kind: 'outside', path: '/mnt/beside', links: 2 });
    covered.set(nodes['a/b'] ?? 0, '/mnt/disk/a/b');
    for (const way of ['a/b', 'relative', 'a/../a/./b']) {
      expect(node(way), way).toMatchObject({ kind: 'outside', path: '/mnt/disk/a/b' });
      expect(name(way), way).toMatchObject({ kind: 'outside', path: '/mnt/disk/a/b' });
    }
    expect(node('a/b/c/')).toMatchObject({ kind: 'outside', path: '/mnt/disk/a/b/c/' });
  });

  it('stays at the root of everything', () => {
    const everything: Surroundings = { mountedOn: '', covered: new Map() };
    expect(findNode(fileSystem, everything, { path: '../../a/..', links: 0 }, true)).toMatchObject({ path: '' });
  });

  it('is refused with the reason', () => {
    const wrong: [string, string][] = [
      ['nothing', 'ENOENT'],
      ['a/nothing/b', 'ENOENT'],
      ['dangling', 'ENOENT'],
      ['a/b/file/', 'ENOTDIR'],
      ['a/b/file/x', 'ENOTDIR'],
      ['a/b/file/..', 'ENOTDIR'],
      ['a/loop', 'ELOOP'],
      ['x'.repeat(MAX_NAME_BYTES + 1), 'ENAMETOOLONG'],
      ['é'.repeat(128), 'ENAMETOOLONG'],
      ['a/'.repeat(MAX_PATH_BYTES / 2 + 1), 'ENAMETOOLONG'],
      ['a\0', 'EINVAL'],
      ['a/\ud800', 'EILSEQ'],
    ];
    for (const [way, code] of wrong)
      expect(
        codeOf(() => node(way)),
        way.slice(0, 20),
      ).toBe(code);
    expect(codeOf(() => node('relative', true, MAX_LINKS))).toBe('ELOOP');
    expect(codeOf(() => node('relative', true, MAX_LINKS - 1))).toBe('none');
  });
});

describe('a name', () => {
  it('is found in its directory, whether it is taken or not', () => {
    const { a = 0, 'a/b': b = 0 } = nodes;
    expect(name('a/new')).toEqual({ kind: 'name', directory: a, name: 'new', path: 'a/new', directoryWanted: false });
    expect(name('relative/file')).toMatchObject({ directory: b, name: 'file', path: 'a/b/file' });
    expect(name('a/new/')).toMatchObject({ name: 'new', directoryWanted: true });
    expect(name('dangling')).toMatchObject({ directory: a, name: 'new' });
    expect(name('dangling', false)).toMatchObject({ directory: fileSystem.root, name: 'dangling' });
    expect(name('relative')).toMatchObject({ directory: a, name: 'b' });
  });

  it('is none at the root, nor where the path ends in dots', () => {
    for (const way of ['', '.', 'a/..', 'a/.', 'a/b/../.']) expect(name(way), way).toMatchObject({ kind: 'node' });
    expect(codeOf(() => name('nothing/.'))).toBe('ENOENT');
    expect(codeOf(() => name('nothing/new'))).toBe('ENOENT');
  });
});
