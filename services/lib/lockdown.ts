/**
 * The innermost layer of the sandbox: before service code is loaded, everything that reaches past the pipe is taken out of its sight. What is left is
 * the language itself, byte buffers, text coding, and the service library. It also guards the design's principle: a service does not read clocks, timers
 * or random numbers, it asks the kernel.
 *
 * It relies on two flags of the engine the kernel starts tasks with: no code from strings (so that no function outside strict mode and outside
 * this scope can be made), and compiled without an import callback (so that `import()` is refused).
 */

const kept = new Set([
  ...['globalThis', 'global', 'Infinity', 'NaN', 'undefined', 'Object', 'Function', 'Array', 'Number', 'Boolean'],
  ...['String', 'Symbol', 'BigInt', 'Math', 'JSON', 'Reflect', 'Proxy', 'Promise', 'RegExp', 'Date', 'Map', 'Set'],
  ...['WeakMap', 'WeakSet', 'WeakRef', 'FinalizationRegistry', 'ArrayBuffer', 'SharedArrayBuffer', 'Atomics'],
  ...['DataView', 'Int8Array', 'Uint8Array', 'Uint8ClampedArray', 'Int16Array', 'Uint16Array', 'Int32Array'],
  ...['Uint32Array', 'Float32Array', 'Float64Array', 'BigInt64Array', 'BigUint64Array', 'Error', 'AggregateError'],
  ...['EvalError', 'RangeError', 'ReferenceError', 'SyntaxError', 'TypeError', 'URIError', 'Iterator', 'Intl'],
  ...['parseInt', 'parseFloat', 'isNaN', 'isFinite', 'encodeURI', 'encodeURIComponent', 'decodeURI'],
  ...['decodeURIComponent', 'escape', 'unescape', 'Buffer', 'TextEncoder', 'TextDecoder', 'structuredClone'],
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

/** Takes everything but the language out of the global scope. `log` takes the place of the console. */
export function lockDown(log: (text: string, level: 'debug' | 'info' | 'warning' | 'error') => void): void {
  for (let scope: object | null = globalThis; scope !== null && scope !== Object.prototype; ) {
    for (const key of Reflect.ownKeys(scope)) {
      if (typeof key === 'string' && kept.has(key)) continue;
      if (key === Symbol.toStringTag || key === 'constructor') continue;
      if (!Reflect.deleteProperty(scope, key)) Reflect.set(scope, key, undefined);
    }
    scope = Reflect.getPrototypeOf(scope);
  }
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
}
