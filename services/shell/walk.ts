/** Goes through a directory and everything below it. Symbolic links are visited and not followed. */
import type { FileType } from '../../protocol/file.ts';
import type { CommandContext } from './command.ts';
import { attempt, joined } from './operands.ts';
import { compareTexts } from './texts.ts';

/** What is visited. `depth` is 0 for the start. */
export interface Visited {
  readonly path: string;
  readonly type: FileType;
  readonly depth: number;
}

/** What to do on the way. Failures are told, and the way goes on. */
export interface Walk {
  /** Before what is inside. False: do not go inside. */
  before?(visited: Visited): boolean | undefined;
  /** After what is inside, of which `complete` says whether all went well; of what is no directory, after `before`. */
  after?(visited: Visited, complete: boolean): void;
  /** Directories at this depth are not entered. */
  readonly deepest?: number;
}

/** Walks from `start`, names in their order. Answers whether nothing went wrong. */
export function walk(context: CommandContext, start: string, steps: Walk): boolean {
  const deepest = steps.deepest ?? Number.POSITIVE_INFINITY;
  /** Answers whether all went well here and below. */
  const visit = (visited: Visited): boolean => {
    const { path, type, depth } = visited;
    let enters = type === 'directory' && depth < deepest;
    const begun = attempt(context, path, () => {
      if (steps.before?.(visited) === false) enters = false;
    });
    if (!begun) return false;
    let complete = true;
    const listed =
      !enters ||
      attempt(context, path, () => {
        const entries = [...context.files.entries(path)].sort((a, b) => compareTexts(a.name, b.name));
        for (const entry of entries) {
          const inside = { path: joined(path, entry.name), type: entry.type, depth: depth + 1 };
          complete = visit(inside) && complete;
        }
      });
    complete &&= listed;
    return attempt(context, path, () => steps.after?.(visited, complete)) && complete;
  };
  let complete = true;
  const known = attempt(context, start, () => {
    complete = visit({ path: start, type: context.files.attributes(start, false).type, depth: 0 });
  });
  return known && complete;
}

/** Removes a tree. Answers whether nothing is left; what is left, and why, has been told. */
export function removeTree(context: CommandContext, path: string): boolean {
  const { files } = context;
  return walk(context, path, {
    after: ({ path: inside, type }, complete) => {
      if (type !== 'directory') files.unlink(inside);
      // A directory in which something had to stay cannot go either.
      else if (complete) files.removeDirectory(inside);
    },
  });
}
