/** du. Read the POSIX utility `du`. */
import type { CommandContext, Run } from '../command.ts';
import { parseOptions } from '../options.ts';
import { shortSize } from '../sizes.ts';
import { walk } from '../walk.ts';

/** Sums up what is below a path. Answers whether all of it could be seen. */
function sumUp(
  context: CommandContext,
  start: string,
  seen: Set<string>,
  show: (path: string, bytes: number, depth: number) => void,
): boolean {
  const sums: number[] = [];
  return walk(context, start, {
    before: ({ path, depth }) => {
      const { allocated, links, type, fileSystem, node } = context.files.attributes(path, false);
      // A file with several names is counted where it is met first.
      const key = `${fileSystem}:${node}`;
      const known = links > 1 && type !== 'directory' && seen.has(key);
      if (links > 1) seen.add(key);
      sums[depth] = known ? 0 : allocated;
      return undefined;
    },
    after: ({ path, type, depth }) => {
      const bytes = sums[depth] ?? 0;
      sums[depth] = 0;
      if (depth > 0) sums[depth - 1] = (sums[depth - 1] ?? 0) + bytes;
      if (type === 'directory' || depth === 0) show(path, bytes, depth);
    },
  });
}

export const du: Run = (context) => {
  const { flags, operands } = parseOptions(context.words, { flags: 'sh' });
  const seen = new Set<string>();
  let status = 0;
  for (const start of operands.length === 0 ? ['.'] : operands) {
    const complete = sumUp(context, start, seen, (path, bytes, depth) => {
      const size = flags.has('h') ? shortSize(bytes) : String(Math.ceil(bytes / 1024));
      if (depth === 0 || !flags.has('s')) context.print(`${size}\t${path}\n`);
    });
    if (!complete) status = 1;
  }
  return status;
};
