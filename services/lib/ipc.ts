/**
 * Ports and messages as blocking functions. Message format: protocol/message.ts. Every call can throw SystemError; the
 * errors of each are in protocol/syscall.ts.
 */
import { FOREVER } from '../../protocol/bounds.ts';
import { readUint16, readUint32 } from '../../protocol/bytes.ts';
import { decode, encodeFrame, encodeMessage, type MessageHead } from '../../protocol/codec.ts';
import { errorName, SystemError } from '../../protocol/errno.ts';
import { CALL_ASYNCHRONOUS, FIND_PATIENT } from '../../protocol/frame.ts';
import {
  dataOffset,
  ENVELOPE_AT,
  ENVELOPE_BADGE,
  ENVELOPE_BYTES,
  ENVELOPE_FLAGS,
  ENVELOPE_INTERFACE,
  ENVELOPE_METHOD,
  ENVELOPE_PORT,
  ENVELOPE_SENDER,
  ENVELOPE_SEQUENCE,
  ENVELOPE_TIMEOUT,
  MESSAGE_NOTICE,
  MESSAGE_RETRY,
  messageRights,
} from '../../protocol/message.ts';
import type { Handle } from '../../protocol/schema.ts';
import { systemCalls } from '../../protocol/syscall.ts';
import { nextId, postFrame, type RawResult, readResult, takeResult, writeFrame } from './pipe.ts';
import { check, post, systemCall, systemCallHandle } from './syscalls.ts';

/** A message as received. `reply` is 0 when no answer is expected. */
export interface Message {
  readonly sender: number;
  readonly badge: number;
  readonly sequence: number;
  readonly interface: number;
  readonly method: number;
  readonly deliveries: number;
  readonly port: Handle;
  readonly retry: boolean;
  readonly notice: boolean;
  readonly reply: Handle;
  readonly rights: Handle[];
  readonly data: unknown;
}

/** What to send: interface and method numbers, wire data, rights that go along. */
export interface Outgoing {
  readonly interface: number;
  readonly method: number;
  readonly data: unknown;
  readonly rights?: readonly Handle[];
}

/** What a call was answered. */
export interface Answer {
  readonly data: unknown;
  readonly rights: Handle[];
}

/** How a call ended: `status` is 0 or an errno, then `error` says more and there is no data. */
export interface CallResult extends Answer {
  readonly status: number;
  readonly error: SystemError | null;
}

const noRights: readonly Handle[] = [];

function head(message: Outgoing, timeoutMilliseconds: number, port: number): MessageHead {
  return {
    interface: message.interface,
    method: message.method,
    timeoutMilliseconds,
    port,
    rights: message.rights ?? noRights,
  };
}

/** Ports that this task has made itself. */
const made = new Set<Handle>();

function make(handle: number): Handle {
  made.add(handle as Handle);
  return handle as Handle;
}

/**
 * Whether this task has made a port itself. The badges of messages that come to another port say nothing: its receive
 * right came in a message, and whoever sent it may hold rights to the port with any badge.
 */
export const isOwnPort = (port: Handle): boolean => made.has(port);

/** Forgets them: they were made in a rehearsal, and their numbers may come to stand for something else. */
export const forgetPorts = (): void => made.clear();

export const ipcCreatePort = (): Handle => make(systemCallHandle('ipc_create_port', undefined));
export const ipcCreateNamedPort = (name: string): Handle => make(systemCallHandle('ipc_create_named_port', { name }));
/** A send right to a named port; waits up to `timeout` milliseconds for it to be made. */
export const ipcFindPort = (name: string, timeout = 0): Handle =>
  systemCallHandle('ipc_find_port', { name, timeout }) as Handle;
/**
 * Looks for a named port and goes on; `notify`, a port of this task, gets the notice `answered`, then `ipcFindPoll` has
 * the result. `patient`: waits also for a service that has been given up.
 */
export function ipcFindBegin(name: string, timeout: number, notify: Handle, patient: boolean): number {
  const id = nextId();
  const flags = CALL_ASYNCHRONOUS | (patient ? FIND_PATIENT : 0);
  postFrame(encodeFrame(systemCalls.ipc_find_port.number, flags, id, notify, [name, timeout]));
  return id;
}
/** The send right that `ipcFindBegin` was for, undefined while there is none yet. Throws SystemError. */
export function ipcFindPoll(id: number): Handle | undefined {
  const result = takeResult(id);
  return result === undefined ? undefined : (check(result, 'ipc_find_port').handle as Handle);
}
export function ipcDestroyPort(port: Handle): void {
  systemCall('ipc_destroy_port', undefined, port);
  made.delete(port);
}
export const ipcMint = (port: Handle, badge: number): Handle => systemCallHandle('ipc_mint', { badge }, port) as Handle;
export const ipcDuplicate = (handle: Handle): Handle => systemCallHandle('ipc_duplicate', undefined, handle) as Handle;
export const ipcRelease = (handle: Handle): void => systemCall('ipc_release', undefined, handle);
/** Gives up rights that came in a message and are not wanted. 0 stands for none. */
export function releaseRights(rights: readonly Handle[]): void {
  for (const handle of rights) if (handle !== 0) post('ipc_release', undefined, handle);
}
export const ipcInfo = () => systemCall('ipc_info', undefined);
/** Pids of the tasks that wait for messages while none waits for them. */
export const ipcResting = (): number[] => systemCall('ipc_resting', undefined);

/** Posts a message. */
export function ipcSend(port: Handle, message: Outgoing): void {
  const id = nextId();
  writeFrame(encodeMessage(systemCalls.ipc_send.number, 0, id, port, head(message, 0, 0), message.data));
  check(readResult(id), 'ipc_send');
}

/** Sends a request and blocks until it is answered. */
export function ipcCall(port: Handle, message: Outgoing, timeout = FOREVER): Answer {
  const result = readResult(writeCall(port, message, timeout, 0, 0));
  if (result.errno !== 0) throw failure(result);
  return answered(result);
}

/** The error of a call, with the server's words where it gave some: a handler's message is the data of the answer. */
function failure(result: RawResult): SystemError {
  const code = errorName(result.errno);
  const words = messageRights(result.buffer, result.start, result.end) === 0 ? answered(result).data : undefined;
  if (typeof words !== 'string') return new SystemError(code);
  return new SystemError(code, words.startsWith(`${code}: `) ? words.slice(code.length + 2) : words);
}

/**
 * Sends a request and goes on: answers the number of the call. Its result has to be fetched with `ipcCallPoll`. The
 * timeout has to be finite, so that every call ends; at most MAX_OUTSTANDING_CALLS may be under way. With `notify`, a
 * port of this task, the notice `answered` comes there when the result is there.
 */
export function ipcCallBegin(port: Handle, message: Outgoing, timeout: number, notify = 0): number {
  return writeCall(port, message, timeout, CALL_ASYNCHRONOUS, notify);
}

function writeCall(port: Handle, message: Outgoing, timeout: number, flags: number, notify: number): number {
  const id = nextId();
  const envelope = head(message, timeout, notify);
  postFrame(encodeMessage(systemCalls.ipc_call.number, flags, id, port, envelope, message.data));
  return id;
}

/**
 * How a call begun with `ipcCallBegin` ended, or undefined while it is under way; never blocks. The pipe is ordered:
 * what was answered before the result of this task's last other call (`ipcRecv`, `uptime` …) is known here. A result
 * can be fetched once.
 */
export function ipcCallPoll(id: number): CallResult | undefined {
  const result = takeResult(id);
  if (result === undefined) return undefined;
  if (result.errno !== 0) return { status: result.errno, error: failure(result), data: null, rights: [] };
  return { status: 0, error: null, ...answered(result) };
}

function answered(result: RawResult): Answer {
  const count = messageRights(result.buffer, result.start, result.end);
  if (count < 0) throw new SystemError('EBADMSG', 'the answer is not a message');
  return {
    data: decode(result.buffer, dataOffset(result.start, count), result.end),
    rights: rightsOf(result.buffer, result.start, count),
  };
}

function rightsOf(buffer: Buffer, start: number, count: number): Handle[] {
  const rights: Handle[] = [];
  for (let i = 0; i < count; i++) {
    rights.push(readUint32(buffer, start + ENVELOPE_AT + ENVELOPE_BYTES + 4 * i) as Handle);
  }
  return rights;
}

function received(result: RawResult): Message {
  const { buffer, start, end } = result;
  const count = messageRights(buffer, start, end);
  if (count < 0) throw new SystemError('EBADMSG', 'not a message');
  const at = start + ENVELOPE_AT;
  const flags = readUint32(buffer, at + ENVELOPE_FLAGS);
  // One literal: an object put together in steps gets a new shape each time, and everything that reads it becomes slow.
  return {
    sender: readUint32(buffer, at + ENVELOPE_SENDER),
    badge: readUint32(buffer, at + ENVELOPE_BADGE),
    sequence: readUint32(buffer, at + ENVELOPE_SEQUENCE) + 0x100000000 * readUint32(buffer, at + ENVELOPE_SEQUENCE + 4),
    interface: readUint16(buffer, at + ENVELOPE_INTERFACE),
    method: readUint16(buffer, at + ENVELOPE_METHOD),
    deliveries: readUint32(buffer, at + ENVELOPE_TIMEOUT),
    port: readUint32(buffer, at + ENVELOPE_PORT) as Handle,
    retry: (flags & MESSAGE_RETRY) !== 0,
    notice: (flags & MESSAGE_NOTICE) !== 0,
    reply: result.handle as Handle,
    rights: rightsOf(buffer, start, count),
    data: dataOrMalformed(buffer, dataOffset(start, count), end),
  };
}

/**
 * Stands for the data of a message that is not well-formed msgpack: the receiver answers EBADMSG, the sender is at
 * fault.
 */
export const MALFORMED: unique symbol = Symbol('malformed');

function dataOrMalformed(buffer: Buffer, start: number, end: number): unknown {
  try {
    return decode(buffer, start, end);
  } catch (error) {
    if (error instanceof SystemError) return MALFORMED;
    throw error;
  }
}

/**
 * Blocks until a message comes to one of the ports (none: any port of this task). Timeout in milliseconds: ETIMEDOUT.
 */
export function ipcRecv(ports: readonly Handle[] = [], timeout = FOREVER): Message {
  const id = nextId();
  writeFrame(encodeFrame(systemCalls.ipc_recv.number, 0, id, 0, [ports, timeout]));
  return received(check(readResult(id), 'ipc_recv'));
}

/** A message if one is waiting, else undefined. */
export function ipcTryRecv(ports: readonly Handle[] = []): Message | undefined {
  const id = nextId();
  writeFrame(encodeFrame(systemCalls.ipc_try_recv.number, 0, id, 0, [ports]));
  const result = readResult(id);
  if (result.errno === AGAIN) return undefined;
  return received(check(result, 'ipc_try_recv'));
}

const AGAIN = 11;

/**
 * Answers a request: `status` 0 is success. The answer goes out with the next call of this task, at the latest when it
 * waits.
 */
export function ipcReply(reply: Handle, status: number, data: unknown, rights: readonly Handle[] = noRights): void {
  postFrame(
    encodeMessage(
      systemCalls.ipc_reply.number,
      status,
      0,
      reply,
      head({ interface: 0, method: 0, data, rights }, 0, 0),
      data,
    ),
  );
}

/** Answers a request and blocks until the next message comes, in one kernel entry. */
export function ipcReplyRecv(
  reply: Handle,
  status: number,
  data: unknown,
  rights: readonly Handle[] = noRights,
): Message {
  const id = nextId();
  const answer = head({ interface: 0, method: 0, data, rights }, FOREVER, 0);
  writeFrame(encodeMessage(systemCalls.ipc_reply_recv.number, status, id, reply, answer, data));
  return received(check(readResult(id), 'ipc_reply_recv'));
}

/** Hands a request on to another port, whose server answers the client directly. */
export function ipcForward(reply: Handle, port: Handle, message: Outgoing): void {
  const id = nextId();
  writeFrame(encodeMessage(systemCalls.ipc_forward.number, 0, id, reply, head(message, 0, port), message.data));
  check(readResult(id), 'ipc_forward');
}
