/**
 * Random steps for comparisons with the host's file system, as arbitraries of fast-check: few names, so that operations
 * meet one another, and some that are special.
 */
import fc from 'fast-check';
import type { Step } from './host.ts';

const BLOCK_BYTES = 4096;

const special = fc.constantFrom(
  ...['F', 'ä', '日本語', '𝄞 with spaces ', '\u0001\n*?"\\', 'x'.repeat(255), 'é'.repeat(127)],
);
const tooLong = fc.constantFrom('y'.repeat(256), 'é'.repeat(128));

/** Names that are mostly those of `likely`, so that directories are often looked for where directories are. */
function names(...likely: string[]): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 60, arbitrary: fc.constantFrom(...likely) },
    { weight: 8, arbitrary: fc.constantFrom('d', 'e', 'f', 'g', 'h') },
    { weight: 4, arbitrary: special },
    { weight: 1, arbitrary: tooLong },
  );
}

const directoryName = names('d', 'e');
const name = names('f', 'g', 'h');

const inner = fc.oneof(
  { weight: 30, arbitrary: directoryName },
  { weight: 1, arbitrary: fc.constant('.') },
  { weight: 2, arbitrary: fc.constant('..') },
);

/** Directories above a name: mostly none or one. */
const above: fc.Arbitrary<string[]> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<string[]>([]) },
  { weight: 5, arbitrary: fc.tuple(inner) },
  { weight: 2, arbitrary: fc.tuple(inner, inner) },
  { weight: 1, arbitrary: fc.array(inner, { minLength: 3, maxLength: 5 }) },
);

/** A path that does not leave the root upwards, with a name at its end. */
function pathTo(lastName: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.tuple(above, lastName).map(([parts, last]) => {
    let depth = 0;
    const kept = parts.filter((part) => {
      if (part === '..' && depth === 0) return false;
      depth += part === '..' ? -1 : part === '.' ? 0 : 1;
      return true;
    });
    return [...kept, last].join('/');
  });
}

const path = pathTo(name);
const directoryPath = pathTo(directoryName);
const anyPath = fc.oneof(path, directoryPath);

/** A directory, or what may be one. */
const anywhere: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: path },
  { weight: 1, arbitrary: fc.constant('') },
);

/** Targets lead downwards only, so that no path leaves the root. */
const target: fc.Arbitrary<string> = fc.oneof(
  { weight: 8, arbitrary: anyPath.filter((text) => !text.includes('..')) },
  { weight: 1, arbitrary: fc.constantFrom('', 'd/'.repeat(700), `${'e/'.repeat(30)}f`, '127 bytes'.padEnd(127, '.')) },
);

/** Positions in files: near the borders of blocks, and where the kinds of indirect blocks begin. */
const position: fc.Arbitrary<number> = fc.oneof(
  { weight: 50, arbitrary: fc.nat(5 * BLOCK_BYTES) },
  {
    weight: 20,
    arbitrary: fc
      .tuple(fc.constantFrom(0, 1, 2, 12, 13, 40), fc.integer({ min: -2, max: 2 }))
      .map(([block, by]) => Math.max(0, block * BLOCK_BYTES + by)),
  },
  { weight: 1, arbitrary: fc.integer({ min: 1036 * BLOCK_BYTES - 5000, max: 1036 * BLOCK_BYTES + 5000 }) },
);

const length: fc.Arbitrary<number> = fc.oneof(
  { weight: 4, arbitrary: fc.nat(3000) },
  { weight: 2, arbitrary: fc.constantFrom(0, 1, BLOCK_BYTES, 2 * BLOCK_BYTES) },
  { weight: 1, arbitrary: fc.nat(5 * BLOCK_BYTES) },
);

/** Reading no bytes at all is no call of the host. */
const readLength = length.map((count) => Math.max(1, count));

const seed = fc.nat(1000);
const slot = fc.nat(3);
const mode = fc.nat(0o77).map((bits) => 0o700 | bits);

const kinds = {
  create: fc.record({ kind: fc.constant('create' as const), path, mode }),
  mkdir: fc.record({ kind: fc.constant('mkdir' as const), path: directoryPath, mode }),
  symlink: fc.record({ kind: fc.constant('symlink' as const), path, target }),
  link: fc.record({ kind: fc.constant('link' as const), path, to: path }),
  unlink: fc.record({ kind: fc.constant('unlink' as const), path }),
  rmdir: fc.record({ kind: fc.constant('rmdir' as const), path: directoryPath }),
  rename: fc.record({ kind: fc.constant('rename' as const), path, to: path }),
  renameDirectory: fc.record({ kind: fc.constant('rename' as const), path: directoryPath, to: directoryPath }),
  /** Into itself, onto itself, onto what is above. */
  renameNear: fc.tuple(directoryPath, fc.oneof(name, directoryName), fc.boolean()).map(([upper, lower, down]): Step => {
    const [from, to] = down ? [upper, `${upper}/${lower}`] : [`${upper}/${lower}`, upper];
    return { kind: 'rename', path: from, to };
  }),
  write: fc.record({ kind: fc.constant('write' as const), path, offset: position, length, seed }),
  append: fc.record({ kind: fc.constant('append' as const), path, length, seed }),
  truncate: fc.record({ kind: fc.constant('truncate' as const), path, size: position }),
  chmod: fc.record({ kind: fc.constant('attributes' as const), path: anywhere, mode }),
  read: fc.record({ kind: fc.constant('read' as const), path, offset: position, length: readLength }),
  stat: fc.record({ kind: fc.constant('stat' as const), path: anywhere }),
  list: fc.record({ kind: fc.constant('list' as const), path: anywhere }),
  readlink: fc.record({ kind: fc.constant('readlink' as const), path }),
  open: fc.record({ kind: fc.constant('open' as const), slot, path }),
  close: fc.record({ kind: fc.constant('close' as const), slot }),
  slotWrite: fc.record({ kind: fc.constant('slot-write' as const), slot, offset: position, length, seed }),
  slotRead: fc.record({ kind: fc.constant('slot-read' as const), slot, offset: position, length: readLength }),
  slotTruncate: fc.record({ kind: fc.constant('slot-truncate' as const), slot, size: position }),
  slotStat: fc.record({ kind: fc.constant('slot-stat' as const), slot }),
  commit: fc.constant<Step>({ kind: 'commit' }),
  die: fc.constant<Step>({ kind: 'die' }),
  sync: fc.constant<Step>({ kind: 'sync' }),
};

/** A step, with the weights of ordinary work. */
export const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 14, arbitrary: kinds.create },
  { weight: 12, arbitrary: kinds.mkdir },
  { weight: 5, arbitrary: kinds.symlink },
  { weight: 8, arbitrary: kinds.link },
  { weight: 6, arbitrary: kinds.unlink },
  { weight: 4, arbitrary: kinds.rmdir },
  { weight: 12, arbitrary: kinds.rename },
  { weight: 6, arbitrary: kinds.renameDirectory },
  { weight: 3, arbitrary: kinds.renameNear },
  { weight: 14, arbitrary: kinds.write },
  { weight: 6, arbitrary: kinds.append },
  { weight: 6, arbitrary: kinds.truncate },
  { weight: 3, arbitrary: kinds.chmod },
  { weight: 8, arbitrary: kinds.read },
  { weight: 6, arbitrary: kinds.stat },
  { weight: 3, arbitrary: kinds.list },
  { weight: 3, arbitrary: kinds.readlink },
  { weight: 6, arbitrary: kinds.open },
  { weight: 4, arbitrary: kinds.close },
  { weight: 5, arbitrary: kinds.slotWrite },
  { weight: 4, arbitrary: kinds.slotRead },
  { weight: 2, arbitrary: kinds.slotTruncate },
  { weight: 2, arbitrary: kinds.slotStat },
  { weight: 4, arbitrary: kinds.commit },
  { weight: 2, arbitrary: kinds.die },
  { weight: 1, arbitrary: kinds.sync },
);
