/**
 * The first serial port of a PC: a 16550A at 0x3f8.
 *
 * Read: National Semiconductor PC16550D data sheet, chapter 8 (registers) and 8.5 (FIFO interrupts). Where it leaves
 * things open, as QEMU 7.2: switching the transmitter interrupt on asks again; a reset of the transmit FIFO interrupts;
 * OUT2 does not gate the interrupt; words are eight bits whatever the line control register says.
 */

import type { Device, InterruptLine, Width } from './device.ts';
import { Fifo } from './fifo.ts';
import type { SerialLine, SerialPort } from './serial-line.ts';
import {
  BREAK,
  BYTE_ERRORS,
  CTS,
  DATA_READY,
  DCD,
  DIVISOR_LATCH,
  DSR,
  DTR,
  ENABLE_LINE_STATUS,
  ENABLE_MODEM_STATUS,
  ENABLE_RECEIVED,
  ENABLE_TRANSMITTER,
  FIFO_ENABLE,
  FIFO_ERROR,
  FIFO_KEPT_BITS,
  FIFO_RESET_RECEIVER,
  FIFO_RESET_TRANSMITTER,
  IDENTIFY_FIFOS,
  IDENTIFY_LINE_STATUS,
  IDENTIFY_MODEM_STATUS,
  IDENTIFY_NOTHING,
  IDENTIFY_RECEIVED,
  IDENTIFY_TIMEOUT,
  IDENTIFY_TRANSMITTER,
  LINE_ERRORS,
  LOOPBACK,
  OUT1,
  OUT2,
  OVERRUN,
  PARITY,
  RI,
  RTS,
  STOP_BITS,
  TRANSMITTER_EMPTY,
  TRANSMITTER_HOLDING_EMPTY,
  TRIGGER_LEVELS,
} from './uart-registers.ts';

const FIRST_PORT = 0x3f8;
const FIFO_BYTES = 16;
const BAUD_BASE = 115_200;
/** What a divisor of 0 amounts to, in QEMU. */
const STOPPED_BAUD = 3500;
const NS_PER_SECOND = 1e9;
const TIMEOUT_CHARACTERS = 4;

/** In the receive FIFO a byte carries its errors, shifted up. */
const ERROR_SHIFT = 8;

export interface UartOptions {
  /** Interrupt line 4. */
  readonly interrupt: InterruptLine;
  readonly line: SerialLine;
  /**
   * Whether a byte is on the line as soon as it is written, as in QEMU. Otherwise it takes the time that the divisor
   * says, of the machine's clock.
   */
  readonly instantTransmit: boolean;
}

/** A 16550A. Back ends call it through `SerialPort`. */
export class Uart implements Device, SerialPort {
  readonly name = 'uart';
  readonly ports = [{ first: FIRST_PORT, last: FIRST_PORT + 7 }];
  readonly #interrupt: InterruptLine;
  readonly #line: SerialLine;
  readonly #instant: boolean;
  readonly #received = new Fifo(FIFO_BYTES);
  readonly #transmitted = new Fifo(FIFO_BYTES);
  #now = 0;
  #enable = 0;
  #identify = IDENTIFY_NOTHING;
  #fifoControl = 0;
  #lineControl = 0;
  #modemControl = OUT2;
  #divisor = 0;
  #scratch = 0;
  /** The bits of the line status that are kept: overrun and the errors of the byte on top. */
  #lineErrors = 0;
  #dataReady = false;
  #receiverBuffer = 0;
  /** Changes of the modem inputs since they were read: the low half of the register. */
  #modemChanges = 0;
  #modemInputs = DCD | DSR | CTS;
  /** Without FIFO: the byte that waits for the shift register. */
  #holding: number | null = null;
  /** The byte that is being sent. */
  #shift: number | null = null;
  /** When the byte in #shift is through, Infinity while the line refuses it. */
  #shiftDone = Infinity;
  /** The transmitter has become empty and nobody has been told. */
  #transmitterPending = false;
  #timeout = Infinity;
  #timeoutPending = false;
  #characterNs = 0;
  /** The line was refused a byte and waits to hear that there is room. */
  #owesRoom = false;

  constructor(options: UartOptions) {
    this.#interrupt = options.interrupt;
    this.#line = options.line;
    this.#instant = options.instantTransmit;
    this.reset();
  }

  reset(): void {
    this.#received.clear();
    this.#transmitted.clear();
    this.#enable = 0;
    this.#identify = IDENTIFY_NOTHING;
    this.#fifoControl = 0;
    this.#lineControl = 0;
    this.#modemControl = OUT2;
    this.#divisor = 12;
    this.#scratch = 0;
    this.#lineErrors = 0;
    this.#dataReady = false;
    this.#receiverBuffer = 0;
    this.#modemChanges = 0;
    this.#holding = null;
    this.#shift = null;
    this.#shiftDone = Infinity;
    this.#transmitterPending = false;
    this.#timeout = Infinity;
    this.#timeoutPending = false;
    // 9600 baud, eight data bits and one stop bit, until the guest sets the line control register.
    this.#characterNs = Math.floor(NS_PER_SECOND / 9600) * 10;
    this.#interrupt.set(false);
    this.#offerRoom();
  }

  advance(now: number): void {
    // A byte that is through may be followed by others within the same stretch of time.
    while (this.#shiftDone <= now) {
      this.#now = this.#shiftDone;
      this.#finishShift();
    }
    this.#now = now;
    if (this.#timeout <= now) {
      this.#timeout = Infinity;
      this.#timeoutPending = this.#received.length > 0;
      this.#update();
    }
  }

  nextEvent(): number {
    const timeoutMatters = (this.#enable & ENABLE_RECEIVED) !== 0 && this.#identify === IDENTIFY_NOTHING;
    return Math.min(this.#shiftDone, timeoutMatters ? this.#timeout : Infinity);
  }

  read(port: number, width: Width): number {
    if (width !== 1) return width === 2 ? 0xffff : 0xffff_ffff;
    const latch = (this.#lineControl & DIVISOR_LATCH) !== 0;
    switch (port - FIRST_PORT) {
      case 0:
        return latch ? this.#divisor & 0xff : this.#readReceiver();
      case 1:
        return latch ? this.#divisor >> 8 : this.#enable;
      case 2: {
        const identified = this.#identify;
        if (identified === IDENTIFY_TRANSMITTER) {
          this.#transmitterPending = false;
          this.#update();
        }
        return identified | (this.#fifosEnabled ? IDENTIFY_FIFOS : 0);
      }
      case 3:
        return this.#lineControl;
      case 4:
        return this.#modemControl;
      case 5: {
        const status = this.#lineStatus;
        this.#lineErrors = 0;
        if ((status & LINE_ERRORS) !== 0) this.#update();
        return status;
      }
      case 6:
        return this.#readModemStatus();
      default:
        return this.#scratch;
    }
  }

  write(port: number, width: Width, value: number): void {
    if (width !== 1) return;
    const latch = (this.#lineControl & DIVISOR_LATCH) !== 0;
    switch (port - FIRST_PORT) {
      case 0:
        if (latch) this.#setDivisor((this.#divisor & 0xff00) | value);
        else this.#writeTransmitter(value);
        break;
      case 1:
        if (latch) this.#setDivisor((this.#divisor & 0x00ff) | (value << 8));
        else this.#writeEnable(value & 0x0f);
        break;
      case 2:
        this.#writeFifoControl(value);
        break;
      case 3:
        this.#lineControl = value;
        this.#setDivisor(this.#divisor);
        break;
      case 4:
        this.#writeModemControl(value & 0x1f);
        break;
      case 7:
        this.#scratch = value;
        break;
      default: // the status registers: for factory tests only
        break;
    }
  }

  receive(bytes: Uint8Array): number {
    let taken = 0;
    if (!this.#loopback) {
      while (taken < bytes.length && (this.#fifosEnabled ? this.#received.room > 0 : !this.#dataReady)) {
        this.#receiveByte(bytes[taken] ?? 0);
        taken++;
      }
    }
    this.#owesRoom ||= taken < bytes.length;
    if (taken > 0) this.#update();
    return taken;
  }

  receiveBreak(): void {
    if (this.#loopback) return;
    this.#receiveByte(BREAK << ERROR_SHIFT);
    this.#update();
  }

  setCarrier(present: boolean, listens = present): void {
    const before = this.#modemInputs;
    this.#modemInputs = (present ? DCD : 0) | (listens ? DSR | CTS : 0);
    this.#modemChanges |= (before ^ this.#modemInputs) >> 4;
    this.#update();
  }

  transmitReady(): void {
    if (this.#shift === null || this.#shiftDone !== Infinity) return;
    this.#finishShift();
  }

  get #fifosEnabled(): boolean {
    return (this.#fifoControl & FIFO_ENABLE) !== 0;
  }

  get #loopback(): boolean {
    return (this.#modemControl & LOOPBACK) !== 0;
  }

  get #holdingEmpty(): boolean {
    return this.#holding === null && this.#transmitted.length === 0;
  }

  get #lineStatus(): number {
    let status = this.#lineErrors;
    if (this.#dataReady) status |= DATA_READY;
    if (this.#holdingEmpty) status |= TRANSMITTER_HOLDING_EMPTY;
    if (this.#holdingEmpty && this.#shift === null) status |= TRANSMITTER_EMPTY;
    if (this.#fifosEnabled && this.#hasByteWithErrors) status |= FIFO_ERROR;
    return status;
  }

  /** A byte in the receive FIFO came with an error that has not been read; that of the top one is in #lineErrors. */
  get #hasByteWithErrors(): boolean {
    return (this.#lineErrors & BYTE_ERRORS) !== 0 || this.#received.some(BYTE_ERRORS << ERROR_SHIFT, 1);
  }

  /**
   * The modem status register. In loopback the outputs are wired to its inputs; as in QEMU they then show nothing but
   * their levels, and the changes outside wait.
   */
  #readModemStatus(): number {
    if (this.#loopback) {
      const outputs = this.#modemControl;
      return (
        ((outputs & RTS) !== 0 ? CTS : 0) |
        ((outputs & DTR) !== 0 ? DSR : 0) |
        ((outputs & OUT1) !== 0 ? RI : 0) |
        ((outputs & OUT2) !== 0 ? DCD : 0)
      );
    }
    const status = this.#modemInputs | this.#modemChanges;
    this.#modemChanges = 0;
    this.#update();
    return status;
  }

  #writeModemControl(value: number): void {
    const wasLoopback = this.#loopback;
    this.#modemControl = value;
    if (wasLoopback && !this.#loopback) this.#offerRoom();
  }

  /** The time one character takes, from divisor and frame: start bit, 5 to 8 data bits, parity, 1 or 2 stop bits. */
  #setDivisor(divisor: number): void {
    this.#divisor = divisor;
    const control = this.#lineControl;
    const bits = 1 + 5 + (control & 3) + ((control & PARITY) !== 0 ? 1 : 0) + ((control & STOP_BITS) !== 0 ? 2 : 1);
    const rate = divisor === 0 ? STOPPED_BAUD : BAUD_BASE / divisor;
    this.#characterNs = Math.floor((NS_PER_SECOND * bits) / rate);
  }

  #writeEnable(value: number): void {
    const changed = this.#enable ^ value;
    this.#enable = value;
    if ((changed & ENABLE_TRANSMITTER) !== 0) {
      this.#transmitterPending = (value & ENABLE_TRANSMITTER) !== 0 && this.#holdingEmpty;
    }
    this.#update();
  }

  #writeFifoControl(value: number): void {
    // Switching the FIFOs on or off empties them.
    const toggled = ((value ^ this.#fifoControl) & FIFO_ENABLE) !== 0;
    this.#fifoControl = value & FIFO_KEPT_BITS;
    if (toggled || (value & FIFO_RESET_RECEIVER) !== 0) {
      this.#received.clear();
      this.#dataReady = false;
      this.#lineErrors &= OVERRUN;
      this.#timeout = Infinity;
      this.#timeoutPending = false;
    }
    if (toggled || (value & FIFO_RESET_TRANSMITTER) !== 0) {
      this.#transmitted.clear();
      this.#holding = null;
      this.#transmitterPending = true;
    }
    this.#update();
    this.#offerRoom();
  }

  #readReceiver(): number {
    if (this.#fifosEnabled) {
      const byte = (this.#received.shift() ?? 0) & 0xff;
      this.#timeoutPending = false;
      this.#dataReady = this.#received.length > 0;
      this.#timeout = this.#dataReady ? this.#now + TIMEOUT_CHARACTERS * this.#characterNs : Infinity;
      this.#lineErrors &= ~BREAK;
      this.#showErrorsOnTop();
      this.#update();
      this.#offerRoom();
      return byte;
    }
    this.#dataReady = false;
    this.#lineErrors &= ~BREAK;
    this.#update();
    this.#offerRoom();
    return this.#receiverBuffer;
  }

  /** The errors of a byte show in the line status when it has come to the top of the FIFO, and once. */
  #showErrorsOnTop(): void {
    this.#lineErrors |= (this.#received.peek() ?? 0) >> ERROR_SHIFT;
  }

  /** @param entry a byte, with its errors above */
  #receiveByte(entry: number): void {
    if (this.#fifosEnabled) {
      if (!this.#received.push(entry)) this.#lineErrors |= OVERRUN;
      else if (this.#received.length === 1) this.#showErrorsOnTop();
      this.#timeout = this.#now + TIMEOUT_CHARACTERS * this.#characterNs;
    } else {
      if (this.#dataReady) this.#lineErrors |= OVERRUN;
      this.#receiverBuffer = entry & 0xff;
      this.#lineErrors |= entry >> ERROR_SHIFT;
    }
    this.#dataReady = true;
  }

  #writeTransmitter(value: number): void {
    if (this.#fifosEnabled) {
      // A byte too many pushes the oldest one out.
      if (this.#transmitted.room === 0) this.#transmitted.shift();
      this.#transmitted.push(value);
    } else {
      this.#holding = value;
    }
    this.#transmitterPending = false;
    this.#update();
    if (this.#shift === null) this.#startShift();
  }

  /** Moves bytes from FIFO or holding register to the shift register, for as long as they go out at once. */
  #startShift(): void {
    for (;;) {
      const byte = this.#holding ?? this.#transmitted.shift();
      if (byte === undefined) return;
      this.#holding = null;
      this.#shift = byte;
      if (this.#holdingEmpty) {
        this.#transmitterPending = true;
        this.#update();
      }
      if (!this.#instant) {
        this.#shiftDone = this.#now + this.#characterNs;
        return;
      }
      if (!this.#send(byte)) return;
      this.#shift = null;
    }
  }

  #finishShift(): void {
    if (this.#shift === null) return;
    this.#shiftDone = Infinity;
    if (!this.#send(this.#shift)) return;
    this.#shift = null;
    this.#startShift();
  }

  /** Puts a byte on the line; false when the line refuses it for now. */
  #send(byte: number): boolean {
    if (!this.#loopback) return this.#line.transmit(byte);
    this.#receiveByte(byte);
    this.#update();
    return true;
  }

  #offerRoom(): void {
    if (!this.#owesRoom || this.#loopback) return;
    if (this.#fifosEnabled ? this.#received.room === 0 : this.#dataReady) return;
    this.#owesRoom = false;
    this.#line.receiveReady();
  }

  #update(): void {
    this.#identify = this.#identifyInterrupt();
    this.#interrupt.set(this.#identify !== IDENTIFY_NOTHING);
  }

  #identifyInterrupt(): number {
    const enable = this.#enable;
    if ((enable & ENABLE_LINE_STATUS) !== 0 && (this.#lineErrors & LINE_ERRORS) !== 0) return IDENTIFY_LINE_STATUS;
    if ((enable & ENABLE_RECEIVED) !== 0) {
      if (this.#timeoutPending) return IDENTIFY_TIMEOUT;
      const trigger = this.#fifosEnabled ? (TRIGGER_LEVELS[this.#fifoControl >> 6] ?? 1) : 0;
      if (this.#dataReady && this.#received.length >= trigger) return IDENTIFY_RECEIVED;
    }
    if ((enable & ENABLE_TRANSMITTER) !== 0 && this.#transmitterPending) return IDENTIFY_TRANSMITTER;
    if ((enable & ENABLE_MODEM_STATUS) !== 0 && this.#modemChanges !== 0) return IDENTIFY_MODEM_STATUS;
    return IDENTIFY_NOTHING;
  }
}
