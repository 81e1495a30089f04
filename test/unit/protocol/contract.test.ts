/** The contract as a whole: numbers are unique and closed, names match, and every bound is tested somewhere. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import * as bounds from '../../../protocol/bounds.ts';
import { type ErrorName, errno, errorName, errorText, SystemError } from '../../../protocol/errno.ts';
import type { Interface } from '../../../protocol/interface.ts';
import { methodName } from '../../../protocol/interfaces.ts';
import { kernelNotices } from '../../../protocol/kernel.ts';
import { signalName, signals } from '../../../protocol/signal.ts';
import { systemCallName, systemCalls } from '../../../protocol/syscall.ts';
import { vectorOperation } from '../../../protocol/vector.ts';

const root = path.resolve(import.meta.dirname, '../../..');

function files(folder: string): string[] {
  return readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|py)$/.test(name))
    .map((name) => path.join(root, folder, name));
}

function isInterface(value: unknown): value is Interface<Record<string, { number: number }>> {
  return typeof value === 'object' && value !== null && 'methods' in value && 'number' in value && 'name' in value;
}

/** Every interface that a file of protocol/ exports. */
async function interfaces(): Promise<Interface<Record<string, { number: number }>>[]> {
  const modules = await Promise.all(files('protocol').map((file) => import(file) as Promise<Record<string, unknown>>));
  return [...new Set(modules.flatMap((module) => Object.values(module)))].filter(isInterface);
}

const unique = (values: readonly unknown[]): boolean => new Set(values).size === values.length;

describe('system calls', () => {
  const calls = Object.entries(systemCalls);

  it('have numbers of their own, that are no result, and names for traces', () => {
    expect(unique(calls.map(([, { number }]) => number))).toBe(true);
    for (const [name, { number }] of calls) {
      expect(number, name).toBeGreaterThan(0);
      expect(number, name).toBeLessThan(0x8000);
      expect(systemCallName(number)).toBe(name);
    }
    expect(systemCallName(0)).toBeUndefined();
  });

  it('say what they do and name only errors there are', () => {
    for (const [name, { about, errors }] of calls) {
      expect(about, name).toMatch(/^[A-Z].+\.$/);
      for (const [error, cause] of Object.entries<string>(errors)) {
        expect(errno[error as ErrorName], `${name} ${error}`).toBeDefined();
        expect(cause.length, `${name} ${error}`).toBeGreaterThan(3);
      }
    }
  });
});

describe('interfaces', () => {
  it('have numbers of their own in the range of this folder, and so have their methods', async () => {
    const all = await interfaces();
    expect(all.length).toBeGreaterThan(5);
    expect(unique(all.map(({ number }) => number))).toBe(true);
    expect(unique(all.map(({ name }) => name))).toBe(true);
    for (const { name, number, methods } of all) {
      expect(number > 0 && number < 0x8000, name).toBe(true);
      const numbers = Object.values(methods).map((method) => method.number);
      expect(unique(numbers), name).toBe(true);
      for (const [methodOf, method] of Object.entries(methods)) {
        expect(method.number > 0 && method.number <= 0xffff, `${name}.${methodOf}`).toBe(true);
        expect(methodName(number, method.number)).toBe(`${name}.${methodOf}`);
      }
    }
    expect(methodName(kernelNotices.number, 999)).toBe('kernel.999');
    expect(methodName(0x8001, 3)).toBe('0x8001.3');
  });
});

describe('errors', () => {
  it('have the numbers of Linux and a text each', async () => {
    const { constants } = await import('node:os');
    // Node does not name this one; <asm-generic/errno.h> does.
    const linux: Readonly<Record<string, number>> = { ...constants.errno, EUCLEAN: 117 };
    for (const [name, number] of Object.entries(errno)) {
      expect(number, name).toBe(linux[name]);
      expect(errorName(number)).toBe(name);
      expect(errorText(name as ErrorName).length, name).toBeGreaterThan(3);
    }
    expect(unique(Object.values(errno))).toBe(true);
    expect([errorName(0), errorName(12_345)], 'unknown numbers').toEqual(['EIO', 'EIO']);
  });

  it('are the same class in a service and in its library', () => {
    const error = new SystemError('ENOENT');
    expect(error.message).toBe('ENOENT: no such name');
    expect(new SystemError('EIO', 'why').message).toBe('EIO: why');
    const copy = Object.assign(new Error('x'), { code: 'EIO', [Symbol.for('vros.SystemError')]: true });
    expect(copy instanceof SystemError && error instanceof SystemError).toBe(true);
    for (const other of [new Error('x'), null, 'EIO', { code: 'EIO' }])
      expect((other as unknown) instanceof SystemError).toBe(false);
  });
});

describe('signals and vector operations', () => {
  it('have numbers of their own; signals those of Linux', async () => {
    const { constants } = await import('node:os');
    for (const [name, number] of Object.entries(signals)) {
      expect(number, name).toBe((constants.signals as Record<string, number>)[`SIG${name}`]);
      expect(signalName(number)).toBe(`SIG${name}`);
    }
    expect(signalName(77)).toBe('signal 77');
    expect(unique(Object.values(vectorOperation))).toBe(true);
  });
});

describe('bounds', () => {
  it('are each named in a test', () => {
    const tests = files('test')
      .filter((file) => file !== import.meta.filename)
      .map((file) => readFileSync(file, 'utf8'))
      .join('\n');
    const forgotten = Object.keys(bounds).filter((name) => !new RegExp(`\\b${name}\\b`).test(tests));
    expect(forgotten).toEqual([]);
  });
});
