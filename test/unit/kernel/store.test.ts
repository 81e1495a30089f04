/** The recovery store: values stay as they came, byte for byte, and what is malformed is refused. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { Task } from '../../../kernel/objects.ts';
import type { KernelParts } from '../../../kernel/syscall/context.ts';
import { storeCalls } from '../../../kernel/syscall/store.ts';
import { HEADER_BYTES } from '../../../protocol/bounds.ts';
import { encodeAfter } from '../../../protocol/codec.ts';
import { SystemError } from '../../../protocol/errno.ts';
import { World } from './world.ts';

let task: Task;
let answers: Buffer[];

const parts = {
  execution: {
    answer: () => answers.push(Buffer.alloc(0)),
    answerBytes: (_task: Task, _id: number, value: Buffer) => answers.push(Buffer.from(value)),
  },
} as unknown as KernelParts;

function call(name: keyof typeof storeCalls, body: Uint8Array): string {
  const buffer = Buffer.concat([Buffer.alloc(7), Buffer.alloc(HEADER_BYTES), body, Buffer.alloc(3, 0xee)]);
  const frame = { buffer, start: 7, end: 7 + HEADER_BYTES + body.length, type: 0, flags: 0, id: 1, handle: 0 };
  try {
    storeCalls[name](parts, task, frame);
    return '';
  } catch (error) {
    if (error instanceof SystemError) return error.code;
    throw error;
  } finally {
    buffer.fill(0xdd);
  }
}

const key = (name: string): Buffer => Buffer.from(encodeAfter(0, [name]));
/** `[key, value]`, where the value is these bytes. */
const entry = (name: string, value: Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([0x92]), Buffer.from(encodeAfter(0, name)), value]);
const got = (name: string): string | undefined => {
  answers = [];
  expect(call('store_get', key(name))).toBe('');
  return answers[0]?.toString('hex');
};

beforeEach(() => {
  answers = [];
  task = new World(['a']).start('a');
});

describe('the recovery store', () => {
  it('gives a value back byte for byte, also what a double does not hold and forms that this side would not write', () => {
    const values = ['cfffffffffffffffff', 'd3ffffffffffffff85', 'cd0001', 'dc0001c0', '81920102a0', 'c0'];
    for (const [index, hex] of values.entries()) {
      expect(call('store_put', entry(`key ${index}`, Buffer.from(hex, 'hex')))).toBe('');
      expect(got(`key ${index}`)).toBe(hex);
    }
    const large = Buffer.from(encodeAfter(0, Buffer.alloc(100_000, 7)));
    for (const value of [large, Buffer.from([5]), large]) {
      expect(call('store_put', entry('large', value))).toBe('');
      expect(got('large')).toBe(value.toString('hex'));
    }
    for (const head of ['dc0002', 'dd00000002']) {
      expect(call('store_put', Buffer.from(`${head}a16bcd0001`, 'hex'))).toBe('');
      expect(got('k')).toBe('cd0001');
    }
    expect(call('store_delete', key('large'))).toBe('');
    expect(call('store_get', key('large'))).toBe('ENOENT');
  });

  it('refuses what is no key with a value, and counts what it holds', () => {
    const refused: [string, string][] = [
      ...[
        ['', 'EBADMSG'],
        ['92a16b', 'EBADMSG'],
        ['92a16bc1', 'EBADMSG'],
        ['92a16bd40100', 'EBADMSG'],
        ['92a16bc0c0', 'EBADMSG'],
        ['91a16b', 'EINVAL'],
        ['93a16bc0c0', 'EINVAL'],
        ['c0', 'EINVAL'],
        ['9201c0', 'EINVAL'],
        ['92a0c0', 'EINVAL'],
        [`92d941${'61'.repeat(65)}c0`, 'ENAMETOOLONG'],
      ],
    ] as [string, string][];
    for (const [hex, error] of refused) expect(call('store_put', Buffer.from(hex, 'hex')), hex).toBe(error);
    expect(task.program.storeBytes).toBe(0);
    call('store_put', entry('k', Buffer.from([0xc0])));
    call('store_put', entry('k', Buffer.from([0xcd, 1, 2])));
    expect(task.program.storeBytes).toBe(4);
    expect(call('store_put', entry('much', Buffer.from(encodeAfter(0, Buffer.alloc(2 ** 20)))))).toBe('ENOSPC');
    call('store_delete', key('k'));
    expect(task.program.storeBytes).toBe(0);
  });
});
