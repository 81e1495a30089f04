/** Disks and partitions as files: any offset and length, in the bounds of the device, as they were opened. */
import { describe, expect, it } from 'vitest';
import { MemoryDisk } from '../../../hw/disk/memory.ts';
import type { ErrorName } from '../../../protocol/errno.ts';
import type { Handle } from '../../../protocol/schema.ts';
import { openFlags } from '../../../protocol/vfs.ts';
import { bytesOf, fileBadge, fileHandlers } from '../../../services/ata/file-handlers.ts';
import { handlers } from '../../../services/ata/handlers.ts';
import { LATER, type RequestContext, SystemError } from '../../../services/lib/index.ts';
import { Random } from '../../support/random.ts';
import { Machine, pattern, setEntry } from './machine.ts';

const { READ, WRITE } = openFlags;

function context(badge: number): RequestContext {
  const later = (): typeof LATER => LATER;
  const forward = (): never => expect.unreachable('the driver hands a request on');
  return {
    sender: 9,
    badge,
    sequence: 1,
    retry: false,
    deliveries: 1,
    port: 1 as Handle,
    reply: 0 as Handle,
    later,
    forward,
  };
}

function start(readOnly = false) {
  const bytes = pattern(2000, 1).fill(0, 0, 512);
  setEntry(bytes, 0, 0x7f, 100, 1200);
  const disk = new MemoryDisk(bytes, { readOnly });
  const table = new Machine([disk]).start();
  const files = fileHandlers(table, () => 42);
  const open = (name: string, flags: number) => context(fileBadge(table.named(name), flags));
  return { table, files, open, content: () => disk.bytes.subarray(100 * 512, 1300 * 512) };
}

function codeOf(call: () => unknown): ErrorName | 'none' {
  try {
    call();
  } catch (error) {
    if (error instanceof SystemError) return error.code;
    throw error;
  }
  return 'none';
}

describe('a disk as a file', () => {
  it('takes and gives any bytes of a partition, and touches no others', () => {
    const { files, open, content } = start();
    const random = new Random();
    const device = open('hda1', READ | WRITE);
    const model = Buffer.from(content());
    for (let round = 0; round < 200; round++) {
      const offset = random.below(random.below(3) === 0 ? model.length : 3000);
      const length = random.below(random.below(10) === 0 ? 262_145 : 1500);
      const data = random.bytes(Math.min(length, model.length - offset));
      if (random.below(2) === 0) {
        expect(files.write({ offset, data }, device)).toBe(offset + data.length);
        model.set(data, offset);
      }
      const read = files.read({ offset, count: length }, device) as Uint8Array;
      expect(Buffer.compare(read, model.subarray(offset, offset + length)), `seed ${random.seed}`).toBe(0);
    }
    expect(Buffer.compare(content(), model), `seed ${random.seed}`).toBe(0);
  });

  it('ends at its end', () => {
    const { table, files, open } = start();
    const device = open('hda1', READ | WRITE);
    const size = bytesOf(table.named('hda1'));
    expect(files.read({ offset: size - 3, count: 100 }, device)).toHaveLength(3);
    expect(files.read({ offset: size, count: 100 }, device)).toHaveLength(0);
    expect(codeOf(() => files.write({ offset: size - 3, data: new Uint8Array(4) }, device))).toBe('ENOSPC');
    expect(codeOf(() => files.write({ offset: null, data: new Uint8Array(1) }, device))).toBe('ENOSPC');
    expect(files.write({ offset: null, data: new Uint8Array(0) }, device)).toBe(size);
    expect(files.attributes(undefined, device)).toMatchObject({ type: 'block', size, node: 0x101, modified: 42 });
    expect(files.is_terminal(undefined, device)).toBe(false);
    expect(files.sync(undefined, device)).toBeUndefined();
  });

  it('can be used only as it was opened', () => {
    const { table, files, open } = start();
    const reader = open('hda', READ);
    const writer = open('hda', WRITE);
    expect(codeOf(() => files.write({ offset: 0, data: new Uint8Array(1) }, reader))).toBe('EBADF');
    expect(codeOf(() => files.read({ offset: 0, count: 1 }, writer))).toBe('EBADF');
    expect(codeOf(() => files.truncate(0, reader))).toBe('EBADF');
    expect(codeOf(() => files.truncate(0, writer))).toBe('EINVAL');
    expect(codeOf(() => files.read_directory({ cursor: '', most: 1 }, reader))).toBe('ENOTDIR');
    expect(codeOf(() => files.set_attributes({ mode: 0, accessed: null, modified: null }, reader))).toBe('EROFS');
    for (const badge of [0, 0x101, 0x4101, 0x1999, 0xffffffff]) {
      expect(['EBADF', 'ENODEV']).toContain(codeOf(() => files.read({ offset: 0, count: 1 }, context(badge))));
    }
    const blocks = handlers(table, (_port, badge) => badge as Handle);
    expect(codeOf(() => blocks.read({ sector: 0, count: 1 }, reader))).toBe('EBADF');
    expect(blocks.open_file({ name: 'hda1', flags: READ }, context(0))).toEqual({ file: 0x1101, size: 1200 * 512 });
    for (const flags of [0, 4, READ | 64]) {
      expect(codeOf(() => blocks.open_file({ name: 'hda1', flags }, context(0)))).toBe('EINVAL');
    }
    expect(codeOf(() => blocks.open_file({ name: 'hdb', flags: READ }, context(0)))).toBe('ENODEV');
  });

  it('is refused for writing once the disk is known to be read-only', () => {
    const { files, open } = start(true);
    expect(codeOf(() => files.write({ offset: 700, data: new Uint8Array(1) }, open('hda1', WRITE)))).toBe('EROFS');
    expect(codeOf(() => open('hda1', WRITE))).toBe('EROFS');
    expect(files.read({ offset: 1, count: 5 }, open('hda1', READ))).toHaveLength(5);
  });
});
