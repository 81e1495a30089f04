/**
 * A server of iperf3, for one TCP stream at a time in either direction: enough for `iperf3 -c` and `iperf3 -c -R`. The
 * control connection carries states of one byte and JSON with its length in front (iperf3 3.x, src/iperf_api.h).
 */
import { log } from '../../../services/lib/index.ts';
import type { Connection } from './connection.ts';
import { piece } from './content.ts';

const COOKIE_BYTES = 37;
const BLOCK_BYTES = 64 * 1024;
const JSON_LIMIT = 64 * 1024;
const state = {
  TEST_START: 1,
  TEST_RUNNING: 2,
  TEST_END: 4,
  PARAM_EXCHANGE: 9,
  CREATE_STREAMS: 10,
  EXCHANGE_RESULTS: 13,
  DISPLAY_RESULTS: 14,
  IPERF_DONE: 16,
} as const;

/** One server; every connection to the port is handed to it. */
export class IperfServer {
  private control: Connection | null = null;
  private stream: Connection | null = null;
  private reverse = false;
  private running = false;
  private bytes = 0;

  /** A connection has come: the first one of a test is its control connection. */
  accepted(connection: Connection): void {
    connection.exactly(COOKIE_BYTES, () => {
      if (this.control?.open !== true) this.begin(connection);
      else this.run(connection);
    });
  }

  private begin(control: Connection): void {
    this.control = control;
    this.bytes = 0;
    this.tell(state.PARAM_EXCHANGE);
    this.json(control, (parameters) => {
      this.reverse = (parameters as { reverse?: boolean }).reverse === true;
      this.tell(state.CREATE_STREAMS);
    });
  }

  private run(stream: Connection): void {
    this.stream = stream;
    this.running = true;
    this.tell(state.TEST_START, state.TEST_RUNNING);
    if (this.reverse) this.pour();
    else this.drain();
    this.awaitEnd();
  }

  private pour(): void {
    if (!this.running) return;
    this.stream?.send(piece(this.bytes, BLOCK_BYTES), () => {
      this.bytes += BLOCK_BYTES;
      this.pour();
    });
  }

  private drain(): void {
    this.stream?.receive((data) => {
      this.bytes += data.length;
      if (data.length > 0) this.drain();
    });
  }

  private awaitEnd(): void {
    const { control } = this;
    control?.exactly(1, ([told]) => {
      if (told !== state.TEST_END) {
        this.end();
        return;
      }
      this.running = false;
      this.stream?.close();
      this.tell(state.EXCHANGE_RESULTS);
      this.json(control, () => this.results(control));
    });
  }

  private results(control: Connection): void {
    const one = { id: 1, bytes: this.bytes, retransmits: 0, jitter: 0, errors: 0, packets: 0 };
    const result = {
      ...{ cpu_util_total: 0, cpu_util_user: 0, cpu_util_system: 0, sender_has_retransmits: 0 },
      streams: [one],
    };
    const text = Buffer.from(JSON.stringify(result));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(text.length);
    control.send(Buffer.concat([length, text]), () => {
      this.tell(state.DISPLAY_RESULTS);
      control.exactly(1, () => this.end());
    });
  }

  private end(): void {
    log(`iperf3: ${this.bytes} bytes ${this.reverse ? 'sent' : 'received'}`);
    this.running = false;
    this.stream?.close();
    this.control?.close();
    this.stream = null;
    this.control = null;
  }

  private tell(...states: readonly number[]): void {
    const { control } = this;
    const [first, ...rest] = states;
    if (first === undefined) return;
    control?.send(Buffer.from([first]), () => this.tell(...rest));
  }

  private json(control: Connection, done: (value: unknown) => void): void {
    control.exactly(4, (head) => {
      const length = head.readUInt32BE();
      if (length > JSON_LIMIT) this.end();
      else control.exactly(length, (text) => done(JSON.parse(text.toString())));
    });
  }
}
