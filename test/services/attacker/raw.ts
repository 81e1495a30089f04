/** The pipe without the service library: what hostile code can do with its descriptors. */
import fs from 'node:fs';
import { encodeFrame } from '../../../protocol/codec.ts';
import { type SystemCallName, systemCalls } from '../../../protocol/syscall.ts';

/** Where a task's frames go. */
export const TO_KERNEL = 4;

/** Writes bytes, whatever they are; waits while the pipe is full. */
export function writeRaw(bytes: Uint8Array, descriptor = TO_KERNEL): void {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += fs.writeSync(descriptor, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}

/** The frame of a system call. */
export function frameOf(name: SystemCallName, id: number, handle: number, wire: unknown): Buffer {
  return encodeFrame(systemCalls[name].number, 0, id, handle, wire);
}

/** Writes without end to another descriptor. */
export function writeForEver(descriptor: number, bytes: Uint8Array): never {
  for (;;) {
    try {
      fs.writeSync(descriptor, bytes);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}
