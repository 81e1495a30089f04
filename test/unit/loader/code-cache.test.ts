import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { cacheFile, compiled, MARK_CHARACTERS, scriptText } from '../../../loader/compiled.ts';
import { DEFAULT_MEMORY_MEBIBYTES, KERNEL_FLAGS, taskFlags } from '../../../loader/engine.ts';
import packageDescription from '../../../package.json' with { type: 'json' };

const dist = path.resolve(import.meta.dirname, '../../../dist');

const ordinaryTask = taskFlags(DEFAULT_MEMORY_MEBIBYTES, true);

/** Prints whether the engine takes a cache for a script: `node READER SCRIPT CACHE`. */
const READER = `
  const fs = require('node:fs');
  const [, , text, cache] = process.argv;
  const cachedData = fs.readFileSync(cache).subarray(${MARK_CHARACTERS});
  const script = new (require('node:vm').Script)(fs.readFileSync(text, 'latin1'), { cachedData });
  process.stdout.write(script.cachedDataRejected ? 'refused' : 'taken');`;

function temporaryFolder(): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vros-code-'));
  onTestFinished(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A program of the build, in a folder of its own: what it says, and its mark, one character over and over. */
function writeProgram(file: string, text: string, mark: string): void {
  fs.writeFileSync(file, `exports.said = ${JSON.stringify(text)};\n//# ${mark.repeat(MARK_CHARACTERS)}\n`);
}

function record(kind: string, ...files: string[]): void {
  execFileSync(process.execPath, [path.join(dist, 'record.cjs'), kind, ...files]);
}

function said(file: string): unknown {
  const exports: { said?: unknown } = {};
  compiled(file)(exports, () => null, {}, file, path.dirname(file));
  return exports.said;
}

/** What the engine with `flags` does with the cache of a program. */
function verdict(folder: string, file: string, flags: readonly string[]): string {
  const reader = path.join(folder, 'reader.cjs');
  const text = path.join(folder, 'text');
  fs.writeFileSync(reader, READER);
  fs.writeFileSync(text, scriptText(fs.readFileSync(file, 'latin1')));
  return execFileSync(process.execPath, [...flags, reader, text, cacheFile(file)], { encoding: 'utf8' });
}

describe('the code cache of a program', () => {
  it('is taken by an engine with the flags it was made with', () => {
    const folder = temporaryFolder();
    const file = path.join(folder, 'program.cjs');
    writeProgram(file, 'hello', 'a');
    record('task', file);
    expect(verdict(folder, file, ordinaryTask)).toBe('taken');
    expect(verdict(folder, file, KERNEL_FLAGS)).toBe('refused');
    record('kernel', file);
    expect(verdict(folder, file, KERNEL_FLAGS)).toBe('taken');
  });

  it.each([
    ['kernel.main.cjs', KERNEL_FLAGS],
    ['services/start.main.cjs', ordinaryTask],
    ['services/ne2000.cjs', ordinaryTask],
    ['services/shell/tools.cjs', ordinaryTask],
  ])('is there for %s and taken', (program, flags) => {
    expect(verdict(temporaryFolder(), path.join(dist, program), flags)).toBe('taken');
  });

  it('belongs to a program the build has made, which is ASCII', () => {
    const files = fs.readdirSync(dist, { recursive: true, encoding: 'utf8' });
    const cached = files.filter((file) => file.endsWith('.cache'));
    expect(cached.length).toBeGreaterThan(20);
    for (const cache of cached) {
      const program = fs.readFileSync(path.join(dist, cache.replace(/cache$/, 'cjs')));
      expect(
        program.every((byte) => byte < 0x80),
        cache,
      ).toBe(true);
    }
  });

  it('is made for the flags of npm start', () => {
    const words = packageDescription.scripts.start.split(' ');
    expect(words).toEqual(['node', ...KERNEL_FLAGS, 'dist/kernel.cjs']);
  });

  it('is passed over when the program is another one of the same length', () => {
    const file = path.join(temporaryFolder(), 'program.cjs');
    writeProgram(file, 'before', 'a');
    record('task', file);
    writeProgram(file, 'behind', 'b');
    expect(said(file)).toBe('behind');
  });

  it('is passed over when the engine refuses it, or when it is damaged', () => {
    const file = path.join(temporaryFolder(), 'program.cjs');
    writeProgram(file, 'hello', 'a');
    record('task', file);
    expect(said(file)).toBe('hello');
    const cache = fs.readFileSync(cacheFile(file));
    for (const damaged of [cache.subarray(0, MARK_CHARACTERS), cache.subarray(0, cache.length / 2), Buffer.alloc(3)]) {
      fs.writeFileSync(cacheFile(file), damaged);
      expect(said(file)).toBe('hello');
    }
  });

  it('is not needed: a program of someone else, in any characters, runs without', () => {
    const file = path.join(temporaryFolder(), 'program.cjs');
    fs.writeFileSync(file, 'exports.said = "größer ✓"');
    expect(said(file)).toBe('größer ✓');
  });

  it('leaves an error of syntax to whoever loads the program', () => {
    const file = path.join(temporaryFolder(), 'program.cjs');
    fs.writeFileSync(file, 'const = 1;');
    expect(() => compiled(file)).toThrow(SyntaxError);
  });
});
