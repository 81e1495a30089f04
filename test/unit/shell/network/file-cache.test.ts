/** The files that httpd keeps: what is given out again without being read, and what is not. */
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Handle } from '../../../../protocol/schema.ts';
import type { Outcome } from '../../../../services/lib/index.ts';
import { type CachedFile, FileCache } from '../../../../services/shell/network/httpd/file-cache.ts';

const clock = vi.hoisted(() => ({ now: 0 }));

vi.mock('../../../../services/lib/index.ts', async (importOriginal) => ({
  ...(await importOriginal<object>()),
  ipcRelease: () => {},
  time: () => clock.now,
}));

/** A file system with times as coarse as those of FAT, one file, and directories. It answers at once. */
class Disk {
  text = '';
  modified = 0;
  reads = 0;
  /** Names in each of the directories. */
  names: string[] = [];
  private opened: 'file' | 'directory' = 'file';

  write(text: string): void {
    this.text = text;
    this.modified = Math.floor(clock.now / 2000) * 2000;
  }

  private attributes(type: string): object {
    return { type, node: 7, size: this.text.length, modified: this.modified };
  }

  /** A client of either interface, vfs and file. */
  client(): object {
    const answer = (value: unknown, done: (outcome: Outcome<unknown>) => void): void => done({ ok: true, value });
    const typeOf = (path: string): 'file' | 'directory' => (path.endsWith('/') ? 'directory' : 'file');
    return {
      attributes: (request: { place: { path: string } } | undefined, done: () => void) =>
        answer(this.attributes(request === undefined ? this.opened : typeOf(request.place.path)), done),
      resolve: (_request: unknown, done: () => void) => answer({ path: '/www/page' }, done),
      open: ({ place }: { place: { path: string } }, done: () => void) => {
        this.opened = typeOf(place.path);
        answer({ file: 5 as Handle, type: this.opened }, done);
      },
      read: ({ offset }: { offset: number }, done: () => void) => {
        this.reads += offset === 0 ? 1 : 0;
        answer(Buffer.from(this.text.slice(offset)), done);
      },
      read_directory: (_request: unknown, done: () => void) => {
        this.reads += 1;
        answer({ entries: this.names.map((name) => ({ name, node: 8, type: 'file' })), cursor: null }, done);
      },
    };
  }
}

let disk: Disk;
let cache: FileCache;

/** What is at a path. Whoever gets it goes on using it. */
function find(path: string): CachedFile {
  let found: CachedFile | null = null;
  cache.find(path, (outcome) => {
    if (!outcome.ok) throw outcome.error;
    found = outcome.value;
  });
  if (found === null) throw new Error('nothing was answered');
  return found;
}

/** What a request gets, some milliseconds after the last one. */
function get(later = 0): CachedFile {
  clock.now += later;
  if (later >= 1000) cache.grow();
  const found = find('/page');
  cache.release(found);
  return found;
}

const textOf = ({ content }: CachedFile): string => Buffer.from(content ?? []).toString();

beforeEach(() => {
  disk = new Disk();
  clock.now = 1_000_000_000;
  cache = new FileCache({
    ...{ files: 1 as Handle, root: '/www' },
    loop: { client: () => disk.client() as never },
  });
});

describe('a file in the cache of httpd', () => {
  it('is read once when it has been quiet for longer than two changes can have the same time', () => {
    disk.write('old');
    for (const later of [2000, 0, 1000, 5000]) expect([textOf(get(later)), get().settled]).toEqual(['old', true]);
    expect(disk.reads).toBe(1);
    disk.write('new');
    expect(textOf(get(1000))).toBe('new');
  });

  it('is read again when it was changed right before, until a change would show', () => {
    disk.write('old');
    expect([textOf(get(500)), get().settled]).toEqual(['old', false]);
    disk.write('new');
    expect([textOf(get()), disk.reads], 'what is known is good for a tick').toEqual(['old', 1]);
    expect([textOf(get(1000)), get().settled]).toEqual(['new', false]);
    expect([textOf(get(1000)), get().settled]).toEqual(['new', true]);
    expect([textOf(get(1000)), disk.reads]).toEqual(['new', 3]);
  });
});

describe('the page of a directory in the cache of httpd', () => {
  const MEBIBYTE = 1024 * 1024;

  beforeEach(() => {
    disk.names = Array.from({ length: 9000 }, (_, at) => `name ${at}`.padEnd(60, '-'));
    disk.modified = 1000;
  });

  it('is the same for everybody as long as the directory is', () => {
    const pages = Array.from({ length: 300 }, () => find('/d/'));
    clock.now += 1000;
    cache.grow();
    pages.push(find('/d/'));
    expect([new Set(pages.map(({ content }) => content)).size, disk.reads]).toEqual([1, 1]);
    disk.write('');
    cache.grow();
    expect(find('/d/')).not.toBe(pages[0]);
  });

  it('is made again and again where the directory has no time', () => {
    disk.modified = 0;
    const first = find('/d/');
    disk.names = ['other'];
    cache.grow();
    expect(textOf(find('/d/'))).not.toBe(textOf(first));
  });

  it('is refused where those that are being sent take all the room, and given out again afterwards', () => {
    const used: CachedFile[] = [];
    const refused = (): boolean => {
      try {
        used.push(find(`/${used.length}/`));
        return false;
      } catch (error) {
        expect(error).toMatchObject({ code: 'EAGAIN' });
        return true;
      }
    };
    while (used.length < 100 && !refused());
    const bytes = used.reduce((sum, { content }) => sum + (content?.length ?? 0), 0);
    expect(bytes).toBeGreaterThan(14 * MEBIBYTE);
    expect(bytes).toBeLessThanOrEqual(16 * MEBIBYTE);
    // Neither a change of what is sent nor a small file makes it more.
    disk.write('text');
    cache.grow();
    expect(refused()).toBe(true);
    expect(textOf(get())).toBe('text');
    cache.release(used[0] as CachedFile);
    expect(refused()).toBe(false);
  });

  it('shows 10,000 entries, and as many as have room', () => {
    disk.names = Array.from({ length: 12_000 }, (_, at) => `${at}`);
    expect(textOf(find('/many/')).match(/<li>/g)).toHaveLength(10_001);
    disk.names = Array.from({ length: 10_000 }, (_, at) => `${at}`.padEnd(255, '"'));
    expect(find('/long/').content?.length).toBeLessThan(2.1 * MEBIBYTE);
  });
});
