/**
 * The PS/2 keyboard behind the i8042: its commands, its queue, and what keys send.
 *
 * Read: IBM PS/2 Hardware Interface Technical Reference, "Keyboards (101- and 102-Key)": commands from and to the
 * system, typematic, scan code sets. As in QEMU 7.2: a reset is over at once; a reply that is not read before the next
 * command is lost; in set 3 every key repeats and sends a break code until the system says otherwise.
 */

import { Fifo } from './fifo.ts';
import type { Ps2Device } from './ps2.ts';
import { KEY_PAUSE, type Modifiers, scanCodes, set3Code } from './scan-codes.ts';

const QUEUE_BYTES = 16;
const NS_PER_MS = 1e6;

const ACKNOWLEDGE = 0xfa;
const RESEND = 0xfe;
const SELF_TEST_PASSED = 0xaa;
const IDENTITY = [0xab, 0x83] as const;
const RELEASE = 0xf0;
const FIRST_COMMAND = 0xed;

const SET_INDICATORS = 0xed;
const ECHO = 0xee;
const SCAN_CODE_SET = 0xf0;
const IDENTIFY = 0xf2;
const SET_TYPEMATIC = 0xf3;
const ENABLE = 0xf4;
const DEFAULTS_AND_DISABLE = 0xf5;
const DEFAULTS_AND_ENABLE = 0xf6;
const ALL_TYPEMATIC = 0xf7;
const ALL_MAKE_BREAK = 0xf8;
const ALL_MAKE = 0xf9;
const ALL_TYPEMATIC_MAKE_BREAK = 0xfa;
const KEYS_TYPEMATIC = 0xfb;
const KEYS_MAKE_BREAK = 0xfc;
const KEYS_MAKE = 0xfd;
const RESEND_LAST = 0xfe;
const RESET = 0xff;

/** 10.9 characters a second after half a second. */
const DEFAULT_TYPEMATIC = 0x2b;

/** What a key does in set 3. */
interface KeyKind {
  readonly repeats: boolean;
  readonly breaks: boolean;
}

const KIND_BY_COMMAND = new Map<number, KeyKind>([
  [ALL_TYPEMATIC, { repeats: true, breaks: false }],
  [ALL_MAKE_BREAK, { repeats: false, breaks: true }],
  [ALL_MAKE, { repeats: false, breaks: false }],
  [ALL_TYPEMATIC_MAKE_BREAK, { repeats: true, breaks: true }],
  [KEYS_TYPEMATIC, { repeats: true, breaks: false }],
  [KEYS_MAKE_BREAK, { repeats: false, breaks: true }],
  [KEYS_MAKE, { repeats: false, breaks: false }],
]);
const DEFAULT_KIND: KeyKind = { repeats: true, breaks: true };

const CONTROL_KEYS = [0x1d, 0xe01d];
const SHIFT_KEYS = [0x2a, 0x36];
const ALTERNATE_KEYS = [0x38, 0xe038];

/** A keyboard with 105 keys: the 102 of the reference, and three that came with Windows. */
export class Keyboard implements Ps2Device {
  readonly #dataChanged: () => void;
  /** Answers to commands: they go before scan codes. */
  #replies: number[] = [];
  readonly #scanCodes = new Fifo(QUEUE_BYTES);
  /** The command that waits for a parameter. */
  #command = 0;
  #lastSent = 0;
  #scanning = true;
  #set: 1 | 2 | 3 = 2;
  #indicators = 0;
  #typematic = DEFAULT_TYPEMATIC;
  #kinds = new Map<number, KeyKind>();
  #commonKind = DEFAULT_KIND;
  readonly #held = new Set<number>();
  #repeating = 0;
  #nextRepeat = Infinity;

  /** @param dataChanged called when there is a byte to take */
  constructor(dataChanged: () => void) {
    this.#dataChanged = dataChanged;
  }

  /** Power-on. */
  reset(): void {
    this.#setDefaults();
    this.#command = 0;
    this.#held.clear();
  }

  /** The lamps: bit 0 scroll lock, bit 1 numeric lock, bit 2 capitals lock. */
  get indicators(): number {
    return this.#indicators;
  }

  /**
   * A key goes down or up. A repeated press of a key that is down is nothing: the keyboard repeats by itself. When its
   * queue has no room for all the bytes of an event, the event is lost.
   *
   * @param key make code in set 1, plus 0xe000 when it has the prefix E0; `KEY_PAUSE`, `KEY_PRINT_SCREEN`
   * @param now nanoseconds since power-on
   */
  key(key: number, pressed: boolean, now: number): void {
    if (pressed === this.#held.has(key) || set3Code(key) === undefined) return;
    if (pressed) this.#held.add(key);
    const kind = this.#kindOf(key);
    if (pressed || kind.breaks) this.#send(key, pressed);
    if (!pressed) {
      this.#held.delete(key);
      if (key === this.#repeating) this.#nextRepeat = Infinity;
    } else {
      this.#repeating = key;
      this.#nextRepeat = kind.repeats && key !== KEY_PAUSE ? now + this.#delayNs : Infinity;
    }
  }

  advance(now: number): void {
    while (this.#nextRepeat <= now) {
      // With the queue full nothing more can come of this until somebody reads.
      const late = this.#scanCodes.room === 0;
      this.#nextRepeat = late ? now + this.#periodNs : this.#nextRepeat + this.#periodNs;
      this.#send(this.#repeating, true);
    }
  }

  nextEvent(): number {
    return this.#nextRepeat;
  }

  peek(): number | undefined {
    return this.#replies[0] ?? this.#scanCodes.peek();
  }

  take(): number | undefined {
    const byte = this.#replies.shift() ?? this.#scanCodes.shift();
    if (byte !== undefined) this.#lastSent = byte;
    return byte;
  }

  /** A byte from the system: a command or the parameter of one. */
  write(value: number): void {
    this.#replies = [];
    const command = this.#command;
    this.#command = 0;
    if (command === 0 || !this.#takeParameter(command, value)) this.#takeCommand(value);
    if (this.peek() !== undefined) this.#dataChanged();
  }

  /** False when `value` is not a parameter of `command` but the next command. */
  #takeParameter(command: number, value: number): boolean {
    switch (command) {
      case SET_INDICATORS:
        this.#indicators = value & 7;
        this.#reply(ACKNOWLEDGE);
        return true;
      case SET_TYPEMATIC:
        this.#typematic = value & 0x7f;
        this.#reply(ACKNOWLEDGE);
        return true;
      case SCAN_CODE_SET:
        if (value === 0) {
          this.#reply(ACKNOWLEDGE, this.#set);
        } else if (value === 1 || value === 2 || value === 3) {
          this.#set = value;
          this.#reply(ACKNOWLEDGE);
        } else {
          this.#reply(RESEND);
        }
        return true;
      default: {
        // A list of keys in set 3, ended by the next command.
        const kind = KIND_BY_COMMAND.get(command);
        if (kind === undefined || value >= FIRST_COMMAND) return false;
        this.#kinds.set(value, kind);
        this.#command = command;
        this.#reply(ACKNOWLEDGE);
        return true;
      }
    }
  }

  #takeCommand(value: number): void {
    switch (value) {
      case SET_INDICATORS:
      case SET_TYPEMATIC:
      case SCAN_CODE_SET:
      case KEYS_TYPEMATIC:
      case KEYS_MAKE_BREAK:
      case KEYS_MAKE:
        this.#command = value;
        this.#reply(ACKNOWLEDGE);
        break;
      case ECHO:
        this.#reply(ECHO);
        break;
      case IDENTIFY:
        this.#reply(ACKNOWLEDGE, ...IDENTITY);
        break;
      case ENABLE:
        this.#scanning = true;
        this.#reply(ACKNOWLEDGE);
        break;
      case DEFAULTS_AND_DISABLE:
      case DEFAULTS_AND_ENABLE:
        this.#setDefaults();
        this.#scanning = value === DEFAULTS_AND_ENABLE;
        this.#reply(ACKNOWLEDGE);
        break;
      case ALL_TYPEMATIC:
      case ALL_MAKE_BREAK:
      case ALL_MAKE:
      case ALL_TYPEMATIC_MAKE_BREAK:
        this.#commonKind = KIND_BY_COMMAND.get(value) ?? DEFAULT_KIND;
        this.#kinds.clear();
        this.#reply(ACKNOWLEDGE);
        break;
      case RESEND_LAST:
        this.#reply(this.#lastSent);
        break;
      case RESET:
        this.#setDefaults();
        this.#reply(ACKNOWLEDGE, SELF_TEST_PASSED);
        break;
      case 0x00:
        this.#reply(ACKNOWLEDGE);
        break;
      default:
        this.#reply(RESEND);
    }
  }

  #setDefaults(): void {
    this.#replies = [];
    this.#scanCodes.clear();
    this.#scanning = true;
    this.#set = 2;
    this.#indicators = 0;
    this.#typematic = DEFAULT_TYPEMATIC;
    this.#kinds.clear();
    this.#commonKind = DEFAULT_KIND;
    this.#nextRepeat = Infinity;
  }

  #reply(...bytes: number[]): void {
    this.#replies = bytes;
  }

  #kindOf(key: number): KeyKind {
    if (this.#set !== 3) return DEFAULT_KIND;
    return this.#kinds.get(set3Code(key) ?? 0) ?? this.#commonKind;
  }

  #send(key: number, pressed: boolean): void {
    if (!this.#scanning) return;
    const bytes = this.#bytesOf(key, pressed);
    if (bytes.length === 0 || bytes.length > this.#scanCodes.room) return;
    for (const byte of bytes) this.#scanCodes.push(byte);
    this.#dataChanged();
  }

  #bytesOf(key: number, pressed: boolean): number[] {
    if (this.#set !== 3) return scanCodes(this.#set, key, pressed, this.#modifiers);
    const code = set3Code(key) ?? 0;
    return pressed ? [code] : [RELEASE, code];
  }

  get #modifiers(): Modifiers {
    const anyHeld = (keys: readonly number[]): boolean => keys.some((key) => this.#held.has(key));
    return { control: anyHeld(CONTROL_KEYS), shift: anyHeld(SHIFT_KEYS), alternate: anyHeld(ALTERNATE_KEYS) };
  }

  get #delayNs(): number {
    return (((this.#typematic >> 5) & 3) + 1) * 250 * NS_PER_MS;
  }

  get #periodNs(): number {
    return (8 + (this.#typematic & 7)) * 2 ** ((this.#typematic >> 3) & 3) * 4.17 * NS_PER_MS;
  }
}
