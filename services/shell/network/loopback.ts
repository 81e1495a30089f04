/** Connections of the test commands: both ends in one task, over the loopback interface. */
import type { Network, Socket } from '../../lib/index.ts';
import { random, SystemError, uptime } from '../../lib/index.ts';
import { expect } from '../checks.ts';
import { Sha256 } from '../text/sha256.ts';
import { type ByteSource, type Done, pump, StreamSocket } from './byte-streams.ts';
import { EventLoop } from './event-loop.ts';

/** 127.0.0.1. */
export const LOOPBACK = 0x7f000001;

/** Longest wait for anything, in milliseconds. */
export const WAIT_MS = 20_000;

/** Bytes that a transfer repeats. */
const PATTERN_BYTES = 64 * 1024;

/** A socket that listens on a port of the loopback interface. Answers it with the port. */
export function listening(network: Network, backlog = 128): { listener: Socket; port: number } {
  const listener = network.stream();
  listener.bind({ address: LOOPBACK, port: 0 });
  listener.listen(backlog);
  return { listener, port: listener.names().local.port };
}

/** The two ends of a connection. */
export interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  close(): void;
}

/** Makes a connection. */
export function pairOf(network: Network): Pair {
  const { listener, port } = listening(network, 1);
  try {
    const client = network.stream();
    client.connect({ address: LOOPBACK, port }, WAIT_MS);
    const { connection: server, remote } = listener.accept(WAIT_MS);
    const own = client.names().local;
    expect(remote.port === own.port && remote.address === own.address, 'accept tells of another client than connects');
    return {
      ...{ client, server },
      close: () => {
        client.close();
        server.close();
      },
    };
  } finally {
    listener.close();
  }
}

/** A port where nobody listens: one that was free a moment ago. */
export function freePort(network: Network): number {
  const socket = network.stream();
  socket.bind({ address: LOOPBACK, port: 0 });
  const { port } = socket.names().local;
  socket.close();
  return port;
}

/** Bytes from a repeated random pattern, `count` in all; `sum` is over what has been read. */
class PatternSource implements ByteSource {
  readonly sum = new Sha256();
  private readonly pattern = random(PATTERN_BYTES);
  private left: number;

  constructor(count: number) {
    this.left = count;
  }

  read(done: Done<Uint8Array>): void {
    const piece = this.pattern.subarray(0, Math.min(this.left, PATTERN_BYTES));
    this.left -= piece.length;
    this.sum.update(piece);
    done({ ok: true, value: piece });
  }
}

/**
 * Moves `count` bytes from each first socket to its second one, all at the same time. Checks them by their hash.
 * Answers how long it took in milliseconds.
 */
export function transfer(routes: readonly (readonly [from: Socket, to: Socket])[], count: number): number {
  const loop = new EventLoop();
  let open = 2 * routes.length;
  let failure: SystemError | null = null;
  const sides = routes.map(([from, to]) => {
    const source = new PatternSource(count);
    const received = { sum: new Sha256(), bytes: 0 };
    const sending = new StreamSocket(loop, from.right);
    const receiving = new StreamSocket(loop, to.right);
    const closed = (error: SystemError | null): void => {
      failure ??= error;
      open -= 1;
      if (open === 0 || failure !== null) loop.finish();
    };
    const nobody = (): void => undefined;
    sending.sent = from.sendOffset;
    receiving.received = to.receiveOffset;
    return {
      ...{ source, received },
      start: () => {
        pump(source, sending, nobody, (end) => {
          if (end.side !== 'end') closed(end.error);
          else sending.end((outcome) => closed(outcome.ok ? null : outcome.error));
        });
        const sink = {
          write: (bytes: Uint8Array, done: Done<void>) => {
            received.sum.update(bytes);
            received.bytes += bytes.length;
            done({ ok: true, value: undefined });
          },
        };
        pump(receiving, sink, nobody, (end) => closed(end.side === 'end' ? null : end.error));
      },
    };
  });
  const before = uptime();
  const stop = loop.after(6 * WAIT_MS, () => {
    failure ??= new SystemError('ETIMEDOUT', 'the transfer takes too long');
    loop.finish();
  });
  for (const { start } of sides) start();
  loop.run();
  stop();
  const took = uptime() - before;
  if (failure !== null) throw failure;
  for (const { source, received } of sides) {
    expect(received.bytes === count, `${received.bytes} of ${count} bytes came`);
    expect(received.sum.hex() === source.sum.hex(), 'other bytes came than were sent');
  }
  return took;
}
