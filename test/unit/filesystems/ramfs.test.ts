import { describe, expect, it } from 'vitest';
import { crc32c } from '../../../filesystems/crc32c.ts';
import type { FileSystem } from '../../../filesystems/file-system.ts';
import { ramfs } from '../../../filesystems/ram/ramfs.ts';
import { SystemError } from '../../../protocol/errno.ts';
import { Death, MemoryKeeper } from '../../support/memory-keeper.ts';
import { Random } from '../../support/random.ts';

const MEBIBYTE = 1024 * 1024;
let clock = 1000;

function make(keeper = new MemoryKeeper(), bytes = 4 * MEBIBYTE, keys = 4096): FileSystem {
  return ramfs({ keeper, now: () => clock++, bytes, keys });
}

function codeOf(action: () => unknown): string {
  try {
    action();
    return 'none';
  } catch (error) {
    if (error instanceof SystemError) return error.code;
    throw error;
  }
}

/** All that can be seen of a file system: names, attributes without times, contents. */
function picture(fs: FileSystem, directory = fs.root, path = ''): string[] {
  const lines: string[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const part: ReturnType<FileSystem['readDirectory']> = fs.readDirectory(directory, cursor, 7);
    for (const { name, node, type } of part.entries) {
      const { mode, links, size } = fs.attributes(node);
      const content = type === 'file' ? crc32c(fs.read(node, 0, size)) : type === 'symlink' ? fs.readLink(node) : '';
      lines.push(`${path}/${name} ${type} ${node} ${mode} ${links} ${size} ${content}`);
      if (type === 'directory') lines.push(...picture(fs, node, `${path}/${name}`));
    }
    cursor = part.cursor;
  }
  return lines;
}

describe('ramfs', () => {
  it('keeps names, contents and attributes over the death of its process', () => {
    const keeper = new MemoryKeeper();
    const fs = make(keeper);
    const directory = fs.makeDirectory(fs.root, 'ordner', 0o750);
    const file = fs.create(directory, 'ä', 0o640);
    fs.write(file, 40_000, Buffer.from('end'));
    fs.write(file, 0, Buffer.from('begin'));
    fs.link(file, fs.root, 'second');
    fs.makeSymlink(fs.root, 'link', 'ordner/ä');
    fs.commit();
    const again = make(new MemoryKeeper(keeper.values));
    expect(picture(again)).toEqual(picture(fs));
    expect(Buffer.from(again.read(file, 39_999, 10))).toEqual(Buffer.from('\0end'));
    expect(again.attributes(file)).toEqual(fs.attributes(file));
    expect(again.information()).toEqual(fs.information());
  });

  it('forgets what was not committed', () => {
    const keeper = new MemoryKeeper();
    const fs = make(keeper);
    fs.create(fs.root, 'kept', 0o644);
    fs.commit();
    fs.create(fs.root, 'lost', 0o644);
    expect(picture(make(new MemoryKeeper(keeper.values))).map((line) => line.split(' ')[0])).toEqual(['/kept']);
  });

  it('answers with the errors of POSIX', () => {
    const fs = make();
    const a = fs.makeDirectory(fs.root, 'a', 0o755);
    const b = fs.makeDirectory(a, 'b', 0o755);
    const f = fs.create(fs.root, 'f', 0o644);
    const long = 'n'.repeat(256);
    const errors = [
      codeOf(() => fs.create(fs.root, 'f', 0o644)),
      codeOf(() => fs.create(f, 'x', 0o644)),
      codeOf(() => fs.create(fs.root, long, 0o644)),
      codeOf(() => fs.lookup(fs.root, 'x')),
      codeOf(() => fs.lookup(f, 'x')),
      codeOf(() => fs.lookup(fs.root, long)),
      codeOf(() => fs.unlink(fs.root, 'a')),
      codeOf(() => fs.unlink(fs.root, 'x')),
      codeOf(() => fs.removeDirectory(fs.root, 'f')),
      codeOf(() => fs.removeDirectory(fs.root, 'a')),
      codeOf(() => fs.link(a, fs.root, 'x')),
      codeOf(() => fs.link(f, fs.root, 'a')),
      codeOf(() => fs.rename(fs.root, 'a', b, 'x')),
      codeOf(() => fs.rename(fs.root, 'a', a, 'x')),
      codeOf(() => fs.rename(a, 'b', fs.root, 'f')),
      codeOf(() => fs.rename(fs.root, 'f', a, 'b')),
      codeOf(() => fs.rename(a, 'b', fs.root, 'a')),
      codeOf(() => fs.rename(fs.root, 'x', fs.root, 'y')),
      codeOf(() => fs.read(a, 0, 1)),
      codeOf(() => fs.write(a, 0, Buffer.from('x'))),
      codeOf(() => fs.truncate(a, 0)),
      codeOf(() => fs.truncate(f, 2 ** 53)),
      codeOf(() => fs.readLink(f)),
      codeOf(() => fs.readDirectory(f, '', 1)),
      codeOf(() => fs.readDirectory(a, 'no number', 1)),
      codeOf(() => fs.attributes(999)),
    ];
    expect(errors).toEqual(
      (
        'EEXIST ENOTDIR ENAMETOOLONG ENOENT ENOTDIR ENAMETOOLONG EISDIR ENOENT ENOTDIR ENOTEMPTY EPERM EEXIST EINVAL EINVAL ENOTDIR EISDIR ' +
        'ENOTEMPTY ENOENT EISDIR EISDIR EISDIR EFBIG EINVAL ENOTDIR EINVAL ENOENT'
      ).split(' '),
    );
    fs.retain(b);
    fs.removeDirectory(a, 'b');
    expect(fs.attributes(b).links).toBe(0);
    expect(codeOf(() => fs.create(b, 'x', 0o644))).toBe('ENOENT');
    expect(codeOf(() => fs.rename(fs.root, 'f', b, 'x'))).toBe('ENOENT');
  });

  it('keeps a removed file as long as it is retained, over a death too', () => {
    const keeper = new MemoryKeeper();
    const fs = make(keeper);
    const free = fs.information();
    const file = fs.create(fs.root, 'f', 0o644);
    fs.write(file, 0, Buffer.alloc(50_000, 7));
    fs.retain(file);
    fs.unlink(fs.root, 'f');
    fs.commit();
    const again = make(new MemoryKeeper(keeper.values));
    again.restoreRetained([file]);
    expect(again.read(file, 49_999, 10)).toEqual(Buffer.from([7]));
    again.release(file);
    expect(codeOf(() => again.attributes(file))).toBe('ENOENT');
    expect(again.information()).toEqual(free);
    const nobody = make(new MemoryKeeper(keeper.values));
    nobody.restoreRetained([]);
    nobody.commit();
    expect(nobody.information()).toEqual(free);
  });

  it('lists each entry once while others come and go', () => {
    const fs = make();
    for (let i = 0; i < 40; i++) fs.create(fs.root, `stays ${i}`, 0o644);
    const seen: string[] = [];
    for (let cursor: string | null = '', round = 0; cursor !== null; round++) {
      const part: ReturnType<FileSystem['readDirectory']> = fs.readDirectory(fs.root, cursor, 7);
      seen.push(...part.entries.map(({ name }) => name));
      cursor = part.cursor;
      fs.create(fs.root, `other ${round}`, 0o644);
      fs.rename(fs.root, `other ${round}`, fs.root, 'stays 3');
      fs.create(fs.root, `gone ${round}`, 0o644);
      fs.unlink(fs.root, `gone ${round}`);
    }
    const stayed = seen.filter((name) => name.startsWith('stays'));
    expect([...stayed].sort()).toEqual(Array.from({ length: 40 }, (_, i) => `stays ${i}`).sort());
  });

  it('says ENOSPC when it is full, and has room again when something is removed', () => {
    const fs = make(new MemoryKeeper(), 256 * 1024, 100);
    const file = fs.create(fs.root, 'f', 0o644);
    const before = fs.information();
    expect(codeOf(() => fs.write(file, 0, Buffer.alloc(256 * 1024)))).toBe('ENOSPC');
    expect(fs.attributes(file).size).toBe(0);
    fs.write(file, 0, Buffer.alloc(200 * 1024));
    expect(codeOf(() => fs.write(file, 200 * 1024, Buffer.alloc(100 * 1024)))).toBe('ENOSPC');
    fs.truncate(file, 0);
    expect(fs.information()).toEqual(before);
    let made = 0;
    while (codeOf(() => fs.create(fs.root, `f${made}`, 0o644)) === 'none') made++;
    expect(made).toBe(98);
    expect(codeOf(() => fs.makeSymlink(fs.root, 'x', 'y'))).toBe('ENOSPC');
    fs.rename(fs.root, 'f1', fs.root, 'f2');
    fs.makeSymlink(fs.root, 'x', 'y');
  });

  it('remembers the requests of the newest commits', () => {
    const keeper = new MemoryKeeper();
    const fs = make(keeper);
    for (let i = 0; i < 100; i++) {
      fs.note({ sender: 7, sequence: i }, [i, 2 * i]);
      if (i % 10 === 9) fs.commit();
    }
    const again = make(new MemoryKeeper(keeper.values));
    expect(again.completed({ sender: 7, sequence: 35 })).toBeUndefined();
    expect(again.completed({ sender: 8, sequence: 99 })).toBeUndefined();
    for (let i = 36; i < 100; i++) expect(again.completed({ sender: 7, sequence: i })).toEqual([i, 2 * i]);
  });

  it('commits more than fits into one message', () => {
    const keeper = new MemoryKeeper();
    const fs = make(keeper, 16 * MEBIBYTE, 20_000);
    for (let n = 0; n < 8; n++) {
      const file = fs.create(fs.root, `${n}`, 0o644);
      for (let i = 0; i < 600; i++) fs.link(file, fs.root, `${n}-${i}-${'x'.repeat(200)}`);
    }
    fs.commit();
    for (const value of keeper.values.values()) expect(value.length).toBeLessThan(256 * 1024);
    const again = make(new MemoryKeeper(keeper.values), 16 * MEBIBYTE, 20_000);
    expect(picture(again)).toEqual(picture(fs));
    fs.create(fs.root, 'one more', 0o644);
    fs.commit();
    expect(keeper.keys().filter((key) => key.startsWith('ramfs.part'))).toEqual([]);
  });

  it('is as before or after a commit when its process dies in it, or when the store is full', () => {
    const random = new Random();
    let keeper = new MemoryKeeper();
    let fs = make(keeper);
    fs.commit();
    let deaths = 0;
    let refusals = 0;
    for (let step = 0; step < 1200; step++) {
      const before = picture(fs);
      for (let count = random.below(4); count >= 0; count--) codeOf(() => operate(fs, random));
      const after = picture(fs);
      const figures = fs.information();
      const fate = random.below(4);
      if (fate === 0) keeper.lives = random.below(8);
      if (fate === 1) keeper.capacity = keeper.bytes + random.below(20_000);
      let outcome = 'committed';
      try {
        fs.commit();
      } catch (error) {
        outcome =
          error instanceof Death
            ? 'died'
            : codeOf(() => {
                throw error;
              });
      }
      if (outcome === 'ENOSPC') {
        refusals++;
        expect(picture(fs), `seed ${random.seed}`).toEqual(before);
      } else if (outcome === 'committed') {
        expect(fs.information(), `seed ${random.seed}`).toEqual(figures);
      }
      const full = keeper.capacity;
      if (outcome === 'died' || random.below(10) === 0) {
        deaths++;
        keeper = new MemoryKeeper(keeper.values);
        keeper.capacity = full;
        fs = make(keeper);
        fs.restoreRetained([]);
        const now = picture(fs);
        if (outcome === 'committed') expect(now, `seed ${random.seed}`).toEqual(after);
        else if (outcome === 'ENOSPC') expect(now, `seed ${random.seed}`).toEqual(before);
        else expect([before, after], `seed ${random.seed}`).toContainEqual(now);
      }
      keeper.capacity = Number.POSITIVE_INFINITY;
      keeper.lives = Number.POSITIVE_INFINITY;
    }
    expect(deaths).toBeGreaterThan(100);
    expect(refusals).toBeGreaterThan(10);
    fs.commit();
    const kept = keeper.keys();
    for (const { name, type } of fs.readDirectory(fs.root, '', 1000).entries) {
      if (type === 'directory') removeTree(fs, fs.lookup(fs.root, name));
      if (type === 'directory') fs.removeDirectory(fs.root, name);
      else fs.unlink(fs.root, name);
    }
    fs.commit();
    expect(keeper.keys().sort(), `of ${kept.length} keys, seed ${random.seed}`).toEqual([
      'ramfs.commit',
      'ramfs.node.1',
    ]);
  });
});

function removeTree(fs: FileSystem, directory: number): void {
  for (const { name, node, type } of fs.readDirectory(directory, '', 1000).entries) {
    if (type !== 'directory') {
      fs.unlink(directory, name);
      continue;
    }
    removeTree(fs, node);
    fs.removeDirectory(directory, name);
  }
}

/** One random operation; what it throws is an answer like any other. */
function operate(fs: FileSystem, random: Random): void {
  const directories = [fs.root];
  const files: number[] = [];
  for (const at of directories) {
    for (const { node, type } of fs.readDirectory(at, '', 1000).entries) {
      if (type === 'directory' && directories.length < 6) directories.push(node);
      if (type === 'file') files.push(node);
    }
  }
  const directory = () => directories[random.below(directories.length)] ?? fs.root;
  const file = () => files[random.below(files.length)] ?? fs.root;
  const name = () => `name ${random.below(4)}`;
  switch (random.below(10)) {
    case 0:
      fs.create(directory(), name(), 0o644);
      break;
    case 1:
      fs.makeDirectory(directory(), name(), 0o755);
      break;
    case 2:
      fs.unlink(directory(), name());
      break;
    case 3:
      fs.removeDirectory(directory(), name());
      break;
    case 4:
      fs.rename(directory(), name(), directory(), name());
      break;
    case 5:
      fs.link(file(), directory(), name());
      break;
    case 6:
      fs.truncate(file(), random.below(60_000));
      break;
    case 7:
      fs.makeSymlink(directory(), name(), name());
      break;
    default:
      fs.write(file(), random.below(60_000), Buffer.alloc(random.below(20_000), random.below(256)));
  }
}
