/**
 * A client under whom servers are killed: makes random requests to a file system, and to one in this process that
 * nobody kills. Every answer has to be the same, and at the end every name and every byte. Whatever differs is in the
 * result. Besides, it appends to a file, and makes files by exclusive creation, together with other workers.
 */
import {
  type File,
  type FileAttributes,
  Files,
  getpid,
  log,
  openFlags,
  SystemError,
} from '../../../services/lib/index.ts';
import { digest } from './digest.ts';
import { Expected } from './expected.ts';
import type { WorkerOrder, WorkerResult } from './order.ts';
import { Random } from './random.ts';

const { READ, WRITE, CREATE, EXCLUSIVE, TRUNCATE, APPEND, NO_FOLLOW } = openFlags;

/** Files open at a time. */
const MAX_OPEN = 6;

/** Requests between two looks whether to stop. */
const PERIOD = 10;

/** Differences that are told of. */
const MAX_TOLD = 10;

/** A file that is open in both. */
interface Opened {
  readonly actual: File;
  readonly badge: number;
}

/** What is compared of an answer. */
type Essence = string | number | boolean | null;

/** See the head of this file. */
export class Worker {
  private readonly files = Files.connect('/');
  private readonly expected = new Expected();
  private readonly random: Random;
  private readonly order: WorkerOrder;
  private readonly opened: Opened[] = [];
  private readonly shared: File;
  private readonly names: readonly [string, ...string[]];
  private readonly result: WorkerResult;
  private readonly folder: string;

  constructor(order: WorkerOrder) {
    this.order = order;
    this.random = new Random(order.seed);
    this.folder = `${order.directory}/worker${order.number}`;
    this.names = order.names as [string, ...string[]];
    this.result = { number: order.number, pid: getpid(), requests: 0, appended: 0, won: 0, differences: [], tree: [] };
    this.files.makeDirectory(this.folder);
    this.shared = this.files.open(`${order.directory}/shared`, { write: true, read: true, append: true, create: true });
  }

  /** Works until it is told to stop. */
  run(): WorkerResult {
    do {
      for (let i = 0; i < PERIOD; i++) this.step();
    } while (!this.exists(this.order.stopFile) && this.result.differences.length < MAX_TOLD);
    this.compareTrees();
    for (const opened of this.opened.splice(0)) this.close(opened);
    this.shared.close();
    return this.result;
  }

  private exists(path: string): boolean {
    try {
      this.files.attributes(path);
      return true;
    } catch (error) {
      if (error instanceof SystemError && error.code === 'ENOENT') return false;
      throw error;
    }
  }

  private step(): void {
    this.result.requests++;
    const kind = this.random.below(20);
    if (kind === 0) this.append();
    else if (kind === 1) this.compete();
    else if (kind < 10 && this.opened.length > 0) this.useFile(this.random.below(this.opened.length));
    else this.useNames();
  }

  // With the others

  /** Appends a line to the file of all workers; it has to stand where the answer says. */
  private append(): void {
    const line = Buffer.from(`${this.order.number} ${this.result.appended}\n`);
    try {
      this.shared.append(line);
      const { position } = this.shared;
      const back = this.shared.readAt(position - line.length, line.length);
      this.compare('the line appended', Buffer.from(back).toString(), line.toString());
      this.result.appended++;
    } catch (error) {
      this.tell(`append: ${String(error)}`);
    }
  }

  /** Makes a file that others want to make too: only one must. */
  private compete(): void {
    const path = `${this.order.directory}/race/${this.random.below(this.order.races)}`;
    try {
      this.files.open(path, { write: true, create: true, exclusive: true }).close();
      this.result.won++;
    } catch (error) {
      if (!(error instanceof SystemError && error.code === 'EEXIST')) this.tell(`create ${path}: ${String(error)}`);
    }
  }

  // On its own

  private useFile(index: number): void {
    const { actual, badge } = this.opened[index] as Opened;
    const offset = this.random.below(3) === 0 ? null : this.random.below(10_000);
    const data = Buffer.alloc(1 + this.random.below(this.order.mostBytes), `${this.result.requests} `);
    const { expected } = this;
    const count = 1 + this.random.below(9000);
    const kind = this.random.below(10);
    if (kind < 4) {
      this.both(
        `write ${data.length} bytes at ${offset}`,
        () => actual.writeAt(offset, data),
        () => expected.file(badge, 'write', { offset, data }),
      );
    } else if (kind < 7) {
      const from = offset ?? 0;
      this.both(
        `read ${count} bytes at ${from}`,
        () => digest(actual.readAt(from, count)),
        () => digest(expected.file(badge, 'read', { offset: from, count })),
      );
    } else if (kind === 7) {
      this.both(
        `truncate to ${count}`,
        nothing(() => actual.truncate(count)),
        nothing(() => expected.file(badge, 'truncate', count)),
      );
    } else if (kind === 8) {
      if (this.random.below(4) === 0) actual.sync();
      this.both(
        'attributes of an open file',
        () => this.essence(actual.attributes()),
        () => this.essence(expected.file(badge, 'attributes', undefined)),
      );
    } else {
      const [closed] = this.opened.splice(index, 1);
      if (closed !== undefined) this.close(closed);
    }
  }

  private close({ actual, badge }: Opened): void {
    actual.close();
    this.expected.close(badge);
  }

  private path(): string {
    return Array.from({ length: 1 + this.random.below(3) }, () => this.random.pick(this.names)).join('/');
  }

  private useNames(): void {
    const [path, other] = [this.path(), this.path()];
    const [place, otherPlace] = [placeOf(path), placeOf(other)];
    const { files, expected } = this;
    const here = `${this.folder}/${path}`;
    const there = `${this.folder}/${other}`;
    const kinds: (readonly [string, () => Essence, () => Essence])[] = [
      [
        `mkdir ${path}`,
        nothing(() => files.makeDirectory(here)),
        nothing(() => expected.path('make_directory', { place, mode: 0o755 })),
      ],
      [
        `mkdir ${path}`,
        nothing(() => files.makeDirectory(here)),
        nothing(() => expected.path('make_directory', { place, mode: 0o755 })),
      ],
      [
        `rmdir ${path}`,
        nothing(() => files.removeDirectory(here)),
        nothing(() => expected.path('remove_directory', place)),
      ],
      [`unlink ${path}`, nothing(() => files.unlink(here)), nothing(() => expected.path('unlink', place))],
      [
        `rename ${path} to ${other}`,
        nothing(() => files.rename(here, there)),
        nothing(() => expected.path('rename', { from: place, to: otherPlace })),
      ],
      [
        `rename ${path} to ${other}`,
        nothing(() => files.rename(here, there)),
        nothing(() => expected.path('rename', { from: place, to: otherPlace })),
      ],
      [
        `attributes of ${path}`,
        () => this.essence(files.attributes(here)),
        () => this.essence(expected.path('attributes', { place, follow: true })),
      ],
      [`list ${path}`, () => names([...files.entries(here)]), () => names(this.expectedEntries(path))],
    ];
    if (this.order.links) {
      kinds.push(
        [
          `link ${path} to ${other}`,
          nothing(() => files.link(here, there)),
          nothing(() => expected.path('link', { from: place, to: otherPlace })),
        ],
        [
          `symlink ${path} to ${other}`,
          nothing(() => files.makeSymlink(other, here)),
          nothing(() => expected.path('make_symlink', { place, target: other })),
        ],
        [`readlink ${path}`, () => files.readLink(here), () => expected.path('read_link', place)],
      );
    }
    const index = this.random.below(kinds.length + 4);
    const kind = kinds[index];
    if (kind === undefined) this.open(path, here);
    else this.both(...kind);
  }

  private expectedEntries(path: string): { name: string }[] {
    const flags = READ | openFlags.DIRECTORY;
    const { file: badge } = this.expected.path('open', { place: placeOf(path), flags, mode: 0 });
    try {
      return this.expected.file(badge, 'read_directory', { cursor: '', most: 1024 }).entries;
    } finally {
      this.expected.close(badge);
    }
  }

  private open(path: string, here: string): void {
    const [oldest] = this.opened;
    if (this.opened.length >= MAX_OPEN && oldest !== undefined) {
      this.opened.shift();
      this.close(oldest);
    }
    const flags =
      READ |
      WRITE |
      this.random.pick([CREATE, CREATE, CREATE | EXCLUSIVE, TRUNCATE, CREATE | TRUNCATE, APPEND | CREATE, NO_FOLLOW]);
    let actual: File | undefined;
    let badge = 0;
    this.both(
      `open ${path} with ${flags}`,
      () => {
        const has = (flag: number): boolean => (flags & flag) !== 0;
        actual = this.files.open(here, {
          ...{ read: true, write: true, create: has(CREATE), exclusive: has(EXCLUSIVE), truncate: has(TRUNCATE) },
          ...{ append: has(APPEND), noFollow: has(NO_FOLLOW) },
        });
        return actual.type;
      },
      () => {
        const answer = this.expected.path('open', { place: placeOf(path), flags, mode: 0o644 });
        badge = answer.file;
        return answer.type;
      },
    );
    if (actual !== undefined && badge !== 0) this.opened.push({ actual, badge });
  }

  // Comparing

  /** Makes the same request to both and compares the answers, errors too. */
  private both(what: string, actual: () => Essence, expected: () => Essence): void {
    this.compare(what, outcomeOf(actual), outcomeOf(expected));
  }

  private compare(what: string, actual: Essence, expected: Essence): void {
    if (actual !== expected) this.tell(`${what}: expected ${expected}, got ${actual}`);
  }

  private tell(difference: string): void {
    log(`worker ${this.order.number}, request ${this.result.requests}: ${difference}`, 'error');
    if (this.result.differences.length < MAX_TOLD) this.result.differences.push(difference);
  }

  /** What two file systems have to agree on. */
  private essence({ type, size, links, mode }: FileAttributes): string {
    const modes = this.order.links ? ` ${mode.toString(8)}` : '';
    return type === 'directory' ? `${type}${modes}` : `${type} of ${size} bytes, ${links} links${modes}`;
  }

  /** Compares every name and every byte, and puts them into the result, so that the disk can be compared as well. */
  private compareTrees(): void {
    const tree = this.treeOf('');
    this.result.tree.push(...tree);
    this.compare('the whole tree', tree.join('\n'), this.expectedTree('').join('\n'));
  }

  private treeOf(path: string): string[] {
    const here = `${this.folder}/${path}`;
    const { type } = this.files.attributes(here, false);
    const head = `${path} ${type}`;
    if (type === 'symlink') return [`${head} ${this.files.readLink(here)}`];
    if (type !== 'directory') return [`${head} ${digest(this.files.read(here, 2 ** 24))}`];
    const found = names([...this.files.entries(here)]);
    return [head, ...found.split('/').flatMap((name) => (name === '' ? [] : this.treeOf(join(path, name))))];
  }

  private expectedTree(path: string): string[] {
    const { type, size } = this.expected.path('attributes', { place: placeOf(path), follow: false });
    const head = `${path} ${type}`;
    if (type === 'symlink') return [`${head} ${this.expected.path('read_link', placeOf(path))}`];
    if (type === 'directory') {
      const found = names(this.expectedEntries(path));
      return [head, ...found.split('/').flatMap((name) => (name === '' ? [] : this.expectedTree(join(path, name))))];
    }
    const { file: badge } = this.expected.path('open', { place: placeOf(path), flags: READ, mode: 0 });
    const data = this.expected.file(badge, 'read', { offset: 0, count: size });
    this.expected.close(badge);
    return [`${head} ${digest(data)}`];
  }
}

const placeOf = (path: string): { path: string; links: number } => ({ path, links: 0 });

const join = (path: string, name: string): string => (path === '' ? name : `${path}/${name}`);

/** Names in alphabetical order. */
const names = (entries: readonly { name: string }[]): string =>
  entries
    .map(({ name }) => name)
    .sort()
    .join('/');

/** What answers nothing. */
function nothing(work: () => void): () => null {
  return () => {
    work();
    return null;
  };
}

function outcomeOf(work: () => Essence): Essence {
  try {
    return work();
  } catch (error) {
    if (error instanceof SystemError) return error.code;
    throw error;
  }
}
