/**
 * The order in which services are started: each after what it depends on (topological order, Kahn's algorithm), else as
 * in the configuration. What cannot be ordered is left out and explained.
 */

/** A service and the names of those it depends on. */
export interface Dependent {
  readonly name: string;
  readonly dependsOn: readonly string[];
}

/** The outcome: every service is either in `order` or in `problems`. */
export interface StartOrder {
  readonly order: readonly string[];
  /** Why a service cannot be started. */
  readonly problems: ReadonlyMap<string, string>;
}

/** Orders services by their dependencies. Names are unique. */
export function startOrder(services: readonly Dependent[]): StartOrder {
  const byName = new Map(services.map((service) => [service.name, service]));
  const order: string[] = [];
  const placed = new Set<string>();
  const problems = new Map<string, string>();
  for (const { name, dependsOn } of services) {
    const unknown = dependsOn.find((dependency) => !byName.has(dependency));
    if (unknown !== undefined) problems.set(name, `depends on ${unknown}, which is not in the configuration`);
  }
  for (let grown = true; grown; ) {
    grown = false;
    for (const { name, dependsOn } of services) {
      if (placed.has(name) || problems.has(name) || !dependsOn.every((dependency) => placed.has(dependency))) continue;
      placed.add(name);
      order.push(name);
      grown = true;
    }
  }
  const left = services.filter(({ name }) => !placed.has(name) && !problems.has(name));
  for (const { name } of left) {
    const cycle = cycleThrough(name, byName);
    if (cycle !== undefined) problems.set(name, `depends on itself: ${cycle.join(' -> ')}`);
  }
  for (const { name, dependsOn } of left) {
    if (problems.has(name)) continue;
    const dependency = dependsOn.find((candidate) => !placed.has(candidate)) ?? '';
    problems.set(name, `depends on ${dependency}, which cannot be started`);
  }
  return { order, problems };
}

/** A way from a service back to itself, if there is one. */
function cycleThrough(name: string, byName: ReadonlyMap<string, Dependent>): string[] | undefined {
  const seen = new Set<string>();
  const search = (at: string, path: readonly string[]): string[] | undefined => {
    for (const next of byName.get(at)?.dependsOn ?? []) {
      if (next === name) return [...path, next];
      if (seen.has(next)) continue;
      seen.add(next);
      const found = search(next, [...path, next]);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return search(name, [name]);
}

/** Everything a service depends on, directly or not, in the order in which it is started. */
export function dependenciesOf(
  name: string,
  services: ReadonlyMap<string, Dependent>,
  order: readonly string[],
): string[] {
  const found = new Set<string>();
  const waiting = [name];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    for (const dependency of services.get(at)?.dependsOn ?? []) {
      if (found.has(dependency)) continue;
      found.add(dependency);
      waiting.push(dependency);
    }
  }
  return order.filter((candidate) => candidate !== name && found.has(candidate));
}
