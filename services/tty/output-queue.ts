/**
 * Output on its way to the UART: what clients write, answered when it is out, and echo in between. When the other end
 * takes no more, the rest waits for the transmitter's interrupt.
 */
import { record, u8, u32, u53 } from '../../protocol/schema.ts';
import { type Deferred, SystemError } from '../lib/index.ts';
import type { DriverEffects } from './effects.ts';
import { MAX_SEND_BYTES, type Uart } from './uart.ts';

/** Writes and echoes that may wait at the same time. */
const MAX_CHUNKS = 512;

/** Bytes of echo that may wait; more is not shown. */
const MAX_ECHO_BYTES = 65536;

/** Bytes sent before other requests get a turn. */
const TURN_BYTES = 16 * MAX_SEND_BYTES;

const OUTPUT_KEY = 'output';

const outputState = record({ sender: u32, sequence: u53, written: u53, mark: u8 });

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
  /** Nobody takes what is sent any more. */
  private lost = false;
  /** How far the write that an earlier incarnation had under way has got. */
  private progress = { sender: 0, sequence: 0, written: 0 };

  /** `stopped`: whether the user holds the output back. */
  constructor(uart: Uart, effects: Pick<DriverEffects, 'save' | 'load' | 'log'>, stopped: () => boolean) {
    this.uart = uart;
    this.effects = effects;
    this.stopped = stopped;
  }

  /** Takes over how far an earlier incarnation got. The UART has to be configured. */
  restore(): void {
    const stored = this.effects.load(OUTPUT_KEY);
    if (stored === undefined) return;
    try {
      const { sender, sequence, written, mark } = outputState.fromWire(stored, []);
      this.progress = { sender, sequence, written: written + this.uart.sentSince(mark) };
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.effects.log(`saved progress dropped: ${error.message}`, 'warning');
    }
  }

  /** Queues what a client writes. EAGAIN: too many wait; EPIPE: nobody takes it. */
  write(bytes: Uint8Array, writer: Writer, deferred: Deferred<void>): void {
    const { progress } = this;
    const known = writer.retry && progress.sender === writer.sender && progress.sequence === writer.sequence;
    if (this.lost) {
      deferred.fail(nobodyListens());
      return;
    }
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
    if (bytes.length === 0 || this.lost || this.chunks.length >= MAX_CHUNKS) return;
    if (this.echoBytes + bytes.length > MAX_ECHO_BYTES) return;
    this.echoBytes += bytes.length;
    this.chunks.push({ bytes, at: 0 });
    this.pump();
  }

  /** Nobody takes what is sent any more: whoever writes hears of it, now and from now on. */
  lose(): void {
    if (this.lost) return;
    this.lost = true;
    this.echoBytes = 0;
    for (const { deferred } of this.chunks.splice(0)) deferred?.fail(nobodyListens());
  }

  /** Sends what can be sent now. */
  pump(): void {
    let turn = TURN_BYTES;
    for (let chunk = this.chunks[0]; chunk !== undefined && !this.stopped(); chunk = this.chunks[0]) {
      const bytes = chunk.bytes.subarray(chunk.at, chunk.at + MAX_SEND_BYTES);
      if (chunk.writer !== undefined) this.keep(chunk.writer, chunk.at);
      const sent = this.uart.send(bytes, chunk.writer !== undefined);
      chunk.at += sent;
      this.finish();
      turn -= sent;
      if (sent < bytes.length || turn <= 0) {
        if (this.chunks.length === 0) break;
        this.uart.awaitTransmitter();
        return;
      }
    }
    this.uart.transmitterDone();
  }

  /** Before bytes are sent: where, and how the UART's count stands. What has gone out follows from both. */
  private keep({ sender, sequence }: Writer, written: number): void {
    const state = { sender, sequence, written, mark: this.uart.mark };
    this.effects.save(OUTPUT_KEY, outputState.toWire(state, []));
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

const nobodyListens = (): SystemError => new SystemError('EPIPE', 'nobody takes the output any more');
