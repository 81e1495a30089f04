/**
 * What the engine is started with where a program is too large to be compiled each time: `NAME.cjs` runs `NAME.main.cjs` beside it with its code cache
 * (compiled.ts). Built only.
 */
import path from 'node:path';
import { compiled } from './compiled.ts';

const here = import.meta.filename;
const program = path.join(path.dirname(here), `${path.basename(here, '.cjs')}.main.cjs`);
compiled(program)(exports, require, module, program, path.dirname(program));
