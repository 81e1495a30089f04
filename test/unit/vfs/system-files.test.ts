/**
 * `/proc` and `/dev` as file systems, the devices that vfs answers itself, and looking at a device whose sectors come
 * later.
 */
import { describe, expect, it } from 'vitest';
import type { Format } from '../../../filesystems/file-system.ts';
import { ramfs } from '../../../filesystems/ram/ramfs.ts';
import { SystemError } from '../../../protocol/errno.ts';
import { openFlags } from '../../../protocol/vfs.ts';
import type { Handle, RequestContext } from '../../../services/lib/index.ts';
import { builtinBadge, builtinOf, readBuiltin, writeBuiltin } from '../../../services/vfs/builtin-devices.ts';
import { DeviceOpener } from '../../../services/vfs/device-opener.ts';
import { DeviceFileSystem } from '../../../services/vfs/devices.ts';
import { isBlank, probe } from '../../../services/vfs/probe.ts';
import { ProcFileSystem } from '../../../services/vfs/proc.ts';
import type { ProcSource } from '../../../services/vfs/proc-texts.ts';
import { start, type Work } from '../../../services/vfs/work.ts';
import { MemoryKeeper } from '../../support/memory-keeper.ts';

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof SystemError) return error.code;
    throw error;
  }
  return 'none';
}

let now = 1000;
const source: ProcSource = {
  uptime: () => now++,
  memory: () => ({ hostTotal: 2048, hostFree: 1024, kernelResident: 0, kernelHeap: 0, messages: 0, stores: 0 }),
  tasks: () => [],
  ports: () => [],
  interrupts: () => ({ lines: [{ irq: 4, count: 7, masked: false, owner: 'tty' }], spurious: 1 }),
  capabilities: (pid) => {
    if (pid !== 5) throw new SystemError('ESRCH');
    return [{ handle: 0x10001, kind: 'send', what: 'vfs', badge: 3 }];
  },
  mounts: () => [{ path: '/', device: '', type: 'ramfs', readOnly: false, state: '', service: 'vfs' }],
};

function proc(keeper = new MemoryKeeper()): ProcFileSystem {
  return new ProcFileSystem(source, ramfs({ keeper, now: () => 0, bytes: 65536, keys: 20 }), () => 0);
}

describe('/proc', () => {
  const textOf = (fs: ProcFileSystem, node: number): string => Buffer.from(fs.read(node, 0, 10_000)).toString();

  it('makes the content of a file when it is opened, and keeps it for whoever has it open', () => {
    const keeper = new MemoryKeeper();
    const fs = proc(keeper);
    const uptime = fs.lookup(fs.root, 'uptime');
    const first = fs.opened(uptime);
    fs.retain(first);
    const second = fs.opened(uptime);
    fs.retain(second);
    const text = textOf(fs, first);
    expect(text).toMatch(/^\d+\.\d{3} s\n$/);
    expect(textOf(fs, second)).not.toBe(text);
    expect([fs.attributes(uptime).size, fs.attributes(first).size]).toEqual([0, text.length]);
    fs.release(second);
    fs.commit();
    const next = proc(new MemoryKeeper(keeper.values));
    next.restoreRetained([first]);
    expect(textOf(next, first)).toBe(text);
    next.release(first);
    next.commit();
    expect(codeOf(() => next.attributes(first))).toBe('ENOENT');
  });

  it('holds no more than it has room for, and nothing of what was not opened after all', () => {
    const fs = proc();
    const mounts = fs.lookup(fs.root, 'mounts');
    for (let count = 0; count < 100; count++) fs.opened(mounts);
    const opened: number[] = [];
    expect(
      codeOf(() => {
        for (;;) {
          opened.push(fs.opened(mounts));
          fs.retain(opened.at(-1) ?? 0);
        }
      }),
    ).toBe('ENOSPC');
    expect(opened.length).toBeGreaterThan(5);
    for (const node of opened) fs.release(node);
    expect(textOf(fs, fs.opened(mounts))).toMatch(/^- +ramfs +rw +vfs +good +\/$/m);
  });

  it('has a folder for each task, and nothing for others', () => {
    const fs = proc();
    const folder = fs.lookup(fs.root, '5');
    expect(fs.readDirectory(folder, '', 10).entries.map(({ name }) => name)).toEqual(['status', 'caps']);
    expect(textOf(fs, fs.opened(fs.lookup(folder, 'caps')))).toMatch(/^0x10001 +0x3 +send +vfs$/m);
    expect([fs.parent(folder), fs.attributes(folder).type]).toEqual([fs.root, 'directory']);
    const refused = [
      () => fs.lookup(fs.root, '6'),
      () => fs.lookup(fs.root, '05'),
      () => fs.lookup(folder, 'x'),
      () => fs.lookup(fs.lookup(fs.root, 'ports'), 'x'),
      () => fs.opened(fs.lookup(folder, 'status')),
      () => fs.create(fs.root, 'x', 0),
      () => fs.makeDirectory(fs.root, 'ports', 0),
      () => fs.unlink(fs.root, 'ports'),
      () => fs.unlink(fs.root, '5'),
      () => fs.write(fs.lookup(fs.root, 'ports'), 0, new Uint8Array(1)),
    ];
    expect(refused.map(codeOf)).toEqual(
      'ENOENT ENOENT ENOENT ENOTDIR ENOENT EROFS EEXIST EROFS EISDIR EROFS'.split(' '),
    );
  });
});

describe('/dev', () => {
  it('has room for drivers that are there, however many others have died', () => {
    const alive = new Set([7]);
    const world = {
      ...{ outside: {} as never, mint: () => 1 as Handle, duplicate: () => 1 as Handle, release: () => {} },
      ...{ isMounted: () => false, isAlive: (pid: number) => alive.has(pid) },
    };
    const devices = new DeviceFileSystem(() => 0);
    const opener = new DeviceOpener(world, devices);
    const register = (name: string, sender: number): unknown =>
      opener.register(
        name,
        'character',
        5 as Handle,
        {
          sender,
          later: (keep: (deferred: object) => void) => keep({ fail: () => {} }),
        } as unknown as RequestContext,
      );
    for (let pid = 100; pid < 164; pid++) alive.add(pid);
    for (let pid = 100; pid < 164; pid++) register(`device${pid}`, pid);
    expect(codeOf(() => register('late', 7))).toBe('EAGAIN');
    alive.delete(130);
    expect(codeOf(() => register('late', 7))).toBe('none');
    const names = devices.readDirectory(devices.root, '', 100).entries.map(({ name }) => name);
    expect([names.includes('device130'), names.includes('device131'), names.includes('late')]).toEqual([
      false,
      true,
      true,
    ]);
  });

  it('has devices of its own, disks that come and go, and what drivers register', () => {
    const fs = new DeviceFileSystem(() => 0);
    fs.setDisks([
      { name: 'hda', bytes: 1024 },
      { name: 'hda1', bytes: 512 },
    ]);
    fs.register('rtc', 'character');
    const names = (): string[] => fs.readDirectory(fs.root, '', 100).entries.map(({ name }) => name);
    expect(names()).toEqual(['null', 'zero', 'random', 'hda', 'hda1', 'rtc']);
    const node = fs.lookup(fs.root, 'hda1');
    fs.setDisks([
      { name: 'hda1', bytes: 2048 },
      { name: 'hdb', bytes: 1 },
    ]);
    expect([fs.lookup(fs.root, 'hda1'), fs.attributes(node).size]).toEqual([node, 2048]);
    expect(names()).toEqual(['null', 'zero', 'random', 'hda1', 'hdb', 'rtc']);
    fs.unregister('rtc');
    const refused = ['null', 'hdb', 'a/b', '..'].map((name) => codeOf(() => fs.register(name, 'character')));
    expect([codeOf(() => fs.lookup(fs.root, 'rtc')), ...refused]).toEqual([
      'ENOENT',
      'EEXIST',
      'EEXIST',
      'EINVAL',
      'EINVAL',
    ]);
  });

  it('null, zero and random do what they are known for, as they were opened', () => {
    const { READ, WRITE } = openFlags;
    const random = (count: number): Uint8Array => new Uint8Array(count).fill(9);
    const read = (device: 'null' | 'zero' | 'random'): Uint8Array => readBuiltin(builtinBadge(device, READ), 3, random);
    expect([read('null').length, [...read('zero')], [...read('random')]]).toEqual([0, [0, 0, 0], [9, 9, 9]]);
    expect(writeBuiltin(builtinBadge('null', WRITE), 10, new Uint8Array(5))).toBe(15);
    expect(codeOf(() => readBuiltin(builtinBadge('zero', WRITE), 1, random))).toBe('EBADF');
    expect(codeOf(() => writeBuiltin(builtinBadge('zero', READ), 0, new Uint8Array(1)))).toBe('EBADF');
    expect([builtinOf(builtinBadge('random', READ)), codeOf(() => builtinOf(0x3ffffff))]).toEqual(['random', 'EBADF']);
  });
});

describe('looking at a device', () => {
  const device = (bytes: Uint8Array) => ({
    sectors: bytes.length / 512,
    read: (sector: number, count: number) => (done: (outcome: { ok: true; value: Uint8Array }) => void) =>
      done({ ok: true, value: bytes.subarray(sector * 512, (sector + count) * 512) }),
    close: () => {},
  });
  const outcomeOf = <R>(work: Work<R>): unknown => {
    let ended: unknown;
    start(work, (outcome) => {
      ended = outcome.ok ? outcome.value : outcome.error.code;
    });
    return ended;
  };
  const format = (name: string, look: (read: (sector: number, count: number) => Uint8Array) => boolean): Format =>
    ({
      name,
      probe: (known: Parameters<Format['probe']>[0]) => look((sector, count) => known.read(sector, count)),
    }) as Format;

  it('fetches the sectors that a format asks for, and no more than a few', () => {
    const bytes = new Uint8Array(100 * 512).fill(7, 99 * 512);
    const last = format('last', (read) => read(0, 1)[0] === 0 && read(99, 1)[0] === 7);
    let sector = 0;
    const endless = format('endless', (read) => {
      for (;;) read(sector++ % 100, 1);
    });
    const greedy = format('greedy', (read) => read(0, 1_000_000)[0] === 0);
    const behind = format('behind', (read) => read(90, 50)[0] === 0);
    expect(outcomeOf(probe(device(bytes), [last]))).toBe(last);
    expect(outcomeOf(probe(device(bytes), [behind, last]))).toBe('ERANGE');
    expect(outcomeOf(probe(device(new Uint8Array(2 ** 20)), [endless]))).toBeUndefined();
    expect(outcomeOf(probe({ ...device(bytes), sectors: 2 ** 30 }, [greedy, last]))).toBe(last);
  });

  it('tells whether it begins with zeros', () => {
    expect(outcomeOf(isBlank(device(new Uint8Array(200 * 512).fill(1, 150 * 512))))).toBe(true);
    expect(outcomeOf(isBlank(device(new Uint8Array(200 * 512).fill(1, 100 * 512))))).toBe(false);
  });
});
