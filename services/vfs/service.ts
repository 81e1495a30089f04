/**
 * The service as a whole: what it is made of, what it does with requests and notices, and what it takes up when an
 * earlier incarnation has died.
 */
import type { Keeper } from '../../filesystems/block-device.ts';
import { formats } from '../../filesystems/formats.ts';
import { SystemError } from '../../protocol/errno.ts';
import type { Handlers } from '../../protocol/interface.ts';
import type { Handle } from '../../protocol/schema.ts';
import type { MountRow } from '../../protocol/vfs.ts';
import { Batch, Clock, fileHandlers, partOf, pathHandlers } from '../lib/filesystem/index.ts';
import {
  type file,
  interruptList,
  ipcDuplicate,
  ipcInfo,
  ipcMint,
  ipcRelease,
  isTaskAlive,
  log,
  memoryInformation,
  type RequestContext,
  random,
  taskCapabilities,
  taskList,
  uptime,
  type vfs,
} from '../lib/index.ts';
import { badgeKind, kindOf } from './badges.ts';
import { BOOT_DIRECTORY, mountAtBoot } from './boot-mount.ts';
import { DeviceOpener } from './device-opener.ts';
import { Gate, type HeldPlace, type Mount, rowOf } from './mount.ts';
import { MountRecords } from './mount-records.ts';
import { absolutePath, MountTable } from './mount-table.ts';
import { Mounts, type MountWorld } from './mounts.ts';
import { NameSpace } from './name-space.ts';
import { performOnOpen } from './open-files.ts';
import { Outside } from './outside.ts';
import { Pipes } from './pipes.ts';
import { procMount } from './proc-opener.ts';
import { Sessions } from './sessions.ts';
import { Volumes } from './volumes.ts';
import { answerLater, start } from './work.ts';

const SESSION_PREFIX = 'session.';
const PIPE_PREFIX = 'pipe.';

/** Most random bytes of one system call. */
const RANDOM_BYTES = 65536;

/** See the head of this file. */
export class NameSpaceService {
  readonly batch = new Batch();
  private readonly clock = new Clock();
  private readonly outside = new Outside();
  private readonly table = new MountTable<Mount>();
  private readonly records: MountRecords;
  private readonly sessions: Sessions;
  private readonly pipes: Pipes;
  private readonly volumes: Volumes;
  private readonly names: NameSpace;
  private readonly opener: DeviceOpener;
  private readonly mounts: Mounts;
  private readonly world: MountWorld;

  /** Takes up what an earlier incarnation kept. */
  constructor(keeper: Keeper) {
    const { batch, clock, outside, table } = this;
    const mint = (badge: number): Handle => ipcMint(outside.own, badge);
    const kept = keptStates(partOf(keeper, 'vfs.'));
    this.records = new MountRecords(kept.keeper);
    this.sessions = new Sessions(kept.part(SESSION_PREFIX));
    this.sessions.restore(kept.states(SESSION_PREFIX));
    this.pipes = new Pipes({ ...kept.part(PIPE_PREFIX), waits: isTaskAlive });
    for (const state of kept.states(PIPE_PREFIX)) this.pipes.restore(state);
    const source = {
      ...{ uptime, memory: memoryInformation, tasks: taskList, ports: ipcInfo, interrupts: interruptList },
      capabilities: taskCapabilities,
      mounts: (): MountRow[] => table.all.flatMap((mount) => rowOf(mount) ?? []),
    };
    this.volumes = new Volumes({ keeper, now: () => clock.now(), mint, release: ipcRelease }, source, batch);
    const { rootVolume, procVolume, devVolume, proc, devices } = this.volumes;
    this.opener = new DeviceOpener(
      {
        ...{ outside, mint, duplicate: ipcDuplicate, release: ipcRelease, isAlive: isTaskAlive },
        isMounted: (device) => this.mounts.isMounted(device),
      },
      devices,
    );
    table.add({ kind: 'memory', path: '/', volume: rootVolume });
    table.add(procMount(procVolume, proc, batch));
    table.add(this.opener.mount(devVolume));
    this.names = new NameSpace(table, batch, {
      rightOf: (mount) => this.mounts.rightOf(mount),
      resolve: (server, request) => outside.resolveThere(server, request),
      attributes: (server, request) => outside.attributesThere(server, request),
      cover: (server, request) => outside.coverThere(server, request),
    });
    this.world = this.mountWorld();
    this.mounts = new Mounts(this.world, table, this.records, formats);
  }

  private mountWorld(): MountWorld {
    const { outside, names } = this;
    return {
      disks: () => outside.disks(),
      device: (name) => outside.device(name),
      startService: (name) => outside.startService(name),
      stopService: (name) => outside.stopService(name),
      findService: (name) => outside.findService(name),
      findServiceNow: (name) => outside.findServiceNow(name),
      release: ipcRelease,
      attach: (server, request) => outside.attach(server, request),
      ask: (server, request) => outside.ask(server, request),
      detach: (server) => outside.detach(server),
      sync: (server) => outside.sync(server),
      flushDisks: () => outside.flushDisks(),
      resolve: (path) => names.resolve(path),
      cover: (path, covered) => names.cover(path, covered),
      whoIsIn: (path) => this.whoIsIn(path),
      log,
    };
  }

  private whoIsIn(path: string): string {
    const tasks = new Map(taskList().map(({ pid, name }) => [pid, name]));
    const owners = this.sessions.ownersInside(path).map((pid) => `${tasks.get(pid) ?? 'a task'}[${pid}]`);
    return owners.slice(0, 3).join(', ');
  }

  /** The port is there: calls to others can begin. */
  ready(port: Handle): void {
    this.outside.own = port;
    if (!this.records.bootIsDone) this.boot();
  }

  private boot(): void {
    const held: HeldPlace = { kind: 'held', path: BOOT_DIRECTORY, gate: new Gate(true) };
    this.table.add(held);
    start(mountAtBoot(this.world, this.mounts, formats), () => {
      if (this.table.at(BOOT_DIRECTORY) === held) this.table.remove(held);
      this.records.setBootIsDone();
      held.gate.open();
    });
  }

  /** Everything that an earlier incarnation owed has come again. */
  settled(): void {
    for (const volume of this.volumes.all) volume.settle();
    this.pipes.settled();
    this.mounts.settled();
    // Rights that never reached anybody are told as gone now: the kernel says so when the only one is given up.
    for (const badge of [...this.sessions.badges, ...this.pipes.badges]) ipcRelease(ipcMint(this.outside.own, badge));
  }

  /** Nobody has a right with this badge any more. */
  noSenders(badge: number): void {
    this.clock.expire();
    const kind = kindOf(badge);
    if (kind === badgeKind.SESSION) this.sessions.noSenders(badge);
    else if (kind === badgeKind.PIPE) this.pipes.noSenders(badge);
    const volume = this.volumes.ofKind(kind);
    if (volume?.close(badge) === true) this.batch.touch(volume.core);
  }

  /** Handlers of the interface `file`. */
  readonly fileHandlers: Handlers<typeof file.methods, RequestContext> = fileHandlers((name, request, context) => {
    this.clock.expire();
    const { batch, volumes, pipes, clock } = this;
    const things = { batch, volumes, pipes, now: () => clock.now(), random: randomBytes };
    return performOnOpen(things, name, request, context);
  });

  /** Handlers of the interface `vfs`. */
  readonly handlers: Handlers<typeof vfs.methods, RequestContext> = {
    ...pathHandlers((name, request, context) => {
      this.clock.expire();
      return this.names.perform(name, request, this.sessions.directoryOf(context.badge), context);
    }),
    session: ({ directory }, { sender }) => {
      checkAbsolute(directory);
      return { session: this.sessions.create(directory, sender, (badge) => ipcMint(this.outside.own, badge)) };
    },
    directory: (_request, { badge }) => this.sessions.directoryOf(badge),
    set_directory: (directory, { badge, sender }) => {
      checkAbsolute(directory);
      this.sessions.setDirectory(badge, directory, sender);
    },
    mount: (request, context) => {
      const path = this.absolute(request.path, context);
      return answerLater(context, this.mounts.mount({ ...request, path }, context));
    },
    unmount: ({ path }, context) => answerLater(context, this.mounts.unmount(this.absolute(path, context), context)),
    mounts: (_request, context) => answerLater(context, this.mounts.rows()),
    sync: (_request, context) => answerLater(context, this.mounts.sync()),
    register: ({ name, type, device }, context) => this.opener.register(name, type, device, context),
    pipe: () => this.pipes.create((badge) => ipcMint(this.outside.own, badge)),
  };

  private absolute(path: string, { badge }: RequestContext): string {
    return absolutePath(path, this.sessions.directoryOf(badge));
  }
}

function checkAbsolute(path: string): void {
  if (!path.startsWith('/')) throw new SystemError('EINVAL', 'a working directory is an absolute path');
}

function randomBytes(count: number): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (let left = count; left > 0; left -= RANDOM_BYTES) pieces.push(random(Math.min(left, RANDOM_BYTES)));
  return Buffer.concat(pieces);
}

/** What is kept of things with slots: a value each, under a prefix and the number of the slot. */
function keptStates(keeper: Keeper) {
  const keys = keeper.keys();
  return {
    keeper,
    states: (prefix: string): unknown[] => keys.filter((key) => key.startsWith(prefix)).map((key) => keeper.get(key)),
    part: (prefix: string) => ({
      save: (slot: number, state: unknown): void => keeper.put(`${prefix}${slot}`, state),
      forget: (slot: number): void => keeper.delete(`${prefix}${slot}`),
    }),
  };
}
