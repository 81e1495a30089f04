/**
 * The device of a file system service: attached, attached again after a death, made a file system on, refused, let go.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { vrfs } from '../../../filesystems/vrfs/index.ts';
import { SystemError } from '../../../protocol/errno.ts';
import type { Handle } from '../../../protocol/schema.ts';
import { openFlags } from '../../../protocol/vfs.ts';
import { Attachment, type AttachmentEffects } from '../../../services/lib/filesystem/attachment.ts';
import { MemoryDevice } from '../../support/memory-device.ts';
import { Death, MemoryKeeper } from '../../support/memory-keeper.ts';

const SECTORS = 4096;
const REQUEST = { device: 'hda', path: '/mnt', number: 3, readOnly: false, format: true };

let disks: Record<string, MemoryDevice>;
let keeper: MemoryKeeper;
let log: string[];
let closed: number;
let randomByte = 0;

const effects: AttachmentEffects = {
  openDevice: (name) => {
    const disk = disks[name];
    if (disk === undefined) throw new SystemError('ENODEV', `there is no ${name}`);
    return {
      sectors: disk.sectors,
      readOnly: disk.readOnly,
      read: (sector, count) => disk.read(sector, count),
      write: (sector, data) => disk.write(sector, data),
      flush: () => disk.flush(),
      close: () => closed++,
    };
  },
  keeper: {
    get: (key) => keeper.get(key),
    put: (key, value) => keeper.put(key, value),
    delete: (key) => keeper.delete(key),
    keys: () => keeper.keys(),
  },
  now: () => 1000,
  random: (count) => Buffer.alloc(count, ++randomByte),
  log: (text) => log.push(text),
  mint: (badge) => badge as Handle,
  release: () => {},
  taskName: (pid) => (pid === 7 ? 'shell' : undefined),
};

/** A new incarnation. */
function born(): Attachment {
  const attachment = new Attachment(vrfs, effects);
  attachment.start();
  return attachment;
}

/** One that has nothing to wait for. */
function settled(): Attachment {
  const attachment = born();
  attachment.settle();
  return attachment;
}

function errorOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof SystemError) return error.message;
    throw error;
  }
  return 'none';
}

const caller = (sender: number, retry = false) => {
  const later = (): never => expect.unreachable('nothing is answered later');
  return { sender, sequence: 1, retry, later };
};

beforeEach(() => {
  disks = { hda: new MemoryDevice(SECTORS), hdb: new MemoryDevice(SECTORS) };
  keeper = new MemoryKeeper();
  log = [];
  closed = 0;
});

describe('a device', () => {
  it('is made a file system on if it is blank, attached, and let go', () => {
    const attachment = settled();
    expect(errorOf(() => attachment.volume)).toMatch(/^ENODEV: no device is attached/);
    const { figures, state } = attachment.attach(REQUEST);
    expect(figures).toMatchObject({ type: 'vrfs', readOnly: false, blockBytes: 4096 });
    expect(state).toBe('');
    expect(log.join()).toMatch(/hda: made a file system, vrfs/);
    attachment.volume.core.create(attachment.volume.core.root, 'kept', 0o644);
    attachment.detach();
    attachment.detach();
    expect([closed, keeper.keys()]).toEqual([1, []]);
    log = [];
    attachment.attach(REQUEST);
    expect(log, 'it is not made again').toEqual([]);
    expect(attachment.volume.find({ path: 'kept', links: 0 }, true).path).toBe('kept');
  });

  it('is refused without a file system, damaged, missing, or beside another', () => {
    const attachment = settled();
    expect(errorOf(() => attachment.attach({ ...REQUEST, format: false }))).toMatch(/^(EINVAL|EUCLEAN)/);
    expect(errorOf(() => attachment.attach({ ...REQUEST, device: 'hdz' }))).toMatch(/^ENODEV/);
    disks.hda?.bytes.fill(0x55, 512, 1024);
    expect(
      errorOf(() => attachment.attach(REQUEST)),
      'what is not blank is not overwritten',
    ).toMatch(/^(EINVAL|EUCLEAN)/);
    expect(keeper.keys()).toEqual([]);
    attachment.attach({ ...REQUEST, device: 'hdb' });
    expect(errorOf(() => attachment.attach(REQUEST))).toMatch(/^EBUSY: hdb is attached/);
  });

  it('is attached again by the next incarnation, with its open files', () => {
    const first = settled();
    first.attach(REQUEST);
    const { core } = first.volume;
    const node = core.create(core.root, 'f', 0o644);
    core.commit();
    const { file } = first.volume.open(node, openFlags.READ, 'f', caller(7));
    const second = born();
    expect(second.volume.files.get(file).path).toBe('f');
    second.settle();
    expect(errorOf(() => second.detach())).toMatch(/^EBUSY: open: f by shell\[7\]/);
    expect(second.close(file)).toBe(true);
    second.detach();
  });

  it('is left clean when the service is stopped, and attached by the next incarnation', () => {
    const first = settled();
    first.attach(REQUEST);
    first.volume.core.create(first.volume.core.root, 'f', 0o644);
    first.stop();
    log = [];
    const second = settled();
    expect(second.volume.find({ path: 'f', links: 0 }, true).path).toBe('f');
    expect(log.join(), 'nothing had to be recovered').not.toMatch(/recovered/);
  });

  it('is let go of when it fails, after having been complained of', () => {
    const attachment = settled();
    attachment.attach(REQUEST);
    const { core } = attachment.volume;
    core.create(core.root, 'f', 0o644);
    if (disks.hda !== undefined) disks.hda.refuses = (kind) => kind !== 'read';
    expect(errorOf(() => attachment.detach())).toMatch(/^EIO/);
    expect(core.information().readOnlyReason).not.toBe('');
    expect(attachment.attach(REQUEST).state).not.toBe('');
    attachment.detach();
    expect(errorOf(() => attachment.volume)).toMatch(/^ENODEV/);
  });

  it('that cannot be attached again is told of, and can be attached once it works, without anything lost', () => {
    const first = settled();
    first.attach(REQUEST);
    const { core } = first.volume;
    const node = core.create(core.root, 'f', 0o644);
    core.commit();
    const { file } = first.volume.open(node, openFlags.READ, 'f', caller(7));
    if (disks.hda !== undefined) disks.hda.refuses = () => true;
    const second = settled();
    expect(errorOf(() => second.volume)).toMatch(/^EIO/);
    expect(log.join()).toMatch(/hda cannot be attached again: EIO/);
    expect(errorOf(() => second.attach(REQUEST))).toMatch(/^EIO/);
    if (disks.hda !== undefined) disks.hda.refuses = () => false;
    second.attach(REQUEST);
    expect(second.volume.files.get(file).node).toBe(node);
  });

  it('has a file system in the end, wherever the process dies while it is made', () => {
    for (let lives = 0; ; lives++) {
      disks = { hda: new MemoryDevice(SECTORS) };
      keeper = new MemoryKeeper();
      const disk = disks.hda as MemoryDevice;
      disk.lives = lives;
      let deaths = 0;
      try {
        settled().attach(REQUEST);
      } catch (error) {
        if (!(error instanceof Death)) throw error;
        deaths++;
      }
      disk.lives = Number.POSITIVE_INFINITY;
      const next = born();
      next.attach(REQUEST);
      next.settle();
      next.volume.core.create(next.volume.core.root, 'f', 0o644);
      next.detach();
      if (deaths === 0) break;
      lives += lives >> 3;
    }
  });
});
