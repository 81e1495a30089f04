/**
 * Schemas: one description of a value that gives its TypeScript type, its form on the wire and its check. Records
 * travel as arrays in the order of their fields, not as maps: shorter and faster. Rights travel in the envelope; in the
 * data stands their index there.
 *
 * `fromWire` treats the value as hostile: wrong type, range, length or count throws SystemError EINVAL naming the
 * place.
 */
import { MAX_NAME_BYTES } from './bounds.ts';
import { SystemError } from './errno.ts';

declare const handleBrand: unique symbol;

/** Number of a capability in its holder's table: index in the low 16 bits, generation above. 0 is never valid. */
export type Handle = number & { readonly [handleBrand]: true };

/** Describes values of type T. */
export interface Schema<T> {
  /** Short name for docs and messages, for example `u32`. */
  readonly name: string;
  /** The msgpack form of a value; rights are appended to `rights`. */
  toWire(value: T, rights: Handle[]): unknown;
  /**
   * The value of a msgpack form. Rights that become part of it are replaced by 0 in `rights`. Throws SystemError
   * EINVAL.
   */
  fromWire(wire: unknown, rights: Handle[]): T;
}

/** The type a schema describes. */
export type Infer<S> = S extends Schema<infer T> ? T : never;

function refuse(expected: string, wire: unknown): never {
  const got = wire === null ? 'nil' : Array.isArray(wire) ? `array of ${wire.length}` : typeof wire;
  throw new SystemError('EINVAL', `expected ${expected}, got ${got}`);
}

function integer(name: string, least: number, most: number): Schema<number> {
  return {
    name,
    toWire: (value) => value,
    fromWire: (wire) =>
      typeof wire === 'number' && Number.isInteger(wire) && wire >= least && wire <= most ? wire : refuse(name, wire),
  };
}

export const u8: Schema<number> = integer('u8', 0, 0xff);
export const u16: Schema<number> = integer('u16', 0, 0xffff);
export const u32: Schema<number> = integer('u32', 0, 0xffffffff);
export const i32: Schema<number> = integer('i32', -0x80000000, 0x7fffffff);
/** An unsigned integer that a double holds exactly (below 2^53): sector numbers, sizes, times in nanoseconds. */
export const u53: Schema<number> = integer('u53', 0, Number.MAX_SAFE_INTEGER);

/** Any finite number. */
export const real: Schema<number> = {
  name: 'real',
  toWire: (value) => value,
  fromWire: (wire) => (typeof wire === 'number' && Number.isFinite(wire) ? wire : refuse('real', wire)),
};

export const bool: Schema<boolean> = {
  name: 'bool',
  toWire: (value) => value,
  fromWire: (wire) => (typeof wire === 'boolean' ? wire : refuse('bool', wire)),
};

/** Nothing: nil on the wire. */
export const nothing: Schema<void> = {
  name: 'nil',
  toWire: () => null,
  fromWire: (wire) => (wire === null || wire === undefined ? undefined : refuse('nil', wire)),
};

/** Any value msgpack can carry; whoever uses it has to check it. */
export const anything: Schema<unknown> = {
  name: 'any',
  toWire: (value) => value ?? null,
  fromWire: (wire) => wire,
};

/** A string of at most `maxBytes` bytes of UTF-8. */
export function text(maxBytes: number): Schema<string> {
  const name = `text(${maxBytes})`;
  return {
    name,
    toWire: (value) => value,
    fromWire: (wire) =>
      typeof wire === 'string' && wire.length <= maxBytes && Buffer.byteLength(wire) <= maxBytes
        ? wire
        : refuse(name, wire),
  };
}

/** A name of a port, service or key: 1 to 64 bytes of UTF-8. */
export const nameText: Schema<string> = {
  name: 'name',
  toWire: (value) => value,
  fromWire: (wire) => {
    if (typeof wire !== 'string' || wire.length === 0) return refuse('name', wire);
    if (Buffer.byteLength(wire) > MAX_NAME_BYTES)
      throw new SystemError('ENAMETOOLONG', `a name has at most ${MAX_NAME_BYTES} bytes`);
    return wire;
  },
};

/** A byte string of at most `maxBytes` bytes. */
export function bytes(maxBytes: number): Schema<Uint8Array> {
  const name = `bytes(${maxBytes})`;
  return {
    name,
    toWire: (value) => value,
    fromWire: (wire) => (wire instanceof Uint8Array && wire.length <= maxBytes ? wire : refuse(name, wire)),
  };
}

/** One of a few words. */
export function oneOf<const W extends readonly string[]>(...words: W): Schema<W[number]> {
  const name = words.map((word) => `'${word}'`).join(' | ');
  return {
    name,
    toWire: (value) => value,
    fromWire: (wire) => {
      const found = words.find((word) => word === wire);
      return found ?? refuse(name, wire);
    },
  };
}

/** A list of at most `most` items. */
export function list<T>(item: Schema<T>, most: number): Schema<T[]> {
  const name = `list(${item.name}, ${most})`;
  return {
    name,
    toWire: (value, rights) => value.map((entry) => item.toWire(entry, rights)),
    fromWire: (wire, rights) =>
      Array.isArray(wire) && wire.length <= most
        ? wire.map((entry) => item.fromWire(entry, rights))
        : refuse(name, wire),
  };
}

/** A list of at most `most` values of any kind, as it is; whoever uses them has to check them. */
export function values(most: number): Schema<unknown[]> {
  const name = `list(${anything.name}, ${most})`;
  return {
    name,
    toWire: (value) => value,
    fromWire: (wire) => (Array.isArray(wire) && wire.length <= most ? (wire as unknown[]) : refuse(name, wire)),
  };
}

/** A value or null. */
export function nullable<T>(inner: Schema<T>): Schema<T | null> {
  return {
    name: `${inner.name}?`,
    toWire: (value, rights) => (value === null ? null : inner.toWire(value, rights)),
    fromWire: (wire, rights) => (wire === null ? null : inner.fromWire(wire, rights)),
  };
}

/** Fields of a record by name. */
export type Fields = Readonly<Record<string, Schema<unknown>>>;
type RecordOf<F> = { -readonly [K in keyof F]: Infer<F[K]> };

/** A record; on the wire an array of its fields in the order given here. */
export function record<F extends Fields>(fields: F): Schema<RecordOf<F>> {
  const entries = Object.entries<Schema<unknown>>(fields);
  const name = `[${entries.map(([key, schema]) => `${key}: ${schema.name}`).join(', ')}]`;
  return {
    name,
    toWire: (value, rights) =>
      entries.map(([key, schema]) => schema.toWire((value as Record<string, unknown>)[key], rights)),
    fromWire: (wire, rights) => {
      if (!Array.isArray(wire) || wire.length !== entries.length) return refuse(name, wire);
      const value: Record<string, unknown> = {};
      let index = 0;
      for (const [key, schema] of entries) {
        try {
          value[key] = schema.fromWire(wire[index++], rights);
        } catch (error) {
          if (error instanceof SystemError) throw new SystemError(error.code, `${key}: ${error.reason}`);
          throw error;
        }
      }
      return value as RecordOf<F>;
    },
  };
}

/** A right that travels with the message; the receiver gets a handle of its own and the sender loses its one. */
export const right: Schema<Handle> = {
  name: 'right',
  toWire: (value, rights) => rights.push(value) - 1,
  fromWire: (wire, rights) => {
    const index = typeof wire === 'number' ? wire : -1;
    const handle = rights[index];
    if (handle === undefined || handle === 0) return refuse('right', wire);
    rights[index] = 0 as Handle;
    return handle;
  },
};
