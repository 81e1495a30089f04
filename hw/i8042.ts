/**
 * The keyboard controller of a PC (i8042), with a keyboard on its first port and a mouse on the second.
 *
 * Read: IBM PS/2 Hardware Interface Technical Reference, "Keyboard/Auxiliary Device Controller": commands, status,
 * output port, translation. As in QEMU 7.2: nothing takes time; a device's byte is fetched from it when the system
 * reads it; a device that is switched off keeps its bytes; sending a byte to a device switches it on; bit 3 of the
 * status (command or data last) is always set.
 */

import type { Device, InterruptLine, Width } from './device.ts';
import { Keyboard } from './keyboard.ts';
import { Mouse } from './mouse.ts';
import { translate } from './scan-codes.ts';

const DATA_PORT = 0x60;
const COMMAND_PORT = 0x64;

const RELEASE_PREFIX = 0xf0;

/** Status register. */
const OUTPUT_FULL = 0x01;
const SELF_TESTED = 0x04;
const LAST_WAS_COMMAND = 0x08;
const UNLOCKED = 0x10;
const AUXILIARY_DATA = 0x20;

/** Configuration byte. */
const INTERRUPT_KEYBOARD = 0x01;
const INTERRUPT_MOUSE = 0x02;
const DISABLE_KEYBOARD = 0x10;
const DISABLE_MOUSE = 0x20;
const TRANSLATE = 0x40;

/** Output port. */
const NO_RESET = 0x01;
const A20 = 0x02;
const OUTPUT_PORT_FULL = 0x10;
const OUTPUT_PORT_AUXILIARY = 0x20;
const OUTPUT_PORT_AT_RESET = 0xcf;

const READ_CONFIGURATION = 0x20;
const WRITE_CONFIGURATION = 0x60;
const SWITCH_MOUSE_OFF = 0xa7;
const SWITCH_MOUSE_ON = 0xa8;
const TEST_MOUSE_PORT = 0xa9;
const SELF_TEST = 0xaa;
const TEST_KEYBOARD_PORT = 0xab;
const SWITCH_KEYBOARD_OFF = 0xad;
const SWITCH_KEYBOARD_ON = 0xae;
const READ_INPUT_PORT = 0xc0;
const READ_OUTPUT_PORT = 0xd0;
const WRITE_OUTPUT_PORT = 0xd1;
const WRITE_KEYBOARD_BUFFER = 0xd2;
const WRITE_MOUSE_BUFFER = 0xd3;
const WRITE_MOUSE = 0xd4;
const A20_OFF = 0xdd;
const A20_ON = 0xdf;
const PULSE = 0xf0;

/** Whose byte is in the output buffer. */
type Source = 'none' | 'controller' | 'keyboard' | 'mouse';

export interface I8042Options {
  /** Interrupt line 1. */
  readonly keyboardInterrupt: InterruptLine;
  /** Interrupt line 12. */
  readonly mouseInterrupt: InterruptLine;
  /** The guest asks for a reset of the machine. */
  readonly requestReset: () => void;
}

/** The controller and the two devices. */
export class I8042 implements Device {
  readonly name = 'i8042';
  readonly ports = [
    { first: DATA_PORT, last: DATA_PORT },
    { first: COMMAND_PORT, last: COMMAND_PORT },
  ];
  readonly keyboard = new Keyboard(() => this.#fillOutput());
  readonly mouse = new Mouse(() => this.#fillOutput());
  readonly #keyboardInterrupt: InterruptLine;
  readonly #mouseInterrupt: InterruptLine;
  readonly #requestReset: () => void;
  #configuration = INTERRUPT_KEYBOARD | INTERRUPT_MOUSE;
  #status = LAST_WAS_COMMAND | UNLOCKED;
  #outputPort = OUTPUT_PORT_AT_RESET;
  /** The command whose data byte comes next to the data port; 0 when that goes to the keyboard. */
  #command = 0;
  #source: Source = 'none';
  /** A byte of the controller itself, waiting for the output buffer. */
  #controllerByte: { readonly value: number; readonly auxiliary: boolean } | null = null;
  #outputByte = 0;
  /** The keyboard has sent the prefix of a release, which translation makes bit 7 of the next byte. */
  #releasePrefix = false;

  constructor(options: I8042Options) {
    this.#keyboardInterrupt = options.keyboardInterrupt;
    this.#mouseInterrupt = options.mouseInterrupt;
    this.#requestReset = options.requestReset;
  }

  /** Whether address line 20 is on; nothing in a machine without real-mode programs depends on it. */
  get a20(): boolean {
    return (this.#outputPort & A20) !== 0;
  }

  reset(): void {
    this.keyboard.reset();
    this.mouse.reset();
    this.#configuration = INTERRUPT_KEYBOARD | INTERRUPT_MOUSE;
    this.#status = LAST_WAS_COMMAND | UNLOCKED;
    this.#outputPort = OUTPUT_PORT_AT_RESET;
    this.#command = 0;
    this.#source = 'none';
    this.#controllerByte = null;
    this.#outputByte = 0;
    this.#releasePrefix = false;
    this.#updateInterrupts();
  }

  advance(now: number): void {
    this.keyboard.advance(now);
  }

  nextEvent(): number {
    return this.keyboard.nextEvent();
  }

  read(port: number, width: Width): number {
    if (width !== 1) return width === 2 ? 0xffff : 0xffff_ffff;
    return port === COMMAND_PORT ? this.#status : this.#readData();
  }

  write(port: number, width: Width, value: number): void {
    if (width !== 1) return;
    if (port === COMMAND_PORT) this.#writeCommand(value);
    else this.#writeData(value);
  }

  #readData(): number {
    const source = this.#source;
    if (source === 'none') return this.#outputByte; // the last one, again
    this.#setSource('none');
    this.#outputByte = this.#fetch(source) ?? this.#outputByte;
    this.#fillOutput(source);
    return this.#outputByte;
  }

  #fetch(source: Source): number | undefined {
    if (source === 'mouse') return this.mouse.take();
    if (source === 'controller') {
      const value = this.#controllerByte?.value;
      this.#controllerByte = null;
      return value;
    }
    const byte = this.keyboard.take();
    if (byte === undefined || (this.#configuration & TRANSLATE) === 0) return byte;
    const released = this.#releasePrefix ? 0x80 : 0;
    this.#releasePrefix = false;
    return translate(byte) | released;
  }

  #writeData(value: number): void {
    const command = this.#command;
    this.#command = 0;
    switch (command) {
      case WRITE_CONFIGURATION:
        this.#configuration = value;
        this.#updateInterrupts();
        break;
      case WRITE_KEYBOARD_BUFFER:
        this.#answer(value, false);
        break;
      case WRITE_MOUSE_BUFFER:
        this.#answer(value, true);
        break;
      case WRITE_OUTPUT_PORT:
        this.#outputPort = value;
        if ((value & NO_RESET) === 0) this.#requestReset();
        break;
      case WRITE_MOUSE:
        this.mouse.write(value);
        this.#configuration &= ~DISABLE_MOUSE;
        break;
      default:
        this.keyboard.write(value);
        this.#configuration &= ~DISABLE_KEYBOARD;
    }
    this.#fillOutput();
  }

  #writeCommand(value: number): void {
    switch (value) {
      case READ_CONFIGURATION:
        this.#answer(this.#configuration, false);
        break;
      case WRITE_CONFIGURATION:
      case WRITE_OUTPUT_PORT:
      case WRITE_KEYBOARD_BUFFER:
      case WRITE_MOUSE_BUFFER:
      case WRITE_MOUSE:
        this.#command = value;
        break;
      case SWITCH_MOUSE_OFF:
        this.#configuration |= DISABLE_MOUSE;
        break;
      case SWITCH_MOUSE_ON:
        this.#configuration &= ~DISABLE_MOUSE;
        break;
      case SWITCH_KEYBOARD_OFF:
        this.#configuration |= DISABLE_KEYBOARD;
        break;
      case SWITCH_KEYBOARD_ON:
        this.#configuration &= ~DISABLE_KEYBOARD;
        break;
      case SELF_TEST:
        this.#status |= SELF_TESTED;
        this.#answer(0x55, false);
        break;
      case TEST_MOUSE_PORT:
      case TEST_KEYBOARD_PORT:
        this.#answer(0x00, false);
        break;
      case READ_INPUT_PORT:
        this.#answer(0x80, false); // not locked
        break;
      case READ_OUTPUT_PORT:
        this.#answer(this.#outputPort, false);
        break;
      case A20_ON:
        this.#outputPort |= A20;
        break;
      case A20_OFF:
        this.#outputPort &= ~A20;
        break;
      default:
        // F0 to FF pull those of the output port's bits 0 to 3 low whose bit is clear; bit 0 is the reset line.
        if (value >= PULSE && (value & NO_RESET) === 0) this.#requestReset();
    }
    this.#fillOutput();
  }

  /** A byte of the controller for the system: a new one replaces one that has not got into the output buffer. */
  #answer(value: number, auxiliary: boolean): void {
    this.#controllerByte = { value, auxiliary };
    this.#fillOutput();
  }

  /**
   * Gives the output buffer, if it is empty, to whoever has a byte: the controller first, then keyboard and mouse.
   *
   * @param last whose byte has just been read: the other one's turn comes before another byte of the same
   */
  #fillOutput(last: Source = 'none'): void {
    if (this.#source !== 'none') return;
    if (this.#controllerByte !== null) this.#setSource('controller');
    else if (last === 'keyboard' && this.#mouseHasByte) this.#setSource('mouse');
    else if (this.#keyboardHasByte) this.#setSource('keyboard');
    else if (this.#mouseHasByte) this.#setSource('mouse');
  }

  get #mouseHasByte(): boolean {
    return (this.#configuration & DISABLE_MOUSE) === 0 && this.mouse.peek() !== undefined;
  }

  get #keyboardHasByte(): boolean {
    if ((this.#configuration & DISABLE_KEYBOARD) !== 0) return false;
    if ((this.#configuration & TRANSLATE) !== 0 && this.keyboard.peek() === RELEASE_PREFIX) {
      this.keyboard.take();
      this.#releasePrefix = true;
    }
    return this.keyboard.peek() !== undefined;
  }

  #setSource(source: Source): void {
    this.#source = source;
    this.#status &= ~(OUTPUT_FULL | AUXILIARY_DATA);
    this.#outputPort &= ~(OUTPUT_PORT_FULL | OUTPUT_PORT_AUXILIARY);
    if (source !== 'none') {
      const auxiliary = source === 'mouse' || (source === 'controller' && this.#controllerByte?.auxiliary === true);
      this.#status |= OUTPUT_FULL | (auxiliary ? AUXILIARY_DATA : 0);
      this.#outputPort |= OUTPUT_PORT_FULL | (auxiliary ? OUTPUT_PORT_AUXILIARY : 0);
    }
    this.#updateInterrupts();
  }

  #updateInterrupts(): void {
    const full = (this.#status & OUTPUT_FULL) !== 0;
    const auxiliary = (this.#status & AUXILIARY_DATA) !== 0;
    const configuration = this.#configuration;
    const keyboardOn = (configuration & (INTERRUPT_KEYBOARD | DISABLE_KEYBOARD)) === INTERRUPT_KEYBOARD;
    this.#keyboardInterrupt.set(full && !auxiliary && keyboardOn);
    this.#mouseInterrupt.set(full && auxiliary && (configuration & INTERRUPT_MOUSE) !== 0);
  }
}
