/**
 * Programs of dist/ as functions, with their code cache: what the engine has compiled when they were built. To compile
 * a program when it is loaded takes longer than anything else it does until it is ready. Read: "vm.Script" in the
 * Node.js documentation, cachedData.
 *
 * A cache is code that the engine runs without a look at it. So only those are used that lie beside a program in the
 * loader's own folder, and each is good for one state of the file of its program, one version of Node and one
 * processor, which its head names, and for one set of the engine's flags, which the engine compares itself. With any
 * other, or without a cache, the program is compiled.
 */
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import vm from 'node:vm';

/** A program as CommonJS has it: exports, require, module, file, folder. */
export type ModuleFunction = (
  exports: object,
  require: (name: string) => unknown,
  module: object,
  filename: string,
  dirname: string,
) => void;

const PARAMETERS = ['exports', 'require', 'module', '__filename', '__dirname'];

/**
 * Bytes of the head of a cache: text in ASCII, filled up with spaces. What follows has to be aligned for the engine.
 */
const HEAD_BYTES = 128;

const engine = `${process.version} ${process.arch}`;

/** Where the cache of a program is. */
export const cacheFile = (file: string): string => path.join(path.dirname(file), `${path.parse(file).name}.cache`);

/** The script that makes a program of its text. */
export const scriptText = (source: string): string => `(function (${PARAMETERS.join(', ')}) {${source}\n})`;

/** The head of the cache for a program in this state of its file. */
function headOf({ ino, size, mtimeMs }: fs.Stats): string {
  return `${engine} ${ino} ${size} ${mtimeMs}`.padEnd(HEAD_BYTES);
}

/** A cache as it is kept: what the engine has made, behind its head. */
export function cacheOf(program: fs.Stats, data: Buffer): Buffer {
  return Buffer.concat([Buffer.from(headOf(program), 'latin1'), data]);
}

/** What the engine has made; null: it is for another state of the program, or another engine. */
export function cachedDataOf(program: fs.Stats, cache: Buffer): Buffer | null {
  return cache.toString('latin1', 0, HEAD_BYTES) === headOf(program) ? cache.subarray(HEAD_BYTES) : null;
}

/**
 * Reads a program. `own`: the folder in and below which caches may be used. Throws when it cannot be read or is no
 * JavaScript.
 */
export function compiled(file: string, own: string): ModuleFunction {
  const descriptor = fs.openSync(file, 'r');
  try {
    const cachedData = path.resolve(file).startsWith(own + path.sep) ? readCache(file, fs.fstatSync(descriptor)) : null;
    const program = fs.readFileSync(descriptor);
    if (cachedData === null)
      return vm.compileFunction(program.toString(), PARAMETERS, { filename: file }) as ModuleFunction;
    // The build writes ASCII, and the engine reads that fastest.
    const script = new vm.Script(scriptText(program.toString('latin1')), { filename: file, cachedData });
    return script.runInThisContext() as ModuleFunction;
  } finally {
    fs.closeSync(descriptor);
  }
}

function readCache(file: string, program: fs.Stats): Buffer | null {
  try {
    return cachedDataOf(program, fs.readFileSync(cacheFile(file)));
  } catch {
    return null;
  }
}
