/**
 * Builds dist/ from the sources: one CommonJS file per program, because a process that reads a single bundled file
 * starts several times faster than one that resolves its modules or compiles TypeScript.
 *
 *   dist/kernel.main.cjs          the machine and the kernel      (kernel/main.ts)
 *   dist/qtest.cjs                the machine behind qtest        (hw/qtest/main.ts)
 *   dist/vros.cjs                 the command for disk images    (host/main.ts)
 *   dist/services/start.main.cjs  loader and service library      (services/lib/start.ts)
 *   dist/services/NAME.cjs        a service                       (services/NAME/main.ts)
 *   dist/services/shell/NAME.cjs  what jobs of the shell run besides (services/shell/NAME/main.ts)
 *   dist/examples/NAME.cjs        a service shown in the docs     (examples/NAME/main.ts)
 *   dist/test-services/NAME.cjs   a service the tests need        (test/services/NAME/main.ts)
 *   dist/bench/NAME.cjs           a service the bench measures    (bench/services/NAME/main.ts)
 *   dist/NAME.cjs                 runs NAME.main.cjs              (loader/main.ts)
 *   dist/record.cjs               makes the code caches           (loader/record.ts)
 *   dist/NAME.cache               what the engine compiled of NAME.cjs, for when that is loaded (loader/compiled.ts)
 *
 * A service's bundle does not contain the service library: `services/lib/index.ts` stays outside as `require('vros')`,
 * which the loader answers. So a warm spare can hold the library before it knows which service it is to become.
 *
 * Packages are bundled too: pino with its own destinations only (its transports would look for their worker's file),
 * and msgpackr from `msgpackr/pack` and `msgpackr/unpack`, which never look for its native add-on.
 *
 * Files are replaced in one step and only when they changed: a system that is running meanwhile never loads half of
 * one.
 */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { build } from 'esbuild';

const root = import.meta.dirname;
const output = path.join(root, 'dist');
const libraryIndex = path.join(root, 'services', 'lib', 'index.ts');

/**
 * @typedef {{ source: string, target: string, service: boolean, banner?: object, cached?: 'kernel' | 'task' }} Program
 * paths relative to root and to dist/; whose flags of the engine it has a code cache for
 */

/** Programs with a fixed place. One whose folder does not exist is left out; a folder without its entry is an error. */
const fixedPrograms = [
  { source: 'loader/main.ts', target: 'kernel.cjs', service: false },
  { source: 'kernel/main.ts', target: 'kernel.main.cjs', service: false, cached: 'kernel' },
  { source: 'hw/qtest/main.ts', target: 'qtest.cjs', service: false },
  { source: 'host/main.ts', target: 'vros.cjs', service: false, banner: { js: '#!/usr/bin/env node' } },
  { source: 'loader/main.ts', target: 'services/start.cjs', service: false },
  { source: 'services/lib/start.ts', target: 'services/start.main.cjs', service: false, cached: 'task' },
  { source: 'loader/record.ts', target: 'record.cjs', service: false },
].filter((program) => existsSync(path.join(root, path.dirname(program.source))));

/** Programs of which there is one per folder: every `FOLDER/NAME/main.ts`. */
async function programsIn(folder, target) {
  const directory = path.join(root, folder);
  if (!existsSync(directory)) return [];
  const names = (await readdir(directory)).sort();
  return names
    .map((name) => ({
      source: `${folder}/${name}/main.ts`,
      target: `${target}/${name}.cjs`,
      service: true,
      cached: 'task',
    }))
    .filter((program) => existsSync(path.join(root, program.source)));
}

/** Leaves the service library out of a service's bundle. */
const libraryStaysOutside = {
  name: 'library-stays-outside',
  setup(bundler) {
    bundler.onResolve({ filter: /^\.{1,2}\/.*index\.ts$/ }, ({ path: specifier, resolveDir }) =>
      path.resolve(resolveDir, specifier) === libraryIndex ? { path: 'vros', external: true } : null,
    );
  },
};

/**
 * Modules of Node as they are. For each `import fs from 'node:fs'` esbuild would have a program make a copy of all that
 * the module exports, at its start, every time.
 */
const modulesOfNode = {
  name: 'modules-of-node',
  setup(bundler) {
    bundler.onResolve({ filter: /^node:/ }, ({ path: name, kind }) =>
      kind === 'import-statement' ? { path: name, namespace: 'node' } : { path: name, external: true },
    );
    bundler.onLoad({ filter: /./, namespace: 'node' }, async ({ path: name }) => {
      const names = Object.keys(await import(name)).filter((key) => key !== 'default' && /^[a-z]\w*$/i.test(key));
      const all = name.replace(/\W/g, '_');
      const named = names.map((key) => `export const ${key} = /* @__PURE__ */ (() => ${all}.${key})();`);
      return { contents: [`const ${all} = require('${name}');`, `export default ${all};`, ...named].join('\n') };
    });
  },
};

/** Bundles one program and returns the absolute paths of its files. */
async function bundle(program) {
  const result = await build({
    absWorkingDir: root,
    entryPoints: [program.source],
    outfile: path.join(output, program.target),
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    sourcemap: 'linked',
    // The same expressions find the program's own folder in the sources (ES modules) and in the bundle.
    banner: program.banner ?? {},
    define: { 'import.meta.dirname': '__dirname', 'import.meta.filename': '__filename' },
    logOverride: { 'empty-import-meta': 'error' },
    plugins: program.service ? [libraryStaysOutside, modulesOfNode] : [modulesOfNode],
    logLevel: 'warning',
    write: false,
  });
  await Promise.all(result.outputFiles.map((file) => replaceFile(file.path, inAscii(file))));
  return result.outputFiles.map((file) => file.path);
}

/**
 * A program is ASCII, which esbuild leaves to do in comments: so its code cache can be used with the text as it is
 * (loader/compiled.ts).
 */
function inAscii({ path: file, contents, text }) {
  if (!file.endsWith('.cjs')) return contents;
  const escaped = text.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return Buffer.from(escaped, 'latin1');
}

async function replaceFile(file, contents) {
  const old = await readFile(file).catch(() => null);
  if (old?.equals(contents)) return;
  await mkdir(path.dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}.tmp`;
  const program = contents[0] === 0x23 && contents[1] === 0x21; // #!
  await writeFile(temporary, contents, { mode: program ? 0o755 : 0o644 });
  await rename(temporary, file);
}

/** Removes programs from dist/ whose sources are gone. */
async function removeAllBut(kept) {
  const entries = existsSync(output) ? await readdir(output, { recursive: true, withFileTypes: true }) : [];
  const stale = entries
    .filter((entry) => entry.isFile() && /\.(cjs(\.map)?|cache)$/.test(entry.name))
    .map((entry) => path.join(entry.parentPath, entry.name))
    .filter((file) => !kept.has(file));
  await Promise.all(stale.map((file) => rm(file, { force: true })));
}

/**
 * Makes the code caches of programs; returns the absolute paths of the files. Without them everything works, more
 * slowly.
 */
function record(kind) {
  const files = programs.filter(({ cached }) => cached === kind).map(({ target }) => path.join(output, target));
  const { status } = spawnSync(process.execPath, [path.join(output, 'record.cjs'), kind, ...files], {
    stdio: 'inherit',
  });
  if (status !== 0) console.error(`no code caches for programs of the ${kind}: they will start more slowly`);
  return files.map((file) => file.replace(/\.cjs$/, '.cache'));
}

const programs = [
  ...fixedPrograms,
  ...(await programsIn('services', 'services')),
  ...(await programsIn('services/shell', 'services/shell')),
  ...(await programsIn('examples', 'examples')),
  ...(await programsIn('test/services', 'test-services')),
  ...(await programsIn('bench/services', 'bench')),
];
const results = await Promise.allSettled(programs.map(bundle));
const failed = programs.filter((_, index) => results[index].status === 'rejected');
if (failed.length === 0) {
  const caches = ['kernel', 'task'].flatMap(record);
  await removeAllBut(new Set([...results.flatMap((result) => result.value), ...caches]));
  console.log(`built ${programs.length} programs in dist/`);
} else {
  // esbuild has printed the reasons.
  console.error(`not built: ${failed.map((program) => program.source).join(', ')}`);
  process.exitCode = 1;
}
