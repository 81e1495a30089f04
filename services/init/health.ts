/**
 * Pings: finds the services that hang. Each is asked every second period without waiting for anyone; answers are
 * looked up every period and when something else happens. One that waits for messages while none is there for it does
 * nothing, so it cannot hang: it is asked seldom, one of them at a time, and an idle machine is not kept awake by
 * this. A message takes it out of that wait, whoever stopped it meanwhile. A service is hung when it has not answered
 * for two periods, unless there is a better explanation: it is taking other messages and the ping stands in its queue;
 * it waits for a service it depends on that is being restarted, is silent itself, waits for its device, or is held in
 * the debugger; or, for a minute, it is at work with others, as a file system is that checks a disk, or waits for its
 * device.
 */
import type { Effects } from './effects.ts';
import type { Service } from './service.ts';

/** Between two looks at all services, in milliseconds. */
export const PING_PERIOD_MS = 1000;

/** Between two pings of a service that does something: two periods, less what an alarm may come too early. */
const PING_EVERY_MS = 2 * PING_PERIOD_MS - 100;

/** The same for one that waits for messages while none is there for it. */
const RESTING_PING_EVERY_MS = 30_000;

/** A service silent for so long is hung. */
export const SILENCE_MS = 2000;

/**
 * The same for one that has not even taken its port: starting a program from its sources on a busy host takes seconds.
 */
export const START_SILENCE_MS = 10_000;

/** A service may be silent for so long while it calls others and is answered, or waits for its device. */
export const WORK_MS = 60_000;

/**
 * Pings under way at most, so that init stays far below the bound on its outstanding calls; with more services they
 * take turns.
 */
export const MAX_PINGS = 100;

type PingEffects = Pick<Effects, 'ask' | 'outcome' | 'hasPort' | 'received' | 'occupation' | 'resting'>;

/** True for a service that has to answer pings. */
export function isPinged(service: Service): boolean {
  return service.phase === 'running' && service.serves && !service.inspected && !service.killed;
}

/** Notes whether the ping under way has been answered. */
export function collect(service: Service, effects: PingEffects): void {
  if (service.ping === undefined) return;
  const status = effects.outcome(service.ping);
  if (status === undefined) return;
  service.ping = undefined;
  if (status !== 0) return;
  service.ready = true;
  resetPings(service);
}

/**
 * Finds out whether an incarnation has got as far as serving: it answered a ping, or the port it serves did not exist
 * before. `collect` comes first.
 */
export function isReady(service: Service, effects: PingEffects): boolean {
  if (!service.ready && !service.portAtStart && effects.hasPort(service.name)) {
    service.ready = true;
    service.silentSince = undefined;
  }
  return service.ready;
}

/** Sends a ping, if none is under way and the service has a port. */
export function ping(service: Service, now: number, effects: PingEffects): void {
  if (service.ping === undefined) service.ping = effects.ask(service.name, 'ping', SILENCE_MS);
  service.pingedAt = now;
  service.silentSince ??= now;
}

/**
 * A new incarnation owes no answer yet. A ping under way stays: it waits at the port, and the next incarnation answers
 * it.
 */
export function resetPings(service: Service): void {
  service.silentSince = undefined;
  service.receivedBefore = undefined;
  service.turnsBefore = undefined;
  service.workingSince = undefined;
}

/**
 * The work of one period: looks at the answers, answers the services that hang, and pings the others. `dependencies`
 * are all that a service depends on, directly or not.
 */
export function examine(
  services: readonly Service[],
  dependencies: (service: Service) => readonly Service[],
  now: number,
  effects: PingEffects,
): Service[] {
  const pinged = services.filter(isPinged);
  for (const service of pinged) {
    collect(service, effects);
    isReady(service, effects);
  }
  const hung = pinged.filter((service) => isHung(service, dependencies(service), now, effects));
  const underWay = pinged.filter((service) => service.ping !== undefined).length;
  const next = due(
    pinged.filter((service) => service.ping === undefined && !hung.includes(service)),
    now,
    effects,
  );
  for (const service of next.slice(0, Math.max(0, MAX_PINGS - underWay))) ping(service, now, effects);
  return hung;
}

/** Those of the services that it is time to ping, of the resting ones the one that has been left alone longest. */
function due(services: readonly Service[], now: number, effects: PingEffects): Service[] {
  const asked = services.filter(({ ready, pingedAt }) => !ready || now - pingedAt >= PING_EVERY_MS);
  asked.sort((a, b) => a.pingedAt - b.pingedAt);
  if (asked.every(({ ready }) => !ready)) return asked;
  const resting = effects.resting();
  const [longest] = asked.filter(({ ready, pid }) => ready && resting.has(pid));
  return asked.filter((service) => {
    if (!service.ready || !resting.has(service.pid)) return true;
    return service === longest && now - service.pingedAt >= RESTING_PING_EVERY_MS;
  });
}

/**
 * Time from now to the next look at all services, in milliseconds: as long as nobody owes an answer and nobody has been
 * pinged a period ago, there is nothing to look up before two periods have gone by.
 */
export function untilNextLook(services: readonly Service[], now: number): number {
  let wait = 2 * PING_PERIOD_MS;
  for (const service of services) {
    if (!isPinged(service)) continue;
    if (service.ping !== undefined || !service.ready) return PING_PERIOD_MS;
    const left = service.pingedAt + 2 * PING_PERIOD_MS - now;
    if (left > 0) wait = Math.min(wait, left);
  }
  return Math.max(wait, PING_PERIOD_MS);
}

function isHung(service: Service, dependencies: readonly Service[], now: number, effects: PingEffects): boolean {
  if (service.silentSince === undefined || now - service.silentSince < PING_PERIOD_MS) return false;
  const before = service.receivedBefore;
  const received = effects.received(service.pid);
  service.receivedBefore = received;
  // It takes messages, the first of them included: the ping is further back in the queue.
  const busy = received !== undefined && received !== before && (before !== undefined || !service.ready);
  const silence = now - service.silentSince;
  const hung = silence >= (received === undefined ? START_SILENCE_MS : SILENCE_MS);
  if (
    busy ||
    isWorking(service, now, effects) ||
    (hung && dependencies.some((dependency) => keepsWaiting(dependency, now) || waitsForDevice(dependency, effects)))
  ) {
    service.silentSince = now;
    return false;
  }
  return hung;
}

/**
 * Whether a silent service is at work with others: it waits for its device, or has been answered since the last look.
 */
function isWorking(service: Service, now: number, effects: PingEffects): boolean {
  const occupation = effects.occupation(service.pid);
  const { turnsBefore } = service;
  service.turnsBefore = occupation?.turns;
  if (occupation === undefined) return false;
  if (occupation.waitsFor === 'task' && occupation.turns === turnsBefore) return false;
  service.workingSince ??= now;
  return now - service.workingSince < WORK_MS;
}

/** True for a driver at work: when that takes too long, the driver is the one that hangs. */
function waitsForDevice({ pid, phase }: Service, effects: PingEffects): boolean {
  return phase === 'running' && effects.occupation(pid)?.waitsFor === 'device';
}

/** True for a service whose callers may have to wait at the moment. */
function keepsWaiting(service: Service, now: number): boolean {
  if (service.phase === 'waiting') return true;
  if (service.phase === 'stopping') return service.thenStart;
  if (service.phase !== 'running') return false;
  if (service.inspected || !service.serves) return service.inspected;
  return !service.ready || (service.silentSince !== undefined && now - service.silentSince >= PING_PERIOD_MS);
}
