/**
 * A program of the configuration, and what of it outlives its processes: the incarnation number, the named ports, the recovery store.
 */
import type { Manifest } from '../config.ts';
import type { Port } from '../ipc/port.ts';
import type { Task } from './task.ts';

/** One entry of the configuration, running or not. */
export class Program {
  readonly manifest: Manifest;
  /** Number of the last incarnation; 0 before the first. */
  incarnation = 0;
  /** The task that runs it; for a program of many tasks the one started last. */
  task: Task | null = null;
  /** Named ports, kept over incarnations. */
  readonly ports = new Map<string, Port>();
  /** Recovery store: msgpack of each value. */
  readonly store = new Map<string, Buffer>();
  storeBytes = 0;
  /** Given up: nobody waits for it any more. */
  lost = false;
  /** The next incarnation runs under the debugger. */
  debugNext = false;

  constructor(manifest: Manifest) {
    this.manifest = manifest;
  }

  get name(): string {
    return this.manifest.name;
  }
}
