/**
 * ext2 after a loss of power: what is left is mended here so that e2fsck finds nothing, and what was synced and not
 * changed since is there.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { crc32c } from '../../filesystems/crc32c.ts';
import { ext2 } from '../../filesystems/ext2/index.ts';
import type { FileSystem } from '../../filesystems/file-system.ts';
import { SystemError } from '../../protocol/errno.ts';
import { MemoryDevice } from '../support/memory-device.ts';
import { Random } from '../support/random.ts';
import { missingTools, outcomeOf } from '../support/tools.ts';

const missing = missingTools('/usr/sbin/e2fsck');
const CUTS = 15;

const tools = { now: () => Date.UTC(2026, 10, 25), random: (count: number) => Buffer.alloc(count, 5) };
const options = { ...tools, readOnly: false, keeper: null, log: () => {} };

let folder = '';
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vros-ext2-cut-'));
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

/** A write, or a flush. */
type Event = { readonly sector: number; readonly data: Buffer } | null;

/** A step that may be refused. */
function attempt(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof SystemError) || error.code === 'EUCLEAN' || error.code === 'EIO') throw error;
  }
}

/**
 * Random changes in one directory, and files beside it that are synced and then left alone. Answers what was synced
 * after how many events.
 */
function workload(
  fileSystem: FileSystem,
  random: Random,
  events: readonly Event[],
): { after: number; name: string; crc: number }[] {
  const synced: { after: number; name: string; crc: number }[] = [];
  const busy = fileSystem.makeDirectory(fileSystem.root, 'busy', 0o755);
  const other = fileSystem.makeDirectory(fileSystem.root, 'other', 0o755);
  const place = () => random.pick([busy, other]);
  const name = () => `${random.pick(['a', 'long-'.repeat(20)])}${random.below(25)}`;
  for (let step = 0; step < 250; step++) {
    attempt(() => {
      const [at, label] = [place(), name()];
      const steps = [
        () => fileSystem.create(at, label, 0o644),
        () => fileSystem.makeDirectory(at, label, 0o755),
        () => fileSystem.makeSymlink(at, label, 't'.repeat(1 + random.below(150))),
        () => fileSystem.unlink(at, label),
        () => fileSystem.removeDirectory(at, label),
        () => fileSystem.rename(at, label, place(), name()),
        () => fileSystem.link(fileSystem.lookup(at, label), place(), name()),
        () => fileSystem.truncate(fileSystem.lookup(at, label), random.below(100_000)),
        () => fileSystem.write(fileSystem.lookup(at, label), random.below(400_000), random.bytes(random.below(9000))),
      ];
      steps[random.below(steps.length)]?.();
    });
    if (random.below(2) === 0) fileSystem.commit();
    if (step % 25 === 24) {
      const content = random.bytes(random.below(40_000));
      const kept = fileSystem.create(fileSystem.root, `kept ${step}`, 0o600);
      fileSystem.write(kept, 0, content);
      fileSystem.sync();
      synced.push({ after: events.length, name: `kept ${step}`, crc: crc32c(content) });
    }
  }
  return synced;
}

/** The disk after some of the events: all up to the last flush, and of those behind it the first ones, or any. */
function diskAfter(
  image: Buffer,
  events: readonly Event[],
  cut: number,
  random: Random,
  orderly: boolean,
): MemoryDevice {
  const bytes = Buffer.from(image);
  const flushed = events.lastIndexOf(null, cut - 1);
  for (const [index, event] of events.slice(0, cut).entries()) {
    if (event === null) continue;
    const lost = !orderly && index > flushed && random.below(3) === 0;
    if (!lost) event.data.copy(bytes, event.sector * 512);
  }
  return new MemoryDevice(bytes);
}

describe.skipIf(missing !== '')(`ext2 after a loss of power ${missing}`.trim(), () => {
  for (const blockBytes of [1024, 4096]) {
    for (const orderly of [true, false]) {
      it(`is mended: blocks of ${blockBytes} bytes, ${orderly ? 'writes arrive in order' : 'writes are lost'}`, () => {
        const random = new Random();
        const device = new MemoryDevice(16 * 2048);
        ext2.format(device, { ...tools, blockBytes });
        const image = Buffer.from(device.bytes);
        const events: Event[] = [];
        device.observe = (sector, data) => events.push(data === null ? null : { sector, data: Buffer.from(data) });
        const fileSystem = ext2.mount(device, options);
        fileSystem.restoreRetained([]);
        const synced = workload(fileSystem, random, events);
        let mended = 0;
        for (let round = 0; round < CUTS; round++) {
          const cut = 1 + random.below(events.length);
          const message = `seed ${random.seed}, cut ${cut} of ${events.length}`;
          const left = diskAfter(image, events, cut, random, orderly);
          const { problems } = ext2.check(left, true);
          if (orderly) expect(problems, message).toEqual([]);
          const file = path.join(folder, 'cut.img');
          fs.writeFileSync(file, left.bytes);
          if (problems.length > 0) {
            // What is left to e2fsck it can mend.
            expect(outcomeOf('/usr/sbin/e2fsck', ['-fy', file]).status & ~3, message).toBe(0);
            left.bytes.set(fs.readFileSync(file));
          } else mended++;
          const { status, output } = outcomeOf('/usr/sbin/e2fsck', ['-fn', file]);
          expect(`${status} ${status === 0 ? '' : output}`, message).toBe('0 ');
          const again = ext2.mount(left, { ...options, readOnly: true });
          for (const { after, name, crc } of synced) {
            if (after > cut) continue;
            const node = again.lookup(again.root, name);
            expect(crc32c(again.read(node, 0, again.attributes(node).size)), `${message}: ${name}`).toBe(crc);
          }
        }
        expect(mended).toBeGreaterThan(orderly ? CUTS - 1 : 0);
      });
    }
  }
});
