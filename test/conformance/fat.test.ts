/**
 * FAT against dosfstools and mtools: what they make is read here as they meant it, and what is made here is sound to
 * fsck.fat and read by mtools as it was meant.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fat } from '../../filesystems/fat/index.ts';
import type { FileSystem } from '../../filesystems/file-system.ts';
import { MemoryDevice } from '../support/memory-device.ts';
import { MemoryKeeper } from '../support/memory-keeper.ts';
import { Random } from '../support/random.ts';
import { missingTools, outcomeOf, run } from '../support/tools.ts';
import { below, made, mounted, picture, problemsOf } from '../unit/fat/volume.ts';
import { Workload } from '../unit/fat/workload.ts';
import { fatPicture, hostPicture, makeTree, pathsIn } from './fat-host.ts';

const missing = missingTools(
  'mkfs.fat',
  'fsck.fat',
  'mcopy',
  'mmd',
  'mren',
  'mdel',
  'mdeltree',
  'mmove',
  'mattrib',
  'mlabel',
);

/** Types and sizes of clusters: kibibytes of the image, bits, sectors of a cluster. */
const SHAPES = [
  { kibibytes: 1440, bits: 12, sectors: 1 },
  { kibibytes: 15_000, bits: 12, sectors: 8 },
  { kibibytes: 10_000, bits: 16, sectors: 2 },
  { kibibytes: 80_000, bits: 16, sectors: 32 },
  { kibibytes: 36_000, bits: 32, sectors: 1 },
  { kibibytes: 80_000, bits: 32, sectors: 2 },
] as const;

let folder = '';
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vros-fat-'));
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

function newFolder(name: string): string {
  const made = path.join(folder, name);
  fs.rmSync(made, { recursive: true, force: true });
  fs.mkdirSync(made);
  return made;
}

/** Writes an image, with holes where there are zeros. */
function save(device: MemoryDevice, file: string): void {
  const descriptor = fs.openSync(file, 'w');
  const zeros = Buffer.alloc(65_536);
  for (let at = 0; at < device.bytes.length; at += zeros.length) {
    const part = device.bytes.subarray(at, at + zeros.length);
    if (part.compare(zeros, 0, part.length) !== 0) fs.writeSync(descriptor, part, 0, part.length, at);
  }
  fs.ftruncateSync(descriptor, device.bytes.length);
  fs.closeSync(descriptor);
}

function expectSound(image: string, message: string): void {
  const { status, output } = outcomeOf('fsck.fat', ['-n', '-V', image]);
  expect(`${status} ${output}`, message).toMatch(/^0 /);
  expect(output, message).not.toMatch(/wrong|differ|error|bad|orphan|unused cluster chain|Reclaim/i);
}

describe.skipIf(missing !== '')(`FAT made by others ${missing}`.trim(), () => {
  it.each(SHAPES)('is read: $bits bits, clusters of $sectors sectors', ({ kibibytes, bits, sectors }) => {
    const random = new Random();
    const message = `seed ${random.seed}`;
    const image = path.join(folder, 'theirs.img');
    fs.rmSync(image, { force: true });
    run('mkfs.fat', '-C', '-F', `${bits}`, '-s', `${sectors}`, '-n', 'THEIRS', '-i', '1234abcd', image, `${kibibytes}`);
    const tree = newFolder('tree');
    makeTree(random, tree, kibibytes < 2000 ? 40 : 90, sectors * 512);
    const top = fs.readdirSync(tree).map((name) => path.join(tree, name));
    run('mcopy', '-s', '-m', '-Q', '-i', image, ...top, '::');
    changeBoth(random, tree, image);
    const device = new MemoryDevice(fs.readFileSync(image));
    expect(fat.probe(device)).toBe(true);
    const fs_ = mounted(device, null, { readOnly: true });
    expect(fs_.information()).toMatchObject({ type: `fat${bits}`, label: 'THEIRS', blockBytes: sectors * 512 });
    expect(fatPicture(fs_), message).toEqual(hostPicture(tree));
    expect(problemsOf(device), message).toEqual([]);
    // And goes on being sound when it is changed here.
    const writable = mounted(device);
    const workload = new Workload(random, { maxFileBytes: 20_000, maxNodes: 30 });
    const own = writable.makeDirectory(writable.root, 'own', 0o755);
    for (let step = 0; step < 100; step++) {
      const { text, got, wanted } = workload.step(below(writable, own));
      expect(got, `${message}, step ${step}: ${text}`).toBe(wanted);
    }
    expect(picture(writable, own), message).toEqual(workload.picture());
    writable.close();
    save(device, image);
    expectSound(image, message);
  });

  it('is used where FAT32 has so few clusters that mtools takes it for another type', () => {
    const image = path.join(folder, 'few.img');
    fs.rmSync(image, { force: true });
    run('mkfs.fat', '-C', '-F', '32', '-s', '128', image, '40000');
    const device = new MemoryDevice(fs.readFileSync(image));
    const fileSystem = mounted(device);
    expect(fileSystem.information()).toMatchObject({ type: 'fat32', blockBytes: 65_536 });
    fileSystem.write(fileSystem.create(fileSystem.root, 'some file', 0o644), 0, Buffer.alloc(200_000, 'content'));
    fileSystem.close();
    save(device, image);
    expectSound(image, '');
    expect(outcomeOf('fsck.fat', ['-n', image]).output).toContain('1 files, 5/');
  });

  it('has its label, its attributes and its short names read', () => {
    const image = path.join(folder, 'attributes.img');
    fs.rmSync(image, { force: true });
    run('mkfs.fat', '-C', '-n', 'OLD', image, '1440');
    run('mlabel', '-i', image, '::NEW LABEL');
    const file = path.join(folder, 'file');
    fs.writeFileSync(file, 'text');
    for (const name of ['plain.txt', 'a long name.txt', 'a long name 2.txt'])
      run('mcopy', '-i', image, file, `::${name}`);
    run('mattrib', '+r', '+h', '-i', image, '::plain.txt');
    const fileSystem = mounted(new MemoryDevice(fs.readFileSync(image)), null, { readOnly: true });
    expect(fileSystem.information().label).toBe('NEW LABEL');
    const { root } = fileSystem;
    expect(fileSystem.attributes(fileSystem.lookup(root, 'PLAIN.TXT')).mode).toBe(0o555);
    expect(fileSystem.lookup(root, 'ALONGN~1.TXT')).toBe(fileSystem.lookup(root, 'A Long Name.txt'));
    expect(fileSystem.lookup(root, 'alongn~2.txt')).toBe(fileSystem.lookup(root, 'a long name 2.txt'));
  });
});

/** How many times mtools may fail an assertion of its own in one test: its directory cache does so on some renames. */
const MAX_ABORTS = 2;

/** Deletes, renames and makes things, on the host and with mtools. A step on which mtools aborts is taken back. */
function changeBoth(random: Random, tree: string, image: string): void {
  const before = `${image}.before`;
  let aborts = 0;
  const changed = (program: string, ...args: string[]): boolean => {
    fs.copyFileSync(image, before);
    const outcome = outcomeOf(program, ['-i', image, ...args]);
    if (outcome.status === 0) return true;
    const message = `${program} ${args.join(' ')} ended with ${outcome.status}: ${outcome.output}`;
    aborts += 1;
    if (outcome.signal !== 'SIGABRT' || aborts > MAX_ABORTS) throw new Error(message);
    fs.copyFileSync(before, image);
    return false;
  };
  for (let step = 0; step < 12; step++) {
    const known = pathsIn(tree);
    const chosen = known[random.below(known.length)];
    if (chosen === undefined) return;
    const host = path.join(tree, chosen.path);
    const inImage = `::${chosen.path}`;
    const name = `new name ${step}.ext`;
    switch (random.below(3)) {
      case 0:
        if (changed(chosen.isDirectory ? 'mdeltree' : 'mdel', inImage)) fs.rmSync(host, { recursive: true });
        break;
      case 1:
        if (changed('mren', inImage, name)) fs.renameSync(host, path.join(path.dirname(host), name));
        break;
      default:
        // mmove asks what to do where the name is taken.
        if (fs.readdirSync(tree).some((taken) => taken.toUpperCase() === path.basename(host).toUpperCase())) break;
        if (changed('mmove', inImage, '::')) fs.renameSync(host, path.join(tree, path.basename(chosen.path)));
        break;
    }
    if (changed('mmd', `::dir ${step}`)) fs.mkdirSync(path.join(tree, `dir ${step}`));
  }
}

describe.skipIf(missing !== '')(`FAT made here ${missing}`.trim(), () => {
  it.each(SHAPES)('is sound to fsck.fat and read by mtools: $bits bits, clusters of $sectors sectors', (shape) => {
    const { kibibytes, bits, sectors } = shape;
    const random = new Random();
    const message = `seed ${random.seed}`;
    const device = made(kibibytes * 2, { fatBits: bits, blockBytes: sectors * 512, label: 'OURS' });
    const image = path.join(folder, 'ours.img');
    save(device, image);
    expectSound(image, message);
    const tree = newFolder('tree');
    makeTree(random, tree, kibibytes < 2000 ? 40 : 90, sectors * 512);
    const fileSystem = mounted(device, new MemoryKeeper());
    copyIn(fileSystem, tree);
    changeOurs(random, tree, fileSystem);
    expect(fatPicture(fileSystem), message).toEqual(hostPicture(tree));
    fileSystem.close();
    save(device, image);
    expectSound(image, message);
    const out = newFolder('out');
    if (fs.readdirSync(tree).length > 0) run('mcopy', '-s', '-m', '-Q', '-i', image, '::*', out);
    expect(hostPicture(out), message).toEqual(hostPicture(tree));
    expect(run('mlabel', '-s', '-i', image, '::')).toContain('OURS');
  });

  it.each(SHAPES)('is sound after random operations: $bits bits, clusters of $sectors sectors', (shape) => {
    const random = new Random();
    const device = made(shape.kibibytes * 2, { fatBits: shape.bits, blockBytes: shape.sectors * 512 });
    const fileSystem = mounted(device, new MemoryKeeper());
    const workload = new Workload(random, { maxFileBytes: 30_000, maxNodes: 80 });
    for (let step = 0; step < 400; step++) {
      const { text, got, wanted } = workload.step(fileSystem);
      expect(got, `seed ${random.seed}, step ${step}: ${text}`).toBe(wanted);
      if (step % 3 === 0) fileSystem.commit();
    }
    expect(picture(fileSystem), `seed ${random.seed}`).toEqual(workload.picture());
    fileSystem.close();
    const image = path.join(folder, 'random.img');
    save(device, image);
    expectSound(image, `seed ${random.seed}`);
  });

  it('has aliases that mtools finds, and attributes', () => {
    const device = made(2880);
    const fileSystem = mounted(device);
    for (let index = 0; index < 20; index++) {
      const node = fileSystem.create(fileSystem.root, `a similar name ${index}.text`, index === 3 ? 0o444 : 0o644);
      fileSystem.write(node, 0, Buffer.from(`content ${index}`));
    }
    fileSystem.close();
    const image = path.join(folder, 'aliases.img');
    save(device, image);
    expectSound(image, '');
    const out = newFolder('aliases');
    run('mcopy', '-i', image, '::ASIMIL~2.TEX', path.join(out, 'second'));
    expect(fs.readFileSync(path.join(out, 'second'), 'utf8')).toBe('content 1');
    expect(run('mattrib', '-i', image, '::a similar name 3.text')).toMatch(/^ +A +R /);
  });
});

/** Copies a tree of the host to FAT. */
function copyIn(fileSystem: FileSystem, tree: string): void {
  for (const { path: at, isDirectory } of pathsIn(tree).sort((a, b) => a.path.length - b.path.length)) {
    const directory = nodeOf(fileSystem, path.dirname(at));
    const name = path.basename(at);
    if (isDirectory) fileSystem.makeDirectory(directory, name, 0o755);
    else {
      const node = fileSystem.create(directory, name, 0o644);
      fileSystem.write(node, 0, fs.readFileSync(path.join(tree, at)));
      fileSystem.setAttributes(node, { modified: fs.statSync(path.join(tree, at)).mtimeMs });
    }
    fileSystem.commit();
  }
}

function nodeOf(fileSystem: FileSystem, at: string): number {
  let node = fileSystem.root;
  for (const name of at.split('/')) if (name !== '.' && name !== '') node = fileSystem.lookup(node, name);
  return node;
}

/** Deletes and renames things, on the host and on FAT. */
function changeOurs(random: Random, tree: string, fileSystem: FileSystem): void {
  const removeAll = (directory: number, name: string): void => {
    const node = fileSystem.lookup(directory, name);
    if (fileSystem.attributes(node).type === 'file') fileSystem.unlink(directory, name);
    else {
      for (const part of fileSystem.readDirectory(node, '', 1000).entries) removeAll(node, part.name);
      fileSystem.removeDirectory(directory, name);
    }
  };
  for (let step = 0; step < 25; step++) {
    const known = pathsIn(tree);
    const chosen = known[random.below(known.length)];
    if (chosen === undefined) return;
    const host = path.join(tree, chosen.path);
    const directory = nodeOf(fileSystem, path.dirname(chosen.path));
    const name = path.basename(chosen.path);
    if (random.below(3) === 0) {
      fs.rmSync(host, { recursive: true });
      removeAll(directory, name);
    } else {
      const newName = `renamed ${step}${' x'.repeat(random.below(30))}`;
      const [host_, target] = random.below(2) === 0 ? [path.dirname(host), directory] : [tree, fileSystem.root];
      fs.renameSync(host, path.join(host_, newName));
      fileSystem.rename(directory, name, target, newName);
    }
    fileSystem.commit();
  }
}
