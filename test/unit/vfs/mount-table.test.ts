import { describe, expect, it } from 'vitest';
import { absolutePath, isInside, MountTable } from '../../../services/vfs/mount-table.ts';

function table(...paths: string[]): MountTable<{ path: string }> {
  const mounts = new MountTable<{ path: string }>();
  for (const path of paths) mounts.add({ path });
  return mounts;
}

describe('the mount table', () => {
  it('finds the owner of a path by the longest prefix of components', () => {
    const mounts = table('/', '/mnt', '/mnt/disk/inner', '/proc');
    const found = (path: string) => {
      const { mount, inner } = mounts.locate(path);
      return `${mount.path} ${inner}`;
    };
    expect(
      [
        '/',
        '/mnt',
        '/mnt/',
        '/mnt/a',
        '//mnt///a//b/',
        '/mntx/a',
        '/./mnt/./a',
        '/mnt/disk',
        '/mnt/disk/inner/x/',
        '/mnt/disk/inner',
      ].map(found),
    ).toEqual([
      '/ ',
      '/mnt ',
      '/mnt ',
      '/mnt a',
      '/mnt a//b/',
      '/ mntx/a',
      '/mnt ./a',
      '/mnt disk',
      '/mnt/disk/inner x/',
      '/mnt/disk/inner ',
    ]);
  });

  it('looks no further than the first ..', () => {
    const mounts = table('/', '/mnt');
    const found = (path: string) => {
      const { mount, inner } = mounts.locate(path);
      return `${mount.path} ${inner}`;
    };
    expect(['/a/../mnt/x', '/mnt/../proc', '/../mnt', '/mnt/a/../b'].map(found)).toEqual([
      '/ a/../mnt/x',
      '/mnt ../proc',
      '/ ../mnt',
      '/mnt a/../b',
    ]);
  });

  it('knows what is mounted below', () => {
    const mounts = table('/', '/mnt', '/mnt/a', '/mntx', '/mnt/b/c');
    expect(mounts.below('/mnt').map(({ path }) => path)).toEqual(['/mnt/a', '/mnt/b/c']);
    mounts.remove({ path: '/mnt/a' });
    expect(mounts.below('/').map(({ path }) => path)).toEqual(['/mnt', '/mntx', '/mnt/b/c']);
    expect(mounts.at('/mnt/a')).toBeUndefined();
  });
});

describe('paths', () => {
  it('begin at the working directory unless they begin with a slash', () => {
    expect([absolutePath('a', '/'), absolutePath('../a/', '/b'), absolutePath('/a', '/b')]).toEqual([
      '/a',
      '/b/../a/',
      '/a',
    ]);
    expect(() => absolutePath('', '/')).toThrow('ENOENT');
  });

  it('are inside of a directory by components', () => {
    const inside = [
      ['/a/b', '/a'],
      ['/a', '/a'],
      ['/x', '/'],
      ['/ab', '/a'],
      ['/', '/a'],
    ].map(([path, directory]) => isInside(path ?? '', directory ?? ''));
    expect(inside).toEqual([true, true, true, false, false]);
  });
});
