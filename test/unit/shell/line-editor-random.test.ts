/** Random keys against a naive model: after each piece of input the screen and the cursor are where the model says. */
import { describe, expect, it } from 'vitest';
import { EditorSession, keys } from './editor-session.ts';

function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const isWide = (character: string): boolean => ['日', '本', '😀'].includes(character);

/** The line as an array of characters; every operation as plain as can be. */
class Model {
  left: string[] = [];
  right: string[] = [];
  killed = '';
  lastKilled = false;
  lines: string[];
  line: number;
  draft = '';

  constructor(lines: string[]) {
    this.lines = lines;
    this.line = lines.length;
  }

  get text(): string {
    return [...this.left, ...this.right].join('');
  }

  set(text: string): void {
    this.left = [...text];
    this.right = [];
  }

  kill(text: string, forward: boolean): void {
    if (!this.lastKilled && text !== '') this.killed = '';
    if (this.lastKilled || text !== '') this.killed = forward ? this.killed + text : text + this.killed;
  }

  show(line: number): void {
    if (line < 0 || line > this.lines.length) return;
    if (this.line === this.lines.length) this.draft = this.text;
    this.line = line;
    this.set(this.lines[line] ?? this.draft);
  }

  leftWhile(test: (character: string) => boolean): string {
    let taken = '';
    for (let last = this.left.at(-1); last !== undefined && test(last); last = this.left.at(-1)) {
      this.left.pop();
      taken = last + taken;
    }
    return taken;
  }

  rightWhile(test: (character: string) => boolean): string {
    let taken = '';
    for (let first = this.right[0]; first !== undefined && test(first); first = this.right[0]) {
      this.right.shift();
      taken += first;
    }
    return taken;
  }
}

const word = (character: string): boolean => /[\p{L}\p{N}_]/u.test(character);
const other = (character: string): boolean => !word(character);
const blank = (character: string): boolean => character === ' ';
const solid = (character: string): boolean => character !== ' ';
const all = (): boolean => true;

/** Takes what `first` holds for before the cursor, then what `then` holds for. */
function backwards(model: Model, first: (c: string) => boolean, then: (c: string) => boolean): string {
  const tail = model.leftWhile(first);
  return model.leftWhile(then) + tail;
}

const moves: [string, (model: Model) => void][] = [
  [keys.left, (m) => m.right.unshift(...m.left.splice(-1))],
  ['\x02', (m) => m.right.unshift(...m.left.splice(-1))],
  [keys.right, (m) => m.left.push(...m.right.splice(0, 1))],
  ['\x01', (m) => m.right.unshift(...m.left.splice(0))],
  [keys.end, (m) => m.left.push(...m.right.splice(0))],
  ['\x1bb', (m) => m.right.unshift(...backwards(m, other, word))],
  [keys.backspace, (m) => m.left.pop()],
  [keys.delete, (m) => m.right.shift()],
  ['\x19', (m) => m.left.push(...m.killed)],
  [keys.up, (m) => m.show(m.line - 1)],
  [keys.down, (m) => m.show(m.line + 1)],
  [
    '\x14',
    (m) => {
      if (m.right.length === 0 && m.left.length > 1) m.right.unshift(...m.left.splice(-1));
      const [before, after] = [m.left.at(-1), m.right[0]];
      if (before === undefined || after === undefined) return;
      m.left.pop();
      m.right.shift();
      m.left.push(after, before);
    },
  ],
  [
    '\x1bf',
    (m) => {
      const passed = m.rightWhile(other) + m.rightWhile(word);
      m.left.push(...passed);
    },
  ],
];

const kills: [string, (model: Model) => void][] = [
  ['\x0b', (m) => m.kill(m.rightWhile(all), true)],
  ['\x15', (m) => m.kill(m.leftWhile(all), false)],
  ['\x17', (m) => m.kill(backwards(m, blank, solid), false)],
  [keys.altBackspace, (m) => m.kill(backwards(m, other, word), false)],
  ['\x1bd', (m) => m.kill(m.rightWhile(other) + m.rightWhile(word), true)],
];

/** Rows of the screen and the place of the cursor for a text after a prompt. */
function layout(
  prompt: string,
  left: string[],
  right: string[],
  columns: number,
): { rows: string[]; cursor: [number, number] } {
  const rows = [''];
  let used = 0;
  let cursor: [number, number] = [0, 0];
  const place = (character: string): [number, number] => {
    const width = isWide(character) ? 2 : 1;
    if (used + width > columns) {
      rows.push('');
      used = 0;
    }
    const at: [number, number] = [rows.length - 1, used];
    rows[rows.length - 1] += character;
    used += width;
    return at;
  };
  for (const character of [...prompt, ...left]) place(character);
  const [next, ...others] = right;
  if (next === undefined) cursor = used >= columns ? [rows.length, 0] : [rows.length - 1, used];
  else cursor = place(next);
  for (const character of others) place(character);
  return { rows: rows.map((row) => row.trimEnd()), cursor };
}

describe('random keys', () => {
  const seed = Math.floor(Math.random() * 2 ** 32);

  it(`show on the screen what a naive model has (seed ${seed})`, () => {
    const random = generator(seed);
    const letters = ['a', 'b', '7', '_', ' ', ' ', '-', '.', 'é', '日', '😀'];
    for (let round = 0; round < 150; round += 1) {
      const columns = 2 + random(round % 3 === 0 ? 5 : 40);
      const history = ['echo one', 'blktest 日本 2', 'x'.repeat(random(60) + 1)];
      const session = new EditorSession({ columns, history, prompt: '\x1b[32m%\x1b[0m ' });
      const model = new Model(history);
      let base = 0;
      const log: string[] = [];
      for (let step = 0; step < 80; step += 1) {
        let typed = '';
        let entered: string | null = null;
        for (let count = 1 + random(4); count > 0; count -= 1) {
          const choice = random(100);
          const [key, action] = moves[random(moves.length)] ?? ['', () => 0];
          const [killKey, kill] = kills[random(kills.length)] ?? ['', () => 0];
          if (choice < 60) {
            const letter = letters[random(letters.length)] ?? '';
            typed += letter;
            model.left.push(letter);
            model.lastKilled = false;
          } else if (choice < 88) {
            typed += key;
            action(model);
            model.lastKilled = false;
          } else if (choice < 98) {
            typed += killKey;
            kill(model);
            model.lastKilled = true;
          } else {
            typed += '\r';
            entered = model.text;
            model.set('');
            model.line = history.length;
            model.draft = '';
            model.lastKilled = false;
            break;
          }
        }
        log.push(typed);
        const bytes = new TextEncoder().encode(typed);
        const cut = random(bytes.length + 1);
        const events = [...session.type(bytes.slice(0, cut)), ...session.type(bytes.slice(cut))];
        const where = `seed ${seed} round ${round} columns ${columns} keys ${JSON.stringify(log)}`;
        expect(events, where).toEqual(entered === null ? [] : [{ kind: 'line', text: entered }]);
        if (entered !== null) {
          base = session.terminal.row;
          session.start();
        }
        const expected = layout('% ', model.left, model.right, columns);
        expect(session.terminal.text(base), where).toEqual(trimmed(expected.rows));
        expect(session.cursor, where).toEqual([base + expected.cursor[0], expected.cursor[1]]);
      }
    }
  });

  it(`never break the editor, whatever the bytes (seed ${seed})`, () => {
    const random = generator(seed);
    const starts = [0x1b, 0x5b, 0x4f, 0x3b, 0x7e, 0x30, 0x32, 0x09, 0x12, 0x0d, 0xe6, 0x97, 0xa5, 0xf0, 0x80];
    for (let round = 0; round < 200; round += 1) {
      const session = new EditorSession({ columns: 3 + random(30), history: ['one', 'two'] });
      for (let step = 0; step < 30; step += 1) {
        const bytes = Uint8Array.from({ length: random(20) }, () =>
          random(2) ? (starts[random(starts.length)] ?? 0) : random(256),
        );
        if (session.type(bytes).length > 0) session.start();
        // The terminal throws for what it does not know, and the cursor for a wrap left undone.
        expect(session.cursor.length, `seed ${seed}`).toBe(2);
      }
    }
  });
});

function trimmed(rows: string[]): string[] {
  const texts = [...rows];
  while (texts.length > 0 && texts.at(-1) === '') texts.pop();
  return texts;
}
