/**
 * Ways to get hold of the host's modules. Each answers a loader, or throws when the way is closed.
 */
import * as library from '../../../services/lib/index.ts';
import { call, invoke, loot, reach } from './reach.ts';

/** Answers a module of the host by its name. */
export type Loader = (name: string) => unknown;

/** The loader that a stolen `process` amounts to. */
function loaderOf(stolen: unknown): Loader {
  const ways: Loader[] = [
    (name) => invoke(stolen, ['getBuiltinModule'], name),
    (name) => invoke(stolen, ['mainModule', 'require'], name),
    (name) => invoke(stolen, ['mainModule', 'constructor', '_load'], name),
    (name) => invoke(stolen, ['binding'], name),
    (name) => invoke(stolen, ['_linkedBinding'], name),
  ];
  for (const way of ways) {
    try {
      if (way('fs') !== undefined) return way;
    } catch {
      // The next one.
    }
  }
  throw new Error(`stolen, but of no use: ${String(loot(stolen))}`);
}

/** Functions that make code from strings. */
function evaluators(): unknown[] {
  const generator = Object.getPrototypeOf(function* () {});
  const asynchronous = Object.getPrototypeOf(async () => {});
  return [
    Reflect.get(globalThis, 'eval'),
    Function,
    (() => {}).constructor,
    reach(library, 'log', 'constructor'),
    reach(generator, 'constructor'),
    reach(asynchronous, 'constructor'),
  ];
}

/** `this` and function of every frame on the stack, seen from code that the library and the engine call. */
function frames(): unknown[] {
  const seen: unknown[] = [];
  const look = (): string => {
    const { prepareStackTrace } = Error;
    try {
      Error.prepareStackTrace = (_error, sites) => {
        for (const site of sites) seen.push(site.getThis(), site.getFunction());
        return '';
      };
      Error.stackTraceLimit = 100;
      void new Error('look').stack;
    } finally {
      Error.prepareStackTrace = prepareStackTrace;
    }
    return 'looked';
  };
  look();
  [1].map(look);
  JSON.stringify({ toJSON: look });
  const trap = Object.defineProperty({}, 'name', { get: look });
  for (const action of [
    () => library.spawn(reach(trap, 'name') as string),
    () => library.storePut('looked', { toJSON: look }),
    () => library.client({ name: '', number: 0, methods: trap as never }, 0 as library.Handle),
    () => Buffer.from({ valueOf: look, toString: look } as never),
    () => structuredClone({ toJSON: look, [Symbol.toPrimitive]: look }),
    () => new TextDecoder({ toString: look } as never),
  ]) {
    try {
      action();
    } catch {
      // Only what it saw matters.
    }
  }
  return seen;
}

/** What comes by when methods everybody uses are replaced and getters planted where everybody inherits from. */
function ambush(): unknown[] {
  const { apply } = Reflect;
  const seen: unknown[] = [];
  const undo: (() => void)[] = [];
  const plant = (target: object, key: PropertyKey, descriptor: PropertyDescriptor): void => {
    const before = Reflect.getOwnPropertyDescriptor(target, key);
    if (!Reflect.defineProperty(target, key, { ...descriptor, configurable: true })) return;
    undo.push(() => {
      if (before === undefined) Reflect.deleteProperty(target, key);
      else Reflect.defineProperty(target, key, before);
    });
  };
  const names = ['noDeprecation', 'throwDeprecation', 'traceDeprecation', 'domain', 'env', 'stderr', 'report', 'main'];
  names.push(
    'binding',
    'mainModule',
    'exitCode',
    'errno',
    'code',
    'parent',
    'removeListener',
    'newListener',
    '_exiting',
  );
  for (const name of names) {
    plant(Object.prototype, name, {
      get(this: unknown) {
        seen.push(this);
        return undefined;
      },
      set(this: unknown, _value: unknown) {
        seen.push(this);
      },
    });
  }
  const owners = [
    Function.prototype,
    Array.prototype,
    Map.prototype,
    Set.prototype,
    Promise.prototype,
    Reflect,
    Object,
  ];
  for (const owner of [...owners, Uint8Array.prototype, String.prototype, Buffer.prototype]) {
    for (const key of ['call', 'apply', 'bind', 'map', 'push', 'get', 'has', 'then', 'keys', 'slice', 'toString']) {
      const original: unknown = Reflect.getOwnPropertyDescriptor(owner, key)?.value;
      if (typeof original !== 'function') continue;
      const spy = function (this: unknown, ...parameters: unknown[]): unknown {
        seen[seen.length] = this;
        for (const parameter of parameters) seen[seen.length] = parameter;
        return apply(original, this, parameters);
      };
      plant(owner, key, { value: spy, writable: true });
    }
  }
  const old = Reflect.get(globalThis, 'Buffer');
  for (const action of [
    () => call(old, undefined, 5),
    () => Reflect.construct(old, [5]),
    () => library.getpid(),
    () => library.uptime(),
    () => library.log('ambush', 'debug'),
    () => library.storeGet('nothing'),
    () => structuredClone(new Map([[1, new Error('x')]])),
    () => new TextDecoder('nonsense'),
    () => Buffer.from(7 as never),
    () => Buffer.alloc(-1),
    () => JSON.stringify(Buffer.from('x').toJSON()),
  ]) {
    try {
      action();
    } catch {
      // Only what came by matters.
    }
  }
  for (const step of undo.reverse()) step();
  return seen;
}

function firstUseful(stolen: readonly unknown[]): Loader {
  let reason = 'nothing useful came by';
  for (const value of stolen) {
    const useful = loot(value);
    if (useful === undefined) continue;
    if (useful === 'readFileSync' || useful === 'openSync') return () => value;
    try {
      return loaderOf(value);
    } catch (error) {
      reason = String(error);
    }
  }
  throw new Error(reason);
}

/** The ways by name. */
export const routes: Readonly<Record<string, () => Loader | Promise<Loader>>> = {
  'by require': () => {
    const load: Loader = (name) => require(name);
    load('node:fs');
    return load;
  },
  'by process': () => loaderOf(Reflect.get(globalThis, 'process')),
  'by the module system': () => {
    const load: Loader = (name) => invoke(module, ['constructor', '_load'], name);
    load('fs');
    return load;
  },
  'by the main module': () => {
    const load: Loader = (name) => invoke(require, ['main', 'require'], name);
    load('fs');
    return load;
  },
  'by code from a string': () => {
    for (const evaluate of evaluators()) {
      try {
        const made = call(evaluate, undefined, 'return process') as () => unknown;
        return loaderOf(typeof made === 'function' ? made() : made);
      } catch {
        // The next one.
      }
    }
    throw new Error('no evaluator works');
  },
  'by the stack': () => firstUseful(frames()),
  'by an ambush': () => firstUseful(ambush()),
  'by import': async () => {
    const name = 'node:fs';
    const loaded: unknown = await import(name);
    return () => loaded;
  },
};

/** The first way that is open, or null. */
export async function findLoader(): Promise<Loader | null> {
  for (const route of Object.values(routes)) {
    try {
      return await route();
    } catch {
      // The next one.
    }
  }
  return null;
}
