/**
 * Flags the engine is started with. A code cache (compiled.ts) is good for the flags it was made with only.
 */
import process from 'node:process';
import type v8 from 'node:v8';

/**
 * Has the engine optimize a function after it has run a third as much as otherwise: drivers and servers do many small
 * things, each of them seldom, and would wait long for that. With much less the engine has seen too little, and has to
 * do it again. Only V8 before version 12, which Node 20 has, counts so, and knows this flag.
 */
const EARLY_OPTIMIZATION = budgetOf(20_000);

/** The same for code that has shown all that it will do (services/lib/rehearsal.ts): what runs again is optimized. */
const OPTIMIZATION_AT_ONCE = budgetOf(2000);

/** Has the engine copy less of what a function calls into it: for a driver, that takes longer than it gains. */
const LITTLE_INLINING = ['--max-inlined-bytecode-size-cumulative=200'];

/** Functions that may wait to be optimized, which are many after a rehearsal; eight otherwise. */
const OPTIMIZATION_QUEUE = '--concurrent-recompilation-queue-length=256';

/** `bytes`: of code that a function runs through before the engine considers it. */
function budgetOf(bytes: number): string[] {
  return Number.parseInt(process.versions.v8, 10) < 12 ? [`--interrupt-budget=${bytes}`] : [];
}

/* What follows sets flags for the process it is called in, whose code is loaded. */

/** Kept from before a task is locked down (services/lib/lockdown.ts). */
const { getBuiltinModule } = process;

let engine: typeof v8 | null = null;

/**
 * Loads what sets flags. That takes a tenth of what a task needs to start, since all of Node's streams come with it,
 * and only few tasks need it: those do it before they load a program.
 */
export function prepareFlags(): typeof v8 {
  engine ??= getBuiltinModule('node:v8');
  return engine;
}

export const optimizeEarly = (): void => set(EARLY_OPTIMIZATION);
export const optimizeAtOnce = (): void => set(OPTIMIZATION_AT_ONCE);
export const inlineLittle = (): void => set(LITTLE_INLINING);

function set(flags: readonly string[]): void {
  for (const flag of flags) prepareFlags().setFlagsFromString(flag);
}

/** Memory for a program's data unless its manifest says otherwise, in MiB. */
export const DEFAULT_MEMORY_MEBIBYTES = 128;

/**
 * For the kernel, as `npm start` has them. Its memory is not to be collected whenever everything has become quiet;
 * docs/architecture.md says why.
 */
export const KERNEL_FLAGS: readonly string[] = ['--no-memory-reducer'];

/** For a task with so much memory for its data, in MiB, and locked down (services/lib/lockdown.ts) or not. */
export function taskFlags(memory: number, lockedDown: boolean): string[] {
  // The young generation would grow to three times 16 MiB; nothing becomes slower without that.
  const flags = [`--max-old-space-size=${memory}`, '--max-semi-space-size=4', OPTIMIZATION_QUEUE];
  flags.push(...EARLY_OPTIMIZATION);
  return lockedDown ? [...flags, '--disallow-code-generation-from-strings'] : flags;
}
