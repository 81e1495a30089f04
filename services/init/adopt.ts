/**
 * What a new incarnation of init does with what it finds: the state its predecessor saved, and the tasks that have gone
 * on running, or have ended, meanwhile.
 */
import { SystemError } from '../../protocol/errno.ts';
import type { Effects } from './effects.ts';
import type { Lifecycle } from './lifecycle.ts';
import { type End, UNKNOWN_END } from './policy.ts';
import { type Ending, isAlive, type Service, storedState } from './service.ts';

type Stored = ReturnType<(typeof storedState)['fromWire']>;

/** Reads saved state; undefined when there is none that can be used. */
function readState(stored: unknown, effects: Pick<Effects, 'log'>): Stored | undefined {
  if (stored === undefined) return undefined;
  try {
    return storedState.fromWire(stored, []);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    effects.log(`saved state dropped: ${error.message}`, 'error');
    return undefined;
  }
}

/** Brings the services to the state their tasks are in. Answers the shutdown that was under way, if any. */
export function adopt(
  stored: unknown,
  services: readonly Service[],
  lifecycle: Lifecycle,
  effects: Effects,
): Ending | null {
  const state = readState(stored, effects);
  for (const saved of state?.services ?? []) {
    const service = services.find(({ name }) => name === saved.name);
    if (service !== undefined) Object.assign(service, saved);
  }
  const tasks = effects.tasks();
  const ends = new Map<number, End>();
  for (const { pid } of tasks.filter((task) => task.state === 'ZOMBIE'))
    ends.set(pid, effects.reap(pid) ?? UNKNOWN_END);
  lifecycle.closing = state?.ending !== null && state?.ending !== undefined;
  for (const service of services) {
    // The answer to the ping that would tell may have gone to the init that died: in doubt it has got as far as
    // serving.
    service.ready = true;
    const task = tasks.find(({ name, state: taskState }) => name === service.name && taskState !== 'ZOMBIE');
    if (task === undefined) {
      if (isAlive(service)) lifecycle.ended(service, ends.get(service.pid) ?? UNKNOWN_END);
    } else if (!isAlive(service) || service.pid !== task.pid) {
      service.wanted = true;
      lifecycle.adopt(service, task.pid);
    }
  }
  return state?.ending ?? null;
}
