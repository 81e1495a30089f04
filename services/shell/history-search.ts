/** Incremental search backwards through the history (^R), as readline does it. */
import type { History } from './history.ts';

/** Longest text searched for, in UTF-16 code units. */
const MAX_QUERY_CHARACTERS = 256;

/** One search, from ^R to the key that ends it. */
export class HistorySearch {
  private readonly history: History;
  private readonly originalText: string;
  private readonly originalCursor: number;
  private query = '';
  private found: number | null = null;
  private failed = false;

  /** `text` and `cursor` are shown as long as nothing is found. */
  constructor(history: History, text: string, cursor: number) {
    this.history = history;
    this.originalText = text;
    this.originalCursor = cursor;
  }

  /** Number of the line found, null when there is none. */
  get line(): number | null {
    return this.found;
  }

  /** What stands in place of the prompt. */
  get prompt(): string {
    return `(${this.failed ? 'failed ' : ''}reverse-i-search)\`${this.query}': `;
  }

  /** The line found, or the text from before the search. */
  get text(): string {
    return this.found === null ? this.originalText : (this.history.at(this.found) ?? '');
  }

  /** Place of the cursor in the text, in UTF-16 code units: where the query was found. */
  get cursor(): number {
    return this.found === null ? this.originalCursor : Math.max(0, this.text.lastIndexOf(this.query));
  }

  /** Adds to the query; the line shown stays if it still matches. False when nothing matches. */
  add(text: string): boolean {
    if (this.query.length + text.length > MAX_QUERY_CHARACTERS) return false;
    this.query += text;
    return this.find(this.found ?? this.history.length - 1);
  }

  /** Takes the last character of the query back and searches from the newest line again. */
  remove(): void {
    this.query = [...this.query].slice(0, -1).join('');
    this.found = null;
    this.failed = false;
    if (this.query !== '') this.find(this.history.length - 1);
  }

  /** Goes on to an older line. False when there is none. */
  older(): boolean {
    if (this.query === '') return false;
    return this.find((this.found ?? this.history.length) - 1);
  }

  private find(from: number): boolean {
    const line = this.history.search(this.query, from);
    this.failed = line < 0;
    if (line >= 0) this.found = line;
    return line >= 0;
  }
}
