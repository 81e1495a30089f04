/**
 * Reaching into values of unknown shape, as hostile code does: nothing here is trusted to be there.
 */

/** The value at the end of a path of property names. Throws a TypeError when it breaks off. */
export function reach(start: unknown, ...path: readonly PropertyKey[]): unknown {
  let value = start;
  for (const key of path) {
    if (value === null || (typeof value !== 'object' && typeof value !== 'function'))
      throw new TypeError(`nothing at ${path.map(String).join('.')}`);
    value = Reflect.get(value, key);
  }
  if (value === undefined) throw new TypeError(`nothing at ${path.map(String).join('.')}`);
  return value;
}

/** Calls a value. Throws a TypeError when it is no function. */
export function call(target: unknown, self: unknown, ...parameters: readonly unknown[]): unknown {
  if (typeof target !== 'function') throw new TypeError('not a function');
  return Reflect.apply(target, self, parameters);
}

/** Calls the method at the end of a path. */
export function invoke(start: unknown, path: readonly PropertyKey[], ...parameters: readonly unknown[]): unknown {
  const self = path.length > 1 ? reach(start, ...path.slice(0, -1)) : start;
  return call(reach(start, ...path), self, ...parameters);
}

const dangerous = ['binding', 'dlopen', 'openSync', 'readFileSync', 'execSync', 'createServer', 'Worker', 'kill'];
const dangerousToo = ['_load', 'compileFunction', 'getBuiltinModule', 'mainModule', '_kill', '_debugProcess'];

/** What makes a stolen value useful, or undefined. */
export function loot(value: unknown): string | undefined {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return undefined;
  return [...dangerous, ...dangerousToo].find((key) => {
    try {
      return key in value && Reflect.get(value, key) !== undefined;
    } catch {
      return false;
    }
  });
}
