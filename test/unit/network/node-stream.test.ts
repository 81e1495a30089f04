/** What goes to a socket of the host, in as few writes as can be. */
import type net from 'node:net';
import { Duplex } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { NodeStream } from '../../../hw/network/user/node-host.ts';

/** A socket that takes what is written only when it is told to. */
class SlowSocket extends Duplex {
  readonly taken: string[] = [];
  #done: (() => void) | null = null;
  ended = false;

  setNoDelay(): void {}

  override _read(): void {}

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.taken.push(bytes.toString());
    this.#done = done;
  }

  override _final(done: () => void): void {
    this.ended = true;
    done();
  }

  /** Finishes the write under way. */
  async finish(): Promise<void> {
    this.#done?.();
    await nextTurn();
  }
}

describe('a connection of the host', () => {
  it('gets small pieces together while it has not taken what came before, and then its end', async () => {
    const socket = new SlowSocket();
    let drained = 0;
    const handler = {
      ...{ connected: () => {}, data: () => {}, ended: () => {}, closed: () => {}, failed: () => {} },
      drained: () => void drained++,
    };
    const stream = new NodeStream(socket as unknown as net.Socket, handler, () => {});
    const text = 'abcdefghij'.repeat(1000);
    for (const letter of text) stream.write(Buffer.from(letter));
    stream.end();
    expect(stream.pending).toBe(text.length);
    await socket.finish();
    expect([stream.pending, drained, socket.ended]).toEqual([text.length - 1, 1, false]);
    await socket.finish();
    await nextTurn();
    expect(socket.taken).toEqual(['a', text.slice(1)]);
    expect([stream.pending, drained, socket.ended]).toEqual([0, 2, true]);
  });
});
