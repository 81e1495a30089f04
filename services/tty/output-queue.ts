/**
 * Output on its way to the UART: what clients write, answered when it is out, and echo in between. When the other end takes no more, the rest waits for
 * the transmitter's interrupt.
 */
import { record, u32, u53 } from '../../protocol/schema.ts';
import { type Deferred, SystemError } from '../lib/index.ts';
import type { DriverEffects } from './driver.ts';
import { MAX_SEND_BYTES, type Uart } from './uart.ts';

/** Writes and echoes that may wait at the same time. */
const MAX_CHUNKS = 512;

/** Bytes of echo that may wait; more is not shown. */
const MAX_ECHO_BYTES = 65536;

/** Bytes sent before other requests get a turn. */
const TURN_BYTES = 8 * MAX_SEND_BYTES;

const OUTPUT_KEY = 'output';

const outputState = record({ sender: u32, sequence: u53, written: u53 });

/** Who wrote something, and which delivery of its request this is. */
export interface Writer {
  readonly sender: number;
  readonly sequence: number;
  readonly retry: boolean;
}

interface Chunk {
  readonly bytes: Uint8Array;
  /** Bytes that are out. */
  at: number;
  /** Missing for echo. */
  readonly writer?: Writer;
  readonly deferred?: Deferred<void>;
}

/** See the head of this file. */
export class OutputQueue {
  private readonly uart: Uart;
  private readonly effects: Pick<DriverEffects, 'save' | 'load' | 'log'>;
  private readonly stopped: () => boolean;
  private chunks: Chunk[] = [];
  private echoBytes = 0;
  /** How far the write under way, or the last one, has got. */
  private progress = { sender: 0, sequence: 0, written: 0 };

  /** `stopped`: whether the user holds the output back. */
  constructor(uart: Uart, effects: Pick<DriverEffects, 'save' | 'load' | 'log'>, stopped: () => boolean) {
    this.uart = uart;
    this.effects = effects;
    this.stopped = stopped;
  }

  /** Takes over how far an earlier incarnation got. */
  restore(): void {
    const stored = this.effects.load(OUTPUT_KEY);
    if (stored === undefined) return;
    try {
      this.progress = outputState.fromWire(stored, []);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.effects.log(`saved progress dropped: ${error.message}`, 'warning');
    }
  }

  /** Queues what a client writes. EAGAIN: too many wait. */
  write(bytes: Uint8Array, writer: Writer, deferred: Deferred<void>): void {
    const { progress } = this;
    const known = writer.retry && progress.sender === writer.sender && progress.sequence === writer.sequence;
    if (this.chunks.length >= MAX_CHUNKS) {
      deferred.fail(new SystemError('EAGAIN', 'too many writers wait'));
      return;
    }
    const chunk = { bytes, at: known ? Math.min(progress.written, bytes.length) : 0, writer, deferred };
    this.chunks.push(chunk);
    if (chunk.at === bytes.length) this.finish();
    this.pump();
  }

  /** Queues echo. */
  echo(bytes: Uint8Array): void {
    if (bytes.length === 0 || this.chunks.length >= MAX_CHUNKS) return;
    if (this.echoBytes + bytes.length > MAX_ECHO_BYTES) return;
    this.echoBytes += bytes.length;
    this.chunks.push({ bytes, at: 0 });
    this.pump();
  }

  /** Sends what can be sent now. */
  pump(): void {
    let turn = TURN_BYTES;
    while (this.chunks.length > 0 && !this.stopped()) {
      const bytes = this.next();
      const sent = this.uart.send(bytes);
      this.advance(sent);
      turn -= sent;
      if (sent < bytes.length || turn <= 0) {
        this.uart.awaitTransmitter();
        return;
      }
    }
    this.uart.transmitterDone();
  }

  /** The bytes to be sent next, from as many chunks as one vector holds. */
  private next(): Uint8Array {
    const [first] = this.chunks;
    if (first !== undefined && first.bytes.length - first.at >= MAX_SEND_BYTES) {
      return first.bytes.subarray(first.at, first.at + MAX_SEND_BYTES);
    }
    const parts: Uint8Array[] = [];
    let length = 0;
    for (const { bytes, at } of this.chunks) {
      parts.push(bytes.subarray(at));
      length += bytes.length - at;
      if (length >= MAX_SEND_BYTES) break;
    }
    return Buffer.concat(parts).subarray(0, MAX_SEND_BYTES);
  }

  /** Notes that so many bytes are out. */
  private advance(sent: number): void {
    let left = sent;
    for (let chunk = this.chunks[0]; chunk !== undefined && left > 0; chunk = this.chunks[0]) {
      const part = Math.min(left, chunk.bytes.length - chunk.at);
      chunk.at += part;
      left -= part;
      if (chunk.writer !== undefined) this.note(chunk.writer, chunk.at);
      if (chunk.at < chunk.bytes.length) break;
      this.finish();
    }
  }

  private note({ sender, sequence }: Writer, written: number): void {
    this.progress = { sender, sequence, written };
    this.effects.save(OUTPUT_KEY, outputState.toWire(this.progress, []));
  }

  /** Answers writes that are out. */
  private finish(): void {
    for (let chunk = this.chunks[0]; chunk !== undefined && chunk.at === chunk.bytes.length; chunk = this.chunks[0]) {
      this.chunks.shift();
      if (chunk.writer === undefined) this.echoBytes -= chunk.bytes.length;
      chunk.deferred?.reply();
    }
  }
}
