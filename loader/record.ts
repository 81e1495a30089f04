/**
 * The last step of a build: makes the code caches of programs (compiled.ts).
 *
 *     node dist/record.cjs kernel|task FILE…
 *
 * The whole of each program is compiled, not only what runs when it is loaded: what a driver needs after the death of
 * its predecessor is there at once, too.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import v8 from 'node:v8';
import vm from 'node:vm';
import { cacheFile, cacheOf, scriptText } from './compiled.ts';
import { DEFAULT_MEMORY_MEBIBYTES, KERNEL_FLAGS, taskFlags } from './engine.ts';

const flagsOf = new Map<string | undefined, readonly string[]>([
  ['kernel', KERNEL_FLAGS],
  ['task', taskFlags(DEFAULT_MEMORY_MEBIBYTES, true)],
]);
/** The first word when the engine has its flags. */
const RECORD = 'record';

function record(file: string): void {
  v8.setFlagsFromString('--no-lazy');
  const script = new vm.Script(scriptText(fs.readFileSync(file, 'latin1')), { filename: file });
  v8.setFlagsFromString('--lazy');
  const temporary = `${cacheFile(file)}.${process.pid}.tmp`;
  // On its medium before it has its name: the engine notices that a cache is too short, but not that a part of it has
  // never been written.
  fs.writeFileSync(temporary, cacheOf(fs.statSync(file), script.createCachedData()), { flush: true });
  fs.renameSync(temporary, cacheFile(file));
}

const [, self = '', word, ...files] = process.argv;
const flags = flagsOf.get(word);
if (word === RECORD) files.forEach(record);
else if (flags === undefined) throw new Error('usage: record.cjs kernel|task FILE…');
else {
  const { status } = spawnSync(process.execPath, [...flags, self, RECORD, ...files], { stdio: 'inherit', env: {} });
  process.exitCode = status ?? 1;
}
