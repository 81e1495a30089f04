/**
 * Raw disk images: real files of every kind, what is wrong with them, order of requests, and the lock.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, open, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { DiskBackend, DiskError } from '../../../hw/disk/backend.ts';
import { DiskImageError, type DiskImageErrorCode, openDiskImage } from '../../../hw/disk/image.ts';
import { AtaHost, CONTROL, ERROR, pattern, randomNumbers, STATUS, sameBytes, UNC } from './ata-host.ts';

let folder = '';
const opened: DiskBackend[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'disk-image-'));
});

afterEach(async () => {
  for (const disk of opened.splice(0)) await disk.close();
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function imageFile(name: string, contents: Buffer): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, contents);
  return path;
}

async function attach(path: string, readOnly = false): Promise<DiskBackend> {
  const disk = await openDiskImage(path, { readOnly });
  opened.push(disk);
  return disk;
}

async function refusal(path: string, readOnly = false): Promise<DiskImageError> {
  try {
    await attach(path, readOnly);
  } catch (error) {
    if (error instanceof DiskImageError) return error;
    throw error;
  }
  throw new Error(`${path} was opened`);
}

function ended(start: (done: (error: DiskError | null) => void) => void): Promise<DiskError | null> {
  return new Promise((resolve) => start(resolve));
}

const read = (disk: DiskBackend, lba: number, target: Buffer) => ended((done) => disk.read(lba, target, done));
const write = (disk: DiskBackend, lba: number, source: Buffer) => ended((done) => disk.write(lba, source, done));
const flush = (disk: DiskBackend) => ended((done) => disk.flush(done));

describe('opening', () => {
  it('takes files from one sector on, also through a symbolic link', async () => {
    const path = await imageFile('one.img', pattern(0, 1));
    await symlink(path, join(folder, 'link.img'));
    const disk = await attach(join(folder, 'link.img'));
    expect([disk.sectors, disk.readOnly]).toEqual([1, false]);
    const data = Buffer.alloc(512);
    expect(await read(disk, 0, data)).toBe(null);
    sameBytes(data, pattern(0, 1));
  });

  it('says what is wrong with a path, and names it', async () => {
    const locked = await imageFile('read-only.img', pattern(0, 1));
    await chmod(locked, 0o444);
    await mkdir(join(folder, 'folder.img'));
    await open(join(folder, 'huge.img'), 'w').then(async (file) => {
      await file.truncate(2 ** 41 + 512);
      await file.close();
    });
    const cases: [string, DiskImageErrorCode][] = [
      [join(folder, 'nowhere.img'), 'missing'],
      [join(locked, 'below-a-file.img'), 'missing'],
      [join(folder, 'folder.img'), 'directory'],
      ['/dev/null', 'not-a-file'],
      [locked, 'read-only'],
      [await imageFile('empty.img', Buffer.alloc(0)), 'empty'],
      [await imageFile('short.img', Buffer.alloc(511)), 'truncated'],
      [await imageFile('odd.img', Buffer.alloc(1025)), 'truncated'],
      [join(folder, 'huge.img'), 'too-large'],
    ];
    for (const [path, code] of cases) {
      const error = await refusal(path);
      expect([path, error.code]).toEqual([path, code]);
      expect(error.path).toBe(path);
      expect(error.message).toContain(path);
      expect(error.message.endsWith('.')).toBe(true);
    }
    expect((await refusal(join(folder, 'folder.img'), true)).code).toBe('directory');
    const disk = await attach(locked, true);
    expect(disk.readOnly).toBe(true);
  });

  it('a read-only disk takes no write and changes nothing', async () => {
    const path = await imageFile('kept.img', pattern(0, 4));
    const disk = await attach(path, true);
    expect((await write(disk, 0, Buffer.alloc(512)))?.code).toBe('read-only');
    expect(await flush(disk)).toBe(null);
    sameBytes(await readFile(path), pattern(0, 4));
  });
});

describe('requests', () => {
  it('reach the end of a sparse image of 128 GiB and beyond', async () => {
    for (const sectors of [2 ** 28 - 1, 2 ** 28, 2 ** 28 + 100]) {
      const path = await imageFile(`sparse-${sectors}.img`, Buffer.alloc(0));
      await truncate(path, sectors * 512);
      const disk = await attach(path);
      expect(disk.sectors).toBe(sectors);
      expect(await write(disk, sectors - 3, pattern(sectors - 3, 3))).toBe(null);
      const data = Buffer.alloc(4 * 512, 1);
      expect(await read(disk, sectors - 4, data)).toBe(null);
      sameBytes(data, Buffer.concat([Buffer.alloc(512), pattern(sectors - 3, 3)]));
      expect((await read(disk, sectors - 1, Buffer.alloc(1024)))?.code).toBe('range');
      const file = await open(path);
      const last = Buffer.alloc(512);
      await file.read(last, 0, 512, (sectors - 1) * 512);
      await file.close();
      sameBytes(last, pattern(sectors - 1, 1));
    }
  });

  it('take effect in the order of issue, and end in it', async () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = randomNumbers(seed);
    const sectors = 64;
    const path = await imageFile('order.img', pattern(0, sectors));
    const disk = await attach(path);
    const model = pattern(0, sectors);
    const ends: number[] = [];
    const requests: Promise<DiskError | null>[] = [];
    const reads: { data: Buffer; expected: Buffer }[] = [];
    for (let turn = 0; turn < 800; turn++) {
      const count = 1 + random(8);
      const lba = random(3) === 0 ? (turn * 8) % 56 : random(sectors - count + 1);
      const note = (promise: Promise<DiskError | null>) => requests.push(promise.finally(() => ends.push(turn)));
      if (random(2) === 0) {
        const data = pattern(lba, count, turn);
        data.copy(model, lba * 512);
        note(write(disk, lba, data));
      } else if (random(10) === 0) note(flush(disk));
      else {
        const data = Buffer.alloc(count * 512);
        reads.push({ data, expected: Buffer.from(model.subarray(lba * 512, (lba + count) * 512)) });
        note(read(disk, lba, data));
      }
      if (random(40) === 0) await requests.at(-1);
    }
    const results = await Promise.all(requests);
    expect(
      results.every((error) => error === null),
      `seed ${seed}`,
    ).toBe(true);
    expect(ends, `seed ${seed}`).toEqual(ends.map((_, index) => index));
    for (const { data, expected } of reads) sameBytes(data, expected);
    sameBytes(await readFile(path), model);
  });

  it('are all done before the image is closed, and refused afterwards', async () => {
    const path = await imageFile('closing.img', Buffer.alloc(64 * 512));
    const disk = await openDiskImage(path);
    const writes = Array.from({ length: 64 }, (_, lba) => write(disk, lba, pattern(lba, 1)));
    await disk.close();
    expect(await Promise.all(writes)).toEqual(writes.map(() => null));
    sameBytes(await readFile(path), pattern(0, 64));
    expect((await read(disk, 0, Buffer.alloc(512)))?.code).toBe('closed');
    await disk.close();
  });

  it('fail where the file was cut off under the disk', async () => {
    const path = await imageFile('cut.img', pattern(0, 100));
    const disk = await attach(path);
    await truncate(path, 40 * 512 + 100);
    expect(await read(disk, 0, Buffer.alloc(40 * 512))).toBe(null);
    expect(await read(disk, 30, Buffer.alloc(20 * 512))).toMatchObject({ code: 'truncated', lba: 40 });
    expect(await read(disk, 60, Buffer.alloc(512))).toMatchObject({ code: 'truncated', lba: 60 });
  });

  it('become UNC at the ATA registers when the file was cut off', async () => {
    const path = await imageFile('cut-ata.img', pattern(0, 100));
    const disk = await attach(path);
    await truncate(path, 40 * 512);
    const host = new AtaHost(disk);
    const ready = async (): Promise<void> => {
      while ((host.in(CONTROL) & 0x80) !== 0) await flush(disk);
    };
    host.lba28(0x20, 30, 20);
    await ready();
    sameBytes(host.read(10), pattern(30, 10));
    expect(host.in(STATUS) & 0x01).toBe(1);
    expect(host.in(ERROR)).toBe(UNC);
    expect(host.shownLba28()).toBe(40);
  });

  it('report errors of the host by sector and go on', async () => {
    // A write to a descriptor opened for reading fails in the host: the same path as a bad medium, without one.
    const path = await imageFile('bad.img', pattern(0, 8));
    const disk = await attach(path, true);
    Object.assign(disk, { readOnly: false });
    const results = await Promise.all([0, 1, 2, 5].map((lba) => write(disk, lba, Buffer.alloc(512))));
    expect(results.map((error) => [error?.code, error?.lba])).toEqual([
      ['io', 0],
      ['io', 1],
      ['io', 2],
      ['io', 5],
    ]);
    expect(await read(disk, 0, Buffer.alloc(512))).toBe(null);
  });
});

describe('the lock', () => {
  /** A process that opens the image given, says how that went, and stays. */
  const program = `
    import { openDiskImage } from ${JSON.stringify(new URL('../../../hw/disk/image.ts', import.meta.url).pathname)};
    const [path, mode] = process.argv.slice(2);
    openDiskImage(path, { readOnly: mode === 'read' }).then(
      () => process.stdout.write('open\\n'),
      (error) => process.stdout.write(error.code + '\\n'),
    );
    process.stdin.resume();
    process.stdin.on('end', () => process.exit(0));
  `;
  let script = '';
  const children: ChildProcess[] = [];

  beforeAll(async () => {
    script = join(folder, 'opener.cjs');
    const stdin = { contents: program, resolveDir: folder, loader: 'ts' } as const;
    await build({ stdin, bundle: true, platform: 'node', format: 'cjs', outfile: script, logLevel: 'error' });
  });

  afterEach(async () => {
    for (const child of children.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  });

  async function other(path: string, mode: 'write' | 'read'): Promise<{ child: ChildProcess; answer: string }> {
    const child = spawn(process.execPath, [script, path, mode], { stdio: ['pipe', 'pipe', 'inherit'] });
    children.push(child);
    const [data] = await once(child.stdout, 'data');
    return { child, answer: String(data).trim() };
  }

  it('keeps a second machine away until the first has gone, however it went', async () => {
    const path = await imageFile('locked.img', pattern(0, 2));
    const { child, answer } = await other(path, 'write');
    expect(answer).toBe('open');
    const error = await refusal(path);
    expect(error.code).toBe('locked');
    expect(error.message).toContain(path);
    expect((await refusal(path, true)).code).toBe('locked');
    child.kill('SIGKILL');
    await once(child, 'exit');
    const disk = await attach(path);
    expect((await other(path, 'write')).answer).toBe('locked');
    await disk.close();
    expect((await other(path, 'write')).answer).toBe('open');
  });

  it('is shared by readers, against writers', async () => {
    const path = await imageFile('shared.img', pattern(0, 2));
    await attach(path, true);
    expect((await other(path, 'read')).answer).toBe('open');
    expect((await other(path, 'write')).answer).toBe('locked');
    await attach(path, true);
  });

  it('also keeps one machine from attaching an image twice', async () => {
    const path = await imageFile('twice.img', pattern(0, 2));
    await attach(path);
    expect((await refusal(path)).code).toBe('locked');
  });

  it('is not inherited by processes started later', async () => {
    const path = await imageFile('inherited.img', pattern(0, 2));
    const disk = await attach(path);
    const child = spawn('sleep', ['60'], { stdio: 'ignore' });
    children.push(child);
    await once(child, 'spawn');
    await disk.close();
    await attach(path);
  });

  it('cannot be had without the flock command, which is said', async () => {
    const path = await imageFile('no-flock.img', pattern(0, 2));
    const saved = process.env.PATH;
    process.env.PATH = folder;
    try {
      const error = await refusal(path);
      expect(error.code).toBe('lock-unavailable');
      expect(error.message).toContain('flock');
    } finally {
      process.env.PATH = saved;
    }
  });
});
