/**
 * The system calls as blocking functions (protocol/syscall.ts says what each does and how it fails). An error is thrown
 * as SystemError. The message calls are in ipc.ts.
 */
import process from 'node:process';
import { HEADER_BYTES, MAX_LISTED_KEYS, PROTOCOL_VERSION } from '../../protocol/bounds.ts';
import { decode, encodeFrame } from '../../protocol/codec.ts';
import { errorName, SystemError } from '../../protocol/errno.ts';
import { emptyFrame } from '../../protocol/frame.ts';
import type {
  CapabilityRow,
  CrashRecord,
  CrashRow,
  LogLine,
  ManifestRow,
  MemoryInformation,
  StartInformation,
  TaskRow,
} from '../../protocol/records.ts';
import type { Handle } from '../../protocol/schema.ts';
import { type SignalName, signals } from '../../protocol/signal.ts';
import { type Arguments, type Result, type SystemCallName, systemCalls } from '../../protocol/syscall.ts';
import { flushFrames, nextId, postFrame, type RawResult, readResult, writeFrame } from './pipe.ts';

const noRights: Handle[] = [];

/** Throws the error of a result, if it is one. */
export function check(result: RawResult, what: string): RawResult {
  if (result.errno !== 0) throw new SystemError(errorName(result.errno), what);
  return result;
}

function frameOf<N extends SystemCallName>(name: N, id: number, handle: number, args: Arguments<N>): Buffer {
  const call = systemCalls[name];
  const wire = args === undefined ? null : call.arguments.toWire(args as never, noRights);
  return wire === null ? emptyFrame(call.number, 0, id, handle) : encodeFrame(call.number, 0, id, handle, wire);
}

function enter<N extends SystemCallName>(name: N, handle: number, args: Arguments<N>): RawResult {
  const id = nextId();
  writeFrame(frameOf(name, id, handle, args));
  return check(readResult(id), name);
}

/** Makes a system call and answers its result. */
export function systemCall<N extends SystemCallName>(name: N, args: Arguments<N>, handle = 0): Result<N> {
  const { buffer, start, end } = enter(name, handle, args);
  const wire = end - start > HEADER_BYTES ? decode(buffer, start + HEADER_BYTES, end) : null;
  return systemCalls[name].result.fromWire(wire, noRights) as Result<N>;
}

/** Makes a system call and answers the number in the handle of its result. */
export function systemCallHandle<N extends SystemCallName>(name: N, args: Arguments<N>, handle = 0): number {
  return enter(name, handle, args).handle;
}

/** Makes a system call without waiting for a result: errors are not reported. */
export function post<N extends SystemCallName>(name: N, args: Arguments<N>, handle = 0): void {
  postFrame(frameOf(name, 0, handle, args));
}

// Tasks

/** First call of a task: blocks until it has something to run. */
export const taskStart = (): StartInformation => systemCall('task_start', undefined, PROTOCOL_VERSION);

/** Ends this task with a status from 0 to 255. */
export function exit(status: number): never {
  systemCall('exit', { status });
  process.exit(status);
}

export const getpid = (): number => systemCallHandle('getpid', undefined);
export const getppid = (): number => systemCallHandle('getppid', undefined);

/**
 * Starts a program of the configuration; answers its pid. Its `exit` notice comes to `notify`. `rights` move to it
 * (`startRights`).
 */
export const spawn = (name: string, args: string[] = [], notify = 0, rights: readonly Handle[] = []): number =>
  systemCall('spawn', { name, arguments: args, notify, rights: [...rights] }).pid;
/** The rights that this task was started with. */
export const startRights = (): Handle[] => systemCall('start_rights', undefined) as Handle[];

/** Waits for the end of a child (0: any). Timeout in milliseconds. */
export const waitpid = (pid: number, timeout: number): Result<'waitpid'> => systemCall('waitpid', { pid, timeout });

/** Sends a signal, by name or number. */
export const kill = (pid: number, signal: SignalName | number): void =>
  systemCall('kill', { pid, signal: typeof signal === 'number' ? signal : signals[signal] });

/** Gives the CPU to the next ready task. */
export const yieldCpu = (): void => systemCall('yield', undefined);
export const sleep = (milliseconds: number): void => systemCall('sleep', { milliseconds });
export const taskList = (): TaskRow[] => systemCall('task_list', undefined);
export const taskCapabilities = (pid: number): CapabilityRow[] => systemCall('task_capabilities', { pid });
/** Whether a task that has asked for something still waits: it holds a right to do so, and a dead one holds nothing. */
export function isTaskAlive(pid: number): boolean {
  try {
    return taskCapabilities(pid).length > 0;
  } catch (error) {
    if (error instanceof SystemError && error.code === 'ESRCH') return false;
    throw error;
  }
}
export const signalPort = (port: Handle): void => systemCall('signal_port', undefined, port);
/** Answers the scheduling policy and its figures; a name other than '' changes it. */
export const scheduler = (policy = ''): Result<'scheduler'> => systemCall('scheduler', { policy });
export const setPriority = (pid: number, priority: number, weight: number): void =>
  systemCall('set_priority', { pid, priority, weight });

// Devices

/** Asks for the I/O ports start to end; answers the capability. */
export function requestIoPort(start: number, end: number): Handle {
  try {
    return systemCallHandle('request_io_port', { start, end }) as Handle;
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw new SystemError(error.code, `request_io_port 0x${start.toString(16)} to 0x${end.toString(16)}`);
  }
}
const WIDTH = 0x10000;
export const in8 = (port: number): number => systemCallHandle('in', undefined, port + WIDTH);
export const in16 = (port: number): number => systemCallHandle('in', undefined, port + 2 * WIDTH);
export const in32 = (port: number): number => systemCallHandle('in', undefined, port + 4 * WIDTH);
/** Writes are posted: they are done in order before anything this task asks for later. */
export const out8 = (port: number, value: number): void => post('out', value, port + WIDTH);
export const out16 = (port: number, value: number): void => post('out', value, port + 2 * WIDTH);
export const out32 = (port: number, value: number): void => post('out', value, port + 4 * WIDTH);
/** `rep insw`: `count` words as bytes. */
export const ins16 = (port: number, count: number): Uint8Array => systemCall('ins', { count }, port + 2 * WIDTH);
export const outs16 = (port: number, data: Uint8Array): void => systemCall('outs', data, port + 2 * WIDTH);
/** Runs a vector of port operations (protocol/vector.ts). */
export const ioVector = (operations: readonly unknown[]): Result<'io_vector'> => systemCall('io_vector', operations);
/** Interrupts of a line come as notices to this port. */
export const registerIrqHandler = (irq: number, port: Handle): Handle =>
  systemCallHandle('register_irq_handler', { irq, port }) as Handle;
/** The interrupt lines with their counters. */
export const interruptList = (): Result<'interrupt_list'> => systemCall('interrupt_list', undefined);
export const irqAcknowledge = (irq: number): void => post('irq_acknowledge', { irq });

// Time

/** Milliseconds since power-on. */
export const uptime = (): number => systemCall('uptime', undefined);
/** Milliseconds since 1970-01-01T00:00:00Z. */
export const time = (): number => systemCall('time', undefined);
/** Posts the notice `alarm` with this number to `port` after some milliseconds; 0 cancels. */
export const alarm = (port: Handle, number: number, milliseconds: number): void =>
  systemCall('alarm', { alarm: number, milliseconds }, port);
export const random = (count: number): Uint8Array => systemCall('random', { count });

// Recovery store

/**
 * Like `storePut` without waiting: it is kept before anything that this task asks for later is done. An error is not
 * reported, so the caller has to know that there is room.
 */
export const storePutPosted = (key: string, value: unknown): void => post('store_put', { key, value });
/** Like `storeDelete` without waiting. */
export const storeDeletePosted = (key: string): void => post('store_delete', { key });
export const storePut = (key: string, value: unknown): void => systemCall('store_put', { key, value });

/** The value under a key, or undefined when there is none. */
export function storeGet(key: string): unknown {
  try {
    return systemCall('store_get', { key });
  } catch (error) {
    if (error instanceof SystemError && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

export const storeDelete = (key: string): void => systemCall('store_delete', { key });
/** All keys in use, in the order of their characters. */
export function storeKeys(): string[] {
  const keys: string[] = [];
  for (;;) {
    const part = systemCall('store_keys', { after: keys.at(-1) ?? '' });
    keys.push(...part);
    if (part.length < MAX_LISTED_KEYS) return keys;
  }
}

// Log, crashes, machine

/** Levels of log lines, as pino numbers them. */
export const logLevel = { debug: 20, info: 30, warning: 40, error: 50 } as const;

/** Writes a line to the kernel log, at once: it may be the last thing that this task does. */
export function log(text: string, level: keyof typeof logLevel = 'info'): void {
  post('log', { level: logLevel[level], text: text.slice(0, 16384) });
  flushFrames();
}
export const dmesg = (most = 4096): LogLine[] => systemCall('dmesg', { most });
export const crashList = (): CrashRow[] => systemCall('crash_list', undefined);
export const crashShow = (number: number): CrashRecord => systemCall('crash_show', { number });
/** Last words before exit: kept in the crash record. */
export const crashReport = (text: string): void => systemCall('crash_report', { text: text.slice(0, 16384) });
export const memoryInformation = (): MemoryInformation => systemCall('memory_information', undefined);
export const bootArguments = (): Result<'boot_arguments'> => systemCall('boot_arguments', undefined);
export const halt = (status: number, reboot: boolean, reason = ''): void =>
  systemCall('halt', { status, reboot, reason });

// Supervision

export const manifestList = (): ManifestRow[] => systemCall('manifest_list', undefined);
export const serviceLost = (name: string): void => systemCall('service_lost', { name });
export const serviceDebug = (name: string): string => systemCall('service_debug', { name }).address;
export const serviceForget = (name: string): void => systemCall('service_forget', { name });
export const servicePort = (name: string): Handle => systemCallHandle('service_port', { name }) as Handle;
