/**
 * A client of Node's inspector: one WebSocket connection that sends commands and waits for their answers (RFC 6455,
 * sections 1.3 and 5.2).
 */
import { randomBytes } from 'node:crypto';
import http from 'node:http';
import type { Duplex } from 'node:stream';

/** The targets an inspector offers, as it answers GET /json. */
export async function inspectorTargets(address: string): Promise<{ webSocketDebuggerUrl: string }[]> {
  const response = await fetch(`http://${address}/json`);
  return (await response.json()) as { webSocketDebuggerUrl: string }[];
}

/** One connection. */
export class InspectorClient {
  private readonly socket: Duplex;
  private received = Buffer.alloc(0);
  private readonly waiting = new Map<number, (message: string) => void>();
  private lastId = 0;

  private constructor(socket: Duplex, head: Buffer) {
    this.socket = socket;
    this.take(head);
    socket.on('data', (bytes: Buffer) => this.take(bytes));
    socket.on('error', () => {});
  }

  /** Connects to a target. */
  static connect(url: string): Promise<InspectorClient> {
    const { host, pathname } = new URL(url);
    const headers = {
      ...{ Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13' },
      'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
    };
    return new Promise((resolve, reject) => {
      const request = http.get(`http://${host}${pathname}`, { headers });
      request.on('upgrade', (_response, socket, head) => resolve(new InspectorClient(socket, head)));
      request.on('error', reject);
    });
  }

  /** Sends a command and waits for its answer, as text. */
  ask(method: string, milliseconds = 5000): Promise<string> {
    const id = ++this.lastId;
    const body = Buffer.from(JSON.stringify({ id, method }));
    // A text frame from a client is masked; a mask of zeros leaves it readable. These commands are shorter than 126
    // bytes.
    this.socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | body.length, 0, 0, 0, 0]), body]));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer to ${method}`)), milliseconds);
      this.waiting.set(id, (message) => {
        clearTimeout(timer);
        resolve(message);
      });
    });
  }

  close(): void {
    this.socket.destroy();
  }

  private take(bytes: Buffer): void {
    this.received = Buffer.concat([this.received, bytes]);
    for (;;) {
      const [, short = 0] = this.received;
      const [start, length] =
        short < 126
          ? [2, short]
          : short === 126 && this.received.length >= 4
            ? [4, this.received.readUInt16BE(2)]
            : this.received.length >= 10
              ? [10, Number(this.received.readBigUInt64BE(2))]
              : [2, Number.POSITIVE_INFINITY];
      if (this.received.length < start + length) return;
      const text = this.received.subarray(start, start + length).toString();
      this.received = this.received.subarray(start + length);
      const { id } = JSON.parse(text) as { id?: number };
      if (id !== undefined) this.waiting.get(id)?.(text);
    }
  }
}
