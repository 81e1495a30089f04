/**
 * Makes the pages that show directories. One takes some megabytes until it is done, so two are made at a time, and
 * what else is asked for waits.
 */
import type { AsynchronousClient, DirectoryEntry, file, Outcome } from '../../../lib/index.ts';
import { type ListedItem, listedItem, listingPage } from '../http/listing.ts';

/** Entries of a directory that are shown, and bytes that they take on the page. */
const MAX_LISTED = 10_000;
const MAX_LISTED_BYTES = 2 * 1024 * 1024;

/** Entries that are read at once. */
const ENTRIES_AT_ONCE = 256;

/** Pages that are made at the same time. */
const MAX_MAKING = 2;

type Directory = Pick<AsynchronousClient<typeof file.methods>, 'read_directory'>;
type Done<T> = (outcome: Outcome<T>) => void;

/** See the head of this file. */
export class DirectoryPages {
  private making = 0;
  private readonly waiting: (() => void)[] = [];

  /** The page of an open directory; `path` as it is asked for, with a slash at its end. */
  make(path: string, directory: Directory, done: Done<Uint8Array>): void {
    if (this.making === MAX_MAKING) {
      this.waiting.push(() => this.make(path, directory, done));
      return;
    }
    this.making += 1;
    new Listing(directory, (outcome) => {
      this.making -= 1;
      if (outcome.ok) done({ ok: true, value: new TextEncoder().encode(listingPage(path, outcome.value)) });
      else done(outcome);
      this.waiting.shift()?.();
    }).read('');
  }
}

/** Reads the entries of a directory, as many as are shown. */
class Listing {
  private readonly directory: Directory;
  private readonly done: Done<ListedItem[]>;
  private readonly items: ListedItem[] = [];
  private bytes = 0;

  constructor(directory: Directory, done: Done<ListedItem[]>) {
    this.directory = directory;
    this.done = done;
  }

  read(cursor: string): void {
    this.directory.read_directory({ cursor, most: ENTRIES_AT_ONCE }, (outcome) => {
      if (!outcome.ok) {
        this.done(outcome);
        return;
      }
      const { entries, cursor: next } = outcome.value;
      const full = !entries.every((entry) => this.add(entry));
      if (full || next === null) this.done({ ok: true, value: this.items });
      else this.read(next);
    });
  }

  /** False: there is no more room on the page. */
  private add({ name, type }: DirectoryEntry): boolean {
    const item = listedItem(name, type === 'directory');
    this.bytes += Buffer.byteLength(item.html);
    if (this.items.length === MAX_LISTED || this.bytes > MAX_LISTED_BYTES) return false;
    this.items.push(item);
    return true;
  }
}
