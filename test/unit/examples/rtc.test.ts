/**
 * The driver of docs/first-driver.md against the clock chip of the machine, in every format the chip knows, and its
 * listing in the tutorial.
 */
import fs from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { Rtc } from '../../../hw/rtc.ts';
import type { ClockReading } from './rtc-machine.ts';

const root = path.join(import.meta.dirname, '../../..');

const library = vi.hoisted(() => ({
  vector: (_operations: readonly unknown[]): { ended: number; results: unknown[] } => ({ ended: -1, results: [] }),
  program: undefined as unknown,
}));

vi.mock('../../../services/lib/index.ts', async () => ({
  clock: (await import('../../../protocol/clock.ts')).clock,
  SystemError: (await import('../../../protocol/errno.ts')).SystemError,
  vectorOperation: (await import('../../../protocol/vector.ts')).vectorOperation,
  startInformation: { incarnation: 7 },
  offer: (_definition: unknown, handlers: unknown) => handlers,
  run: (program: unknown) => {
    library.program = program;
  },
  ioVector: (operations: readonly unknown[]) => library.vector(operations),
}));

const { Machine } = await import('./rtc-machine.ts');

describe('the clock driver', () => {
  beforeAll(async () => {
    await import('../../../examples/rtc/main.ts');
  });

  function driver(): { port: string; ioPorts: number[][]; offers: { read: () => ClockReading }[] } {
    return library.program as ReturnType<typeof driver>;
  }

  function readAt(iso: string, mode: number, afterNs = 0): ClockReading {
    const machine = new Machine(new Rtc({ interrupt: { set: () => {} }, startSeconds: Date.parse(iso) / 1000 }), mode);
    machine.now += afterNs;
    library.vector = (operations) => machine.run(operations);
    const [offered] = driver().offers;
    if (offered === undefined) throw new Error('nothing offered');
    return offered.read();
  }

  it('asks for the ports of its manifest only', () => {
    expect(driver()).toMatchObject({ port: 'clock', ioPorts: [[0x70, 0x71]] });
    const { services } = JSON.parse(fs.readFileSync(path.join(root, 'services.json'), 'utf8')) as {
      services: { name: string; ioPorts?: string[]; serves?: string[] }[];
    };
    expect(services.find(({ name }) => name === 'rtc')).toMatchObject({ ioPorts: ['0x70-0x71'], serves: ['clock'] });
  });

  it.each([
    ['BCD, 24 hours', 0x02],
    ['binary, 24 hours', 0x06],
    ['BCD, 12 hours', 0x00],
    ['binary, 12 hours', 0x04],
  ])('reads the time in %s', (_format, mode) => {
    for (const iso of [
      '2026-11-21T00:00:00Z',
      '2099-12-31T12:59:58Z',
      '2000-02-29T23:08:09Z',
      '1987-06-05T11:30:45Z',
    ]) {
      const reading = readAt(iso, mode);
      const pad = (value: number): string => String(value).padStart(2, '0');
      const { year, month, day, hour, minute, second, incarnation } = reading;
      const date = [year, pad(month), pad(day)].join('-');
      expect(`${date}T${pad(hour)}:${pad(minute)}:${pad(second)}Z`).toBe(iso);
      expect(incarnation).toBe(7);
    }
  });

  it('waits for the end of an update, and reads again when a second begins in between', () => {
    expect(readAt('2026-11-21T10:59:59Z', 0x02, 999_900_000)).toMatchObject({ hour: 11, minute: 0, second: 0 });
    for (let early = 0; early < 30; early++) {
      const { hour, minute, second } = readAt('2026-11-21T10:59:59Z', 0x02, 1_000_000_000 - 244_141 - early * 10_000);
      expect(3_600 * hour + 60 * minute + second).toBeOneOf([39_599, 39_600]);
    }
  });

  it('answers EIO when the update never ends', () => {
    library.vector = () => ({ ended: 1, results: [0xa6] });
    const [offered] = driver().offers;
    expect(() => offered?.read()).toThrow(/^EIO/);
  });
});

describe('docs/first-driver.md', () => {
  const text = fs.readFileSync(path.join(root, 'docs/first-driver.md'), 'utf8');

  /** The code block that follows the line `<!-- file: NAME -->`. */
  function listing(name: string): string {
    const [, rest = ''] = text.split(`<!-- file: ${name} -->\n`);
    return /^```\w+\n(.*?)^```$/ms.exec(rest)?.[1] ?? '';
  }

  it('lists the driver as it is', () => {
    expect(listing('examples/rtc/main.ts')).toBe(fs.readFileSync(path.join(root, 'examples/rtc/main.ts'), 'utf8'));
  });

  it('lists the manifest as it is', () => {
    const { services } = JSON.parse(fs.readFileSync(path.join(root, 'services.json'), 'utf8')) as {
      services: { name: string }[];
    };
    expect(JSON.parse(listing('services.json'))).toEqual(services.find(({ name }) => name === 'rtc'));
  });
});
