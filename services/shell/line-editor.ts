/**
 * The line editor: keys in, a line of text and what to send to the terminal out. The key bindings are those of Emacs
 * mode in readline and POSIX-like shells. A state machine: it knows no terminal and no clock.
 *
 * One edit runs from `start` to the first event; what is typed ahead waits for the next `start`. The caller switches
 * the terminal to raw mode before and back after.
 */
import { type Cell, cellsOf, Display, promptCells } from './display.ts';
import type { History } from './history.ts';
import { HistorySearch } from './history-search.ts';
import { type Key, KeyDecoder } from './keys.ts';
import { MAX_INPUT_CHARACTERS } from './syntax.ts';
import { formatColumns } from './table.ts';
import { TextBuffer } from './text-buffer.ts';
import { clustersOf, isControl, visibleText } from './width.ts';

/** What ended an edit. */
export type EditorEvent =
  | { readonly kind: 'line'; readonly text: string }
  | { readonly kind: 'eof' }
  | { readonly kind: 'interrupt' }
  | { readonly kind: 'suspend' };

/** What came of some input: text for the terminal (to be sent before the event is acted on), and at most one event. */
export interface EditorResult {
  readonly output: string;
  readonly events: readonly EditorEvent[];
}

/** What may stand from `start` (UTF-16 code units) to the cursor instead of what is there. */
export interface Completion {
  readonly start: number;
  readonly candidates: readonly string[];
}

/** What an editor works with. */
export interface EditorOptions {
  /** Shown before the line; may have colours (ECMA-48 SGR). */
  readonly prompt: string;
  /** Width of the terminal in cells. */
  readonly columns: number;
  /** Read here; whoever gets the lines adds them. */
  readonly history: History;
  readonly complete: (text: string, cursor: number) => Completion;
}

/** Candidates that are listed at most; the rest is counted. */
const MAX_LISTED = 200;

const BELL = '\x07';
const CLEAR_SCREEN = '\x1b[H\x1b[2J';
const PASTE_ON = '\x1b[?2004h';
const PASTE_OFF = '\x1b[?2004l';

/** Edits one line at a time. */
export class LineEditor {
  private readonly history: History;
  private readonly complete: EditorOptions['complete'];
  private readonly decoder = new KeyDecoder();
  private readonly display: Display;
  private readonly buffer = new TextBuffer();
  private columns: number;
  private prompt: readonly Cell[];
  private nextPrompt: readonly Cell[];
  private active = false;
  private output = '';
  private event: EditorEvent | null = null;
  private waiting: Key[] = [];
  private waitingCharacters = 0;
  /** Number of the history line shown, `history.length` for the draft. */
  private line = 0;
  private draft = '';
  private search: HistorySearch | null = null;
  private killed = '';
  /** Whether the last key killed, so that the next kill adds to it; and the same for tab. */
  private killing = false;
  private tabbed = false;

  constructor(options: EditorOptions) {
    this.history = options.history;
    this.complete = options.complete;
    this.columns = options.columns;
    this.display = new Display(options.columns);
    this.prompt = promptCells(options.prompt);
    this.nextPrompt = this.prompt;
  }

  /** Whether an edit is under way. */
  get editing(): boolean {
    return this.active;
  }

  /** Text of the line as it is. */
  get text(): string {
    return this.buffer.text;
  }

  /** Another prompt, from the next `start` on. */
  setPrompt(prompt: string): void {
    this.nextPrompt = promptCells(prompt);
  }

  /** Begins an edit: shows the prompt, and takes what was typed ahead. The cursor has to be at the start of a row. */
  start(): EditorResult {
    if (!this.active) {
      this.active = true;
      this.prompt = this.nextPrompt;
      this.display.forget();
      this.output += PASTE_ON;
      this.line = this.history.length;
    }
    return this.run();
  }

  /** Takes bytes from the keyboard, in pieces of any size. */
  feed(bytes: Uint8Array): EditorResult {
    for (const key of this.decoder.feed(bytes)) {
      const size = key.kind === 'key' ? 1 : key.text.length;
      // Without an edit nobody takes the keys away, and memory is not for them to fill.
      if (this.waitingCharacters + size > 2 * MAX_INPUT_CHARACTERS && !this.active) this.output = BELL;
      else {
        this.waiting.push(key);
        this.waitingCharacters += size;
      }
    }
    return this.run();
  }

  /** The terminal has another width. Returns what to send. */
  resize(columns: number): string {
    this.columns = columns;
    this.output += this.display.resize(columns);
    return this.run().output;
  }

  /** Shows `text` (lines ending with a newline) above the line being edited. Returns what to send. */
  printAbove(text: string): string {
    this.output += this.display.wipe() + text.replaceAll(/\r?\n/g, '\r\n');
    return this.run().output;
  }

  /** Handles the keys that wait, up to the first event, and draws what has become of the line. */
  private run(): EditorResult {
    const keys = this.waiting;
    let handled = 0;
    while (this.active && handled < keys.length) {
      const key = keys[handled++];
      if (key !== undefined) this.handle(key);
    }
    this.waiting = keys.slice(handled);
    this.waitingCharacters = this.waiting.reduce((sum, key) => sum + (key.kind === 'key' ? 1 : key.text.length), 0);
    if (this.active) this.draw();
    const result = { output: this.output, events: this.event === null ? [] : [this.event] };
    this.output = '';
    this.event = null;
    return result;
  }

  private draw(): void {
    const shown = this.search;
    const text = shown === null ? this.buffer.clusters : clustersOf(shown.text);
    const before = shown === null ? this.prompt : cellsOf(clustersOf(shown.prompt));
    const cursor = shown === null ? this.buffer.cursor : clustersOf(shown.text.slice(0, shown.cursor)).length;
    this.output += this.display.draw([...before, ...cellsOf(text)], before.length + cursor);
  }

  private handle(key: Key): void {
    if (this.search !== null && this.handleInSearch(key, this.search)) return;
    const { killing, tabbed } = this;
    this.killing = false;
    this.tabbed = false;
    if (key.kind !== 'key') {
      if (!this.buffer.insert(key.text)) this.bell();
    } else if (key.name === 'tab') {
      this.completeWord(tabbed);
    } else if (!this.edit(key.name) && !this.move(key.name)) {
      this.kill(key.name, killing);
    }
  }

  private bell(): void {
    this.output += BELL;
  }

  private finish(event: EditorEvent, shown: string): void {
    this.draw();
    this.output += this.display.leave(shown) + PASTE_OFF;
    this.active = false;
    this.event = event;
    this.killing = false;
    this.tabbed = false;
    if (event.kind !== 'suspend') {
      this.buffer.set('');
      this.draft = '';
    }
  }

  /** Keys that end the edit, change the text or show another one. */
  private edit(name: string): boolean {
    const { buffer } = this;
    switch (name) {
      case 'enter':
        this.finish({ kind: 'line', text: buffer.text }, '');
        return true;
      case 'ctrl-c':
        this.finish({ kind: 'interrupt' }, '^C');
        return true;
      case 'ctrl-z':
        this.finish({ kind: 'suspend' }, '^Z');
        return true;
      case 'ctrl-d':
        if (buffer.isEmpty) this.finish({ kind: 'eof' }, '');
        else this.erase(buffer.cursor, buffer.cursor + 1);
        return true;
      case 'delete':
        this.erase(buffer.cursor, buffer.cursor + 1);
        return true;
      case 'backspace':
        this.erase(buffer.cursor - 1, buffer.cursor);
        return true;
      case 'ctrl-t':
        this.transpose();
        return true;
      case 'ctrl-l':
        this.output += CLEAR_SCREEN;
        this.display.forget();
        return true;
      case 'ctrl-p':
      case 'up':
        this.showLine(this.line - 1);
        return true;
      case 'ctrl-n':
      case 'down':
        this.showLine(this.line + 1);
        return true;
      case 'ctrl-r':
        this.search = new HistorySearch(this.history, buffer.text, buffer.unitsBefore(buffer.cursor));
        return true;
      default:
        return false;
    }
  }

  private move(name: string): boolean {
    const { buffer } = this;
    switch (name) {
      case 'ctrl-a':
      case 'home':
        buffer.cursor = 0;
        return true;
      case 'ctrl-e':
      case 'end':
        buffer.cursor = buffer.clusters.length;
        return true;
      case 'ctrl-b':
      case 'left':
        buffer.cursor -= 1;
        return true;
      case 'ctrl-f':
      case 'right':
        buffer.cursor += 1;
        return true;
      case 'alt-b':
      case 'ctrl-left':
      case 'alt-left':
        buffer.cursor = buffer.wordLeft();
        return true;
      case 'alt-f':
      case 'ctrl-right':
      case 'alt-right':
        buffer.cursor = buffer.wordRight();
        return true;
      default:
        return false;
    }
  }

  /** Keys that take text out to put it in elsewhere. Kills one after the other collect. Any other key does nothing. */
  private kill(name: string, adding: boolean): void {
    const { buffer } = this;
    const { cursor } = buffer;
    if (name === 'ctrl-y') {
      if (!buffer.insert(this.killed)) this.bell();
      return;
    }
    let cut: string;
    let forward = false;
    if (name === 'ctrl-u') cut = buffer.cut(0, cursor);
    else if (name === 'ctrl-w') cut = buffer.cut(buffer.blankLeft(), cursor);
    else if (name === 'alt-backspace') cut = buffer.cut(buffer.wordLeft(), cursor);
    else {
      forward = true;
      if (name === 'ctrl-k') cut = buffer.cut(cursor, buffer.clusters.length);
      else if (name === 'alt-d') cut = buffer.cut(cursor, buffer.wordRight());
      else return;
    }
    const kept = adding ? this.killed : '';
    if (cut !== '' || adding) this.killed = forward ? kept + cut : cut + kept;
    this.killing = true;
  }

  private erase(start: number, end: number): void {
    if (start < 0 || end > this.buffer.clusters.length) this.bell();
    else this.buffer.cut(start, end);
  }

  /** Exchanges the characters around the cursor, at the end the last two. */
  private transpose(): void {
    const { buffer } = this;
    const right = Math.min(buffer.cursor, buffer.clusters.length - 1);
    if (right < 1) this.bell();
    else buffer.replace(right - 1, right + 1, buffer.slice(right, right + 1) + buffer.slice(right - 1, right));
  }

  /**
   * Shows a line of the history, or the draft after the newest. The draft is kept meanwhile, changes to other lines are
   * not.
   */
  private showLine(line: number): void {
    if (line < 0 || line > this.history.length) {
      this.bell();
      return;
    }
    if (this.line >= this.history.length) this.draft = this.buffer.text;
    this.line = line;
    this.buffer.set(this.history.at(line) ?? this.draft);
  }

  /** A key during a search; false when it ends the search and has yet to do what it always does. */
  private handleInSearch(key: Key, search: HistorySearch): boolean {
    if (key.kind !== 'key') {
      if (!search.add(key.text.replaceAll(/[\n\t]/g, ' '))) this.bell();
      return true;
    }
    if (key.name === 'ctrl-r') {
      if (!search.older()) this.bell();
      return true;
    }
    if (key.name === 'backspace') {
      search.remove();
      return true;
    }
    this.search = null;
    if (key.name === 'ctrl-g') return true;
    if (search.line !== null) {
      if (this.line >= this.history.length) this.draft = this.buffer.text;
      this.line = search.line;
      this.buffer.set(search.text);
      this.buffer.cursor = this.buffer.placeOf(search.cursor);
    }
    return false;
  }

  /** Puts in what all candidates have in common; when that is nothing new, a second tab lists them. */
  private completeWord(again: boolean): void {
    const { buffer } = this;
    const { text } = buffer;
    const cursor = buffer.unitsBefore(buffer.cursor);
    const { start, candidates } = this.complete(text, cursor);
    const usable = [...new Set(candidates)].filter((candidate) => candidate !== '' && ![...candidate].some(isControl));
    const [first] = usable;
    this.tabbed = true;
    if (first === undefined || !Number.isInteger(start) || start < 0 || start > cursor) {
      this.bell();
      return;
    }
    const typed = text.slice(start, cursor);
    const common = usable.length === 1 ? completed(first) : usable.reduce(commonStart);
    if (usable.length === 1 || (common !== typed && common.length >= typed.length)) {
      if (!buffer.replace(buffer.placeOf(start), buffer.cursor, common)) this.bell();
      this.tabbed = false;
    } else if (again) {
      this.list(usable);
    } else {
      this.bell();
    }
  }

  private list(candidates: readonly string[]): void {
    // Of paths the last component.
    const shown = candidates.slice(0, MAX_LISTED).map((candidate) => visibleText(candidate.replace(/^.*\/(?=.)/s, '')));
    const lines = formatColumns(shown, this.columns);
    if (candidates.length > MAX_LISTED) lines.push(`… and ${candidates.length - MAX_LISTED} more`);
    this.draw();
    this.output += this.display.leave('') + lines.map((line) => `${line}\r\n`).join('');
  }
}

/** The only candidate is complete, and the next word may follow, unless it is a value or path to be continued. */
function completed(candidate: string): string {
  return /[=/]$/.test(candidate) ? candidate : `${candidate} `;
}

/** What two texts begin with, in whole clusters. */
function commonStart(left: string, right: string): string {
  const others = clustersOf(right);
  const clusters = clustersOf(left);
  const differs = clusters.findIndex((cluster, index) => cluster !== others[index]);
  return differs < 0 ? left : clusters.slice(0, differs).join('');
}
