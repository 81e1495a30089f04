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

/** A file system with times as coarse as those of FAT, and one file. It answers at once. */
class Disk {
  text = '';
  modified = 0;
  reads = 0;

  write(text: string): void {
    this.text = text;
    this.modified = Math.floor(clock.now / 2000) * 2000;
  }

  private attributes(): object {
    return { type: 'file', node: 7, size: this.text.length, modified: this.modified };
  }

  /** A client of either interface, vfs and file. */
  client(): object {
    const answer = (value: unknown, done: (outcome: Outcome<unknown>) => void): void => done({ ok: true, value });
    return {
      attributes: (_request: unknown, done: () => void) => answer(this.attributes(), done),
      resolve: (_request: unknown, done: () => void) => answer({ path: '/www/page' }, done),
      open: (_request: unknown, done: () => void) => answer({ file: 5 as Handle, type: 'file' }, done),
      read: ({ offset }: { offset: number }, done: () => void) => {
        this.reads += offset === 0 ? 1 : 0;
        answer(Buffer.from(this.text.slice(offset)), done);
      },
    };
  }
}

let disk: Disk;
let cache: FileCache;

/** What a request gets, some milliseconds after the last one. */
function get(later = 0): CachedFile {
  clock.now += later;
  if (later >= 1000) cache.grow();
  let found: CachedFile | null = null;
  cache.find('/page', (outcome) => {
    if (!outcome.ok) throw outcome.error;
    found = outcome.value;
    cache.release(found);
  });
  if (found === null) throw new Error('nothing was answered');
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
