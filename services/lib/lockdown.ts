/**
 * The innermost layer of the sandbox: before service code is loaded, everything that reaches past the pipe is taken out
 * of its sight. What is left is the language itself, byte buffers, text coding, and the service library. It also guards
 * the design's principle: a service does not read clocks, timers or random numbers, it asks the kernel.
 *
 * The library and the engine's own JavaScript live in the same realm and keep what the service loses. So the ways to
 * steal it from them are closed too: no getter can be planted where their objects inherit from, no hook sees their
 * stack frames, and `process` itself is stripped.
 *
 * It relies on two flags of the engine the kernel starts tasks with: no code from strings (so that no function outside
 * strict mode and outside this scope can be made), and compiled without an import callback (so that `import()` is
 * refused). Read ECMA-262, chapter "The Global Object", and M. Miller et al., "Caja: Safe active content in sanitized
 * JavaScript", on why the prototypes have to be closed.
 */
import process from 'node:process';

const kept = new Set([
  ...['globalThis', 'global', 'Infinity', 'NaN', 'undefined', 'Object', 'Function', 'Array', 'Number', 'Boolean'],
  ...['String', 'Symbol', 'BigInt', 'Math', 'JSON', 'Reflect', 'Proxy', 'Promise', 'RegExp', 'Date', 'Map', 'Set'],
  ...['WeakMap', 'WeakSet', 'WeakRef', 'FinalizationRegistry', 'ArrayBuffer', 'SharedArrayBuffer', 'Atomics'],
  ...['DataView', 'Int8Array', 'Uint8Array', 'Uint8ClampedArray', 'Int16Array', 'Uint16Array', 'Int32Array'],
  ...['Uint32Array', 'Float32Array', 'Float64Array', 'BigInt64Array', 'BigUint64Array', 'Error', 'AggregateError'],
  ...['EvalError', 'RangeError', 'ReferenceError', 'SyntaxError', 'TypeError', 'URIError', 'Iterator'],
  ...['parseInt', 'parseFloat', 'isNaN', 'isFinite', 'encodeURI', 'encodeURIComponent', 'decodeURI'],
  ...['decodeURIComponent', 'escape', 'unescape', 'Buffer', 'TextEncoder', 'TextDecoder', 'structuredClone'],
]);

/** What the library and the engine need of `process`: to end, to report a fatal error, and to run what is queued. */
const keptOfProcess = new Set([
  ...['exit', 'reallyExit', 'exitCode', '_exiting', '_fatalException', '_events', '_eventsCount', '_maxListeners'],
  ...['domain', 'emitWarning', 'nextTick', '_tickCallback', 'platform', 'arch', 'version', 'versions'],
]);

function refusal(what: string, instead: string): () => never {
  return () => {
    throw new Error(`${what} is not available to a service; ${instead}`);
  };
}

/** A Date that converts but does not tell the time. */
function dateWithoutClock(): DateConstructor {
  const Original = Date;
  const refuse = refusal('the clock', 'ask the kernel: time(), uptime()');
  const Replacement = new Proxy(Original, {
    construct: (target, args: unknown[], newTarget) =>
      args.length === 0 ? refuse() : (Reflect.construct(target, args, newTarget) as object),
    apply: refuse,
    get: (target, key, receiver) => (key === 'now' ? refuse : (Reflect.get(target, key, receiver) as unknown)),
  });
  Object.defineProperty(Original.prototype, 'constructor', { value: Replacement });
  return Replacement;
}

function stripGlobalScope(): void {
  for (let scope: object | null = globalThis; scope !== null && scope !== Object.prototype; ) {
    for (const key of Reflect.ownKeys(scope)) {
      if (typeof key === 'string' && kept.has(key)) continue;
      if (key === Symbol.toStringTag || key === 'constructor') continue;
      if (!Reflect.deleteProperty(scope, key)) throw new Error(`the sandbox cannot take ${String(key)} away`);
    }
    scope = Reflect.getPrototypeOf(scope);
  }
}

/** Leaves a thief of `process` nothing but to end the task. */
function stripProcess(): void {
  for (const key of Reflect.ownKeys(process)) {
    if (typeof key === 'string' && !keptOfProcess.has(key)) Reflect.deleteProperty(process, key);
  }
  // The engine looks these up at any time; what it does not find it would look for in the prototypes.
  for (const [key, value] of [['env', Object.freeze({})] as const, ['noDeprecation', true] as const]) {
    Object.defineProperty(process, key, { value, writable: false, configurable: false, enumerable: true });
  }
}

/**
 * Closes Object.prototype: an accessor planted there would be called with any object of the library or the engine that
 * lacks a property as `this`. Assigning a property of the same name to an ordinary object still makes one of its own.
 */
function closeObjectPrototype(): void {
  const { prototype } = Object;
  for (const key of Reflect.ownKeys(prototype)) {
    const descriptor = Reflect.getOwnPropertyDescriptor(prototype, key);
    if (descriptor === undefined) continue;
    const value: unknown = descriptor.value;
    // The constructor is looked up on hot paths and is called by nobody as a method: it stays a value that can be
    // written.
    const changes: PropertyDescriptor =
      typeof value !== 'function' || key === 'constructor' ? {} : { get: () => value, set: ownProperty(key) };
    Object.defineProperty(prototype, key, { ...changes, configurable: false });
  }
  Object.preventExtensions(prototype);
}

/** A setter that gives the object written to a property of its own. */
function ownProperty(key: string | symbol): (this: object, value: unknown) => void {
  return function set(value) {
    if (this === Object.prototype) throw new TypeError(`${String(key)} of Object.prototype cannot be changed`);
    Object.defineProperty(this, key, { value, writable: true, configurable: true, enumerable: true });
  };
}

/** Takes everything but the language out of the program's reach. `log` takes the place of the console. */
export function lockDown(log: (text: string, level: 'debug' | 'info' | 'warning' | 'error') => void): void {
  stripGlobalScope();
  stripProcess();
  // Waiting in an Atomics call is a timer.
  Reflect.deleteProperty(Atomics, 'wait');
  Reflect.deleteProperty(Atomics, 'waitAsync');
  Math.random = refusal('Math.random', 'ask the kernel: random()');
  const text = (parts: unknown[]): string =>
    parts.map((part) => (typeof part === 'string' ? part : JSON.stringify(part))).join(' ');
  Object.defineProperty(globalThis, 'Date', { value: dateWithoutClock() });
  Object.defineProperty(globalThis, 'console', {
    value: {
      debug: (...parts: unknown[]) => log(text(parts), 'debug'),
      log: (...parts: unknown[]) => log(text(parts), 'info'),
      info: (...parts: unknown[]) => log(text(parts), 'info'),
      warn: (...parts: unknown[]) => log(text(parts), 'warning'),
      error: (...parts: unknown[]) => log(text(parts), 'error'),
    },
  });
  // A hook on stack traces would be shown the functions of the library and the engine.
  Object.defineProperty(Error, 'prepareStackTrace', { value: undefined, writable: false, configurable: false });
  Object.freeze(Function.prototype);
  closeObjectPrototype();
}
