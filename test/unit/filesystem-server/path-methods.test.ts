/**
 * The methods with paths on a volume: what POSIX wants of each, and its errors; what leads out; open files that outlive
 * their names.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { ext2 } from '../../../filesystems/ext2/index.ts';
import type { ErrorName } from '../../../protocol/errno.ts';
import { SystemError } from '../../../protocol/errno.ts';
import { openFlags } from '../../../protocol/vfs.ts';
import { MemoryDevice } from '../../support/memory-device.ts';
import { at, Simulation } from './simulation.ts';

const { READ, WRITE, APPEND, CREATE, EXCLUSIVE, TRUNCATE, DIRECTORY, NO_FOLLOW } = openFlags;
const NEW = WRITE | CREATE;

let world: Simulation;

function codeOf(work: () => unknown): ErrorName | 'none' {
  try {
    work();
  } catch (error) {
    if (error instanceof SystemError) return error.code;
    throw error;
  }
  return 'none';
}

/** Each call is refused with its error. */
function refused(...cases: readonly (readonly [ErrorName | 'none', () => unknown])[]): void {
  for (const [code, work] of cases) expect(codeOf(work), work.toString()).toBe(code);
}

const open = (path: string, flags: number): number =>
  world.onPath('open', { place: at(path), flags, mode: 0o644 }).file as number;
const mkdir = (path: string): void => world.onPath('make_directory', { place: at(path), mode: 0o755 });
const symlink = (path: string, target: string): void => world.onPath('make_symlink', { place: at(path), target });
const rename = (from: string, to: string): void => world.onPath('rename', { from: at(from), to: at(to) });
const link = (from: string, to: string): void => world.onPath('link', { from: at(from), to: at(to) });
const unlink = (path: string): void => world.onPath('unlink', at(path));
const rmdir = (path: string): void => world.onPath('remove_directory', at(path));
const attributes = (path: string, follow = true) => world.onPath('attributes', { place: at(path), follow });
const read = (badge: number, offset = 0, count = 1000): string =>
  Buffer.from(world.onFile(badge, 'read', { offset, count })).toString();
const write = (badge: number, text: string, offset: number | null = 0): number =>
  world.onFile(badge, 'write', { offset, data: Buffer.from(text) });

/** A file with a text. */
function make(path: string, text = ''): void {
  const badge = open(path, NEW);
  write(badge, text);
  world.close(badge);
}

beforeEach(() => {
  world = new Simulation();
  mkdir('d');
  make('d/f', 'hello');
  symlink('to-d', 'd');
  symlink('to-f', 'd/f');
  symlink('dangling', 'd/new');
  symlink('absolute', '/etc/motd');
});

describe('open', () => {
  it('reads and writes at offsets, appends, truncates', () => {
    const badge = open('d/f', READ | WRITE);
    expect(read(badge)).toBe('hello');
    expect(read(badge, 3)).toBe('lo');
    expect(read(badge, 99)).toBe('');
    expect(write(badge, 'J')).toBe(1);
    expect(write(badge, '!', null)).toBe(6);
    expect(read(badge)).toBe('Jello!');
    const appending = open('to-f', WRITE | APPEND);
    expect(write(appending, '?', 0)).toBe(7);
    world.onFile(badge, 'truncate', 2);
    expect(read(badge)).toBe('Je');
    open('d/f', WRITE | TRUNCATE);
    expect(read(badge)).toBe('');
    expect(world.onFile(badge, 'is_terminal', undefined)).toBe(false);
  });

  it('makes a file, also at the end of a dangling link, and answers size and type', () => {
    expect(world.onPath('open', { place: at('new'), flags: NEW, mode: 0o7640 })).toMatchObject({
      type: 'file',
      size: 0,
    });
    expect(attributes('new')).toMatchObject({ mode: 0o7640, fileSystem: 7, links: 1 });
    open('dangling', NEW);
    expect(attributes('d/new').type).toBe('file');
    expect(world.onPath('open', { place: at('to-f'), flags: READ, mode: 0 })).toMatchObject({ size: 5, stream: false });
    expect(world.onPath('open', { place: at('to-d/'), flags: READ, mode: 0 }).type).toBe('directory');
  });

  it('refuses what POSIX refuses', () => {
    refused(
      ['ENOENT', () => open('none', READ)],
      ['ENOENT', () => open('dangling', READ)],
      ['ENOENT', () => open('none/x', NEW)],
      ['ENOTDIR', () => open('d/f/x', NEW)],
      ['ENOTDIR', () => open('d/f/', READ)],
      ['ENOTDIR', () => open('d/f', READ | DIRECTORY)],
      ['EISDIR', () => open('new/', NEW)],
      ['EISDIR', () => open('d', WRITE)],
      ['EISDIR', () => open('d', READ | CREATE)],
      ['EISDIR', () => open('', NEW)],
      ['EEXIST', () => open('d/f', NEW | EXCLUSIVE)],
      ['EEXIST', () => open('dangling', NEW | EXCLUSIVE)],
      ['EEXIST', () => open('d', NEW | EXCLUSIVE)],
      ['ELOOP', () => open('to-f', READ | NO_FOLLOW)],
      ['ELOOP', () => open('dangling', NEW | NO_FOLLOW)],
      ['EINVAL', () => open('d/f', 0)],
      ['EINVAL', () => open('d/f', READ | TRUNCATE)],
      ['EINVAL', () => open('d/f', READ | APPEND)],
      ['EINVAL', () => open('d/f', WRITE | EXCLUSIVE)],
      ['EINVAL', () => open('d', READ | CREATE | DIRECTORY)],
      ['EINVAL', () => open('d/f', READ | 0x4000)],
      ['ENAMETOOLONG', () => open('x'.repeat(256), NEW)],
      ['none', () => open('x'.repeat(255), NEW)],
    );
  });

  it('refuses what a right was not opened for, and closed files', () => {
    const reader = open('d/f', READ);
    const writer = open('d/f', WRITE);
    const directory = open('d', READ);
    refused(
      ['EBADF', () => write(reader, 'x')],
      ['EBADF', () => world.onFile(reader, 'truncate', 0)],
      ['EBADF', () => read(writer)],
      ['EISDIR', () => read(directory)],
      ['ENOTDIR', () => world.onFile(reader, 'read_directory', { cursor: '', most: 10 })],
      ['EBADF', () => read(0)],
      ['EBADF', () => read(reader + 0x1000)],
    );
    world.close(reader);
    refused(['EBADF', () => read(reader)]);
    expect(open('d/f', READ), 'a slot is used again with another badge').not.toBe(reader);
    refused(['EBADF', () => read(reader)]);
  });

  it('lists directories in parts', () => {
    for (let i = 0; i < 10; i++) make(`d/${i}`);
    const badge = open('d', READ);
    const names: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const part: { entries: { name: string }[]; cursor: string | null } = world.onFile(badge, 'read_directory', {
        cursor,
        most: 3,
      });
      expect(part.entries.length).toBeLessThanOrEqual(3);
      names.push(...part.entries.map(({ name }) => name));
      cursor = part.cursor;
    }
    expect(names.sort()).toEqual([...'0123456789', 'f']);
  });

  it('keeps a file whose last name is gone until nobody has it open', () => {
    const badge = open('d/f', READ | WRITE);
    unlink('d/f');
    expect(read(badge)).toBe('hello');
    write(badge, 'J');
    write(badge, 'x'.repeat(9000), null);
    world.restart();
    expect(read(badge, 0, 5)).toBe('Jello');
    expect(world.onFile(badge, 'attributes', undefined).links).toBe(0);
    const { free } = figures();
    world.close(badge);
    world.settle();
    expect(figures().free).toBeGreaterThan(free);
    expect(world.volume.files.size).toBe(0);
  });

  it('has a bound for each task', () => {
    const codes = new Set<string>();
    for (let i = 0; i < 1100; i++) codes.add(codeOf(() => open('d/f', READ)));
    expect([...codes]).toEqual(['none', 'EMFILE']);
    expect(world.volume.files.size).toBe(1024);
    refused(['EMFILE', () => open('d/made-by-nobody', NEW)], ['ENOENT', () => attributes('d/made-by-nobody')]);
  });
});

function figures(): { free: number } {
  return { free: world.onPath('figures', at('')).freeBlocks };
}

describe('names', () => {
  it('are made, removed, moved', () => {
    mkdir('e/');
    rename('d', 'e/d/');
    link('e/d/f', 'g');
    expect(attributes('g')).toMatchObject({ links: 2, size: 5 });
    unlink('e/d/f');
    rmdir('e/d/');
    rmdir('e');
    expect(attributes('g').links).toBe(1);
    make('h', 'other');
    rename('h', 'g');
    expect(read(open('g', READ))).toBe('other');
    expect(world.onPath('read_link', at('to-d'))).toBe('d');
    world.onPath('truncate', { place: at('g'), size: 2 });
    world.onPath('set_attributes', { place: at('g'), follow: true, mode: 0o600, accessed: 5, modified: null });
    expect(attributes('g')).toMatchObject({ size: 2, mode: 0o600, accessed: 5 });
  });

  it('are refused as POSIX refuses them', () => {
    mkdir('d/sub');
    mkdir('empty');
    refused(
      ['EEXIST', () => mkdir('d')],
      ['EEXIST', () => mkdir('')],
      ['EEXIST', () => mkdir('d/.')],
      ['EEXIST', () => mkdir('d/..')],
      ['EEXIST', () => mkdir('to-f')],
      ['ENOENT', () => mkdir('none/x')],
      ['EBUSY', () => rmdir('')],
      ['EINVAL', () => rmdir('empty/.')],
      ['ENOTEMPTY', () => rmdir('d/sub/..')],
      ['ENOTEMPTY', () => rmdir('d')],
      ['ENOTDIR', () => rmdir('d/f')],
      ['ENOTDIR', () => rmdir('to-d')],
      ['ENOENT', () => rmdir('none')],
      ['EISDIR', () => unlink('d')],
      ['EISDIR', () => unlink('')],
      ['EISDIR', () => unlink('d/.')],
      ['ENOTDIR', () => unlink('d/f/')],
      ['ENOENT', () => unlink('none')],
      ['EBUSY', () => rename('', 'x')],
      ['EBUSY', () => rename('d/.', 'x')],
      ['EBUSY', () => rename('empty', 'd/..')],
      ['EINVAL', () => rename('d', 'd/sub/x')],
      ['ENOTEMPTY', () => rename('empty', 'd')],
      ['ENOTDIR', () => rename('empty', 'd/f')],
      ['EISDIR', () => rename('d/f', 'empty')],
      ['ENOTDIR', () => rename('d/f', 'x/')],
      ['ENOTDIR', () => rename('d/f/', 'x')],
      ['ENOENT', () => rename('none', 'x')],
      ['EPERM', () => link('d', 'x')],
      ['EEXIST', () => link('d/f', 'to-f')],
      ['ENOENT', () => link('d/f', 'x/')],
      ['ENOENT', () => symlink('x/', 'd')],
      ['EEXIST', () => symlink('to-f', 'd')],
      ['ENOENT', () => symlink('x', '')],
      ['ENAMETOOLONG', () => symlink('x', 'y'.repeat(4096))],
      ['EINVAL', () => world.onPath('read_link', at('d'))],
      ['EISDIR', () => world.onPath('truncate', { place: at('d'), size: 0 })],
      ['ENOTDIR', () => world.onPath('resolve', { place: at('d/f'), directory: true })],
    );
  });

  it('resolve to absolute paths without links and dots', () => {
    const resolve = (path: string): string => world.onPath('resolve', { place: at(path), directory: false }).path;
    expect(resolve('')).toBe('/mnt/disk');
    expect(resolve('to-d/../to-f')).toBe('/mnt/disk/d/f');
  });
});

describe('a path that leads out', () => {
  it('goes back with absolute paths and the links followed', () => {
    mkdir('d/covered');
    world.volume.cover(at('d/covered'), true);
    refused(
      ['EXDEV', () => attributes('absolute')],
      ['EXDEV', () => unlink('d/../../x')],
      ['EXDEV', () => rename('d/f', 'to-d/covered/g')],
      ['EXDEV', () => mkdir('d/covered')],
      ['EXDEV', () => open('d/covered/x', NEW)],
    );
    expect(world.handedBack).toEqual([
      ['attributes', { place: { path: '/etc/motd', links: 1 }, follow: true }],
      ['unlink', { path: '/mnt/x', links: 1 }],
      ['rename', { from: at('/mnt/disk/d/f'), to: { path: '/mnt/disk/d/covered/g', links: 2 } }],
      ['make_directory', { place: { path: '/mnt/disk/d/covered', links: 1 }, mode: 0o755 }],
      ['open', { place: { path: '/mnt/disk/d/covered/x', links: 1 }, flags: NEW, mode: 0o644 }],
    ]);
  });

  it('does so after a restart, and no more once the directory is uncovered', () => {
    mkdir('d/covered');
    world.volume.cover(at('d/covered'), true);
    world.restart();
    refused(
      ['EXDEV', () => attributes('d/covered')],
      ['EBUSY', () => rename('d', 'moved')],
      ['EBUSY', () => world.volume.cover(at(''), true)],
    );
    expect(world.volume.mountedHere).toEqual(['/mnt/disk/d/covered']);
    world.volume.cover(at('d/covered'), false);
    world.restart();
    expect(attributes('d/covered').type).toBe('directory');
    rename('d', 'moved');
    refused(['ENOTDIR', () => world.volume.cover(at('moved/f'), true)]);
  });
});

/** A mounted ext2 with the directories a/b, c and x, of which b and c say that each is in the other. */
function circularDisk(): Simulation {
  const tools = { now: () => 0, random: (count: number) => Buffer.alloc(count, 1) };
  const options = { ...tools, readOnly: false, keeper: null, log: () => {} };
  const device = new MemoryDevice(4096);
  ext2.format(device, { ...tools, blockBytes: 1024 });
  const fs = ext2.mount(device, options);
  const b = fs.makeDirectory(fs.makeDirectory(fs.root, 'a', 0o755), 'b', 0o755);
  const c = fs.makeDirectory(fs.root, 'c', 0o755);
  fs.makeDirectory(fs.root, 'x', 0o755);
  fs.close();
  for (const [directory, parent] of [
    [b, c],
    [c, b],
  ] as const) {
    // The entry `.`, behind which `..` stands.
    const entry = Buffer.from([directory, 0, 0, 0, 12, 0, 1, 2, 0x2e, 0, 0, 0]);
    device.bytes.writeUInt32LE(parent, device.bytes.indexOf(entry) + entry.length);
  }
  return new Simulation({ disk: device, mount: (ground) => ext2.mount(ground.device, options) });
}

describe('a file system that is mounted in a directory', () => {
  it('holds the directories on the way to it, and no others', () => {
    mkdir('d/e');
    mkdir('d/e/covered');
    mkdir('other');
    world.volume.cover(at('d/e/covered'), true);
    refused(
      ['EBUSY', () => rename('d', 'moved')],
      ['EBUSY', () => rename('d/e', 'moved')],
      ['EXDEV', () => rename('d/e/covered', 'moved')],
      ['none', () => rename('other', 'd/e/other')],
      ['none', () => rename('d/e/other', 'moved')],
    );
  });

  it('does so on a disk whose directories say that they are in one another', () => {
    world = circularDisk();
    world.volume.cover(at('a/b'), true);
    const { core } = world;
    const parent = core.parent.bind(core);
    let steps = 0;
    core.parent = (directory) => {
      steps += 1;
      if (steps > 10_000) throw new Error('the way up has no end');
      return parent(directory);
    };
    refused(['EBUSY', () => rename('a', 'y')], ['none', () => rename('x', 'y')]);
    expect(attributes('y').type).toBe('directory');
  });
});
