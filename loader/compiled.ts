/**
 * Programs of dist/ as functions, with their code cache: what the engine has compiled when they were built. To compile a program when it is loaded takes longer than
 * anything else it does until it is ready. Read: "vm.Script" in the Node.js documentation, cachedData.
 *
 * A cache belongs to one text of the program, one version of the engine and one set of its flags; with any other, or without a cache, the program is
 * compiled. The engine tells the latter two itself but knows the text by its length only. So the build ends each program with a mark made of its text, and
 * begins the cache with the same.
 */
import fs from 'node:fs';
import vm from 'node:vm';

/** A program as CommonJS has it: exports, require, module, file, folder. */
export type ModuleFunction = (
  exports: object,
  require: (name: string) => unknown,
  module: object,
  filename: string,
  dirname: string,
) => void;

/** Characters of a mark; after it the program has one more, the end of the line. */
export const MARK_CHARACTERS = 16;

/** Where the cache of a program is. */
export const cacheFile = (file: string): string => `${file.slice(0, -'.cjs'.length)}.cache`;

/** The script that makes a program of its text. */
export const scriptText = (source: string): string =>
  `(function (exports, require, module, __filename, __dirname) {${source}\n})`;

/** The mark at the end of a program; of one the build has not made, whatever is there. */
export const markOf = (program: Buffer): string =>
  program.toString('latin1', Math.max(0, program.length - MARK_CHARACTERS - 1), Math.max(0, program.length - 1));

/** Reads a program. Throws when it cannot be read or is no JavaScript. */
export function compiled(file: string): ModuleFunction {
  const program = fs.readFileSync(file);
  const cachedData = readCache(file, markOf(program));
  // The build writes ASCII, and the engine reads that fastest.
  const text = scriptText(program.toString(cachedData === null ? 'utf8' : 'latin1'));
  const script = new vm.Script(text, cachedData === null ? { filename: file } : { filename: file, cachedData });
  return script.runInThisContext() as ModuleFunction;
}

function readCache(file: string, mark: string): Buffer | null {
  try {
    const cache = fs.readFileSync(cacheFile(file));
    return cache.toString('latin1', 0, MARK_CHARACTERS) === mark ? cache.subarray(MARK_CHARACTERS) : null;
  } catch {
    return null;
  }
}
