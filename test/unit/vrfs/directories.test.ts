/** Directories of VRFS: many names, colliding hashes, listings that go on while names come and go, rename and links. */
import { describe, expect, it } from 'vitest';
import { crc32c } from '../../../filesystems/crc32c.ts';
import { Random } from '../../support/random.ts';
import { contentOf, copyOf, entriesOf, expectSound, mount, newDevice } from './support.ts';

const random = new Random();

/**
 * Names of the same hash: CRC-32C is linear, so what changes a name without changing its check can be combined with
 * anything.
 */
function collidingNames(count: number): string[] {
  const alphabet = 'abcdefghijklmnop';
  const names = new Map<number, string[]>();
  for (;;) {
    const name = Array.from({ length: 8 }, () => alphabet[random.below(alphabet.length)]).join('');
    const hash = crc32c(Buffer.from(name));
    const found = names.get(hash);
    if (found === undefined) names.set(hash, [name]);
    else if (found[0] !== name && found[0] !== undefined) {
      // Equal lengths and equal checks: either half can be followed by either half.
      const [one, two] = [found[0], name];
      let all = [''];
      while (all.length < count) all = all.flatMap((start) => [start + one, start + two]);
      return all;
    }
  }
}

describe(`directories (seed ${random.seed})`, () => {
  it('has 1,500 names of all lengths, made and removed in any order', () => {
    const device = newDevice(4096, 4000);
    const fileSystem = mount(device);
    const names = Array.from({ length: 1500 }, (_, index) => `${index}${'x'.repeat(random.below(200))}`);
    for (const [index, name] of names.entries()) {
      fileSystem.create(1, name, 0o644);
      if (index % 16 === 0) fileSystem.commit();
    }
    fileSystem.commit();
    expect(entriesOf(mount(copyOf(device)), 1).map(({ name }) => name)).toEqual([...names].sort());
    const left = new Set(names);
    for (const name of names) {
      if (random.below(10) === 0) continue;
      fileSystem.unlink(1, name);
      left.delete(name);
    }
    fileSystem.commit();
    expectSound(copyOf(device));
    expect(entriesOf(fileSystem, 1).map(({ name }) => name)).toEqual([...left].sort());
    for (const name of left) fileSystem.unlink(1, name);
    expect(fileSystem.attributes(1).allocated).toBe(0);
    fileSystem.close();
    expectSound(device);
  });

  it('finds names whose hashes collide, more than fit into a block', () => {
    const names = collidingNames(128);
    const longNames = names.map((name) => name + 'y'.repeat(100));
    expect(new Set(longNames.map((name) => crc32c(Buffer.from(name)))).size).toBe(1);
    const device = newDevice(1024, 500);
    const fileSystem = mount(device);
    const nodes = new Map(longNames.map((name) => [name, fileSystem.create(1, name, 0o644)]));
    for (const [name, node] of nodes) expect(fileSystem.lookup(1, name)).toBe(node);
    expect(entriesOf(fileSystem, 1).length).toBe(longNames.length);
    fileSystem.commit();
    expectSound(copyOf(device));
    for (const name of longNames) fileSystem.unlink(1, name);
    expect(entriesOf(fileSystem, 1)).toEqual([]);
    fileSystem.close();
    expectSound(device);
  });

  it('lists what is there all the time exactly once, over changes and a restart', () => {
    const device = newDevice(2048, 4000);
    let fileSystem = mount(device);
    const stay = Array.from({ length: 300 }, (_, index) => `stay${index}`);
    for (const name of stay) fileSystem.create(1, name, 0o644);
    const seen: string[] = [];
    let made = 0;
    for (let cursor: string | null = ''; cursor !== null; ) {
      const part = fileSystem.readDirectory(1, cursor, 7);
      seen.push(...part.entries.map(({ name }) => name).filter((name) => name.startsWith('stay')));
      cursor = part.cursor;
      for (let count = 0; count < 3; count++) fileSystem.create(1, `new${made++}`, 0o644);
      if (made > 30) fileSystem.unlink(1, `new${made - 20}`);
      fileSystem.commit();
      if (random.below(5) === 0) fileSystem = mount(device);
    }
    expect(seen.sort()).toEqual([...stay].sort());
    expect(() => fileSystem.readDirectory(1, 'nonsense', 7)).toThrow('EINVAL');
  });

  it('keeps links right over renames that replace', () => {
    const device = newDevice();
    const fileSystem = mount(device);
    const a = fileSystem.makeDirectory(1, 'a', 0o755);
    const b = fileSystem.makeDirectory(1, 'b', 0o755);
    const inner = fileSystem.makeDirectory(a, 'inner', 0o755);
    expect(() => fileSystem.rename(1, 'a', inner, 'x')).toThrow('EINVAL');
    expect(() => fileSystem.rename(1, 'b', 1, 'a')).toThrow('ENOTEMPTY');
    fileSystem.rename(a, 'inner', 1, 'b');
    expect(fileSystem.parent(inner)).toBe(1);
    expect([1, a, inner].map((node) => fileSystem.attributes(node).links)).toEqual([4, 2, 2]);
    expect(() => fileSystem.attributes(b)).toThrow('ENOENT');
    const file = fileSystem.create(a, 'file', 0o600);
    fileSystem.link(file, a, 'second');
    fileSystem.rename(a, 'file', a, 'second');
    expect(entriesOf(fileSystem, a).length).toBe(2);
    expect(() => fileSystem.link(a, 1, 'c')).toThrow('EPERM');
    const long = 't'.repeat(4096);
    fileSystem.makeSymlink(1, 'long', long);
    fileSystem.makeSymlink(1, 'short', 'x');
    fileSystem.rename(1, 'long', 1, 'short');
    expect(fileSystem.readLink(fileSystem.lookup(1, 'short'))).toBe(long);
    fileSystem.commit();
    expect(contentOf(mount(copyOf(device)))).toBe(contentOf(fileSystem));
    expectSound(device);
  });
});
