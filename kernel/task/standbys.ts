/**
 * Standbys: processes that hold a certain program already, have rehearsed what it does (services/lib/rehearsal.ts), and
 * wait to be told that they are it. A warm spare still has to load the program, and then runs code that the engine has
 * not seen before; a standby goes on at once, and as fast as its predecessor. It costs the memory of one more process,
 * and after each death some tenths of a second on another CPU.
 *
 * A standby is a process without task: it has no rights, and all that it may say is `task_start`. The answer to its
 * first one has pid 0 and names the program. When it is ready it says
 * `task_start` again, and the answer to that makes it a task.
 */
import fs from 'node:fs';
import { PROTOCOL_VERSION } from '../../protocol/bounds.ts';
import { encodeFrame } from '../../protocol/codec.ts';
import { RESULT } from '../../protocol/frame.ts';
import { startInformation } from '../../protocol/records.ts';
import type { Manifest } from '../config.ts';
import type { KernelLog } from '../log.ts';
import type { IdleProcess, Keeper } from './idle-process.ts';

/** Standbys of a program that end in a row before they are needed, after which it gets no more. */
const MAX_FAILURES = 3;

/** Puts a standby where it can run while it prepares, and when it is ready. */
export interface Places {
  prepares(idle: IdleProcess): void;
  ready(idle: IdleProcess): void;
}

interface Standby {
  readonly idle: IdleProcess;
  /** What the file of the program was when it was loaded. */
  readonly version: string;
  told: boolean;
}

/** See the head of this file. */
export class Standbys {
  private readonly obtain: (keeper: Keeper) => IdleProcess;
  private readonly log: KernelLog;
  private readonly place: Places;
  private readonly standbys = new Map<string, Standby>();
  /** How often the standbys of a program have failed, with the version of its file. */
  private readonly failures = new Map<string, { readonly version: string; readonly count: number }>();
  private closed = false;

  /** `obtain` answers a process, which may wait in `task_start` already. */
  constructor(obtain: (keeper: Keeper) => IdleProcess, log: KernelLog, place: Places) {
    this.obtain = obtain;
    this.log = log;
    this.place = place;
  }

  /** Programs whose standby is ready. */
  get ready(): readonly string[] {
    return [...this.standbys].filter(([, standby]) => isReady(standby)).map(([name]) => name);
  }

  /**
   * Sees to it that a program has a standby. Answers what ends one that was made now, if it is not ready by then: it
   * may never be. `lost`: it was ready, and has been ended from outside; that is no failure of its own.
   */
  prepare(manifest: Manifest, lost: () => void = () => {}): (() => void) | null {
    const { name, entry } = manifest;
    const version = versionOf(entry);
    if (this.closed || this.standbys.has(name) || this.failuresOf(name, version) >= MAX_FAILURES) return null;
    try {
      const standby = this.add(manifest, version, lost);
      return () => this.expire(name, standby);
    } catch (error) {
      this.failed(name, version, error instanceof Error ? error.message : String(error));
      return null;
    }
  }

  private expire(name: string, standby: Standby): void {
    if (this.standbys.get(name) !== standby || isReady(standby)) return;
    this.standbys.delete(name);
    standby.idle.discard();
    this.failed(name, standby.version, 'it does not get ready');
  }

  /** Ends the standby of a program that has been stopped. */
  drop(name: string): void {
    this.standbys.get(name)?.idle.discard();
    this.standbys.delete(name);
  }

  /** The standby of a program, if it is ready and has loaded what is in the program's file now. */
  take({ name, entry }: Manifest): IdleProcess | null {
    const standby = this.standbys.get(name);
    if (standby === undefined || !isReady(standby)) return null;
    this.standbys.delete(name);
    this.failures.delete(name);
    if (standby.version === versionOf(entry)) return standby.idle;
    standby.idle.discard();
    return null;
  }

  /** Ends all of them and starts no more. */
  close(): void {
    this.closed = true;
    for (const { idle } of this.standbys.values()) idle.discard();
    this.standbys.clear();
  }

  private add({ name, entry }: Manifest, version: string, lost: () => void): Standby {
    const idle: IdleProcess = this.obtain({
      waits: () => this.waits(name, entry),
      gone: (reason) => {
        const standby = this.standbys.get(name);
        if (standby?.idle !== idle) return;
        this.standbys.delete(name);
        if (!standby.told || idle.waiting === null) {
          this.failed(name, version, reason);
          return;
        }
        this.log.warn(`the standby of ${name} has ended: ${reason}`);
        lost();
      },
    });
    const standby = { idle, version, told: false };
    this.standbys.set(name, standby);
    if (idle.waiting !== null) this.waits(name, entry);
    return standby;
  }

  private waits(name: string, entry: string): void {
    const standby = this.standbys.get(name);
    const waiting = standby?.idle.waiting ?? null;
    if (standby === undefined || waiting === null) return;
    if (standby.told) {
      this.log.debug(`${name} has a standby`);
      this.place.ready(standby.idle);
      return;
    }
    standby.told = true;
    if (waiting.protocolVersion !== PROTOCOL_VERSION) {
      this.standbys.delete(name);
      standby.idle.discard();
      this.failed(name, standby.version, 'it speaks another version of the protocol');
      return;
    }
    this.place.prepares(standby.idle);
    const content = startInformation.toWire({ pid: 0, name, incarnation: 0, entry, arguments: [] }, []);
    standby.idle.answer(encodeFrame(RESULT, 0, waiting.startId, 0, content));
  }

  private failuresOf(name: string, version: string): number {
    const failures = this.failures.get(name);
    return failures?.version === version ? failures.count : 0;
  }

  private failed(name: string, version: string, reason: string): void {
    const count = this.failuresOf(name, version) + 1;
    this.failures.set(name, { version, count });
    const end = count < MAX_FAILURES ? '' : `; no more are tried`;
    this.log.warn(`the standby of ${name} has ended: ${reason}${end}`);
  }
}

const isReady = ({ idle, told }: Standby): boolean => told && idle.ready;

/** What tells two states of a file apart. */
function versionOf(file: string): string {
  try {
    const { ino, size, mtimeMs } = fs.statSync(file);
    return `${ino} ${size} ${mtimeMs}`;
  } catch {
    return '';
  }
}
