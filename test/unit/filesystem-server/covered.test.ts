/**
 * Directories that other file systems are mounted on, when the service of their own file system dies or is restarted:
 * paths to them lead out, and no others do. FAT takes the places of entries for numbers, and a place can be given away.
 */
import { describe, expect, it } from 'vitest';
import { ext2 } from '../../../filesystems/ext2/index.ts';
import { fat } from '../../../filesystems/fat/index.ts';
import { vrfs } from '../../../filesystems/vrfs/index.ts';
import { SystemError } from '../../../protocol/errno.ts';
import { MemoryDevice } from '../../support/memory-device.ts';
import { at, Simulation } from './simulation.ts';

const tools = { now: () => Date.UTC(2024, 1, 28), random: (count: number) => Buffer.alloc(count, 1) };

/** A served file system in which the directory sub/b, which was a before, is covered. */
function coveredWorld(format: typeof fat): Simulation {
  const disk = new MemoryDevice(8192);
  format.format(disk, tools);
  const mount = { ...tools, readOnly: false, log: () => {} };
  const world = new Simulation({ disk, mount: ({ keeper, device }) => format.mount(device, { ...mount, keeper }) });
  for (const path of ['sub', 'a']) world.onPath('make_directory', { place: at(path), mode: 0o755 });
  world.onPath('rename', { from: at('a'), to: at('sub/b') });
  world.volume.cover(at('sub/b'), true);
  return world;
}

/** Where a path leads that is a directory. */
function leadsTo(world: Simulation, path: string): string {
  try {
    return world.onPath('resolve', { place: at(path), directory: true }).path;
  } catch (error) {
    if (error instanceof SystemError && error.code === 'EXDEV') return 'out';
    throw error;
  }
}

const formats = [fat, ext2, vrfs];

const ends = {
  died: () => {},
  'been stopped': (world: Simulation) => world.core.close(),
};

describe.each(Object.entries(ends))('a covered directory, when the service has %s', (_, end) => {
  it.each(formats)('is the same, on $name, and the next new one is another', (format) => {
    const world = coveredWorld(format);
    for (let round = 0; round < 3; round++) {
      end(world);
      world.restart();
      const made = `new${round}`;
      world.onPath('make_directory', { place: at(made), mode: 0o755 });
      expect([leadsTo(world, made), leadsTo(world, 'sub/b')], `round ${round}`).toEqual([`/mnt/disk/${made}`, 'out']);
    }
    world.volume.cover(at('sub/b'), false);
    end(world);
    world.restart();
    expect(leadsTo(world, 'sub/b')).toBe('/mnt/disk/sub/b');
  });
});

describe('a covered directory', () => {
  it.each(formats)('keeps its number on $name, and may be removed once it is uncovered', (format) => {
    const world = coveredWorld(format);
    const { core } = world;
    const number = core.lookup(core.lookup(core.root, 'sub'), 'b');
    const retained: number[] = [];
    const { retain, release } = core;
    core.retain = (node) => {
      retained.push(node);
      retain.call(core, node);
    };
    core.release = (node) => {
      retained.splice(retained.indexOf(node), 1);
      release.call(core, node);
    };
    world.volume.cover(at('sub/b'), false);
    world.volume.cover(at('sub/b'), true);
    world.volume.cover(at('sub/b'), true);
    expect(retained).toEqual([number]);
    world.volume.cover(at('sub/b'), false);
    expect(retained).toEqual([]);
    world.onPath('remove_directory', at('sub/b'));
  });

  it('is not covered when that cannot be kept', () => {
    const world = coveredWorld(fat);
    world.onPath('make_directory', { place: at('c'), mode: 0o755 });
    world.store.capacity = world.store.bytes;
    expect(() => world.volume.cover(at('c'), true)).toThrow(/^ENOSPC/);
    expect([leadsTo(world, 'c'), leadsTo(world, 'sub/b')]).toEqual(['/mnt/disk/c', 'out']);
    expect(world.volume.mountedHere).toEqual(['/mnt/disk/sub/b']);
  });
});
