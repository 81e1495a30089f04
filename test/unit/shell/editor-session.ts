/** A line editor with a virtual terminal attached, for tests. */
import { History } from '../../../services/shell/history.ts';
import {
  type Completion,
  type EditorEvent,
  type EditorResult,
  LineEditor,
} from '../../../services/shell/line-editor.ts';
import { VirtualTerminal } from './virtual-terminal.ts';

export interface SessionOptions {
  columns?: number;
  prompt?: string;
  history?: readonly string[];
  complete?: (text: string, cursor: number) => Completion;
}

/** Keys by the bytes that terminals send for them. */
export const keys = {
  up: '\x1b[A',
  down: '\x1b[B',
  right: '\x1b[C',
  left: '\x1b[D',
  home: '\x1b[H',
  end: '\x1b[F',
  delete: '\x1b[3~',
  backspace: '\x7f',
  altBackspace: '\x1b\x7f',
} as const;

export class EditorSession {
  readonly history = new History();
  readonly terminal: VirtualTerminal;
  readonly editor: LineEditor;
  /** Output of the last call. */
  output = '';

  constructor({ columns = 40, prompt = '$ ', history = [], complete }: SessionOptions = {}) {
    for (const line of history) this.history.add(line);
    this.terminal = new VirtualTerminal(columns);
    this.editor = new LineEditor({
      prompt,
      columns,
      history: this.history,
      complete: complete ?? ((_text, cursor) => ({ start: cursor, candidates: [] })),
    });
    this.start();
  }

  start(): readonly EditorEvent[] {
    return this.show(this.editor.start());
  }

  /** Sends bytes, or text as UTF-8, to the editor and its output to the terminal. */
  type(input: string | Uint8Array): readonly EditorEvent[] {
    return this.show(this.editor.feed(typeof input === 'string' ? new TextEncoder().encode(input) : input));
  }

  resize(columns: number): void {
    this.terminal.resize(columns);
    this.output = this.editor.resize(columns);
    this.terminal.write(this.output);
  }

  /** The screen from the first row on. */
  get screen(): string[] {
    return this.terminal.text();
  }

  /** Row and column of the cursor. */
  get cursor(): [number, number] {
    const { row, column, pendingWrap } = this.terminal.cursor;
    if (pendingWrap) throw new Error('the cursor hangs past the last column');
    return [row, column];
  }

  private show({ output, events }: EditorResult): readonly EditorEvent[] {
    this.output = output;
    this.terminal.write(output);
    return events;
  }
}
