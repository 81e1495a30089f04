/** System calls on the recovery store: values that outlive an incarnation of a service. */
import { MAX_LISTED_KEYS, MAX_STORE_BYTES, MAX_STORE_KEYS } from '../../protocol/bounds.ts';
import { decode, encodeAfter } from '../../protocol/codec.ts';
import { SystemError } from '../../protocol/errno.ts';
import type { Program, Task } from '../objects.ts';
import { type Handler, typed, valued } from './context.ts';

function storeOf(task: Task): Program {
  if (task.manifest.program) throw new SystemError('EPERM');
  return task.program;
}

function sizeOf(key: string, value: Buffer | undefined): number {
  return value === undefined ? 0 : Buffer.byteLength(key) + value.length;
}

/** Puts a value into the store of a task's program. Throws SystemError: EPERM, ENOSPC. */
export function storePut(task: Task, key: string, value: unknown): void {
  const program = storeOf(task);
  const bytes = Buffer.from(encodeAfter(0, value));
  checkRoom(task, key, bytes.length);
  program.storeBytes += sizeOf(key, bytes) - sizeOf(key, program.store.get(key));
  program.store.set(key, bytes);
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
  store_put: typed('store_put', (kernel, task, { key, value }, frame) => {
    storePut(task, key, value);
    kernel.execution.answer(task, frame.id, 0);
  }),
  store_get: valued('store_get', (_kernel, task, { key }) => {
    const bytes = storeOf(task).store.get(key);
    if (bytes === undefined) throw new SystemError('ENOENT');
    return decode(bytes, 0, bytes.length);
  }),
  store_delete: typed('store_delete', (kernel, task, { key }, frame) => {
    const program = storeOf(task);
    const size = sizeOf(key, program.store.get(key));
    if (!program.store.delete(key)) throw new SystemError('ENOENT');
    program.storeBytes -= size;
    kernel.execution.answer(task, frame.id, 0);
  }),
  store_keys: valued('store_keys', (_kernel, task, { after }) => {
    const keys = [...storeOf(task).store.keys()].filter((key) => key > after);
    return keys.sort().slice(0, MAX_LISTED_KEYS);
  }),
} satisfies Record<string, Handler>;
