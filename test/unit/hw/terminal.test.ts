import { PassThrough, Writable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { SerialPort } from '../../../hw/serial-line.ts';
import { HostTerminal, INPUT_LIMIT_BYTES } from '../../../hw/terminal.ts';

/** A serial port that takes as much as it has room for and writes down what happens. */
class TestPort implements SerialPort {
  received: number[] = [];
  room = Infinity;
  carrier = true;
  ready = 0;

  receive(bytes: Uint8Array): number {
    const taken = Math.min(bytes.length, this.room);
    this.room -= taken;
    this.received.push(...bytes.subarray(0, taken));
    return taken;
  }

  transmitReady(): void {
    this.ready++;
  }

  setCarrier(present: boolean): void {
    this.carrier = present;
  }

  receiveBreak(): void {}
}

/** A stream that finishes each write only when told to. */
class SlowOutput extends Writable {
  readonly chunks: string[] = [];
  readonly #unfinished: (() => void)[] = [];

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.chunks.push(chunk.toString());
    this.#unfinished.push(done);
  }

  finish(): void {
    for (const done of this.#unfinished.splice(0)) done();
  }
}

/** An input that is a terminal as far as one can tell. */
class TtyInput extends PassThrough {
  isTTY = true;
  readonly modes: boolean[] = [];

  setRawMode(raw: boolean): void {
    this.modes.push(raw);
  }
}

function connected(input = new PassThrough(), output: Writable = new SlowOutput({ highWaterMark: 8 })) {
  const terminal = new HostTerminal({ input, output });
  const port = new TestPort();
  terminal.connect(port);
  return { terminal, port, input, output };
}

const send = (terminal: HostTerminal, text: string): boolean[] =>
  [...Buffer.from(text)].map((byte) => terminal.transmit(byte));

describe('the terminal as a serial line', () => {
  it('writes the bytes of one turn as one chunk', async () => {
    const output = new SlowOutput();
    const { terminal } = connected(undefined, output);
    send(terminal, 'hello');
    expect(output.chunks).toEqual([]);
    await nextTurn();
    send(terminal, ' world');
    await nextTurn();
    output.finish();
    await nextTurn();
    expect(output.chunks).toEqual(['hello', ' world']);
  });

  it('writes a turn with very many bytes in pieces, without losing any', async () => {
    const output = new PassThrough({ highWaterMark: 1 << 20 });
    const { terminal } = connected(undefined, output);
    const text = 'x'.repeat(10_000);
    expect(send(terminal, text).every((taken) => taken)).toBe(true);
    await nextTurn();
    expect(String(output.read())).toBe(text);
  });

  it('refuses bytes while the output is full, and says when to go on', async () => {
    const output = new SlowOutput({ highWaterMark: 8 });
    const { terminal, port } = connected(undefined, output);
    send(terminal, '12345678');
    await nextTurn();
    expect([terminal.transmit(0x39), port.ready]).toEqual([false, 0]);
    output.finish();
    await nextTurn();
    expect([port.ready, terminal.transmit(0x39)]).toEqual([1, true]);
  });

  it('delivers input, keeping what the UART has no room for', async () => {
    const { terminal, port, input } = connected();
    port.room = 3;
    input.write('abcdef');
    await nextTurn();
    expect([Buffer.from(port.received).toString(), input.isPaused()]).toEqual(['abc', true]);
    port.room = Infinity;
    terminal.receiveReady();
    expect(port.received.length).toBe(3); // not from within the access that made room
    await nextTurn();
    expect([Buffer.from(port.received).toString(), input.isPaused()]).toEqual(['abcdef', false]);
  });

  it('keeps at most 64 KiB, and delivers all of a longer flood in order', async () => {
    const { terminal, port, input } = connected();
    port.room = 0;
    const flood = Buffer.alloc(3 * INPUT_LIMIT_BYTES + 5).map((_, index) => index % 251);
    input.write(flood);
    input.end();
    await nextTurn();
    expect(input.readableLength).toBe(flood.length - INPUT_LIMIT_BYTES);
    while (port.carrier) {
      port.room = 1000;
      terminal.receiveReady();
      await nextTurn();
    }
    expect(Buffer.from(port.received).equals(flood)).toBe(true);
  });

  it('loses the carrier at the end of input, after the last byte', async () => {
    const { terminal, port, input } = connected();
    port.room = 1;
    input.end('ab');
    await nextTurn();
    await nextTurn();
    expect([port.received.length, port.carrier]).toEqual([1, true]);
    port.room = 1;
    terminal.receiveReady();
    await nextTurn();
    expect([port.received.length, port.carrier]).toEqual([2, false]);
  });

  it('takes an error of the input for its end', async () => {
    const { port, input } = connected();
    input.destroy(new Error('EIO'));
    await nextTurn();
    expect(port.carrier).toBe(false);
  });

  it('loses the carrier with the output, and then takes every byte', async () => {
    const output = new SlowOutput({ highWaterMark: 1 });
    const { terminal, port } = connected(undefined, output);
    send(terminal, 'ab');
    await nextTurn();
    expect(terminal.transmit(0x63)).toBe(false);
    output.destroy(new Error('EPIPE'));
    await nextTurn();
    expect([port.carrier, port.ready, terminal.transmit(0x63)]).toEqual([false, 1, true]);
    await terminal.close();
  });

  it('tells why output was lost, unless nobody wanted to read it', async () => {
    for (const [code, failure] of [
      ['ENOSPC', 'ENOSPC: it is full'],
      ['EPIPE', null],
    ] as const) {
      const output = new SlowOutput();
      const { terminal, port } = connected(undefined, output);
      send(terminal, 'a');
      output.destroy(Object.assign(new Error(`${code}: it is full`), { code }));
      await nextTurn();
      expect([terminal.failure, port.carrier]).toEqual([failure, false]);
    }
  });

  it('survives an output that throws', async () => {
    const output = Object.assign(new SlowOutput(), {
      write: () => {
        throw new Error('EBADF');
      },
    });
    const { terminal, port } = connected(undefined, output);
    send(terminal, 'a');
    await nextTurn();
    expect(port.carrier).toBe(false);
  });

  it('makes a terminal raw while it is connected, and restores it once', async () => {
    const input = new TtyInput();
    const { terminal } = connected(input);
    expect(input.modes).toEqual([true]);
    terminal.restore();
    await terminal.close();
    await terminal.close();
    expect(input.modes).toEqual([true, false]);
  });

  it('leaves other inputs alone, and is no terminal with them', () => {
    const input = new TtyInput();
    input.isTTY = false;
    const { terminal } = connected(input);
    expect([input.modes, terminal.isTerminal, terminal.size]).toEqual([[], false, { columns: 0, rows: 0 }]);
  });

  it('prints between the bytes of the guest, in order', async () => {
    const output = new PassThrough();
    const { terminal } = connected(undefined, output);
    send(terminal, 'a');
    terminal.print('host');
    send(terminal, 'b');
    await nextTurn();
    expect(String(output.read())).toBe('ahostb');
  });

  it('closes when everything is out, and takes nothing afterwards', async () => {
    const output = new SlowOutput();
    const { terminal, port, input } = connected(undefined, output);
    send(terminal, 'bye');
    let closed = false;
    const closing = terminal.close().then(() => {
      closed = true;
    });
    await nextTurn();
    expect([output.chunks, closed]).toEqual([['bye'], false]);
    output.finish();
    await closing;
    input.write('late');
    await nextTurn();
    expect([port.received, terminal.transmit(1)]).toEqual([[], true]);
    await nextTurn();
    expect(output.chunks).toEqual(['bye']);
  });

  it('has no window when only the output is a terminal, and 80 by 24 cells when the terminal does not know', () => {
    const output = Object.assign(new PassThrough(), { isTTY: true, columns: 0, rows: 0 });
    const input = new TtyInput();
    const { terminal } = connected(input, output);
    expect(terminal.size).toEqual({ columns: 80, rows: 24 });
    input.isTTY = false;
    expect(terminal.size).toEqual({ columns: 0, rows: 0 });
  });

  it('tells of the size of the window', () => {
    const output = Object.assign(new PassThrough(), { isTTY: true, columns: 80, rows: 24 });
    const { terminal } = connected(new TtyInput(), output);
    const sizes: number[][] = [];
    terminal.onResize((columns, rows) => sizes.push([columns, rows]));
    expect([terminal.isTerminal, terminal.size]).toEqual([true, { columns: 80, rows: 24 }]);
    output.columns = 132;
    output.emit('resize');
    expect(sizes).toEqual([[132, 24]]);
  });
});
