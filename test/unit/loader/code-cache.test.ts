import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { cachedDataOf, cacheFile, cacheOf, compiled, scriptText } from '../../../loader/compiled.ts';
import { DEFAULT_MEMORY_MEBIBYTES, KERNEL_FLAGS, taskFlags } from '../../../loader/engine.ts';
import packageDescription from '../../../package.json' with { type: 'json' };

const dist = path.resolve(import.meta.dirname, '../../../dist');

const ordinaryTask = taskFlags(DEFAULT_MEMORY_MEBIBYTES, true);

/** Prints what the engine does with what is in a cache: `node READER SCRIPT DATA`. */
const READER = `
  const fs = require('node:fs');
  const [, , text, data] = process.argv;
  const script = new (require('node:vm').Script)(fs.readFileSync(text, 'latin1'), { cachedData: fs.readFileSync(data) });
  process.stdout.write(script.cachedDataRejected ? 'refused' : 'taken');`;

/** A program that says something. */
const HELLO = 'exports.said = "hello";\n';

function temporaryFolder(): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vros-code-'));
  onTestFinished(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A program in a folder of its own, with a cache for the flags of a task. */
function recorded(text = HELLO): string {
  const file = path.join(temporaryFolder(), 'program.cjs');
  fs.writeFileSync(file, text);
  record('task', file);
  return file;
}

function record(kind: string, ...files: string[]): void {
  execFileSync(process.execPath, [path.join(dist, 'record.cjs'), kind, ...files]);
}

function said(file: string, own = path.dirname(file)): unknown {
  const exports: { said?: unknown } = {};
  compiled(file, own)(exports, () => null, {}, file, path.dirname(file));
  return exports.said;
}

/** What is in the cache of a program for the engine; null: it is not for the program as it is. */
const dataOf = (file: string): Buffer | null => cachedDataOf(fs.statSync(file), fs.readFileSync(cacheFile(file)));

/** What the engine with `flags` does with the cache of a program. */
function verdict(file: string, flags: readonly string[]): string {
  const folder = temporaryFolder();
  const at = (name: string): string => path.join(folder, name);
  const data = dataOf(file);
  if (data === null) return 'not for this program';
  fs.writeFileSync(at('reader.cjs'), READER);
  fs.writeFileSync(at('text'), scriptText(fs.readFileSync(file, 'latin1')), 'latin1');
  fs.writeFileSync(at('data'), data);
  return execFileSync(process.execPath, [...flags, at('reader.cjs'), at('text'), at('data')], { encoding: 'utf8' });
}

/** The cache of `file` is that of a program that says something else and is as long. */
function exchangeCache(file: string): void {
  const other = recorded(HELLO.replace('hello', 'HELLO'));
  // Of this process's flags, so that the engine takes it.
  const script = scriptText(fs.readFileSync(other, 'latin1'));
  const made = execFileSync(process.execPath, [
    ...process.execArgv,
    '-e',
    `process.stdout.write(new (require('node:vm').Script)(${JSON.stringify(script)}).createCachedData())`,
  ]);
  fs.writeFileSync(cacheFile(file), cacheOf(fs.statSync(file), made));
}

describe('the code cache of a program', () => {
  it('is taken by an engine with the flags it was made with', () => {
    const file = recorded();
    expect(verdict(file, ordinaryTask)).toBe('taken');
    expect(verdict(file, KERNEL_FLAGS)).toBe('refused');
    record('kernel', file);
    expect(verdict(file, KERNEL_FLAGS)).toBe('taken');
  });

  it.each([
    ['kernel.main.cjs', KERNEL_FLAGS],
    ['services/start.main.cjs', ordinaryTask],
    ['services/ne2000.cjs', ordinaryTask],
    ['services/shell/tools.cjs', ordinaryTask],
  ])('is there for %s and taken', (program, flags) => {
    expect(verdict(path.join(dist, program), flags)).toBe('taken');
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

  it('is made for the flags of npm start, and stays out of a package', () => {
    const words = packageDescription.scripts.start.split(' ');
    expect(words).toEqual(['node', ...KERNEL_FLAGS, 'dist/kernel.cjs']);
    expect(packageDescription.files).toContain('!dist/**/*.cache');
  });

  it('is what runs: the engine does not look at the text', () => {
    const file = recorded();
    exchangeCache(file);
    expect(said(file)).toBe('HELLO');
  });

  it('is not looked at outside of the own folder, whoever has made it', () => {
    const file = recorded();
    exchangeCache(file);
    for (const own of [dist, `${path.dirname(file)}/sub`, `${path.dirname(file)}/program`, file.slice(0, -1)])
      expect(said(file, own), own).toBe('hello');
    expect(said(path.join(path.dirname(file), 'x/../program.cjs'), path.join(path.dirname(file), 'x'))).toBe('hello');
  });

  it('is passed over when the file of the program has changed, be it by one character', () => {
    const file = recorded();
    exchangeCache(file);
    fs.writeFileSync(file, HELLO.replace('hello', 'hallo'));
    expect(said(file)).toBe('hallo');
  });

  it('is passed over when another version of Node or for another processor has made it', () => {
    const file = recorded();
    exchangeCache(file);
    const cache = fs.readFileSync(cacheFile(file));
    for (const [what, instead] of [
      [process.version, process.version.replace(/\d$/, 'x')],
      [` ${process.arch} `, ` ${'x'.repeat(process.arch.length)} `],
    ] as const) {
      fs.writeFileSync(cacheFile(file), Buffer.from(cache.toString('latin1').replace(what, instead), 'latin1'));
      expect(said(file)).toBe('hello');
    }
  });

  it('is passed over when it is cut short', () => {
    const file = recorded();
    const cache = fs.readFileSync(cacheFile(file));
    for (const length of [0, 3, 128, cache.length / 2, cache.length - 1]) {
      fs.writeFileSync(cacheFile(file), cache.subarray(0, length));
      expect(said(file), `${length} bytes`).toBe('hello');
    }
  });

  it('is not needed: a program of someone else runs without, in any characters and with a first line for the host', () => {
    const file = path.join(temporaryFolder(), 'program.cjs');
    fs.writeFileSync(file, '#!/usr/bin/env node\nexports.said = "größer ✓"');
    expect(said(file)).toBe('größer ✓');
  });

  it('leaves an error of syntax to whoever loads the program', () => {
    const file = path.join(temporaryFolder(), 'program.cjs');
    fs.writeFileSync(file, 'const = 1;');
    expect(() => compiled(file, dist)).toThrow(SyntaxError);
  });
});
