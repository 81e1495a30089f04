/**
 * What the supervisor knows of one service, and the form in which that outlives init itself (recovery store).
 */
import { MAX_REASON_BYTES, MAX_TASKS } from '../../protocol/bounds.ts';
import type { SystemError } from '../../protocol/errno.ts';
import type { ManifestRow } from '../../protocol/records.ts';
import {
  bool,
  type Infer,
  list,
  nameText,
  nullable,
  oneOf,
  real,
  record,
  text,
  u8,
  u32,
} from '../../protocol/schema.ts';
import type { RestartPolicy } from './policy.ts';

/** Longest detail, in bytes, as in the interface. */
export const MAX_DETAIL_BYTES = 200;

/** Answers a request that waits for a service. */
export interface Waiter<A = void> {
  reply(value: A): void;
  fail(error: SystemError): void;
}

/**
 * Phases of a service:
 *
 *     stopped    not running, and not meant to
 *     running    has a task
 *     stopping   was asked to end; `dueAt`: when it is killed; `thenStart`: the next incarnation starts then
 *     waiting    the next incarnation starts at `dueAt`
 *     failed     meant to run, but given up; `detail` says why
 */
export const phases = ['stopped', 'running', 'stopping', 'waiting', 'failed'] as const;

/** What survives a restart of init. Times in milliseconds of uptime. */
const storedService = record({
  name: nameText,
  enabled: bool,
  wanted: bool,
  phase: oneOf(...phases),
  pid: u32,
  spawnedAt: real,
  ready: bool,
  portAtStart: bool,
  inspected: bool,
  failedStarts: u32,
  failingSince: real,
  restarts: u32,
  dueAt: real,
  thenStart: bool,
  detail: text(MAX_DETAIL_BYTES),
});

/** The end of the machine, once it has been asked for. */
const storedEnding = record({ status: u8, reboot: bool, reason: text(MAX_REASON_BYTES), deadline: real });

/** The state of init in its recovery store. */
export const storedState = record({ services: list(storedService, MAX_TASKS), ending: nullable(storedEnding) });

export type StoredService = Infer<typeof storedService>;
export type Ending = Infer<typeof storedEnding>;

/** One service. The fields of StoredService plus what does not survive. */
export interface Service extends StoredService {
  readonly policy: RestartPolicy;
  readonly dependsOn: readonly string[];
  readonly atBoot: boolean;
  /** It has a port, so that it can be pinged. */
  readonly serves: boolean;
  /** Without it the machine cannot go on. */
  readonly essential: boolean;
  /** Why it cannot be started at all: a mistake in the configuration. */
  readonly problem: string | undefined;
  /** SIGKILL is on its way. */
  killed: boolean;
  /** The ping under way. */
  ping: number | undefined;
  /** When it was pinged last. */
  pingedAt: number;
  /** Since when pings go unanswered. */
  silentSince: number | undefined;
  /** Messages it had received at the last look, taken while it is silent. */
  receivedBefore: number | undefined;
  /** How often it had been given a CPU at the last look, taken while it is silent. */
  turnsBefore: number | undefined;
  /** Since when it is silent and works. */
  workingSince: number | undefined;
  /** The next incarnation runs under the debugger. */
  inspectNext: boolean;
  /** While the debugger's address is waited for: the end of that wait. */
  inspectUntil: number | undefined;
  readonly whenGone: Waiter[];
  readonly whenStarted: Waiter[];
  readonly whenInspected: Waiter<string>[];
}

/** A service of the configuration before anything has happened to it. */
export function newService(manifest: ManifestRow, problem: string | undefined): Service {
  return {
    name: manifest.name,
    policy: manifest.restart,
    dependsOn: manifest.dependsOn,
    atBoot: manifest.start === 'boot',
    serves: manifest.serves.length > 0,
    essential: manifest.essential,
    problem,
    enabled: manifest.enabled,
    wanted: false,
    phase: 'stopped',
    pid: 0,
    spawnedAt: 0,
    ready: false,
    portAtStart: false,
    inspected: false,
    failedStarts: 0,
    failingSince: 0,
    restarts: 0,
    dueAt: 0,
    thenStart: false,
    detail: '',
    killed: false,
    ping: undefined,
    pingedAt: 0,
    silentSince: undefined,
    receivedBefore: undefined,
    turnsBefore: undefined,
    workingSince: undefined,
    inspectNext: false,
    inspectUntil: undefined,
    whenGone: [],
    whenStarted: [],
    whenInspected: [],
  };
}

/** True when the service has a task. */
export function isAlive(service: Service): boolean {
  return service.phase === 'running' || service.phase === 'stopping';
}

/** Cuts a text to the length of a detail. */
export function detailText(text: string): string {
  let cut = text.slice(0, MAX_DETAIL_BYTES);
  while (Buffer.byteLength(cut) > MAX_DETAIL_BYTES) cut = cut.slice(0, -1);
  return cut;
}
