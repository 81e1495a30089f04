import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createMachine } from '../../../hw/machine.ts';
import { parseOptions } from '../../../hw/qtest/options.ts';
import { QtestServer, VirtualClock } from '../../../hw/qtest/server.ts';
import { UNPLUGGED } from '../../../hw/serial-line.ts';

class Bench {
  readonly writes: string[] = [];
  readonly machine;
  readonly server: QtestServer;

  constructor() {
    const clock = new VirtualClock();
    this.machine = createMachine({
      clock: () => clock.now,
      startSeconds: 0,
      serialLine: UNPLUGGED,
      lateEdges: 'each',
      consoleSize: false,
    });
    this.server = new QtestServer(this.machine, clock, (text) => this.writes.push(text));
  }

  /** The lines that come back for some lines. */
  ask(...lines: string[]): string[] {
    this.server.feed(`${lines.join('\n')}\n`);
    return this.writes.splice(0).join('').split('\n').slice(0, -1);
  }
}

describe('the qtest server', () => {
  it('reads and writes ports', () => {
    const bench = new Bench();
    expect(
      bench.ask('outb 0x3ff 0x5a', 'inb 0x3ff', 'inb 1023', 'inw 0x80', 'inl 0x80', 'outl 0x80 4294967295'),
    ).toEqual(['OK', 'OK 0x005a', 'OK 0x005a', 'OK 0xffff', 'OK 0xffffffff', 'OK']);
  });

  it('answers many commands with one write, whatever pieces they come in', () => {
    const bench = new Bench();
    bench.server.feed('inb 0x3f');
    expect(bench.writes).toEqual([]);
    bench.server.feed('d\r\ninb 0x3fd\nin');
    expect(bench.writes).toEqual(['OK 0x0060\nOK 0x0060\n']);
  });

  it('refuses what it does not understand', () => {
    const bench = new Bench();
    expect(bench.ask('readb 0x0', '', 'inb', 'inb x', 'inb 0x10000', 'outb 0x80', 'outb 1 2 3', 'inb -1')).toEqual([
      "FAIL Unknown command 'readb'",
      "FAIL Unknown command ''",
      'FAIL usage: inb PORT',
      'FAIL usage: inb PORT',
      'FAIL usage: inb PORT',
      'FAIL usage: outb PORT VALUE',
      'FAIL usage: outb PORT VALUE',
      'FAIL usage: inb PORT',
    ]);
    expect(bench.ask('irq_intercept_in pic', 'clock_step', 'clock_step x', 'clock_step 9007199254740992')).toEqual([
      "FAIL irq_intercept_in knows only 'ioapic'",
      'FAIL usage: clock_step NANOSECONDS',
      'FAIL usage: clock_step NANOSECONDS',
      'FAIL usage: clock_step NANOSECONDS',
    ]);
  });

  it('refuses a line without end in bounded memory', () => {
    const bench = new Bench();
    for (let piece = 0; piece < 100; piece++) bench.server.feed('x'.repeat(10_000));
    bench.server.feed('\ninb 0x3fd\n');
    expect(bench.writes.join('')).toBe('FAIL Line too long\nOK 0x0060\n');
  });

  it('moves time only when told', () => {
    const bench = new Bench();
    expect(bench.ask('clock_step 1000', 'clock_step 0x10', 'clock_step 0')).toEqual(['OK 1000', 'OK 1016', 'OK 1016']);
  });

  it('reports interrupt lines before the reply, from the intercept on', () => {
    const bench = new Bench();
    expect(bench.ask('outb 0x3f9 2', 'outb 0x3f9 0')).toEqual(['OK', 'OK']);
    expect(bench.ask('irq_intercept_in ioapic', 'outb 0x3f9 2', 'inb 0x3fa', 'inb 0x3fa')).toEqual([
      'OK',
      'IRQ raise 4',
      'OK',
      'IRQ lower 4',
      'OK 0x0002',
      'OK 0x0001',
    ]);
    expect(bench.ask('clock_step 60000000')).toEqual(['IRQ raise 0', 'IRQ lower 0', 'IRQ raise 0', 'OK 60000000']);
  });

  it('does not tell of a line that was high before the intercept and falls', () => {
    const bench = new Bench();
    bench.ask('outb 0x3f9 2', 'irq_intercept_in ioapic');
    expect(bench.ask('inb 0x3fa')).toEqual(['OK 0x0002']);
  });

  it('reports by itself what happens between commands', async () => {
    const bench = new Bench();
    bench.ask('irq_intercept_in ioapic');
    bench.machine.uart.setCarrier(false);
    expect(bench.writes).toEqual([]);
    bench.ask('outb 0x3f9 8');
    bench.machine.uart.read(0x3fe, 1);
    bench.machine.uart.setCarrier(true);
    expect(bench.writes).toEqual([]);
    await nextTurn();
    expect(bench.writes).toEqual(['IRQ lower 4\nIRQ raise 4\n']);
  });
});

describe('the options of the qtest server', () => {
  it('are those of QEMU', () => {
    expect(parseOptions([])).toEqual({ disk: null, network: { plug: { kind: 'none' } } });
    expect(parseOptions(['--hda', 'a.img', '--netdev', 'dgram,local=1000,remote=65535'])).toEqual({
      disk: 'a.img',
      network: {
        plug: {
          kind: 'dgram',
          local: { address: '127.0.0.1', port: 1000 },
          remote: { address: '127.0.0.1', port: 65_535 },
        },
      },
    });
  });

  it('are checked', () => {
    for (const bad of ['tap', 'dgram', 'dgram,local=1', 'socket', 'dgram,x=1']) {
      expect(() => parseOptions(['--netdev', bad])).toThrow(`--netdev ${bad}: `);
    }
    expect(() => parseOptions(['--hdb', 'x'])).toThrow();
    expect(() => parseOptions(['stray'])).toThrow();
  });
});
