/**
 * Mounting and unmounting against services in miniature: errors at each step, and deaths of vfs at each thing it does.
 */
import { describe, expect, it } from 'vitest';
import type { Format } from '../../../filesystems/file-system.ts';
import { SystemError } from '../../../protocol/errno.ts';
import type { Handle } from '../../../protocol/schema.ts';
import type { Outcome } from '../../../services/lib/index.ts';
import { mountAtBoot } from '../../../services/vfs/boot-mount.ts';
import type { Mount } from '../../../services/vfs/mount.ts';
import { MountRecords } from '../../../services/vfs/mount-records.ts';
import { MountTable } from '../../../services/vfs/mount-table.ts';
import { type Disk, Mounts, type MountWorld, overlap } from '../../../services/vfs/mounts.ts';
import type { SlowDevice } from '../../../services/vfs/probe.ts';
import { start, type Work, wait } from '../../../services/vfs/work.ts';
import { Death, MemoryKeeper } from '../../support/memory-keeper.ts';

const figures = {
  ...{ type: 'vrfs', label: '', readOnly: false },
  ...{ blockBytes: 4096, blocks: 10, freeBlocks: 5, nodes: 0, freeNodes: 0 },
};

/** Formats that are recognised by the first byte of the device. */
const format = (name: string, mark: number): Format =>
  ({
    name,
    probe: (device: { read(sector: number, count: number): Uint8Array }) => device.read(0, 1)[0] === mark,
  }) as never;
const formats = [format('vrfs', 1), format('fat', 2)];

const disk = (name: string, kind: string, mark: number): Disk & { mark: number } => {
  return { name, kind, sectors: 1000, readOnly: false, mark };
};

/** The world of a vfs: what survives it. */
class World {
  readonly keeper = new MemoryKeeper();
  readonly disks = [disk('hda', 'disk', 0), disk('hda1', '83', 2), disk('hdb', 'disk', 0), disk('hdb1', '7f', 1)];
  readonly running = new Set<string>();
  readonly attached = new Map<string, string>();
  readonly covered = new Set<string>();
  readonly log: string[] = [];
  /** What has been synced, in that order. */
  readonly synced: string[] = [];
  /** Errors that services answer, by what is asked. */
  readonly errors = new Map<string, SystemError>();
  inside = '';
  /** What is answered only when `answer` is called. */
  slow: (what: string) => boolean = () => false;
  private readonly answers: (() => void)[] = [];
  steps = 0;
  lives = Number.POSITIVE_INFINITY;
  table = new MountTable<Mount>();
  mounts: Mounts;

  constructor() {
    this.mounts = this.incarnation();
  }

  /** Something that is done outside of vfs, and may be the last. */
  private *step<R>(what: string, act: () => R): Work<R> {
    this.steps++;
    if (this.lives-- <= 0) throw new Death('dead');
    const error = this.errors.get(what);
    return yield* wait<R>((done) => {
      const answer = (): void => done(error === undefined ? { ok: true, value: act() } : { ok: false, error });
      if (this.slow(what)) this.answers.push(answer);
      else answer();
    });
  }

  /** Everything that waits is answered, in the order in which it was asked. */
  answer(): void {
    for (let next = this.answers.shift(); next !== undefined; next = this.answers.shift()) next();
  }

  readonly world: MountWorld = {
    disks: () => this.step('disks', () => this.disks),
    device: (name) => this.step(`device ${name}`, () => this.device(name)),
    startService: (name) => this.step(`start ${name}`, () => void this.running.add(name)),
    stopService: (name) =>
      this.step(`stop ${name}`, () => {
        this.running.delete(name);
      }),
    findService: (name) => this.step(`find ${name}`, () => this.handleOf(name)),
    findServiceNow: (name) => (this.running.has(name) ? this.handleOf(name) : null),
    release: (server) => {
      if (!this.rights.delete(server)) throw new Error('let go twice');
    },
    attach: (server, { device, readOnly }) =>
      this.step(`attach ${readOnly ? 'read-only' : 'read-write'}`, () => {
        this.attached.set(this.nameOf(server), device);
        return { figures: { ...figures, readOnly }, state: '' };
      }),
    ask: () => this.step('ask', () => ({ figures, state: 'fine' })),
    detach: (server) =>
      this.step('detach', () => {
        this.attached.delete(this.nameOf(server));
      }),
    sync: (server) => this.step(`sync ${this.nameOf(server)}`, () => void this.synced.push(this.nameOf(server))),
    flushDisks: () => this.step('flush', () => void this.synced.push('disks')),
    resolve: (path) => this.step(`resolve ${path}`, () => path.replace(/^\/link/, '/mnt')),
    cover: (path, covered) =>
      this.step(`cover ${covered}`, () => {
        if (covered) this.covered.add(path);
        else this.covered.delete(path);
      }),
    whoIsIn: () => this.inside,
    log: (text) => this.log.push(text),
  };

  private readonly names: string[] = [];
  /** Rights to ports of services that this incarnation has. */
  readonly rights = new Set<Handle>();

  private handleOf(name: string): Handle {
    const handle = this.names.push(name) as Handle;
    this.rights.add(handle);
    return handle;
  }

  private nameOf(handle: Handle): string {
    if (!this.rights.has(handle)) throw new Error('a right that was let go');
    return this.names[handle - 1] ?? '';
  }

  private device(name: string): SlowDevice {
    const found = this.disks.find((candidate) => candidate.name === name);
    const bytes = (count: number): Uint8Array => new Uint8Array(count * 512).fill(found?.mark ?? 0, 0, 1);
    return {
      sectors: 1000,
      read: (_sector, count) => (done) => done({ ok: true, value: bytes(count) }),
      close: () => {},
    };
  }

  private incarnation(): Mounts {
    this.rights.clear();
    this.table = new MountTable<Mount>();
    this.table.add({
      kind: 'memory',
      path: '/',
      volume: { core: { information: () => ({ type: 'ramfs', readOnly: false }) } } as never,
    });
    return new Mounts(this.world, this.table, new MountRecords(this.keeper), formats);
  }

  restart(): void {
    this.answers.length = 0;
    this.lives = Number.POSITIVE_INFINITY;
    this.keeper.lives = Number.POSITIVE_INFINITY;
    this.mounts = this.incarnation();
  }

  run<R>(work: Work<R>): Outcome<R> {
    let ended: Outcome<R> | undefined;
    start(work, (outcome) => {
      ended = outcome;
    });
    if (ended === undefined) throw new Error('the work has not ended');
    return ended;
  }

  mount(device: string, path: string, { type = '', readOnly = false, sequence = 1 } = {}): string {
    return textOf(this.run(this.mounts.mount({ device, path, type, readOnly }, { sender: 7, sequence })));
  }

  unmount(path: string, sequence = 2): string {
    return textOf(this.run(this.mounts.unmount(path, { sender: 7, sequence })));
  }

  /** Everything that tells whether something is mounted. */
  get state(): unknown {
    return {
      table: this.table.all.filter(({ kind }) => kind === 'disk').map(({ path }) => path),
      open: this.table.all.every((mount) => mount.kind === 'memory' || !mount.gate.closed),
      ...{ running: [...this.running], attached: [...this.attached], covered: [...this.covered] },
      kept: this.keeper.keys().filter((key) => key.startsWith('mount.')).length,
    };
  }
}

function textOf(outcome: Outcome<unknown>): string {
  return outcome.ok ? 'ok' : outcome.error.message;
}

const NOTHING = { table: [], open: true, running: [], attached: [], covered: [], kept: 0 };
const MOUNTED = {
  ...{ table: ['/mnt'], open: true, running: ['fat@hda1'], attached: [['fat@hda1', 'hda1']] },
  ...{ covered: ['/mnt'], kept: 1 },
};

describe('mounting', () => {
  it('finds the type out, starts a service, attaches, and covers the directory', () => {
    const world = new World();
    expect(world.mount('hda1', '/link')).toBe('ok');
    expect(world.state).toEqual(MOUNTED);
    expect(world.mounts.isMounted('hda')).toBe(true);
    expect(world.mounts.isMounted('hdb1')).toBe(false);
    const rows = world.run(world.mounts.rows());
    expect(rows).toMatchObject({ ok: true, value: [{ path: '/' }, { path: '/mnt', device: 'hda1', state: 'fine' }] });
  });

  it('says what is wrong', () => {
    const world = new World();
    expect(world.mount('hdc', '/mnt')).toBe('ENODEV: there is no disk or partition hdc');
    expect(world.mount('hda', '/mnt')).toMatch(/^EINVAL: hda holds no file system of a known type/);
    expect(world.mount('hda1', '/mnt', { type: 'ext9' })).toMatch(/^EINVAL: there is no type ext9: vrfs, fat/);
    world.mount('hda1', '/mnt');
    expect(world.mount('hda1', '/x', { sequence: 3 })).toBe('EBUSY: hda1 is mounted on /mnt');
    expect(world.mount('hda', '/x', { sequence: 3, type: 'fat' })).toBe('EBUSY: hda1 is mounted on /mnt');
    expect(world.mount('hdb1', '/mnt', { sequence: 3 })).toBe('EBUSY: a file system is mounted on /mnt already');
    expect(world.state).toEqual(MOUNTED);
  });

  it('leaves nothing behind when a step fails', () => {
    const failing = [
      'disks',
      'device hda1',
      'start fat@hda1',
      'find fat@hda1',
      'attach read-write',
      'cover true',
      'resolve /mnt',
    ];
    for (const what of failing) {
      const world = new World();
      world.errors.set(what, new SystemError('EIO', what));
      expect(world.mount('hda1', '/mnt'), what).toBe(`EIO: ${what}`);
      expect(world.state, what).toEqual(NOTHING);
      expect([...world.rights], what).toEqual([]);
    }
  });

  it('is done once, wherever vfs dies, when the request comes again', () => {
    const steps = new World();
    steps.mount('hda1', '/mnt');
    for (const kind of ['steps', 'keeper'] as const) {
      for (let lives = 0; lives < 20; lives++) {
        const world = new World();
        if (kind === 'steps') world.lives = lives;
        else world.keeper.lives = lives;
        let died = false;
        try {
          world.mount('hda1', '/mnt');
        } catch (error) {
          if (!(error instanceof Death)) throw error;
          died = true;
        }
        if (died) world.restart();
        expect(world.mount('hda1', '/mnt'), `${kind} ${lives}`).toBe('ok');
        world.mounts.settled();
        expect(world.state, `${kind} ${lives}`).toEqual(MOUNTED);
      }
    }
  });

  it('is not undone while the request that came again waits for an answer', () => {
    for (let lives = 0; lives < 12; lives++) {
      const world = diedMounting(lives);
      world.slow = () => true;
      const answers: Outcome<unknown>[] = [];
      const request = { device: 'hda1', path: '/mnt', type: '', readOnly: false };
      start(world.mounts.mount(request, { sender: 7, sequence: 1 }), (outcome) => answers.push(outcome));
      world.mounts.settled();
      world.answer();
      expect(answers.map(textOf), `${lives} lives`).toEqual(['ok']);
      expect(world.state, `${lives} lives`).toEqual(MOUNTED);
      expect(world.mounts.isMounted('hda1'), `${lives} lives`).toBe(true);
    }
  });

  it('is undone, wherever vfs dies, when nobody asks again', () => {
    for (let lives = 0; lives < 12; lives++) {
      const world = diedMounting(lives);
      world.mounts.settled();
      expect([NOTHING, MOUNTED], `${lives} lives`).toContainEqual(world.state);
    }
  });
});

/** vfs, started again after it has died, or not, so many steps into a mount. */
function diedMounting(lives: number): World {
  const world = new World();
  world.lives = lives;
  try {
    world.mount('hda1', '/mnt');
  } catch (error) {
    if (!(error instanceof Death)) throw error;
  }
  world.restart();
  return world;
}

describe('unmounting', () => {
  it('detaches, uncovers and stops', () => {
    const world = new World();
    world.mount('hda1', '/mnt');
    expect(world.unmount('/mnt/')).toBe('ok');
    expect(world.state).toEqual(NOTHING);
    expect([...world.rights]).toEqual([]);
    expect(world.unmount('/mnt', 5)).toBe('EINVAL: nothing is mounted on /mnt');
    expect(world.unmount('/', 5)).toBe('EBUSY: / is a part of the system');
  });

  it('says who is busy', () => {
    const world = new World();
    world.mount('hda1', '/mnt');
    world.mount('hdb1', '/mnt/deep', { sequence: 3 });
    expect(world.unmount('/mnt')).toBe('EBUSY: a file system is mounted on /mnt/deep');
    world.unmount('/mnt/deep', 4);
    world.inside = 'shell[4]';
    expect(world.unmount('/mnt')).toBe('EBUSY: working directory of shell[4]');
    world.inside = '';
    world.errors.set('detach', new SystemError('EBUSY', 'open: f by shell[4]'));
    expect(world.unmount('/mnt')).toBe('EBUSY: open: f by shell[4]');
    expect(world.state).toEqual(MOUNTED);
  });

  it('gets rid of a file system whose service is gone for good', () => {
    const world = new World();
    world.mount('hda1', '/mnt');
    world.running.clear();
    world.attached.clear();
    expect(world.unmount('/mnt')).toBe('ok');
    expect(world.state).toEqual(NOTHING);
  });

  it('is done once, wherever vfs dies', () => {
    for (const again of [true, false]) {
      for (let lives = 0; lives < 16; lives++) {
        const world = new World();
        world.mount('hda1', '/mnt');
        world.keeper.lives = lives < 8 ? lives : Number.POSITIVE_INFINITY;
        world.lives = lives < 8 ? Number.POSITIVE_INFINITY : lives - 8;
        let died = false;
        try {
          world.unmount('/mnt');
        } catch (error) {
          if (!(error instanceof Death)) throw error;
          died = true;
        }
        if (died) world.restart();
        if (again) expect(world.unmount('/mnt'), `${lives} lives`).toBe('ok');
        world.mounts.settled();
        if (again) expect(world.state, `${lives} lives`).toEqual(NOTHING);
        else expect([NOTHING, MOUNTED], `${lives} lives`).toContainEqual(world.state);
      }
    }
  });
});

describe('syncing', () => {
  const twoMounts = (): World => {
    const world = new World();
    world.mount('hda1', '/mnt');
    world.mount('hdb1', '/other', { sequence: 3 });
    return world;
  };

  it('comes to all file systems, then to the disks, and says the first error', () => {
    const world = twoMounts();
    expect(textOf(world.run(world.mounts.sync()))).toBe('ok');
    expect(world.synced).toEqual(['fat@hda1', 'vrfs@hdb1', 'disks']);
    world.errors.set('sync fat@hda1', new SystemError('EIO', 'the disk is broken'));
    world.errors.set('flush', new SystemError('EIO', 'so is the other'));
    expect(textOf(world.run(world.mounts.sync()))).toBe('EIO: the disk is broken');
    expect(world.synced.slice(3)).toEqual(['vrfs@hdb1']);
  });

  it('says which service is not running', () => {
    const world = twoMounts();
    world.running.delete('vrfs@hdb1');
    world.restart();
    expect(textOf(world.run(world.mounts.sync()))).toBe('EIO: vrfs@hdb1 is not running');
    expect(world.synced).toEqual(['fat@hda1', 'disks']);
  });

  it('leaves out what is unmounted meanwhile, whether anything is mounted there again or not', () => {
    for (const again of [false, true]) {
      const world = twoMounts();
      world.slow = (what) => what === 'sync fat@hda1';
      const answers: Outcome<unknown>[] = [];
      start(world.mounts.sync(), (outcome) => answers.push(outcome));
      expect(world.unmount('/other', 4)).toBe('ok');
      if (again) expect(world.mount('hdb1', '/other', { sequence: 5 })).toBe('ok');
      world.answer();
      expect(answers.map(textOf)).toEqual(['ok']);
      expect(world.synced).toEqual(['fat@hda1', 'disks']);
      expect(world.rights.size, 'no right is left behind').toBe(again ? 2 : 1);
    }
  });
});

describe('the boot', () => {
  const boot = (world: World): Outcome<void> => world.run(mountAtBoot(world.world, world.mounts, formats));

  it('mounts the first VRFS there is', () => {
    const world = new World();
    boot(world);
    expect(world.state).toMatchObject({ table: ['/mnt'], attached: [['vrfs@hdb1', 'hdb1']] });
  });

  it('takes a partition of our own that is blank, before a VRFS on a later disk', () => {
    const world = new World();
    world.disks.splice(1, 1, disk('hda1', '7f', 0));
    boot(world);
    expect(world.state).toMatchObject({ table: ['/mnt'], attached: [['vrfs@hda1', 'hda1']] });
  });

  it('goes on to the next when the blank one is not blank after all', () => {
    const world = new World();
    world.disks.splice(1, 1, disk('hda1', '7f', 0));
    const { attach } = world.world;
    Object.assign(world.world, {
      attach: (server: Handle, request: { device: string }) => {
        if (request.device === 'hda1') throw new SystemError('EINVAL', 'not blank');
        return attach(server, request as never);
      },
    });
    boot(world);
    expect(world.state).toMatchObject({ table: ['/mnt'], attached: [['vrfs@hdb1', 'hdb1']], running: ['vrfs@hdb1'] });
  });

  it('mounts a damaged one read-only, or leaves it and says why', () => {
    const world = new World();
    world.errors.set('attach read-write', new SystemError('EUCLEAN', 'the journal is damaged'));
    boot(world);
    expect(world.state).toMatchObject({ table: ['/mnt'] });
    expect(world.log.join('\n')).toMatch(
      /hdb1: EUCLEAN: the journal is damaged[\s\S]*mounted on \/mnt: vrfs, read-only/,
    );
    const worse = new World();
    worse.errors.set('attach read-write', new SystemError('EUCLEAN', 'the journal is damaged'));
    worse.errors.set('attach read-only', new SystemError('EUCLEAN', 'so is the rest'));
    boot(worse);
    expect(worse.state).toEqual(NOTHING);
    expect(worse.log.join('\n')).toMatch(/not even read-only: EUCLEAN: so is the rest/);
  });

  it('mounts nothing where there is none, or no driver', () => {
    const world = new World();
    world.disks.splice(3, 1);
    boot(world);
    expect(world.state).toEqual(NOTHING);
    world.errors.set('disks', new SystemError('EIO', 'no driver'));
    expect(boot(world).ok).toBe(true);
    expect(world.log.at(-1)).toMatch(/nothing is mounted on \/mnt: EIO: no driver/);
  });

  it('mounts once, wherever vfs dies', () => {
    for (let lives = 0; lives < 12; lives++) {
      const world = new World();
      world.lives = lives;
      try {
        boot(world);
      } catch (error) {
        if (!(error instanceof Death)) throw error;
        world.restart();
        boot(world);
      }
      world.mounts.settled();
      expect(world.state, `${lives} lives`).toMatchObject({ table: ['/mnt'], running: ['vrfs@hdb1'], kept: 1 });
    }
  });
});

describe('devices', () => {
  it('overlap when they have sectors in common', () => {
    expect([overlap('hda', 'hda1'), overlap('hda1', 'hda'), overlap('hda1', 'hda1')]).toEqual([true, true, true]);
    expect([overlap('hda1', 'hda2'), overlap('hda', 'hdb'), overlap('hda1', 'hda10')]).toEqual([false, false, false]);
  });
});
