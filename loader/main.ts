/**
 * What the engine is started with where a program is too large to be compiled each time: `NAME.cjs` runs
 * `NAME.main.cjs` beside it with its code cache (compiled.ts). Built only.
 */
import path from 'node:path';
import { compiled } from './compiled.ts';

const here = import.meta.filename;
const folder = path.dirname(here);
const program = path.join(folder, `${path.basename(here, '.cjs')}.main.cjs`);
compiled(program, folder)(exports, require, module, program, folder);
