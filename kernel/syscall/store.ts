/** System calls on the recovery store: values that outlive an incarnation of a service. */
import { HEADER_BYTES, MAX_LISTED_KEYS, MAX_STORE_BYTES, MAX_STORE_KEYS } from '../../protocol/bounds.ts';
import { decode } from '../../protocol/codec.ts';
import { SystemError } from '../../protocol/errno.ts';
import { checkMsgpack, endOfMsgpack } from '../../protocol/msgpack-check.ts';
import { nameText } from '../../protocol/schema.ts';
import type { Frame } from '../ipc/frame.ts';
import { bufferPool } from '../mm/buffer-pool.ts';
import type { Program, Task } from '../objects.ts';
import { type Handler, typed, valued } from './context.ts';

/** How an array of two begins in msgpack. */
const ARRAYS_OF_TWO = ['92', 'dc0002', 'dd00000002'].map((hex) => Buffer.from(hex, 'hex'));

function storeOf(task: Task): Program {
  if (task.manifest.program) throw new SystemError('EPERM');
  return task.program;
}

function sizeOf(key: string, value: Buffer | undefined): number {
  return value === undefined ? 0 : Buffer.byteLength(key) + value.length;
}

/**
 * Puts a value, the bytes `start` to `end` of msgpack, into the store of a task's program. Throws SystemError: EPERM,
 * ENOSPC.
 */
export function storePut(task: Task, key: string, buffer: Buffer, start: number, end: number): void {
  const program = storeOf(task);
  checkRoom(task, key, end - start);
  const before = program.store.get(key);
  const value = bufferPool.copy(buffer, start, end);
  program.storeBytes += sizeOf(key, value) - sizeOf(key, before);
  program.store.set(key, value);
  if (before !== undefined) bufferPool.give(before);
}

/**
 * Key and place of the value in a frame of store_put: the value stays as it has come. Throws SystemError: EBADMSG,
 * EINVAL, ENAMETOOLONG.
 */
function valueIn({ buffer, start, end }: Frame): { key: string; valueStart: number } {
  const body = start + HEADER_BYTES;
  const wrong = checkMsgpack(buffer, body, end);
  if (wrong !== null) throw new SystemError('EBADMSG', `msgpack: ${wrong}`);
  const mark = ARRAYS_OF_TWO.find((bytes) => buffer.subarray(body, body + bytes.length).equals(bytes));
  if (mark === undefined) throw new SystemError('EINVAL', 'expected [key, value]');
  const keyStart = body + mark.length;
  const valueStart = Number(endOfMsgpack(buffer, keyStart, end));
  return { key: nameText.fromWire(decode(buffer, keyStart, valueStart), []), valueStart };
}

/** Whether a value of so many bytes would fit. Throws SystemError: EPERM, ENOSPC. */
export function checkRoom(task: Task, key: string, length: number): void {
  const program = storeOf(task);
  const size = program.storeBytes - sizeOf(key, program.store.get(key)) + Buffer.byteLength(key) + length;
  const { store: mebibytes } = program.manifest;
  const full = !program.store.has(key) && program.store.size >= mebibytes * MAX_STORE_KEYS;
  if (full || size > mebibytes * MAX_STORE_BYTES) throw new SystemError('ENOSPC');
}

export const storeCalls = {
  store_put: (kernel, task, frame) => {
    const { key, valueStart } = valueIn(frame);
    storePut(task, key, frame.buffer, valueStart, frame.end);
    kernel.execution.answer(task, frame.id, 0);
  },
  store_get: typed('store_get', (kernel, task, { key }, frame) => {
    const bytes = storeOf(task).store.get(key);
    if (bytes === undefined) throw new SystemError('ENOENT');
    kernel.execution.answerBytes(task, frame.id, bytes);
  }),
  store_delete: typed('store_delete', (kernel, task, { key }, frame) => {
    const program = storeOf(task);
    const value = program.store.get(key);
    if (value === undefined) throw new SystemError('ENOENT');
    program.store.delete(key);
    program.storeBytes -= sizeOf(key, value);
    bufferPool.give(value);
    kernel.execution.answer(task, frame.id, 0);
  }),
  store_keys: valued('store_keys', (_kernel, task, { after }) => {
    const keys = [...storeOf(task).store.keys()].filter((key) => key > after);
    return keys.sort().slice(0, MAX_LISTED_KEYS);
  }),
} satisfies Record<string, Handler>;
