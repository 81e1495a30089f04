/**
 * Snapshot and restore of the line discipline, and random input: the screen always shows the line, and a restored one
 * goes on alike.
 */
import { describe, expect, it } from 'vitest';
import { characterWidth } from '../../../protocol/character.ts';
import { LineDiscipline } from '../../../services/tty/line-discipline.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Cells of one row, as a terminal would show them. */
class Row {
  readonly cells: string[] = [];
  cursor = 0;

  write(text: string): void {
    for (const character of text) {
      if (character === '\b') this.cursor -= 1;
      else if (character === '\r') this.cursor = 0;
      else if (character === '\n') this.cells.length = 0;
      else if (character === '\t') this.cursor += 8 - (this.cursor % 8);
      else this.print(character);
    }
  }

  get text(): string {
    return Array.from(this.cells, (cell) => cell ?? ' ')
      .join('')
      .trimEnd();
  }

  private print(character: string): void {
    const width = characterWidth(character.codePointAt(0) ?? 0);
    if (width === 0) {
      // A mark goes onto the character before the cursor.
      let at = this.cursor - 1;
      while (at > 0 && this.cells[at] === '') at -= 1;
      this.cells[at] += character;
      return;
    }
    this.cells[this.cursor] = character;
    if (width === 2) this.cells[this.cursor + 1] = '';
    this.cursor += width;
  }
}

/** What the screen has to show for a line typed after a prompt. */
function expectedRow(prompt: string, line: string): string {
  const row = new Row();
  row.write(prompt);
  for (const character of line) {
    const code = character.charCodeAt(0);
    row.write(code < 0x20 && character !== '\t' ? `^${String.fromCharCode(code ^ 0x40)}` : character);
  }
  return row.text;
}

describe('a restored line discipline', () => {
  it('has the unread input, the unfinished line, the column and the settings', () => {
    const first = new LineDiscipline();
    first.setAttributes({ echoControl: false });
    first.process(bytes('$ '));
    first.input(bytes('one\ntwo\n\x04thr\t日\x13'));
    const copy = new LineDiscipline();
    copy.restore(JSON.parse(JSON.stringify(first.snapshot(), packBytes), unpackBytes));
    expect(copy.getAttributes()).toEqual(first.getAttributes());
    expect(copy.column).toBe(first.column);
    expect(copy.outputStopped).toBe(true);
    expect(Buffer.from(copy.input(bytes('\x11\x7f\x7f')).echo).toString()).toBe('\b \b'.repeat(2 + 5));
    copy.input(bytes('\n'));
    const lines = Array.from({ length: 5 }, () => copy.read(100)).map((line) => line && Buffer.from(line).toString());
    expect(lines).toEqual(['one\n', 'two\n', '', 'thr\n', null]);
  });

  it('has the raw bytes, and the end after a hang-up', () => {
    const first = new LineDiscipline();
    first.setAttributes({ canonical: false, signals: false });
    first.input(Uint8Array.from({ length: 70000 }, (_, index) => index & 0x7f));
    first.read(1000);
    first.input(bytes('tail'));
    first.hangUp();
    const copy = new LineDiscipline();
    copy.restore(first.snapshot());
    expect(copy.droppedBytes).toBe(first.droppedBytes);
    expect(copy.read(100000)).toEqual(first.read(100000));
    expect(copy.read(10)).toEqual(new Uint8Array(0));
  });

  it('refuses a state that is none and keeps its own', () => {
    const discipline = new LineDiscipline();
    discipline.input(bytes('kept\n'));
    const good = new LineDiscipline().snapshot();
    if (!Array.isArray(good)) throw new Error('a snapshot is an array');
    const broken: unknown[] = [null, {}, [], good.slice(1), [9, ...good.slice(1)], [...good, 0]];
    for (let field = 0; field < good.length; field += 1) broken.push(good.with(field, 'x'));
    for (const state of broken) expect(() => discipline.restore(state)).toThrow('EINVAL');
    expect(Buffer.from(discipline.read(10) ?? []).toString()).toBe('kept\n');
  });
});

describe('random input', () => {
  const seed = Math.floor(Math.random() * 2 ** 32);

  it(`shows on the screen what is in the line (seed ${seed})`, () => {
    const random = generator(seed);
    const typed = [
      'a',
      'b',
      ' ',
      'é',
      '日',
      '😀',
      'e\u0301',
      '\t',
      '\x01',
      '\x7f',
      '\x7f',
      '\b',
      '\x17',
      '\x15',
      '\x16\x03',
    ];
    for (let round = 0; round < 300; round += 1) {
      const discipline = new LineDiscipline();
      const row = new Row();
      const prompt = 'p'.repeat(random(10));
      row.write(Buffer.from(discipline.process(bytes(prompt))).toString());
      const keys = Array.from({ length: random(40) }, () => typed[random(typed.length)] ?? '');
      row.write(Buffer.from(discipline.input(bytes(keys.join(''))).echo).toString());
      discipline.input(bytes('\x04'));
      const line = Buffer.from(discipline.read(4096) ?? []).toString();
      expect(row.text, `seed ${seed} round ${round} keys ${JSON.stringify(keys)}`).toBe(expectedRow(prompt, line));
    }
  });

  it(`goes on alike in a restored one, whatever the bytes and settings (seed ${seed})`, () => {
    const random = generator(seed);
    for (let round = 0; round < 200; round += 1) {
      let discipline = new LineDiscipline();
      const plain = new LineDiscipline();
      for (let step = 0; step < 10; step += 1) {
        const changes = { canonical: random(3) > 0, echo: random(3) > 0, utf8: random(2) > 0, extended: random(4) > 0 };
        const data = Uint8Array.from({ length: random(200) }, () => (random(2) ? random(32) : random(256)));
        const size = random(50);
        const results = [plain, discipline].map((each) => {
          each.setAttributes(changes);
          return [each.input(data), each.process(data), each.read(size), each.droppedBytes, each.column];
        });
        expect(results[1], `seed ${seed} round ${round} step ${step}`).toEqual(results[0]);
        const copy = new LineDiscipline();
        copy.restore(discipline.snapshot());
        discipline = copy;
      }
    }
  });
});

function packBytes(_key: string, value: unknown): unknown {
  return value instanceof Uint8Array ? { bytes: [...value] } : value;
}

function unpackBytes(_key: string, value: unknown): unknown {
  const packed = typeof value === 'object' && value !== null && 'bytes' in value ? value.bytes : undefined;
  return Array.isArray(packed) ? Uint8Array.from(packed) : value;
}
