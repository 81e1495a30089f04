/** The terminal driver on the real UART: input and output with back-pressure, and killed at every one of its steps. */
import { describe, expect, it } from 'vitest';
import { type Handle, type RequestContext, SystemError } from '../../../services/lib/index.ts';
import { DriverMachine } from './driver-machine.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (data: Uint8Array | readonly number[]): string => new TextDecoder().decode(Uint8Array.from(data));
const answerOf = (answer: unknown): string =>
  answer instanceof Uint8Array ? text(answer) : `no answer: ${String(answer)}`;

function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

describe('input', () => {
  it('from before the driver came is there, the byte outside the FIFO too', () => {
    const machine = new DriverMachine();
    machine.line.type(bytes('x'));
    expect(answerOf(machine.request('read', 100).answer)).toBe('x');
    const late = machine.request('read', 100);
    expect(late.answer).toBeNull();
    machine.line.type(bytes('typed'));
    machine.settle();
    expect(answerOf(late.answer)).toBe('typed');
  });

  it('of a terminal comes in lines with echo, and keys become signals', () => {
    const machine = new DriverMachine(80);
    machine.driver.setForeground(7 as Handle);
    const line = machine.request('read', 100);
    machine.line.type(bytes('helo\u007flo\r'));
    machine.settle();
    expect(answerOf(line.answer)).toBe('hello\n');
    machine.line.type(bytes('\u0003'));
    machine.settle();
    expect(text(machine.line.output)).toBe('helo\b \blo\r\n^C');
    expect(machine.signals).toEqual(['INT']);
  });

  it('of a pipe waits outside while nobody reads, and ends after the last byte', () => {
    const machine = new DriverMachine();
    const whole = 'abcdefgh'.repeat(4000);
    machine.line.type(bytes(whole));
    machine.settle();
    let read = '';
    while (read.length < whole.length) read += answerOf(machine.request('read', 1000).answer);
    expect(read).toBe(whole);
    const last = machine.request('read', 1000);
    expect(last.answer).toBeNull();
    machine.line.hangUp();
    machine.settle();
    expect(answerOf(last.answer)).toBe('');
    expect(answerOf(machine.request('read', 1000).answer)).toBe('');
  });

  it('is for who reads now, however many have died waiting in the background', () => {
    const machine = new DriverMachine(80);
    machine.driver.setReaders([9]);
    let given = 0;
    const read = (sender: number): unknown =>
      machine.driver.read({ maxBytes: 10, toReturn: false, watchesSize: false }, {
        ...{ sender, sequence: 1, retry: false },
        later: (keep: (deferred: object) => void) => keep({ fail: () => given++ }),
      } as unknown as RequestContext);
    for (let count = 0; count < 16; count++) read(99);
    expect(() => read(99)).toThrow('EAGAIN');
    for (let sender = 100; sender < 340; sender++) read(sender);
    for (let sender = 99; sender < 340; sender++) machine.dead.add(sender);
    const waiting = machine.request('read', 100);
    expect([waiting.answer, given]).toEqual([null, 256]);
    machine.line.type(bytes('line\r'));
    machine.settle();
    expect(answerOf(waiting.answer)).toBe('line\n');
  });

  it('fails who writes when nobody takes it any more, and not when only the input has ended', () => {
    const machine = new DriverMachine();
    machine.line.endInput();
    machine.settle();
    expect(answerOf(machine.request('write', bytes('a')).answer)).toBe('');
    machine.line.makeRoom(10);
    const waiting = machine.request('write', bytes('x'.repeat(300)));
    expect(waiting.answer).toBeNull();
    machine.line.hangUp();
    machine.settle();
    expect(waiting.answer).toMatchObject({ code: 'EPIPE' });
    expect(machine.request('write', bytes('b')).answer).toMatchObject({ code: 'EPIPE' });
    machine.boot();
    expect(machine.request('write', bytes('c')).answer).toMatchObject({ code: 'EPIPE' });
  });

  it('a new size interrupts the read that waits, else the next one, unless the size was asked for', () => {
    const machine = new DriverMachine(80);
    const waiting = machine.request('read', 100);
    machine.consoleSize.set(40, 10);
    machine.settle();
    expect(waiting.answer).toMatchObject({ code: 'EINTR' });
    expect(machine.driver.windowSize()).toEqual({ columns: 40, rows: 10, column: 0, terminal: true });
    machine.consoleSize.set(41, 10);
    machine.settle();
    expect(machine.request('read', 100).answer).toBeInstanceOf(SystemError);
    machine.consoleSize.set(42, 10);
    machine.settle();
    machine.driver.windowSize();
    expect(machine.request('read', 100).answer).toBeNull();
  });

  it('a new size does not interrupt who reads the terminal as a file', () => {
    const machine = new DriverMachine(80);
    const waiting = machine.request('take', 100);
    machine.consoleSize.set(40, 10);
    machine.settle();
    expect(waiting.answer).toBeNull();
    const other = machine.request('take', 100);
    expect(machine.request('read', 100).answer).toMatchObject({ code: 'EINTR' });
    machine.line.type(Buffer.from('line\r'));
    machine.settle();
    expect([answerOf(waiting.answer), other.answer]).toEqual(['line\n', null]);
  });
});

describe('output', () => {
  it('is answered when it is out, and waits for the other end', () => {
    const machine = new DriverMachine();
    machine.line.room = 100;
    const write = machine.request('write', bytes('x'.repeat(300)));
    expect([machine.line.output.length, write.answer]).toEqual([100, null]);
    machine.line.makeRoom(100);
    machine.settle();
    expect([machine.line.output.length, write.answer]).toEqual([200, null]);
    machine.line.makeRoom(1000);
    machine.settle();
    expect(machine.line.output).toHaveLength(300);
    expect(answerOf(write.answer)).toBe('');
  });

  it('is held by ^S and goes on at ^Q', () => {
    const machine = new DriverMachine(80);
    machine.line.type(bytes('\u0013'));
    machine.settle();
    const write = machine.request('write', bytes('held'));
    expect([machine.line.output.length, write.answer]).toEqual([0, null]);
    machine.line.type(bytes('\u0011'));
    machine.settle();
    expect([text(machine.line.output), answerOf(write.answer)]).toEqual(['held', '']);
  });

  it('of 64 KiB goes out in turns', () => {
    const machine = new DriverMachine();
    const data = Uint8Array.from({ length: 65536 }, (_, index) => (index * 7) & 0xff);
    const write = machine.request('write', data);
    expect(Buffer.compare(Uint8Array.from(machine.line.output), data)).toBe(0);
    expect(write.answer).not.toBeNull();
  });
});

describe('killed', () => {
  it('a signal key that nobody could be told of reaches the foreground when it registers again', () => {
    const machine = new DriverMachine(80);
    machine.driver.setForeground(7 as Handle);
    machine.killAfter = true;
    machine.budget = 1;
    machine.line.type(bytes('\u0003'));
    machine.settle();
    expect([machine.incarnations, machine.signals]).toEqual([2, []]);
    machine.driver.setForeground(8 as Handle);
    expect(machine.signals).toEqual(['INT']);
  });

  it.each(Array.from({ length: 25 }, (_, index) => index))(
    'at random steps loses and repeats nothing, seed %i',
    (seed) => {
      const random = generator(seed);
      const machine = new DriverMachine();
      let typed = '';
      let written = '';
      let read = '';
      const open = new Set<ReturnType<DriverMachine['request']>>();
      for (let step = 0; step < 200; step++) {
        if (random(3) === 0) {
          machine.budget = 1 + random(12);
          machine.killAfter = random(2) === 0;
        }
        const piece = String.fromCharCode(97 + (step % 26)).repeat(1 + random(40));
        if (random(2) === 0) {
          typed += piece;
          machine.line.type(bytes(piece));
          machine.settle();
        } else {
          written += piece;
          open.add(machine.request('write', bytes(piece)));
        }
        if (random(4) === 0) machine.line.makeRoom(random(60));
        if (random(8) === 0) machine.line.makeRoom(Number.POSITIVE_INFINITY);
        machine.settle();
        const answer = machine.request('read', 1 + random(50));
        if (answer.answer === null) {
          machine.line.type(bytes('.'));
          typed += '.';
          machine.settle();
        }
        machine.settle();
        read += answerOf(answer.answer);
      }
      machine.budget = Number.POSITIVE_INFINITY;
      machine.line.makeRoom(Number.POSITIVE_INFINITY);
      machine.settle();
      while (read.length < typed.length) read += answerOf(machine.request('read', 1000).answer);
      expect(read === typed, `read ${read.length} of ${typed.length} characters`).toBe(true);
      expect(text(machine.line.output) === written, `${machine.line.output.length} of ${written.length}`).toBe(true);
      for (const { answer } of open) expect(answerOf(answer)).toBe('');
      expect(machine.incarnations).toBeGreaterThan(20);
    },
  );
});
