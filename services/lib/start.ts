/**
 * Entry of every task written in JavaScript: loads the service library, tells the kernel that it is there, and waits to be given a program. A
 * task that waits here is a warm spare.
 *
 * Arguments: `--lock-down` puts the innermost layer of the sandbox in force before the program's code is loaded.
 */
import fs from 'node:fs';
import { createRequire } from 'node:module';
import vm from 'node:vm';
import * as library from './index.ts';
import { lockDown } from './lockdown.ts';
import { startInformation } from './start-information.ts';

/** `require` as a program sees it: the service library and nothing else. */
function requireLibrary(name: string): unknown {
  if (name === 'vros') return library;
  throw new Error(`a service can require 'vros' only, not '${name}'`);
}

/** `require` as a program outside of the sandbox sees it. */
function requireBeside(file: string): (name: string) => unknown {
  const hostRequire = createRequire(file);
  return (name) => (name === 'vros' ? library : hostRequire(name));
}

function compile(file: string): (...parameters: unknown[]) => void {
  const source = fs.readFileSync(file, 'utf8');
  return vm.compileFunction(source, ['exports', 'require', 'module', '__filename', '__dirname'], {
    filename: file,
  }) as (...parameters: unknown[]) => void;
}

const lockedDown = process.argv.includes('--lock-down');
if (lockedDown) lockDown(library.log);
Object.assign(startInformation, library.taskStart());
const { entry } = startInformation;
if (entry.endsWith('.ts')) import(entry).catch(library.fail);
else load(entry);

function load(file: string): void {
  try {
    const program = compile(file);
    const requireProgram = lockedDown ? requireLibrary : requireBeside(file);
    program({}, requireProgram, { exports: {} }, file, '/');
  } catch (error) {
    library.fail(error);
  }
}
