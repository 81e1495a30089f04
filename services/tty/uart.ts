/**
 * The serial port as this driver uses it: FIFOs on, 115200 baud, 8N1, an interrupt for the first byte.
 *
 * Read: National Semiconductor PC16550D data sheet, chapter 8 (registers). No byte is lost over a restart of the
 * driver: the FIFOs are only switched on when they are off, and never reset. And none is sent twice: the scratch
 * register counts what has gone out of the FIFO's size, so a new incarnation sees how far a vector got whose result
 * nobody has read. What is received goes into the recovery store in the step that takes it out of the FIFO, under a
 * number that says whether it has been dealt with.
 */
import { i32, list, record, u8, u53 } from '../../protocol/schema.ts';
import { vectorOperation as operation } from '../../protocol/vector.ts';

/** Interrupt line of the port. */
export const UART_IRQ = 4;

/** I/O ports of the UART. */
export const UART_PORTS = [0x3f8, 0x3ff] as const;

const DATA = 0x3f8;
const INTERRUPT_ENABLE = 0x3f9;
const INTERRUPT_IDENTIFY = 0x3fa;
const FIFO_CONTROL = 0x3fa;
const LINE_CONTROL = 0x3fb;
const MODEM_CONTROL = 0x3fc;
const LINE_STATUS = 0x3fd;
const MODEM_STATUS = 0x3fe;
const SCRATCH = 0x3ff;

const DATA_READY = 0x01;
const LINE_ERRORS = 0x1e;
const TRANSMITTER_EMPTY = 0x20;
const CARRIER = 0x80;
const CLEAR_TO_SEND = 0x10;
const FIFOS_ON = 0xc0;
const NOTHING_PENDING = 0x01;

const ENABLE_RECEIVED = 0x01;
const ENABLE_TRANSMITTER = 0x02;
const ENABLE_STATUS = 0x0c;

const EIGHT_BITS = 0x03;
const DIVISOR_LATCH = 0x80;
const READY_TO_TALK = 0x0b; // DTR, RTS, OUT2
const LOOPBACK = 0x10;

/** Bytes that fit when the transmitter is empty. */
const FIFO_BYTES = 16;
/** Bytes that one vector sends at most: the groups that the scratch register can count. */
export const MAX_SEND_BYTES = 255 * FIFO_BYTES;
/** Bytes that one vector receives at most. */
export const MAX_RECEIVE_BYTES = 256;

/** An element of a vector on the wire. */
export type Operand = number | string | Uint8Array;

/** Runs a vector of port accesses (protocol/vector.ts). */
export type RunVector = (operations: readonly Operand[]) => { ended: number; results: readonly unknown[] };

/**
 * Where the kernel keeps what the last look found, and what it keeps: number of the look, end and results of the
 * vector.
 */
export const LOOK_KEY = 'look';
const keptLook = record({ number: u53, ended: i32, results: list(u8, 2 * 1024) });

/** What a look at the port found. */
export interface Received {
  /** Number of the look. */
  readonly number: number;
  readonly bytes: Uint8Array;
  /** Nothing more waits in the receiver. */
  readonly drained: boolean;
  /** Bytes may come from the other end of the line, and what is sent is taken there. */
  readonly carrier: boolean;
  readonly listened: boolean;
  /** An interrupt was pending when the look began. */
  readonly pending: boolean;
  /** Error bits of the line status: overrun 2, parity 4, framing 8, break 16. */
  readonly errors: number;
}

function found(number: number, ended: number, results: readonly number[]): Received {
  const [identified = NOTHING_PENDING, line = 0, modem = CARRIER | CLEAR_TO_SEND, ...bytes] = results;
  // The check that ended it gave the line status.
  if (ended >= 0) bytes.pop();
  return {
    number,
    bytes: Uint8Array.from(bytes),
    drained: ended >= 0,
    carrier: (modem & CARRIER) !== 0,
    listened: (modem & CLEAR_TO_SEND) !== 0,
    pending: (identified & NOTHING_PENDING) === 0,
    errors: line & LINE_ERRORS,
  };
}

/** What the last look of an earlier incarnation found, from the value under LOOK_KEY. Throws SystemError EINVAL. */
export function keptReceived(stored: unknown): Received {
  const { number, ended, results } = keptLook.fromWire(stored, []);
  return found(number, ended, results);
}

/** See the head of this file. */
export class Uart {
  private readonly run: RunVector;
  private receive = false;
  private transmit = false;
  private groupsSent = 0;

  constructor(run: RunVector) {
    this.run = run;
  }

  /**
   * Brings the port to a known state with its interrupts off. Returns the byte that had waited outside a FIFO, if any.
   */
  configure(): Uint8Array {
    const { WRITE8, READ8, CHECK8 } = operation;
    const [identified, groups] = this.run([
      ...[WRITE8, LINE_CONTROL, EIGHT_BITS],
      ...[WRITE8, INTERRUPT_ENABLE, 0],
      ...[READ8, INTERRUPT_IDENTIFY],
      ...[READ8, SCRATCH],
    ]).results;
    this.groupsSent = Number(groups);
    let waiting = new Uint8Array(0);
    if ((Number(identified) & FIFOS_ON) !== FIFOS_ON) {
      // Switching the FIFOs on empties the receiver; in loopback nothing new comes in meanwhile.
      const { ended, results } = this.run([
        ...[WRITE8, MODEM_CONTROL, LOOPBACK],
        ...[CHECK8, LINE_STATUS, DATA_READY, DATA_READY],
        ...[READ8, DATA],
      ]);
      if (ended < 0) waiting = Uint8Array.of(Number(results[0]));
      this.run([WRITE8, FIFO_CONTROL, 0x01]);
    }
    this.run([
      ...[WRITE8, LINE_CONTROL, EIGHT_BITS | DIVISOR_LATCH],
      ...[WRITE8, DATA, 1],
      ...[WRITE8, INTERRUPT_ENABLE, 0],
      ...[WRITE8, LINE_CONTROL, EIGHT_BITS],
      ...[WRITE8, MODEM_CONTROL, READY_TO_TALK],
    ]);
    return waiting;
  }

  /** Takes what has come, and looks at the line. `number` has to be higher than that of every look before. */
  look(number: number): Received {
    const { KEEP, READ8, CHECK8 } = operation;
    const vector: Operand[] = [KEEP, LOOK_KEY, number];
    vector.push(READ8, INTERRUPT_IDENTIFY, READ8, LINE_STATUS, READ8, MODEM_STATUS);
    for (let count = 0; count < MAX_RECEIVE_BYTES; count++) {
      vector.push(CHECK8, LINE_STATUS, DATA_READY, DATA_READY, READ8, DATA);
    }
    const { ended, results } = this.run(vector);
    return found(number, ended, results.map(Number));
  }

  /** Whether received bytes interrupt. */
  set receiving(on: boolean) {
    this.receive = on;
    this.enable();
  }

  get receiving(): boolean {
    return this.receive;
  }

  /** Asks for an interrupt as soon as the transmitter is empty, which may be now. */
  awaitTransmitter(): void {
    // Switching it on is what makes an empty transmitter interrupt.
    if (this.transmit) {
      this.transmit = false;
      this.enable();
    }
    this.transmit = true;
    this.enable();
  }

  /** There is nothing more to send. */
  transmitterDone(): void {
    if (!this.transmit) return;
    this.transmit = false;
    this.enable();
  }

  /** State of the count of sent groups, to be kept before a counted `send`. */
  get mark(): number {
    return this.groupsSent;
  }

  /** Bytes sent since the count stood at `mark`; a last group that was not full counts as full. */
  sentSince(mark: number): number {
    return ((this.groupsSent - mark) & 0xff) * FIFO_BYTES;
  }

  /**
   * Sends at most MAX_SEND_BYTES. Returns how many the transmitter has taken: fewer when the other end does not keep
   * up. `counted`: in the scratch register too.
   */
  send(bytes: Uint8Array, counted: boolean): number {
    const { CHECK8, WRITE_BLOCK8, WRITE8 } = operation;
    const most = Math.min(bytes.length, MAX_SEND_BYTES);
    const groups = Math.ceil(most / FIFO_BYTES);
    const vector: Operand[] = [];
    for (let group = 0; group < groups; group++) {
      const part = bytes.subarray(group * FIFO_BYTES, Math.min((group + 1) * FIFO_BYTES, most));
      vector.push(CHECK8, LINE_STATUS, TRANSMITTER_EMPTY, TRANSMITTER_EMPTY);
      vector.push(WRITE_BLOCK8, DATA, part);
      if (counted) vector.push(WRITE8, SCRATCH, (this.groupsSent + group + 1) & 0xff);
    }
    const { ended } = this.run(vector);
    const sent = ended < 0 ? groups : Math.floor(ended / (counted ? 3 : 2));
    if (counted) this.groupsSent = (this.groupsSent + sent) & 0xff;
    return Math.min(most, sent * FIFO_BYTES);
  }

  private enable(): void {
    const bits = ENABLE_STATUS | (this.receive ? ENABLE_RECEIVED : 0) | (this.transmit ? ENABLE_TRANSMITTER : 0);
    this.run([operation.WRITE8, INTERRUPT_ENABLE, bits]);
  }
}
