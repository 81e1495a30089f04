/**
 * The system calls: number, arguments, result and every error of each. docs/system-calls.md is made from this table,
 * the kernel dispatches on it, and the service library is typed by it.
 *
 * Arguments travel as the msgpack body of the frame (an array, or empty for none), the result likewise. `handle` says
 * what the header's number carries instead, where that saves a body. The calls marked `message` carry a message
 * (protocol/message.ts) as their body.
 *
 * Every call can also end with: ENOSYS (no such number), EBADMSG (the body is not msgpack, or too deep), EINVAL (an
 * argument has the wrong type or range), EAGAIN (MAX_OUTSTANDING_CALLS of this task are under way). They are not
 * repeated below.
 */
import {
  MAX_ARGUMENT_BYTES,
  MAX_ARGUMENTS,
  MAX_INSTANCES,
  MAX_LISTED_KEYS,
  MAX_MANIFESTS,
  MAX_RANDOM_BYTES,
  MAX_REASON_BYTES,
  MAX_RIGHTS,
  MAX_STORE_KEYS,
  MAX_TASKS,
  MAX_VECTOR_BYTES,
} from './bounds.ts';
import { messageCalls } from './message-calls.ts';
import {
  capabilityRow,
  crashRecord,
  crashRow,
  interruptRow,
  logLine,
  manifestRow,
  memoryInformation,
  startInformation,
  taskRow,
} from './records.ts';
import {
  anything,
  bool,
  bytes,
  i32,
  list,
  nameText,
  nothing,
  nullable,
  real,
  record,
  type Schema,
  text,
  u8,
  u16,
  u32,
  u53,
} from './schema.ts';
import { call, portHandle, type SystemCall } from './system-call.ts';
import { vectorResult } from './vector.ts';

export const systemCalls = {
  // Tasks
  task_start: call(
    1,
    'First call of every task, made once; the handle carries the protocol version. It blocks until the task is given something to run. With pid 0 the result makes the process a ' +
      'standby, which gets ready to run the program and makes the call once more.',
    nothing,
    startInformation,
    { EOPNOTSUPP: 'the kernel does not speak this version of the protocol', EBUSY: 'the task has started already' },
    { handle: 'protocol version' },
  ),
  exit: call(2, 'Ends the task with a status (0 to 255).', record({ status: u8 }), nothing),
  getpid: call(3, "The task's pid, in the handle of the result.", nothing, nothing, {}, { handle: 'result: the pid' }),
  getppid: call(
    4,
    "The parent's pid, in the handle of the result.",
    nothing,
    nothing,
    {},
    { handle: 'result: the pid' },
  ),
  spawn: call(
    5,
    'Starts a program of the configuration, or an instance of a template (`vrfs@hda1` of `vrfs@`), as a child; its `exit` notice comes to `notify` when it ends ' +
      '(0: no notice). The send and receive rights in `rights` move to the child (`start_rights`); when the call fails the caller keeps them.',
    record({
      name: nameText,
      arguments: list(text(MAX_ARGUMENT_BYTES), MAX_ARGUMENTS),
      notify: u32,
      rights: list(u32, MAX_RIGHTS),
    }),
    record({ pid: u32 }),
    {
      ENOENT: 'the configuration has no such program',
      EPERM: "the caller's manifest does not let it start this program, or the program is disabled",
      E2BIG: 'the arguments have more bytes than all together may have',
      EBUSY: 'the service is running already',
      EAGAIN: 'there are too many tasks, or instances',
      EBADF: '`notify` is not a receive right of the caller, or one of `rights` is no right, or stands there twice',
    },
  ),
  waitpid: call(
    6,
    'Waits until a child (0: any child) has ended, and takes it off the table. `signal` is 0 for a normal exit.',
    record({ pid: u32, timeout: u32 }),
    record({ pid: u32, status: i32, signal: u8 }),
    { ECHILD: 'no such child', ETIMEDOUT: 'no child ended in time', EBUSY: 'the task is waiting for a child already' },
  ),
  kill: call(
    7,
    'Sends a signal to a task. KILL, STOP and CONT act at once; others come as a notice to its signal port, or end it when it has none.',
    record({ pid: u32, signal: u8 }),
    nothing,
    { ESRCH: 'no such task', EPERM: 'the caller may signal only itself and its children', EINVAL: 'no such signal' },
  ),
  yield: call(8, 'Gives the CPU to the next ready task.', nothing, nothing),
  sleep: call(9, 'Sleeps for a time in milliseconds (fractions count).', record({ milliseconds: real }), nothing),
  fork: call(10, 'Not supported: a service is a process of its own; see spawn.', nothing, nothing, {
    ENOSYS: 'always, in this version',
  }),
  execve: call(11, 'Not supported: see spawn.', nothing, nothing, { ENOSYS: 'always, in this version' }),
  task_list: call(12, 'All tasks.', nothing, list(taskRow, MAX_TASKS)),
  task_capabilities: call(
    13,
    'The capabilities of a task (at most 1,024 are listed).',
    record({ pid: u32 }),
    list(capabilityRow, 1024),
    { ESRCH: 'no such task' },
  ),
  signal_port: call(
    14,
    'Signals from now on come as notices to this port.',
    nothing,
    nothing,
    {
      EBADF: 'not a receive right of the caller',
    },
    portHandle,
  ),
  scheduler: call(
    15,
    'Answers the scheduling policy and its figures; a name other than the empty one changes it.',
    record({ policy: text(32) }),
    record({ policy: text(32), policies: list(text(32), 16), cpus: u8, switches: u53, preemptions: u53, ready: u32 }),
    { ENOENT: 'no such policy', EPERM: "the caller's manifest does not have the privilege `scheduler`" },
  ),
  set_priority: call(
    16,
    'Sets priority (0 highest to 31) and CFS weight (1 to 65535, 1024 nominal) of a task.',
    record({ pid: u32, priority: u8, weight: u16 }),
    nothing,
    { ESRCH: 'no such task', EPERM: "the caller's manifest does not have the privilege `scheduler`" },
  ),

  start_rights: call(
    17,
    'Handles of the rights that the task was given when it was started, in their order.',
    nothing,
    list(u32, MAX_RIGHTS),
  ),

  ...messageCalls,

  // Devices
  request_io_port: call(
    0x40,
    'Asks for a range of I/O ports. The handle of the result is the capability; releasing it gives the ports back.',
    record({ start: u16, end: u16 }),
    nothing,
    { EPERM: 'the manifest does not list the range', EINVAL: 'end before start', EMFILE: 'too many capabilities' },
    { handle: 'result: the capability' },
  ),
  in: call(
    0x41,
    'Reads an I/O port; the handle carries port + width × 65536 (width 1, 2 or 4 bytes) and, in the result, the value. A port outside the ' +
      'permission bitmap is a general protection fault and ends the task.',
    nothing,
    nothing,
    { EINVAL: 'no such width' },
    { handle: 'port + width × 65536; result: the value' },
  ),
  out: call(
    0x42,
    'Writes an I/O port, else as `in`.',
    u32,
    nothing,
    { EINVAL: 'no such width, or the value does not fit it' },
    { handle: 'port + width × 65536' },
  ),
  ins: call(
    0x43,
    'Reads an I/O port many times (`rep ins`).',
    record({ count: u32 }),
    bytes(MAX_VECTOR_BYTES),
    { EINVAL: 'no such width, or more than 512 KiB' },
    { handle: 'port + width × 65536' },
  ),
  outs: call(
    0x44,
    'Writes an I/O port many times (`rep outs`).',
    bytes(MAX_VECTOR_BYTES),
    nothing,
    { EINVAL: 'no such width, or not a multiple of it' },
    { handle: 'port + width × 65536' },
  ),
  io_vector: call(
    0x45,
    'Runs a list of port operations in order (protocol/vector.ts). Answers where it ended early, or -1, and the values read.',
    anything,
    vectorResult,
    {
      EINVAL: 'a bad operation; nothing was done',
      EBUSY: 'a vector of this task is under way',
      ENOSPC: 'the recovery store has no room for what KEEP keeps; nothing was done',
      EPERM: 'KEEP by a task that is no service',
    },
  ),
  register_irq_handler: call(
    0x48,
    'Interrupts of a line come as notices to a port of the caller. The handle of the result is the capability; releasing it masks the line.',
    record({ irq: u8, port: u32 }),
    nothing,
    {
      EPERM: 'the manifest does not list the line',
      EBUSY: 'the line is taken',
      EBADF: 'not a receive right of the caller',
      EMFILE: 'too many capabilities',
    },
    { handle: 'result: the capability' },
  ),
  interrupt_list: call(
    0x4a,
    'The interrupt lines: interrupts since the machine was switched on, and who has the line (empty: nobody). `spurious` counts those that were gone again.',
    nothing,
    record({ lines: list(interruptRow, 16), spurious: u53 }),
  ),
  irq_acknowledge: call(0x49, 'Unmasks an interrupt line after its notice.', record({ irq: u8 }), nothing, {
    EPERM: "the line is not the caller's",
  }),

  // Time
  uptime: call(0x50, 'Milliseconds since the machine was switched on (with fractions).', nothing, real),
  time: call(0x51, 'Milliseconds since 1970-01-01T00:00:00Z.', nothing, real),
  alarm: call(
    0x52,
    'Posts an `alarm` notice with this number to a port of the caller after some milliseconds; 0 cancels it. Setting a set alarm moves it.',
    record({ alarm: u32, milliseconds: real }),
    nothing,
    { EBADF: 'not a receive right of the caller', EAGAIN: 'too many alarms (64)' },
    portHandle,
  ),
  random: call(0x53, 'Random bytes, from the host.', record({ count: u32 }), bytes(MAX_RANDOM_BYTES)),

  // Recovery store
  store_put: call(
    0x58,
    'Keeps a value under a key; the next incarnations of the service can read it.',
    record({ key: nameText, value: anything }),
    nothing,
    {
      ENOSPC: `the store is full (1 MiB, or what the manifest says, and ${MAX_STORE_KEYS} keys a MiB)`,
      EPERM: 'a task that is no service has no store',
      ENAMETOOLONG: 'the key has more than 64 bytes',
    },
  ),
  store_get: call(0x59, 'The value kept under a key.', record({ key: nameText }), anything, {
    ENOENT: 'nothing is kept under this key',
    EPERM: 'a task that is no service has no store',
  }),
  store_delete: call(0x5a, 'Forgets a key.', record({ key: nameText }), nothing, {
    ENOENT: 'nothing is kept under this key',
    EPERM: 'a task that is no service has no store',
  }),
  store_keys: call(
    0x5b,
    `The keys in use, in the order of their characters: those behind \`after\` ('' for the first), at most ${MAX_LISTED_KEYS}.`,
    record({ after: text(64) }),
    list(nameText, MAX_LISTED_KEYS),
    { EPERM: 'a task that is no service has no store' },
  ),

  // Log and crashes
  log: call(
    0x60,
    'Writes a line to the kernel log (level as in `dmesg`). Of a task that writes more than 200 lines a second in the long run, lines are dropped.',
    record({ level: u8, text: text(65536) }),
    nothing,
  ),
  dmesg: call(0x61, 'The last lines of the kernel log, oldest first.', record({ most: u32 }), list(logLine, 4096)),
  crash_list: call(0x62, 'The crash records, oldest first.', nothing, list(crashRow, 64)),
  crash_show: call(0x63, 'One crash record.', record({ number: u32 }), crashRecord, { ENOENT: 'no such record' }),
  crash_report: call(
    0x64,
    'Last words of a failing task: the error and its stack, kept for its crash record. Then it should exit.',
    record({ text: text(65536) }),
    nothing,
  ),

  // The machine
  memory_information: call(0x68, 'Memory of the host and the kernel.', nothing, memoryInformation),
  boot_arguments: call(
    0x69,
    'What the machine was started with.',
    nothing,
    record({ exec: nullable(text(MAX_ARGUMENT_BYTES)), version: text(32) }),
  ),
  halt: call(
    0x6a,
    'Ends the machine with an exit status, or starts it again. `reason`: why it cannot go on, for the user; or empty.',
    record({ status: u8, reboot: bool, reason: text(MAX_REASON_BYTES) }),
    nothing,
    {
      EPERM: "the caller's manifest does not have the privilege `power`",
    },
  ),

  // Supervision (privilege `supervise`: init)
  manifest_list: call(
    0x70,
    'The services of the configuration, templates among them, and the instances there are.',
    nothing,
    list(manifestRow, MAX_MANIFESTS + MAX_INSTANCES),
    {
      EPERM: 'no privilege `supervise`',
    },
  ),
  service_lost: call(
    0x71,
    'A service will not come back by itself: everyone who waits for it gets EIO, and so does who calls it, until it is started again.',
    record({ name: nameText }),
    nothing,
    { EPERM: 'no privilege `supervise`', ENOENT: 'no such service' },
  ),
  service_debug: call(
    0x72,
    "The next incarnation runs under Node's inspector (once); while it does, its answer is its address (empty: not started yet).",
    record({ name: nameText }),
    record({ address: text(200) }),
    { EPERM: 'no privilege `supervise`', ENOENT: 'no such service' },
  ),
  service_port: call(
    0x73,
    'A send right to the port of a service, for pings; in the handle of the result.',
    record({ name: nameText }),
    nothing,
    { EPERM: 'no privilege `supervise`', ENOENT: 'it has no port' },
    { handle: 'result: the send right' },
  ),
  service_forget: call(
    0x74,
    'Makes room: an instance that does not run and has left nothing behind is there no more. Started again, it is a new one.',
    record({ name: nameText }),
    nothing,
    {
      EPERM: 'no privilege `supervise`',
      ENOENT: 'no such service',
      EINVAL: 'no instance of a template',
      EBUSY: 'it runs or is going to, its recovery store holds something, or somebody has a right to a port of it',
    },
  ),
} as const satisfies Record<string, SystemCall<unknown, unknown>>;

/** Name of a system call. */
export type SystemCallName = keyof typeof systemCalls;

/** Argument type of a system call. */
export type Arguments<N extends SystemCallName> =
  (typeof systemCalls)[N]['arguments'] extends Schema<infer A> ? A : never;

/** Result type of a system call. */
export type Result<N extends SystemCallName> = (typeof systemCalls)[N]['result'] extends Schema<infer R> ? R : never;

const byNumber = new Map<number, SystemCallName>(
  Object.entries(systemCalls).map(([name, { number }]) => [number, name as SystemCallName]),
);

/** Name of a system call number, or undefined. */
export function systemCallName(number: number): SystemCallName | undefined {
  return byNumber.get(number);
}

/** Calls that wait, or whose only effect is their result: dropped when they are posted (id 0). */
export const waitingCalls: readonly SystemCallName[] = [
  'task_start',
  'waitpid',
  'yield',
  'sleep',
  'ipc_find_port',
  'ipc_recv',
  'ipc_try_recv',
  'ipc_call',
  'ipc_reply_recv',
  'io_vector',
];
