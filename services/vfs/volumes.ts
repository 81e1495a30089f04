/** The file systems that this process keeps itself: `/` in memory, `/proc`, and `/dev`. */
import type { Keeper } from '../../filesystems/block-device.ts';
import type { FileSystem } from '../../filesystems/file-system.ts';
import { ramfs } from '../../filesystems/ram/ramfs.ts';
import { SystemError } from '../../protocol/errno.ts';
import type { Handle } from '../../protocol/schema.ts';
import { type Batch, partOf, Volume } from '../lib/filesystem/index.ts';
import { badgeKind } from './badges.ts';
import { DeviceFileSystem } from './devices.ts';
import { ProcFileSystem } from './proc.ts';
import type { ProcSource } from './proc-texts.ts';

/**
 * Of the recovery store (32 MiB, 32,768 keys): for the files in `/`, and for opened files of `/proc`. The rest is for
 * what a commit needs, and for all else that is kept.
 */
const ROOT_ROOM = { bytes: 24 * 1024 * 1024, keys: 24_000 };
const PROC_ROOM = { bytes: 1024 * 1024, keys: 1000 };

/** Directories that are there from the start. */
const DIRECTORIES = ['dev', 'mnt', 'proc', 'tmp'];

/** Kept once these have been made: whoever removes one does so for good. */
const MADE_KEY = 'directories are made';

/** An earlier incarnation may have died before it had made them all, or before it had said so. */
function makeMissing(fileSystem: FileSystem, name: string, mode: number): void {
  try {
    fileSystem.makeDirectory(fileSystem.root, name, mode);
  } catch (error) {
    if (!(error instanceof SystemError) || error.code !== 'EEXIST') throw error;
  }
}

/** What the volumes stand on. */
export interface VolumeWorld {
  readonly keeper: Keeper;
  now(): number;
  mint(badge: number): Handle;
  release(right: Handle): void;
}

/** See the head of this file. */
export class Volumes {
  readonly devices: DeviceFileSystem;
  readonly proc: ProcFileSystem;
  readonly rootVolume: Volume;
  readonly procVolume: Volume;
  readonly devVolume: Volume;
  readonly all: readonly Volume[];

  constructor(world: VolumeWorld, source: ProcSource, batch: Batch) {
    const { keeper } = world;
    const now = (): number => world.now();
    const root = ramfs({ keeper, now, ...ROOT_ROOM });
    this.proc = new ProcFileSystem(source, ramfs({ keeper: partOf(keeper, 'proc.'), now, ...PROC_ROOM }), now);
    this.devices = new DeviceFileSystem(now);
    if (keeper.get(MADE_KEY) !== true) {
      for (const name of DIRECTORIES) makeMissing(root, name, name === 'tmp' ? 0o1777 : 0o755);
      root.commit();
      keeper.put(MADE_KEY, true);
    }
    const volumes = [
      { path: '/', core: root },
      { path: '/proc', core: this.proc },
      { path: '/dev', core: this.devices },
    ].map(({ path, core }, index) => {
      const settings = { mint: world.mint, release: world.release, keeper: partOf(keeper, `volume${index}.`) };
      return new Volume({ core, path, number: index + 1, badgeKind: badgeKind.VOLUME + index, ...settings });
    });
    const [rootVolume, procVolume, devVolume] = volumes as [Volume, Volume, Volume];
    this.rootVolume = rootVolume;
    this.procVolume = procVolume;
    this.devVolume = devVolume;
    this.all = volumes;
    for (const name of ['proc', 'dev']) rootVolume.cover({ path: name, links: 0 }, true);
    for (const { core } of volumes) batch.touch(core);
  }

  /** The volume that the badge of an open file belongs to. */
  ofKind(kind: number): Volume | undefined {
    return this.all[kind - badgeKind.VOLUME];
  }
}
