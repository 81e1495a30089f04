/**
 * The PS/2 mouse behind the i8042's auxiliary port, with the wheel extensions that drivers ask for.
 *
 * Read: IBM PS/2 Hardware Interface Technical Reference, "PS/2 Mouse"; Microsoft, "Intellimouse" wheel support (the
 * sample rates 200, 100, 80 set one after another turn the wheel on; 200, 200, 80 five buttons). As in QEMU 7.2, a byte
 * that is no command is not answered, and power-on leaves resolution and sample rate at 0.
 */

import { Fifo } from './fifo.ts';
import type { Ps2Device } from './ps2.ts';

const QUEUE_BYTES = 16;
const ACKNOWLEDGE = 0xfa;
const SELF_TEST_PASSED = 0xaa;

const SCALE_1_TO_1 = 0xe6;
const SCALE_2_TO_1 = 0xe7;
const SET_RESOLUTION = 0xe8;
const STATUS = 0xe9;
const STREAM_MODE = 0xea;
const READ_DATA = 0xeb;
const END_WRAP = 0xec;
const WRAP_MODE = 0xee;
const REMOTE_MODE = 0xf0;
const IDENTIFY = 0xf2;
const SET_SAMPLE_RATE = 0xf3;
const ENABLE = 0xf4;
const DISABLE = 0xf5;
const DEFAULTS = 0xf6;
const RESET = 0xff;

const STATUS_REMOTE = 0x40;
const STATUS_ENABLED = 0x20;
const STATUS_SCALE_2_TO_1 = 0x10;

const TYPE_PLAIN = 0;
const TYPE_WHEEL = 3;
const TYPE_FIVE_BUTTONS = 4;
const TYPE_BY_RATES = new Map([
  ['200,100,80', TYPE_WHEEL],
  ['200,200,80', TYPE_FIVE_BUTTONS],
]);

/** A mouse with a wheel and five buttons. */
export class Mouse implements Ps2Device {
  readonly #dataChanged: () => void;
  readonly #queue = new Fifo(QUEUE_BYTES);
  /** The command that waits for a parameter. */
  #command = 0;
  #status = 0;
  #resolution = 0;
  #sampleRate = 0;
  #wrap = false;
  #type = TYPE_PLAIN;
  #recentRates: number[] = [];
  #x = 0;
  #y = 0;
  #wheel = 0;
  #buttons = 0;

  /** @param dataChanged called when there is a byte to take */
  constructor(dataChanged: () => void) {
    this.#dataChanged = dataChanged;
  }

  /** Power-on. */
  reset(): void {
    this.#queue.clear();
    this.#command = 0;
    this.#status = 0;
    this.#resolution = 0;
    this.#sampleRate = 0;
    this.#wrap = false;
    this.#type = TYPE_PLAIN;
    this.#recentRates = [];
    this.#forgetMovement();
    this.#buttons = 0;
  }

  /**
   * The mouse has moved, or its buttons have changed. Nothing while the system has not enabled it.
   *
   * @param x to the right, @param y upwards, @param wheel towards the user, in counts
   * @param buttons bit 0 left, 1 right, 2 middle, 3 and 4 the side buttons
   */
  move(x: number, y: number, wheel: number, buttons: number): void {
    if ((this.#status & STATUS_ENABLED) === 0) return;
    this.#x += x;
    this.#y += y;
    this.#wheel += wheel;
    this.#buttons = buttons;
    if ((this.#status & STATUS_REMOTE) !== 0) return;
    // Far movements take several packets; what finds no room stays for the next one.
    while (this.#sendPacket() && (this.#x !== 0 || this.#y !== 0 || this.#wheel !== 0));
  }

  peek(): number | undefined {
    return this.#queue.peek();
  }

  take(): number | undefined {
    return this.#queue.shift();
  }

  write(value: number): void {
    const command = this.#command;
    this.#command = 0;
    if (command === SET_RESOLUTION) {
      this.#resolution = value;
      this.#send(ACKNOWLEDGE);
    } else if (command === SET_SAMPLE_RATE) {
      this.#setSampleRate(value);
      this.#send(ACKNOWLEDGE);
    } else if (this.#wrap && value !== RESET) {
      if (value === END_WRAP) this.#wrap = false;
      this.#send(value === END_WRAP ? ACKNOWLEDGE : value);
    } else {
      this.#takeCommand(value);
    }
  }

  #takeCommand(value: number): void {
    switch (value) {
      case SCALE_1_TO_1:
        this.#setStatus(STATUS_SCALE_2_TO_1, false);
        break;
      case SCALE_2_TO_1:
        this.#setStatus(STATUS_SCALE_2_TO_1, true);
        break;
      case STREAM_MODE:
        this.#setStatus(STATUS_REMOTE, false);
        break;
      case REMOTE_MODE:
        this.#setStatus(STATUS_REMOTE, true);
        break;
      case ENABLE:
        this.#setStatus(STATUS_ENABLED, true);
        break;
      case DISABLE:
        this.#setStatus(STATUS_ENABLED, false);
        break;
      case WRAP_MODE:
        this.#wrap = true;
        this.#send(ACKNOWLEDGE);
        break;
      case SET_RESOLUTION:
      case SET_SAMPLE_RATE:
        this.#command = value;
        this.#send(ACKNOWLEDGE);
        break;
      case STATUS:
        this.#send(ACKNOWLEDGE, this.#status, this.#resolution, this.#sampleRate);
        break;
      case IDENTIFY:
        this.#send(ACKNOWLEDGE, this.#type);
        break;
      case READ_DATA:
        this.#send(ACKNOWLEDGE);
        this.#sendPacket();
        break;
      case DEFAULTS:
        this.#setDefaults();
        this.#send(ACKNOWLEDGE);
        break;
      case RESET:
        this.#setDefaults();
        this.#type = TYPE_PLAIN;
        this.#queue.clear();
        this.#send(ACKNOWLEDGE, SELF_TEST_PASSED, TYPE_PLAIN);
        break;
      default:
        break;
    }
  }

  #setStatus(bit: number, on: boolean): void {
    this.#status = on ? this.#status | bit : this.#status & ~bit;
    this.#send(ACKNOWLEDGE);
  }

  #setDefaults(): void {
    this.#sampleRate = 100;
    this.#resolution = 2;
    this.#status = 0;
  }

  #setSampleRate(rate: number): void {
    this.#sampleRate = rate;
    this.#recentRates = [...this.#recentRates, rate].slice(-3);
    this.#type = TYPE_BY_RATES.get(this.#recentRates.join()) ?? this.#type;
  }

  #forgetMovement(): void {
    this.#x = 0;
    this.#y = 0;
    this.#wheel = 0;
  }

  /** Sends what has moved, as far as one packet can say it; false when the queue has no room for a packet. */
  #sendPacket(): boolean {
    const x = clamp(this.#x, 127);
    const y = clamp(this.#y, 127);
    const bytes = [0x08 | (x < 0 ? 0x10 : 0) | (y < 0 ? 0x20 : 0) | (this.#buttons & 0x07), x & 0xff, y & 0xff];
    let wheel = this.#wheel;
    if (this.#type === TYPE_WHEEL) {
      wheel = clamp(wheel, 127);
      bytes.push(wheel & 0xff);
    } else if (this.#type === TYPE_FIVE_BUTTONS) {
      wheel = clamp(wheel, 7);
      bytes.push((wheel & 0x0f) | ((this.#buttons & 0x18) << 1));
    }
    if (!this.#send(...bytes)) return false;
    this.#x -= x;
    this.#y -= y;
    this.#wheel -= wheel;
    return true;
  }

  /** Queues bytes that belong together: all or none. */
  #send(...bytes: number[]): boolean {
    if (this.#queue.room < bytes.length) return false;
    for (const byte of bytes) this.#queue.push(byte);
    this.#dataChanged();
    return true;
  }
}

function clamp(value: number, limit: number): number {
  return Math.max(-limit, Math.min(limit, value));
}
