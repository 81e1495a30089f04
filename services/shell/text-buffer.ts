/** The text being edited, in clusters (see width.ts), and the cursor between them. */
import { MAX_INPUT_CHARACTERS } from './syntax.ts';
import { clustersOf } from './width.ts';

const isWord = (cluster: string | undefined): boolean => cluster !== undefined && /^[\p{L}\p{N}_]/u.test(cluster);
const isBlank = (cluster: string | undefined): boolean => cluster !== undefined && /^[ \t\n]/.test(cluster);

/** Editable text of at most MAX_INPUT_CHARACTERS UTF-16 code units. Places count in clusters. */
export class TextBuffer {
  private list: string[] = [];
  private units = 0;
  private place = 0;

  /** The clusters in order. */
  get clusters(): readonly string[] {
    return this.list;
  }

  /** Place of the cursor, 0 to `clusters.length`. */
  get cursor(): number {
    return this.place;
  }

  set cursor(place: number) {
    this.place = Math.max(0, Math.min(place, this.list.length));
  }

  get text(): string {
    return this.list.join('');
  }

  get isEmpty(): boolean {
    return this.list.length === 0;
  }

  /** Text between two places. */
  slice(start: number, end: number): string {
    return this.list.slice(start, end).join('');
  }

  /** Replaces everything; the cursor goes to the end. Text that is too long is cut off. */
  set(text: string): void {
    this.list = clustersOf(text.slice(0, MAX_INPUT_CHARACTERS));
    this.units = Math.min(text.length, MAX_INPUT_CHARACTERS);
    this.place = this.list.length;
  }

  /**
   * Replaces what is between two places and puts the cursor behind the new text. False, and nothing changes, when the
   * text would get too long.
   */
  replace(start: number, end: number, text: string): boolean {
    const units = this.units - this.slice(start, end).length + text.length;
    if (units > MAX_INPUT_CHARACTERS) return false;
    // A neighbour may join with the new text, or the neighbours with each other.
    const from = Math.max(0, start - 1);
    const to = Math.min(this.list.length, end + 1);
    const before = this.slice(from, start);
    const changed = clustersOf(before + text + this.slice(end, to));
    let place = from;
    let left = before.length + text.length;
    for (const cluster of changed) {
      if (left <= 0) break;
      left -= cluster.length;
      place += 1;
    }
    this.list = this.list.slice(0, from).concat(changed, this.list.slice(to));
    this.units = units;
    this.place = place;
    return true;
  }

  /** Inserts at the cursor; false when the text would get too long. */
  insert(text: string): boolean {
    return this.replace(this.place, this.place, text);
  }

  /** Takes out what is between two places, and gives it. */
  cut(start: number, end: number): string {
    const text = this.slice(start, end);
    if (text !== '') this.replace(start, end, '');
    return text;
  }

  /** Start of the word before the cursor; words are letters, digits and `_`. */
  wordLeft(): number {
    let place = this.place;
    while (place > 0 && !isWord(this.list[place - 1])) place -= 1;
    while (place > 0 && isWord(this.list[place - 1])) place -= 1;
    return place;
  }

  /** End of the word after the cursor. */
  wordRight(): number {
    let place = this.place;
    while (place < this.list.length && !isWord(this.list[place])) place += 1;
    while (place < this.list.length && isWord(this.list[place])) place += 1;
    return place;
  }

  /** Start of what stands between blanks before the cursor. */
  blankLeft(): number {
    let place = this.place;
    while (place > 0 && isBlank(this.list[place - 1])) place -= 1;
    while (place > 0 && !isBlank(this.list[place - 1])) place -= 1;
    return place;
  }

  /** UTF-16 code units before a place. */
  unitsBefore(place: number): number {
    return this.slice(0, place).length;
  }

  /** The first place with at least `units` code units before it. */
  placeOf(units: number): number {
    let place = 0;
    let passed = 0;
    while (place < this.list.length && passed < units) passed += this.list[place++]?.length ?? 0;
    return place;
  }
}
