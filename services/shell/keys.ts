/**
 * Turns the bytes of a keyboard into keys. Read ECMA-48 (5.4 control sequences, 5.6 control strings) and the xterm
 * control sequences (PC-style function keys, bracketed paste).
 *
 * Bytes may come in pieces of any size. Sequences that mean nothing here are swallowed whole; a control character ends
 * an unfinished one and counts itself, so a broken sequence never swallows ^C. There is no clock: a lone escape waits
 * for the byte after it, with which it means alt.
 */
import { Utf8Decoder } from '../../protocol/character.ts';

/**
 * A key, named for example `left`, `ctrl-a`, `alt-b`, `ctrl-right`, `enter`; a run of ordinary characters; or a piece
 * of pasted text, in which returns have become newlines.
 */
export type Key =
  | { readonly kind: 'key'; readonly name: string }
  | { readonly kind: 'text' | 'paste'; readonly text: string };

const ESCAPE = 0x1b;
const DELETE = 0x7f;
const MAX_PARAMETER_CHARACTERS = 16;
/** Bytes that go on after an escape. The other intermediate ones are more often keys with alt, such as alt-. */
const INTERMEDIATES = ' #%()*+';
const PASTE_END = '\x1b[201~';

const finalKeys: ReadonlyMap<string, string> = new Map([
  ['A', 'up'],
  ['B', 'down'],
  ['C', 'right'],
  ['D', 'left'],
  ['H', 'home'],
  ['F', 'end'],
  ['Z', 'shift-tab'],
]);

const numberedKeys: ReadonlyMap<string, string> = new Map([
  ['1', 'home'],
  ['2', 'insert'],
  ['3', 'delete'],
  ['4', 'end'],
  ['5', 'page-up'],
  ['6', 'page-down'],
  ['7', 'home'],
  ['8', 'end'],
  ['200', 'paste'],
]);

type State =
  | 'ground'
  | 'escape'
  /** After `ESC [`. */
  | 'sequence'
  /** After `ESC [ [`, a function key of the Linux console: one more character. */
  | 'console'
  /** After `ESC O`: one more character. */
  | 'single shift'
  /** After `ESC` and an intermediate byte: up to the final one. */
  | 'intermediate'
  /** In a control string (device control, operating system command …): up to its end. */
  | 'string'
  | 'string escape'
  | 'paste';

/** Decodes keys; keeps unfinished sequences and characters between calls. */
export class KeyDecoder {
  private readonly decoder = new Utf8Decoder();
  private state: State = 'ground';
  private parameters = '';
  private text = '';
  private matched = 0;
  private afterReturn = false;
  private keys: Key[] = [];

  /** Takes bytes and gives the keys they complete. */
  feed(bytes: Uint8Array): Key[] {
    const codePoints: number[] = [];
    for (const byte of bytes) this.decoder.push(byte, codePoints);
    for (const codePoint of codePoints) this.take(codePoint);
    this.flush();
    const keys = this.keys;
    this.keys = [];
    return keys;
  }

  private take(codePoint: number): void {
    if (this.state === 'paste') this.takePasted(codePoint);
    else if (this.state === 'ground') this.takeGround(codePoint);
    else if (codePoint === ESCAPE) this.state = this.state === 'string' ? 'string escape' : 'escape';
    else if (codePoint < 0x20) this.restart(codePoint);
    else this.takeSequence(codePoint);
  }

  /** Gives up a sequence and looks at the code point on its own. */
  private restart(codePoint: number): void {
    const endsString = codePoint === 0x07 && this.state === 'string';
    this.state = 'ground';
    if (!endsString) this.takeGround(codePoint);
  }

  private takeGround(codePoint: number): void {
    if (codePoint === ESCAPE) this.state = 'escape';
    else if (codePoint < 0x20 || codePoint === DELETE) this.key(controlName(codePoint));
    // C1 controls and separators of lines have no key.
    else if (codePoint >= 0xa0 || codePoint < DELETE) {
      if (codePoint !== 0x2028 && codePoint !== 0x2029) this.text += String.fromCodePoint(codePoint);
    }
  }

  private takeSequence(codePoint: number): void {
    const character = String.fromCodePoint(codePoint);
    switch (this.state) {
      case 'escape':
      case 'string escape':
        this.takeEscaped(codePoint, character);
        break;
      case 'sequence':
        this.takeParameter(codePoint, character);
        break;
      case 'single shift':
        this.state = 'ground';
        if (character === 'M') this.key('enter');
        else this.finalKey(character, '');
        break;
      case 'intermediate':
        if (codePoint >= 0x30) this.state = 'ground';
        break;
      case 'console':
        this.state = 'ground';
        break;
      default:
        // Inside a control string: nothing counts but its end.
        break;
    }
  }

  private takeEscaped(codePoint: number, character: string): void {
    const endsString = this.state === 'string escape' && character === '\\';
    this.state = 'ground';
    if (endsString) return;
    if (character === '[') {
      this.state = 'sequence';
      this.parameters = '';
    } else if (character === 'O') this.state = 'single shift';
    else if ('PX]^_'.includes(character)) this.state = 'string';
    else if (codePoint === DELETE) this.key('alt-backspace');
    else if (INTERMEDIATES.includes(character)) this.state = 'intermediate';
    else if (codePoint < DELETE) this.key(`alt-${character.toLowerCase()}`);
    else this.takeGround(codePoint);
  }

  private takeParameter(codePoint: number, character: string): void {
    if (codePoint >= DELETE) {
      this.restart(codePoint);
    } else if (codePoint < 0x40) {
      // A sequence with more parameters than any key has is read to its end like every other.
      if (this.parameters.length <= MAX_PARAMETER_CHARACTERS) this.parameters += character;
    } else if (character === '[' && this.parameters === '') {
      this.state = 'console';
    } else {
      this.state = 'ground';
      this.sequence(character);
    }
  }

  private sequence(final: string): void {
    const match = /^([0-9]*)(?:;([0-9]+))?$/.exec(this.parameters);
    if (match === null) return;
    const [, first = '', second = '1'] = match;
    const modifiers = Number(second) - 1;
    const prefix = (modifiers & 4) !== 0 ? 'ctrl-' : (modifiers & 2) !== 0 ? 'alt-' : '';
    if (final !== '~') {
      this.finalKey(final, prefix);
      return;
    }
    const name = numberedKeys.get(first);
    if (name === 'paste') {
      this.flush();
      this.state = 'paste';
      this.matched = 0;
      this.afterReturn = false;
    } else if (name !== undefined) {
      this.key(prefix + name);
    }
  }

  private finalKey(final: string, prefix: string): void {
    const name = finalKeys.get(final);
    if (name !== undefined) this.key(prefix + name);
  }

  /** Pasted text up to its end mark. What only looked like the mark is text, without the escape. */
  private takePasted(codePoint: number): void {
    if (codePoint === PASTE_END.charCodeAt(this.matched)) {
      this.matched += 1;
      if (this.matched < PASTE_END.length) return;
      this.flush();
      this.state = 'ground';
      return;
    }
    if (this.matched > 0) {
      this.text += PASTE_END.slice(1, this.matched);
      this.matched = codePoint === ESCAPE ? 1 : 0;
      if (codePoint === ESCAPE) return;
    }
    const character = String.fromCodePoint(codePoint);
    if (character === '\r') this.text += '\n';
    else if (character === '\t' || (character === '\n' && !this.afterReturn)) this.text += character;
    else if (codePoint >= 0x20 && codePoint !== DELETE) this.takeGround(codePoint);
    this.afterReturn = character === '\r';
  }

  private key(name: string): void {
    this.flush();
    this.keys.push({ kind: 'key', name });
  }

  private flush(): void {
    if (this.text === '') return;
    this.keys.push({ kind: this.state === 'paste' ? 'paste' : 'text', text: this.text });
    this.text = '';
  }
}

function controlName(code: number): string {
  switch (code) {
    case 0x00:
      return 'ctrl-space';
    case 0x08:
    case DELETE:
      return 'backspace';
    case 0x09:
      return 'tab';
    case 0x0a:
    case 0x0d:
      return 'enter';
    default:
      return `ctrl-${String.fromCharCode(code | 0x40).toLowerCase()}`;
  }
}
