/**
 * The records that system calls answer with: rows of the task, port and capability tables, crash records, log lines,
 * figures.
 */
import { MAX_ARGUMENT_BYTES, MAX_ARGUMENTS, MAX_LOG_BYTES, MAX_MANIFEST_NAMES, MAX_NAME_BYTES } from './bounds.ts';
import { capabilityKinds } from './capability.ts';
import { bool, type Infer, list, nameText, oneOf, real, record, text, u8, u32, u53 } from './schema.ts';

/** States of a task. */
export const taskStates = ['STARTING', 'READY', 'RUNNING', 'BLOCKED', 'SLEEPING', 'STOPPED', 'ZOMBIE'] as const;
/** State of a task. */
export type TaskState = (typeof taskStates)[number];

/** What a task is told when it starts. */
export const startInformation = record({
  pid: u32,
  name: nameText,
  incarnation: u32,
  entry: text(4096),
  arguments: list(text(MAX_ARGUMENT_BYTES), MAX_ARGUMENTS),
});

/** A row of `task_list`. Times in milliseconds of the host's CPU, memory in bytes of the host. */
export const taskRow = record({
  pid: u32,
  host: u32,
  parent: u32,
  state: oneOf(...taskStates),
  waitsFor: text(100),
  cpuMilliseconds: real,
  switches: u53,
  messages: u53,
  systemCalls: u53,
  bytes: u53,
  incarnation: u32,
  memoryBytes: u53,
  name: nameText,
});

/** A row of `ipc_info`. `received` counts deliveries, `redelivered` those marked retry. */
export const portRow = record({
  port: u32,
  name: text(64),
  owner: nameText,
  receiver: u32,
  queued: u32,
  waiting: u32,
  owed: u32,
  sent: u53,
  received: u53,
  redelivered: u53,
  refused: u53,
  failed: u53,
});

/** Bytes of a task's name with its number, as in `ata[7]`. */
const MAX_TITLE_BYTES = MAX_NAME_BYTES + 12;

/** A row of `task_capabilities`. `what` says what it is a right to. */
export const capabilityRow = record({ handle: u32, kind: oneOf(...capabilityKinds), what: text(120), badge: u32 });

/** A row of `interrupt_list`. */
export const interruptRow = record({ irq: u8, count: u53, masked: bool, owner: text(64) });

/** Bytes of the reason of a crash, of a line of its trace, and lines of output that are kept. */
export const MAX_REASON_BYTES = 300;
export const MAX_TRACE_BYTES = 200;
export const MAX_OUTPUT_LINES = 64;

/** Short form of a crash record. Times in milliseconds of uptime. */
export const crashRow = record({
  number: u32,
  time: real,
  name: nameText,
  pid: u32,
  incarnation: u32,
  reason: text(MAX_REASON_BYTES),
});

/** A crash record: what happened, the stack or last lines of stderr, and the last frames in both directions. */
export const crashRecord = record({
  number: u32,
  time: real,
  name: nameText,
  pid: u32,
  incarnation: u32,
  reason: text(MAX_REASON_BYTES),
  output: list(text(MAX_LOG_BYTES), MAX_OUTPUT_LINES),
  frames: list(text(MAX_TRACE_BYTES), 32),
});

/**
 * A line of the kernel log. `level` as pino's: 20 debug, 30 info, 40 warning, 50 error, 60 fatal. Time in milliseconds
 * of uptime.
 */
export const logLine = record({ time: real, level: u8, source: text(MAX_TITLE_BYTES), text: text(MAX_LOG_BYTES) });

/**
 * What a service's manifest says, as far as init needs it. A name that ends in `@` is that of a template: no service by
 * itself, but what its instances are made from. `start`: `boot` services are started with the machine, `demand` ones
 * when somebody asks init to, or when a service that depends on them is started. A service that is not `enabled` is
 * refused either way. Without one that is `essential` the machine cannot go on.
 */
export const manifestRow = record({
  name: nameText,
  enabled: bool,
  start: oneOf('boot', 'demand'),
  restart: oneOf('always', 'on-failure', 'never'),
  dependsOn: list(nameText, MAX_MANIFEST_NAMES),
  serves: list(nameText, MAX_MANIFEST_NAMES),
  essential: bool,
});

/** Figures of `memory_information`, in bytes: host, kernel, waiting messages, recovery stores. */
export const memoryInformation = record({
  hostTotal: u53,
  hostFree: u53,
  kernelResident: u53,
  kernelHeap: u53,
  messages: u53,
  stores: u53,
});

export type StartInformation = Infer<typeof startInformation>;
export type TaskRow = Infer<typeof taskRow>;
export type PortRow = Infer<typeof portRow>;
export type CapabilityRow = Infer<typeof capabilityRow>;
export type InterruptRow = Infer<typeof interruptRow>;
export type CrashRow = Infer<typeof crashRow>;
export type CrashRecord = Infer<typeof crashRecord>;
export type LogLine = Infer<typeof logLine>;
export type ManifestRow = Infer<typeof manifestRow>;
export type MemoryInformation = Infer<typeof memoryInformation>;
