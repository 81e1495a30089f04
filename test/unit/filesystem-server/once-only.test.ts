/**
 * Random requests of several clients to a file system service that dies at random moments, again and again: compared
 * with one that never dies. Every request is answered the same, the trees are the same after every round, and so are
 * the open files.
 */
import { describe, expect, it } from 'vitest';
import { ext2 } from '../../../filesystems/ext2/index.ts';
import { fat } from '../../../filesystems/fat/index.ts';
import type { Format } from '../../../filesystems/file-system.ts';
import { vrfs } from '../../../filesystems/vrfs/index.ts';
import { openFlags } from '../../../protocol/vfs.ts';
import type { Volume } from '../../../services/lib/filesystem/index.ts';
import { MemoryDevice } from '../../support/memory-device.ts';
import { Random } from '../../support/random.ts';
import { answerOf, at, type Mount, type Pending, Simulation } from './simulation.ts';

const { READ, WRITE, CREATE, EXCLUSIVE, TRUNCATE, APPEND } = openFlags;

/** Short names, so that clients get into each other's way. */
const NAMES = ['a', 'b', 'c', 'd'] as const;
const CLIENTS = 4;
const MAX_DEATHS = 12;

/** Runs that have found something: an `open` that cuts off came again when others had written. */
const FOUND = [3738204393];

type Send = (world: Simulation, badges: readonly number[]) => Pending;

function randomPath(random: Random): string {
  const names = Array.from({ length: 1 + random.below(3) }, () => random.pick(NAMES));
  return names.join('/');
}

/** One request of a client. It is told which files the client has open, which have the same order in both worlds. */
function randomRequest(random: Random, sender: number): Send {
  const path = randomPath(random);
  const other = randomPath(random);
  const text = Buffer.from(`${sender}`.repeat(1 + random.below(4)));
  const offset = random.below(3) === 0 ? random.below(20) : null;
  const which = random.below(1000);
  const flags = random.pick([0, 0, EXCLUSIVE, TRUNCATE, APPEND]);
  const onFile = (send: (world: Simulation, badge: number) => Pending): Send => {
    return (world, badges) => send(world, badges[which % Math.max(badges.length, 1)] ?? 1);
  };
  return random.pick<Send>([
    (world) => world.sendPath('open', { place: at(path), flags: READ | WRITE | CREATE | flags, mode: 0o644 }, sender),
    (world) => world.sendPath('open', { place: at(path), flags: READ | WRITE | CREATE | flags, mode: 0o644 }, sender),
    onFile((world, badge) => world.sendFile(badge, 'write', { offset, data: text }, sender)),
    onFile((world, badge) => world.sendFile(badge, 'write', { offset, data: text }, sender)),
    onFile((world, badge) => world.sendFile(badge, 'truncate', which % 10, sender)),
    onFile((world, badge) => world.sendFile(badge, 'sync', undefined, sender)),
    (world) => world.sendPath('make_directory', { place: at(path), mode: 0o755 }, sender),
    (world) => world.sendPath('remove_directory', at(path), sender),
    (world) => world.sendPath('unlink', at(path), sender),
    (world) => world.sendPath('rename', { from: at(path), to: at(other) }, sender),
    (world) => world.sendPath('link', { from: at(path), to: at(other) }, sender),
    (world) => world.sendPath('make_symlink', { place: at(path), target: other }, sender),
    (world) => world.sendPath('truncate', { place: at(path), size: which % 10 }, sender),
  ]);
}

/**
 * What an answer says that must not depend on how often the process died: all but badges, and the size at the moment of
 * opening.
 */
function essence(pending: Pending): unknown {
  const { outcome } = pending;
  if (outcome !== null && 'error' in outcome) return outcome.error.code;
  const value = answerOf(pending);
  return typeof value === 'object' && value !== null && 'file' in value ? 'opened' : value;
}

/** Every name with what stands behind it. */
function tree({ core }: Simulation, directory = core.root, path = ''): string[] {
  const { entries } = core.readDirectory(directory, '', 1024);
  return entries
    .map(({ name, node, type }) => ({ name: `${path}/${name}`, node, type }))
    .sort((one, two) => (one.name < two.name ? -1 : 1))
    .flatMap(({ name, node, type }) => {
      const { mode, links } = core.attributes(node);
      if (type === 'directory') return [`${name} ${mode} ${links}`, ...tree({ core } as Simulation, node, name)];
      const content = type === 'symlink' ? core.readLink(node) : Buffer.from(core.read(node, 0, 1000)).toString();
      return [`${name} ${type} ${mode} ${links} ${content}`];
    });
}

/** What is read from each open file, in the order of opening. */
function contents(world: Simulation, badges: readonly number[]): string[] {
  return badges.map((badge) => {
    const pending = world.sendFile(badge, 'read', { offset: 0, count: 1000 });
    world.settle();
    return Buffer.from(answerOf(pending) as Uint8Array).toString();
  });
}

interface Pair {
  readonly mortal: Simulation;
  readonly immortal: Simulation;
}

/** Runs `rounds` rounds, in each of which every client sends one request. Answers the deaths. */
function run(seed: number, rounds: number, make: () => Simulation): number {
  const random = new Random(seed);
  const pair: Pair = { mortal: make(), immortal: make() };
  const badges = { mortal: [] as number[], immortal: [] as number[] };
  for (let round = 0; round < rounds; round++) {
    const where = `seed ${seed}, round ${round}`;
    const requests = Array.from({ length: CLIENTS }, (_, client) => randomRequest(random, client + 1));
    let deaths = 0;
    const fate = (): { effects: number; happens: boolean } => {
      const dies = deaths++ < MAX_DEATHS && random.below(3) > 0;
      return { effects: dies ? random.below(14) : Number.POSITIVE_INFINITY, happens: random.below(2) === 0 };
    };
    pair.mortal.fate = fate();
    pair.mortal.nextFate = fate;
    const sent = (['mortal', 'immortal'] as const).map((kind) => {
      const pendings = requests.map((send) => send(pair[kind], badges[kind]));
      pair[kind].settle();
      badges[kind].push(
        ...pendings.flatMap((pending) =>
          essence(pending) === 'opened' ? [(answerOf(pending) as { file: number }).file] : [],
        ),
      );
      return pendings;
    });
    const [one = [], other = []] = sent;
    expect(one.map(essence), where).toEqual(other.map(essence));
    expect(tree(pair.mortal), where).toEqual(tree(pair.immortal));
    expect(contents(pair.mortal, badges.mortal), where).toEqual(contents(pair.immortal, badges.immortal));
    expect(pair.mortal.volume.files.size, where).toBe(badges.mortal.length);
    if (badges.mortal.length > 6) {
      for (const kind of ['mortal', 'immortal'] as const)
        for (const badge of badges[kind].splice(0, 4)) pair[kind].close(badge);
      for (const world of Object.values(pair)) world.settle();
      expect(pair.mortal.volume.files.size, where).toBe(badges.mortal.length);
      expect(pair.mortal.rights, where).toBe(badges.mortal.length);
    }
  }
  return pair.mortal.deaths;
}

/** A service of one of the formats, on an empty disk. */
function onFormat(format: Format, sectors: number): Simulation {
  const disk = new MemoryDevice(sectors);
  let randomByte = 0;
  const random = (count: number): Uint8Array => Buffer.alloc(count, ++randomByte);
  const now = (): number => 0;
  format.format(disk, { now, random });
  const log = (): void => {};
  const mount: Mount = ({ keeper, device }) => format.mount(device, { readOnly: false, now, random, keeper, log });
  return new Simulation({ mount, disk });
}

/** Kinds of services, with the runs and rounds that are worth their time. */
const subjects: readonly (readonly [name: string, make: () => Simulation, runs: number, rounds: number])[] = [
  ['ramfs', () => new Simulation(), 10, 40],
  ['FAT', () => onFormat(fat, 4096), 4, 40],
  ['VRFS', () => onFormat(vrfs, 4096), 4, 40],
  ['ext2', () => onFormat(ext2, 4096), 4, 40],
];

describe('a file system service that dies again and again', () => {
  for (const [name, make, runs, rounds] of subjects) {
    it(`does on ${name} what one does that never dies`, { timeout: 60_000 }, () => {
      const { seed } = new Random();
      for (const found of FOUND) run(found, rounds, make);
      const wanted = (runs * rounds) / 2;
      let deaths = 0;
      // Chance may have it live long: then it has to go on.
      for (let index = 0; index < runs || (deaths <= wanted && index < 2 * runs); index++)
        deaths += run(seed + index, rounds, make);
      expect(deaths).toBeGreaterThan(wanted);
    });
  }

  it('is found out when it does not look up what it has done', () => {
    class Forgetful extends Simulation {
      protected override start(): Volume {
        const volume = super.start();
        volume.core.completed = () => undefined;
        return volume;
      }
    }
    const { seed } = new Random();
    expect(() => {
      for (let index = 0; index < 10; index++) run(seed + index, 40, () => new Forgetful());
    }).toThrow(/seed/);
  });
});
