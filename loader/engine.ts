/**
 * Flags the engine is started with. A code cache (compiled.ts) is good for the flags it was made with only.
 */

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
  const flags = [`--max-old-space-size=${memory}`, '--max-semi-space-size=4'];
  return lockedDown ? [...flags, '--disallow-code-generation-from-strings'] : flags;
}
