/** What a death of the process leaves, wherever it comes: everything that was committed, and nothing twice. */
import { describe, expect, it } from 'vitest';
import type { FileSystem } from '../../../filesystems/file-system.ts';
import { Death, MemoryKeeper } from '../../support/memory-keeper.ts';
import { Random } from '../../support/random.ts';
import type { ModelNode } from './model.ts';
import { codeOf, made, mounted, picture, problemsOf } from './volume.ts';
import { Workload } from './workload.ts';

const SHAPES = [
  { name: 'fat12', sectors: 1440, fatBits: 12, blockBytes: 512 },
  { name: 'fat16', sectors: 20_000, fatBits: 16, blockBytes: 1024 },
  { name: 'fat32', sectors: 70_000, fatBits: 32, blockBytes: 512 },
] as const;

describe('a server that dies', () => {
  it.each(SHAPES)('leaves on $name what it has committed, and does nothing twice', (shape) => {
    const random = new Random();
    const device = made(shape.sectors, shape);
    let keeper = new MemoryKeeper();
    const workload = new Workload(random, { maxFileBytes: 8000, maxNodes: 40 });
    const open = new Map<number, ModelNode>();
    let fs = mounted(device, keeper);
    let deaths = 0;

    /** The next incarnation; it dies while it starts, too, now and then. */
    const restart = (): void => {
      for (let attempt = 0; ; attempt++) {
        deaths++;
        keeper = new MemoryKeeper(keeper.values);
        const again = attempt < 2 && random.below(3) === 0;
        if (again) keeper.lives = random.below(4);
        device.lives = again ? random.below(30) : Number.POSITIVE_INFINITY;
        try {
          fs = mounted(device, keeper);
          fs.restoreRetained([...open.keys()]);
          keeper.lives = Number.POSITIVE_INFINITY;
          device.lives = Number.POSITIVE_INFINITY;
          return;
        } catch (error) {
          if (!(error instanceof Death)) throw error;
        }
      }
    };

    for (let step = 0; step < 120; step++) {
      const message = `seed ${random.seed}, step ${step}`;
      const request = { sender: 7, sequence: step };
      changeOpenFiles(random, fs, workload, open);
      fs.commit();
      const before = workload.picture();
      const operation = workload.next();
      // Most operations end in time.
      if (random.below(2) === 0) {
        keeper.lives = random.below(4);
        device.lives = random.below(40);
      }
      let code: string;
      try {
        code = codeOf(() => operation.act(fs));
        if (code === '') fs.note(request, [step]);
        fs.commit();
      } catch (error) {
        if (!(error instanceof Death)) throw error;
        restart();
        const done = fs.completed(request);
        const isWrite = /^(write|truncate)/.test(operation.text);
        if (done === undefined && !isWrite) expect(picture(fs), `${message}: ${operation.text}`).toEqual(before);
        code = done === undefined ? codeOf(() => operation.act(fs)) : '';
        if (done === undefined) fs.commit();
      }
      keeper.lives = Number.POSITIVE_INFINITY;
      device.lives = Number.POSITIVE_INFINITY;
      expect(code, `${message}: ${operation.text}`).toBe(code === 'ENOSPC' ? code : operation.model());
      expect(picture(fs), `${message}: ${operation.text}`).toEqual(workload.picture());
      for (const [number, node] of open) {
        const { size } = fs.attributes(number);
        expect(Buffer.compare(fs.read(number, 0, size), node.data ?? Buffer.alloc(0)), message).toBe(0);
      }
    }
    expect(deaths).toBeGreaterThan(3);
    for (const number of open.keys()) fs.release(number);
    fs.close();
    expect(problemsOf(device), `seed ${random.seed}`).toEqual([]);
  });

  it.each(SHAPES)('leaves on $name of several operations of one commit those that are noted', (shape) => {
    const random = new Random();
    const device = made(shape.fatBits === 12 ? 300 : shape.sectors, shape);
    let keeper = new MemoryKeeper();
    const workload = new Workload(random, { maxFileBytes: 12_000, maxNodes: 40 });
    let fs = mounted(device, keeper);
    let deaths = 0;
    for (let batch = 0; batch < 60; batch++) {
      const message = `seed ${random.seed}, batch ${batch}`;
      const states = [workload.model.copy()];
      const texts: string[] = [];
      if (random.below(3) > 0) {
        keeper.lives = random.below(8);
        device.lives = random.below(200);
      }
      try {
        for (let index = 0; index < 5; index++) {
          const { text, got, wanted } = workload.step(fs);
          expect(got, `${message}: ${text}`).toBe(wanted);
          texts.push(text);
          states.push(workload.model.copy());
          fs.note({ sender: batch, sequence: index }, [index]);
        }
        fs.commit();
      } catch (error) {
        if (!(error instanceof Death)) throw error;
        deaths++;
        keeper = new MemoryKeeper(keeper.values);
        device.lives = Number.POSITIVE_INFINITY;
        fs = mounted(device, keeper);
        fs.restoreRetained([]);
        const isDone = (index: number): boolean => fs.completed({ sender: batch, sequence: index }) !== undefined;
        const done = [0, 1, 2, 3, 4].filter(isDone).length;
        for (let index = 0; index < done; index++) expect(isDone(index), message).toBe(true);
        workload.model = states[done] ?? workload.model;
        const wasWriting = texts.length < 5 || texts.slice(done).some((text) => /^(write|truncate)/.test(text));
        // What was to be written may be there already; all else is as if it had not been begun.
        const shown = (lines: string[]): string[] =>
          wasWriting ? lines.map((line) => line.replace(/ \d+$/, '')) : lines;
        expect(shown(picture(fs)), `${message}: ${texts.slice(done).join(', ')}`).toEqual(shown(workload.picture()));
        if (wasWriting) takeContents(fs, workload);
      }
      keeper.lives = Number.POSITIVE_INFINITY;
      device.lives = Number.POSITIVE_INFINITY;
      expect(picture(fs), message).toEqual(workload.picture());
    }
    expect(deaths).toBeGreaterThan(3);
    fs.close();
    expect(problemsOf(device), `seed ${random.seed}`).toEqual([]);
  });

  it('leaves a removed file whole until its removal is committed, whatever is written meanwhile', () => {
    const device = made(100, { blockBytes: 512 });
    const keeper = new MemoryKeeper();
    const fs = mounted(device, keeper);
    const free = fs.information().freeBlocks;
    const fill = (name: string, clusters: number): void => {
      fs.write(fs.create(fs.root, name, 0o644), 0, Buffer.alloc(512 * clusters, name));
      fs.commit();
    };
    fill('first', 10);
    fill('removed', 20);
    fill('last', free - 30);
    fs.unlink(fs.root, 'first');
    fs.unlink(fs.root, 'last');
    fs.commit();
    // The search for free clusters comes to those of the removed file next.
    fill('again', 10);
    fs.unlink(fs.root, 'removed');
    fs.write(fs.create(fs.root, 'other', 0o644), 0, Buffer.alloc(512 * 15, 'other'));
    const next = mounted(device, new MemoryKeeper(keeper.values));
    const removed = next.lookup(next.root, 'removed');
    expect(Buffer.alloc(512 * 20, 'removed').equals(next.read(removed, 0, 20_000))).toBe(true);
    expect(codeOf(() => next.lookup(next.root, 'other'))).toBe('ENOENT');
    expect(next.information().freeBlocks).toBe(free - 30);
  });

  it('has what is too much for one commit freed in several, over deaths as well', () => {
    const device = made(140_000, { fatBits: 32, blockBytes: 512 });
    const free = mounted(device).information().freeBlocks;
    for (let lives = 0; lives < 40; lives += 4) {
      let keeper = new MemoryKeeper();
      let fs = mounted(device, keeper);
      fs.truncate(fs.create(fs.root, 'file', 0o644), 9_000_000);
      fs.commit();
      keeper.lives = lives;
      try {
        fs.unlink(fs.root, 'file');
        fs.note({ sender: 1, sequence: 1 }, []);
        fs.commit();
      } catch (error) {
        if (!(error instanceof Death)) throw error;
        keeper = new MemoryKeeper(keeper.values);
        fs = mounted(device, keeper);
        fs.restoreRetained([]);
        if (fs.completed({ sender: 1, sequence: 1 }) === undefined) fs.unlink(fs.root, 'file');
      }
      keeper.lives = Number.POSITIVE_INFINITY;
      fs.close();
      expect(problemsOf(device), `after ${lives} changes`).toEqual([]);
      expect(mounted(device).information().freeBlocks).toBe(free);
      expect(keeper.bytes).toBe(0);
    }
  });

  it('is found out by the next one, which need not check anything', () => {
    const device = made(20_000);
    const keeper = new MemoryKeeper();
    const fs = mounted(device, keeper);
    fs.create(fs.root, 'file', 0o644);
    fs.commit();
    const problems = problemsOf(device);
    expect(problems).toEqual(['the file system was not unmounted, or something went wrong with it then']);
    const log: string[] = [];
    mounted(device, new MemoryKeeper(keeper.values), { log: (text) => log.push(text) });
    expect(log).toEqual([]);
    mounted(device, new MemoryKeeper(), { log: (text) => log.push(text) });
    expect(log[0]).toBe('fat12: was not unmounted: 1 findings repaired, 0 not');
    expect(problemsOf(device)).toEqual([]);
  });
});

/** Opens and closes files, and writes into those that have no name any more. */
function changeOpenFiles(random: Random, fs: FileSystem, workload: Workload, open: Map<number, ModelNode>): void {
  const named = workload.model.nodes();
  const files = named.filter(({ data }) => data !== null);
  const chosen = files[random.below(files.length)];
  if (chosen !== undefined && open.size < 6 && random.below(4) === 0) {
    const number = workload.number(fs, chosen);
    if (!open.has(number)) {
      fs.retain(number);
      open.set(number, chosen);
    }
  }
  for (const [number, node] of open) {
    if (random.below(20) === 0) {
      fs.release(number);
      open.delete(number);
    } else if (!named.includes(node) && random.below(3) === 0) {
      const data = Buffer.alloc(random.below(3000), 'unnamed');
      const offset = random.below(5000);
      if (codeOf(() => fs.write(number, offset, data)) === '') workload.model.write(node, offset, data);
    }
  }
}

/** Makes the contents of the model those of the file system. */
function takeContents(fs: FileSystem, workload: Workload): void {
  for (const node of workload.model.nodes()) {
    if (node.data === null) continue;
    const number = workload.number(fs, node);
    node.data = Buffer.from(fs.read(number, 0, fs.attributes(number).size));
  }
}
