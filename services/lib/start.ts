/**
 * Entry of every task written in JavaScript: loads the service library, tells the kernel that it is there, and waits to
 * be given a program. A task that waits here is a warm spare.
 *
 * Arguments: `--lock-down` puts the innermost layer of the sandbox in force before the program's code is loaded.
 */
import path from 'node:path';
import process from 'node:process';
import { compiled } from '../../loader/compiled.ts';
import { prepareFlags } from '../../loader/engine.ts';
import * as library from './index.ts';
import { lockDown } from './lockdown.ts';
import { isStandby } from './standby.ts';
import { startInformation } from './start-information.ts';

/** `require` as a program sees it: the service library and nothing else. */
function requireLibrary(name: string): unknown {
  if (name === 'vros') return library;
  throw new Error(`a service can require 'vros' only, not '${name}'`);
}

/** `require` as a program outside of the sandbox sees it. */
function requireBeside(file: string): (name: string) => unknown {
  const hostRequire = process.getBuiltinModule('node:module').createRequire(file);
  return (name) => (name === 'vros' ? library : hostRequire(name));
}

/** The folder of all built programs: this one lies in `services/` of it. */
const builtPrograms = path.dirname(import.meta.dirname);

const lockedDown = process.argv.includes('--lock-down');
if (lockedDown) lockDown(library.log);
Object.assign(startInformation, library.taskStart());
// A standby may rehearse.
if (isStandby()) prepareFlags();
const { entry } = startInformation;
if (entry.endsWith('.ts')) import(entry).catch(library.fail);
else load(entry);

function load(file: string): void {
  try {
    const program = compiled(file, builtPrograms);
    const requireProgram = lockedDown ? requireLibrary : requireBeside(file);
    program({}, requireProgram, { exports: {} }, file, '/');
  } catch (error) {
    library.fail(error);
  }
}
