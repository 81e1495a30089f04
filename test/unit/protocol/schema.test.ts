/** Each schema: what passes, what is refused and how the refusal reads. */
import { describe, expect, it } from 'vitest';
import { MAX_NAME_BYTES } from '../../../protocol/bounds.ts';
import { SystemError } from '../../../protocol/errno.ts';
import {
  anything,
  bool,
  bytes,
  type Handle,
  i32,
  list,
  nameText,
  nothing,
  nullable,
  oneOf,
  real,
  record,
  right,
  type Schema,
  text,
  u8,
  u16,
  u32,
  u53,
} from '../../../protocol/schema.ts';

const read = <T>(schema: Schema<T>, wire: unknown, rights: Handle[] = []): T => schema.fromWire(wire, rights);

function code(schema: Schema<unknown>, wire: unknown, rights: Handle[] = []): string {
  try {
    schema.fromWire(wire, rights);
  } catch (error) {
    if (error instanceof SystemError) return error.code;
    throw error;
  }
  return 'passed';
}

/** Values no schema of a definite type may take for its own by accident. */
const strange: unknown[] = [
  ...[undefined, null, true, '', '1', [], {}, [1], Number.NaN, Number.POSITIVE_INFINITY, -1, 0.5, 2 ** 60, 10n],
  ...[new Uint8Array(3), { length: 2 }, new Date(0), () => 1, Symbol('x'), Object.create(null)],
];

describe('schemas', () => {
  it('numbers have their ranges', () => {
    const ranges: [Schema<number>, number, number][] = [
      [u8, 0, 0xff],
      [u16, 0, 0xffff],
      [u32, 0, 0xffffffff],
      [i32, -0x80000000, 0x7fffffff],
      [u53, 0, Number.MAX_SAFE_INTEGER],
    ];
    for (const [schema, least, most] of ranges) {
      expect([read(schema, least), read(schema, most)], schema.name).toEqual([least, most]);
      for (const wrong of [least - 1, most + 1, 0.5])
        expect(code(schema, wrong), `${schema.name} ${wrong}`).toBe('EINVAL');
    }
    expect(read(real, -1.5e300)).toBe(-1.5e300);
    for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, '1']) expect(code(real, wrong)).toBe('EINVAL');
  });

  it('nothing of another type passes for one', () => {
    const schemas: [Schema<unknown>, (value: unknown) => boolean][] = [
      [u32, (value) => typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 32],
      [real, (value) => typeof value === 'number' && Number.isFinite(value)],
      [bool, (value) => typeof value === 'boolean'],
      [nothing, (value) => value === null || value === undefined],
      [text(10), (value) => typeof value === 'string'],
      [nameText, (value) => typeof value === 'string' && value !== ''],
      [bytes(10), (value) => value instanceof Uint8Array],
      [oneOf('a', '1'), (value) => value === '1'],
      [list(u8, 4), (value) => Array.isArray(value)],
      [record({ a: u8 }), (value) => Array.isArray(value) && value.length === 1],
      [right, () => false],
    ];
    for (const [schema, passes] of schemas) {
      for (const value of strange) {
        const expected = passes(value) ? 'passed' : 'EINVAL';
        expect(code(schema, value), `${schema.name}: ${typeof value}`).toBe(expected);
      }
    }
    for (const value of strange) expect(code(anything, value)).toBe('passed');
  });

  it('texts and byte strings are bounded in bytes, not in characters', () => {
    expect(read(text(4), 'éé')).toBe('éé');
    expect(code(text(4), 'ééa')).toBe('EINVAL');
    expect(code(text(4), 'abcde')).toBe('EINVAL');
    expect(read(bytes(2), new Uint8Array(2)).length).toBe(2);
    expect(code(bytes(2), new Uint8Array(3))).toBe('EINVAL');
    expect(read(nameText, 'é'.repeat(MAX_NAME_BYTES / 2)).length).toBe(MAX_NAME_BYTES / 2);
    expect(code(nameText, 'é'.repeat(MAX_NAME_BYTES / 2 + 1))).toBe('ENAMETOOLONG');
    expect(code(nameText, '')).toBe('EINVAL');
  });

  it('lists are bounded and check each item', () => {
    expect(read(list(u8, 3), [1, 2, 3])).toEqual([1, 2, 3]);
    expect(code(list(u8, 3), [1, 2, 3, 4])).toBe('EINVAL');
    expect(code(list(u8, 3), [1, 256])).toBe('EINVAL');
    expect(code(list(u8, 3), { 0: 1, length: 1 })).toBe('EINVAL');
    expect(list(nullable(u8), 3).fromWire([null, 1], [])).toEqual([null, 1]);
  });

  it('records are arrays of exactly their fields, and a refusal names the place', () => {
    const schema = record({ name: nameText, nested: record({ port: u16, flag: bool }), rest: nullable(u8) });
    const value = { name: 'x', nested: { port: 7, flag: true }, rest: null };
    expect(schema.toWire(value, [])).toEqual(['x', [7, true], null]);
    expect(read(schema, ['x', [7, true], null])).toEqual(value);
    expect(code(schema, ['x', [7, true]])).toBe('EINVAL');
    expect(code(schema, ['x', [7, true], null, null])).toBe('EINVAL');
    expect(code(schema, value), 'a map is no record').toBe('EINVAL');
    expect(() => read(schema, ['x', [70_000, true], null])).toThrow('EINVAL: nested: port: expected u16, got number');
    expect(() => read(schema, ['x'.repeat(65), [7, true], null])).toThrow(/^ENAMETOOLONG: name: /);
    expect(schema.name).toBe('[name: name, nested: [port: u16, flag: bool], rest: u8?]');
  });

  it('a record with fields like __proto__ or constructor harms nobody', () => {
    const schema = record({ constructor: u8 });
    expect(read(schema, [1])).toEqual({ constructor: 1 });
    expect(({} as Record<string, unknown>).constructor).toBe(Object);
  });

  it('rights travel beside the data, which holds their index', () => {
    const schema = record({ first: right, second: list(right, 4) });
    const rights: Handle[] = [];
    const [one, two, three] = [0x10001, 0x10002, 0x10003] as Handle[] as [Handle, Handle, Handle];
    expect(schema.toWire({ first: one, second: [two, three] }, rights)).toEqual([0, [1, 2]]);
    expect(rights).toEqual([one, two, three]);
    expect(read(schema, [2, [0]], rights)).toEqual({ first: three, second: [one] });
    for (const wrong of [3, -1, 0.5, '0', null, 'length'])
      expect(code(right, wrong, rights), String(wrong)).toBe('EINVAL');
    expect(code(right, 0, [0 as Handle]), 'a right that is gone').toBe('EINVAL');
  });

  it('each value of the protocol comes back from its wire form', () => {
    const schema = record({ a: u53, b: oneOf('boot', 'demand'), c: bytes(8), d: nothing, e: anything });
    const value = { a: 2 ** 52, b: 'demand' as const, c: Uint8Array.of(1, 2), d: undefined, e: { any: ['thing'] } };
    expect(read(schema, schema.toWire(value, []))).toEqual(value);
  });
});
