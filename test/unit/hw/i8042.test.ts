import { describe, expect, it } from 'vitest';
import { I8042 } from '../../../hw/i8042.ts';
import { KEY_PAUSE, KEY_PRINT_SCREEN, scanCodes, set3Code, translate } from '../../../hw/scan-codes.ts';
import { TestLine } from './line.ts';

const MS = 1e6;
const KEY_A = 0x1e;
const KEY_UP = 0xe048;
const LEFT_SHIFT = 0x2a;
const NO_MODIFIERS = { control: false, shift: false, alternate: false };

class Bench {
  readonly keyboardLine = new TestLine();
  readonly mouseLine = new TestLine();
  resets = 0;
  now = 0;
  readonly controller = new I8042({
    keyboardInterrupt: this.keyboardLine,
    mouseInterrupt: this.mouseLine,
    requestReset: () => {
      this.resets++;
    },
  });

  command(value: number, ...data: number[]): void {
    this.controller.write(0x64, 1, value);
    this.data(...data);
  }

  data(...values: number[]): void {
    for (const value of values) this.controller.write(0x60, 1, value);
  }

  get status(): number {
    return this.controller.read(0x64, 1);
  }

  /** All bytes the system can read now, one after another. */
  drain(): number[] {
    const bytes = [];
    while ((this.status & 0x01) !== 0 && bytes.length < 100) bytes.push(this.controller.read(0x60, 1));
    return bytes;
  }

  /** A command to the keyboard and its answer. */
  ask(...values: number[]): number[] {
    return values.flatMap((value) => {
      this.data(value);
      return this.drain();
    });
  }

  press(...keys: number[]): void {
    for (const key of keys) this.controller.keyboard.key(key, true, this.now);
  }

  release(...keys: number[]): void {
    for (const key of keys) this.controller.keyboard.key(key, false, this.now);
  }

  pass(ns: number): void {
    this.now += ns;
    this.controller.advance(this.now);
  }
}

describe('the keyboard controller', () => {
  it('tests itself and its ports', () => {
    const bench = new Bench();
    expect(bench.status & 0x05).toBe(0);
    bench.command(0xaa);
    expect([bench.status & 0x05, bench.drain()]).toEqual([0x05, [0x55]]);
    expect(bench.status & 0x05).toBe(0x04);
    bench.command(0xab);
    expect(bench.drain()).toEqual([0x00]);
    bench.command(0xa9);
    expect(bench.drain()).toEqual([0x00]);
    bench.command(0xc0);
    expect(bench.drain()).toEqual([0x80]);
  });

  it('reads the last byte again when there is none', () => {
    const bench = new Bench();
    bench.command(0xaa);
    expect([bench.controller.read(0x60, 1), bench.controller.read(0x60, 1)]).toEqual([0x55, 0x55]);
  });

  it('keeps the configuration byte, and has switches for the two ports in it', () => {
    const bench = new Bench();
    const configuration = (): number | undefined => {
      bench.command(0x20);
      return bench.drain()[0];
    };
    expect(configuration()).toBe(0x03);
    bench.command(0x60, 0x47);
    expect(configuration()).toBe(0x47);
    bench.command(0xad);
    bench.command(0xa7);
    expect(configuration()).toBe(0x77);
    bench.command(0xae);
    bench.command(0xa8);
    expect(configuration()).toBe(0x47);
  });

  it('switches A20 and asks for a reset', () => {
    const bench = new Bench();
    bench.command(0xd1, 0xdd);
    expect(bench.controller.a20).toBe(false);
    bench.command(0xdf);
    expect(bench.controller.a20).toBe(true);
    bench.command(0xdd);
    bench.command(0xd0);
    expect(bench.drain()).toEqual([0xdd]);
    bench.command(0xff); // pulses nothing
    bench.command(0xf1);
    expect(bench.resets).toBe(0);
    bench.command(0xfe);
    expect(bench.resets).toBe(1);
    bench.command(0xd1, 0xde);
    expect(bench.resets).toBe(2);
  });

  it('interrupts for each byte as the configuration allows', () => {
    const bench = new Bench();
    bench.command(0x60, 0x01);
    bench.data(0xf2);
    expect(bench.keyboardLine.take()).toBe(1);
    bench.controller.read(0x60, 1);
    expect([bench.keyboardLine.level, bench.keyboardLine.take()]).toEqual([true, 1]);
    bench.command(0x60, 0x00);
    expect(bench.keyboardLine.level).toBe(false);
    bench.command(0x60, 0x01);
    expect(bench.keyboardLine.level).toBe(true);
    bench.drain();
    expect(bench.keyboardLine.level).toBe(false);
  });

  it('puts bytes into its buffer as if a device had sent them', () => {
    const bench = new Bench();
    bench.command(0xd2, 0x12);
    expect([bench.status & 0x21, bench.drain()]).toEqual([0x01, [0x12]]);
    bench.command(0xd3, 0x34);
    expect([bench.status & 0x21, bench.mouseLine.level, bench.drain()]).toEqual([0x21, true, [0x34]]);
    expect(bench.mouseLine.level).toBe(false);
  });

  it('leaves a device that is switched off its bytes', () => {
    const bench = new Bench();
    bench.command(0xad);
    bench.press(KEY_A);
    expect(bench.drain()).toEqual([]);
    bench.command(0xae);
    expect(bench.drain()).toEqual([0x1c]);
    bench.command(0xad);
    expect(bench.ask(0xee)).toEqual([0xee]); // a byte to the keyboard switches it on
  });

  it('translates set 2 into set 1', () => {
    const bench = new Bench();
    bench.command(0x60, 0x41);
    bench.press(KEY_A, KEY_UP);
    bench.release(KEY_UP, KEY_A);
    expect(bench.drain()).toEqual([0x1e, 0xe0, 0x48, 0xe0, 0xc8, 0x9e]);
    expect(bench.ask(0xf2)).toEqual([0xfa, 0xab, 0x41]);
    expect(bench.ask(0xf0, 0x00)).toEqual([0xfa, 0xfa, 0x41]);
  });
});

describe('the keyboard', () => {
  it('answers its commands', () => {
    const bench = new Bench();
    expect(bench.ask(0xee)).toEqual([0xee]);
    expect(bench.ask(0xf2)).toEqual([0xfa, 0xab, 0x83]);
    expect(bench.ask(0xed, 0x05)).toEqual([0xfa, 0xfa]);
    expect(bench.controller.keyboard.indicators).toBe(0x05);
    expect(bench.ask(0xff)).toEqual([0xfa, 0xaa]);
    expect(bench.controller.keyboard.indicators).toBe(0);
    expect(bench.ask(0xf3, 0x00, 0xf4, 0xf5, 0xf6)).toEqual([0xfa, 0xfa, 0xfa, 0xfa, 0xfa]);
    expect(bench.ask(0xf1)).toEqual([0xfe]);
    expect(bench.ask(0xee, 0xfe)).toEqual([0xee, 0xee]); // send the last byte again
  });

  it('forgets an answer that is not read before the next command', () => {
    const bench = new Bench();
    bench.data(0xf2);
    bench.data(0xee);
    expect(bench.drain()).toEqual([0xee]);
  });

  it('answers before it goes on with keys', () => {
    const bench = new Bench();
    bench.press(KEY_A);
    bench.data(0xee);
    expect(bench.drain()).toEqual([0xee, 0x1c]);
  });

  it('sends keys in each scan code set', () => {
    const bench = new Bench();
    const press = (set: number): number[] => {
      bench.ask(0xf0, set);
      bench.press(KEY_A, KEY_UP);
      bench.release(KEY_A, KEY_UP);
      return bench.drain();
    };
    expect(press(2)).toEqual([0x1c, 0xe0, 0x75, 0xf0, 0x1c, 0xe0, 0xf0, 0x75]);
    expect(press(1)).toEqual([0x1e, 0xe0, 0x48, 0x9e, 0xe0, 0xc8]);
    expect(press(3)).toEqual([0x1c, 0x63, 0xf0, 0x1c, 0xf0, 0x63]);
    expect(bench.ask(0xf0, 0x00)).toEqual([0xfa, 0xfa, 0x03]);
    expect(bench.ask(0xf0, 0x04)).toEqual([0xfa, 0xfe]);
  });

  it('has a code for every key in every set, no two the same', () => {
    const keys = [...Array(0x59).keys(), ...Array.from({ length: 0x60 }, (_, code) => 0xe000 + code)];
    const present = keys.filter((key) => set3Code(key) !== undefined);
    expect(present.length + 1).toBe(105); // and Pause
    expect(new Set(present.map((key) => set3Code(key))).size).toBe(present.length);
    for (const key of present) {
      if (key === KEY_PRINT_SCREEN) continue;
      // What the controller makes of set 2 is set 1.
      const set2 = scanCodes(2, key, true, NO_MODIFIERS);
      expect(set2.map((byte) => (byte === 0xe0 ? byte : translate(byte)))).toEqual(
        scanCodes(1, key, true, NO_MODIFIERS),
      );
    }
  });

  it('sends Pause and Print Screen as they were wired', () => {
    const withControl = { ...NO_MODIFIERS, control: true };
    expect(scanCodes(2, KEY_PAUSE, true, NO_MODIFIERS)).toEqual([0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77]);
    expect(scanCodes(1, KEY_PAUSE, true, NO_MODIFIERS)).toEqual([0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5]);
    expect(scanCodes(1, KEY_PAUSE, true, withControl)).toEqual([0xe0, 0x46, 0xe0, 0xc6]);
    expect(scanCodes(1, KEY_PAUSE, false, NO_MODIFIERS)).toEqual([]);
    expect(scanCodes(1, KEY_PRINT_SCREEN, true, NO_MODIFIERS)).toEqual([0xe0, 0x2a, 0xe0, 0x37]);
    expect(scanCodes(2, KEY_PRINT_SCREEN, false, NO_MODIFIERS)).toEqual([0xe0, 0xf0, 0x7c, 0xe0, 0xf0, 0x12]);
    expect(scanCodes(1, KEY_PRINT_SCREEN, true, withControl)).toEqual([0xe0, 0x37]);
    expect(scanCodes(2, KEY_PRINT_SCREEN, true, { ...NO_MODIFIERS, alternate: true })).toEqual([0x84]);
  });

  it('knows its modifiers', () => {
    const bench = new Bench();
    bench.press(LEFT_SHIFT, KEY_PRINT_SCREEN);
    expect(bench.drain()).toEqual([0x12, 0xe0, 0x7c]);
    bench.release(KEY_PRINT_SCREEN, LEFT_SHIFT);
    bench.press(KEY_PRINT_SCREEN);
    expect(bench.drain()).toEqual([0xe0, 0xf0, 0x7c, 0xf0, 0x12, 0xe0, 0x12, 0xe0, 0x7c]);
  });

  it('repeats the key that was pressed last, after a delay and at a rate', () => {
    const bench = new Bench();
    bench.ask(0xf3, 0x20); // half a second, 30 a second
    bench.press(KEY_A);
    expect(bench.drain()).toEqual([0x1c]);
    expect(bench.controller.nextEvent()).toBe(500 * MS);
    bench.pass(500 * MS - 1);
    expect(bench.drain()).toEqual([]);
    bench.pass(1);
    expect(bench.drain()).toEqual([0x1c]);
    bench.pass(8 * 4.17 * MS);
    expect(bench.drain()).toEqual([0x1c]);
    bench.release(KEY_A);
    bench.pass(1e9);
    expect(bench.drain()).toEqual([0xf0, 0x1c]);
    expect(bench.controller.nextEvent()).toBe(Infinity);
  });

  it('does not repeat without end into a full queue', () => {
    const bench = new Bench();
    bench.press(KEY_A);
    bench.pass(86_400e9);
    expect(bench.drain()).toEqual(new Array(16).fill(0x1c));
  });

  it('loses a key whole when its queue is full', () => {
    const bench = new Bench();
    for (let turn = 0; turn < 8; turn++) {
      bench.press(KEY_UP);
      bench.release(KEY_UP);
    }
    expect(bench.drain()).toEqual([
      0xe0, 0x75, 0xe0, 0xf0, 0x75, 0xe0, 0x75, 0xe0, 0xf0, 0x75, 0xe0, 0x75, 0xe0, 0xf0, 0x75,
    ]);
  });

  it('ignores keys that are switched off, unknown, pressed twice or never pressed', () => {
    const bench = new Bench();
    bench.release(KEY_A);
    bench.press(0x7777);
    bench.ask(0xf5);
    bench.press(KEY_A);
    bench.release(KEY_A);
    expect(bench.drain()).toEqual([]);
    bench.ask(0xf4);
    bench.press(KEY_A, KEY_A);
    expect(bench.drain()).toEqual([0x1c]);
  });

  it('in set 3 lets the system choose what keys do', () => {
    const bench = new Bench();
    bench.ask(0xf0, 0x03);
    expect(bench.ask(0xf8)).toEqual([0xfa]); // all: make and break, no repeat
    bench.press(KEY_A);
    expect(bench.controller.nextEvent()).toBe(Infinity);
    bench.release(KEY_A);
    expect(bench.drain()).toEqual([0x1c, 0xf0, 0x1c]);
    expect(bench.ask(0xfd, 0x1c, 0x63, 0xf4)).toEqual([0xfa, 0xfa, 0xfa, 0xfa]); // two keys: make only
    bench.press(KEY_A, LEFT_SHIFT);
    bench.release(KEY_A, LEFT_SHIFT);
    expect(bench.drain()).toEqual([0x1c, 0x12, 0xf0, 0x12]);
    expect(bench.ask(0xf7)).toEqual([0xfa]); // all: make, repeat
    bench.press(KEY_A);
    expect(bench.controller.nextEvent()).toBe(500 * MS);
    bench.release(KEY_A);
    expect(bench.drain()).toEqual([0x1c]);
  });
});

describe('the mouse', () => {
  /** A command to the mouse and its answer. */
  const ask = (bench: Bench, ...values: number[]): number[] =>
    values.flatMap((value) => {
      bench.command(0xd4, value);
      return bench.drain();
    });

  it('answers its commands', () => {
    const bench = new Bench();
    expect(ask(bench, 0xff)).toEqual([0xfa, 0xaa, 0x00]);
    expect(ask(bench, 0xf2)).toEqual([0xfa, 0x00]);
    expect(ask(bench, 0xe7, 0xf4, 0xe8, 0x03)).toEqual([0xfa, 0xfa, 0xfa, 0xfa]);
    expect(ask(bench, 0xe9)).toEqual([0xfa, 0x30, 0x03, 100]);
    expect(ask(bench, 0xf6, 0xe9)).toEqual([0xfa, 0xfa, 0x00, 0x02, 100]);
    expect(ask(bench, 0xee, 0x12, 0xec, 0x12)).toEqual([0xfa, 0x12, 0xfa]);
  });

  it('sends packets when it moves, while it is enabled', () => {
    const bench = new Bench();
    bench.controller.mouse.move(1, 1, 0, 0);
    expect(bench.drain()).toEqual([]);
    ask(bench, 0xf4);
    bench.controller.mouse.move(5, -3, 0, 0x01);
    expect(bench.status & 0x21).toBe(0x21);
    expect(bench.drain()).toEqual([0x29, 5, 0xfd]);
    bench.controller.mouse.move(200, 0, 0, 0);
    expect(bench.drain()).toEqual([0x08, 127, 0, 0x08, 73, 0]);
  });

  it('waits to be asked in remote mode', () => {
    const bench = new Bench();
    ask(bench, 0xf4, 0xf0);
    bench.controller.mouse.move(5, 3, 0, 0);
    expect(bench.drain()).toEqual([]);
    expect(ask(bench, 0xeb)).toEqual([0xfa, 0x08, 5, 3]);
  });

  it('has a wheel for those who knock', () => {
    const bench = new Bench();
    ask(bench, 0xf3, 200, 0xf3, 100, 0xf3, 80, 0xf4);
    expect(ask(bench, 0xf2)).toEqual([0xfa, 0x03]);
    bench.controller.mouse.move(0, 0, -1, 0);
    expect(bench.drain()).toEqual([0x08, 0, 0, 0xff]);
    ask(bench, 0xf3, 200, 0xf3, 200, 0xf3, 80);
    expect(ask(bench, 0xf2)).toEqual([0xfa, 0x04]);
    bench.controller.mouse.move(0, 0, 1, 0x08);
    expect(bench.drain()).toEqual([0x08, 0, 0, 0x11]);
  });

  it('keeps far movements until there is room, in whole packets', () => {
    const bench = new Bench();
    ask(bench, 0xf4);
    bench.controller.mouse.move(1000, 0, 0, 0);
    expect(bench.drain()).toEqual([1, 2, 3, 4, 5].flatMap(() => [0x08, 127, 0]));
    bench.controller.mouse.move(0, 0, 0, 0);
    expect(bench.drain()).toEqual([0x08, 127, 0, 0x08, 127, 0, 0x08, 1000 - 7 * 127, 0]);
  });

  it('takes turns with the keyboard', () => {
    const bench = new Bench();
    ask(bench, 0xf4);
    bench.press(KEY_A);
    bench.release(KEY_A);
    bench.controller.mouse.move(1, 2, 0, 0);
    expect(bench.drain()).toEqual([0x1c, 0x08, 0xf0, 1, 0x1c, 2]);
  });
});
