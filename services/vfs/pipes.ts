/**
 * Pipes. A write stays owed until readers have taken all of it: the kernel keeps its data, and there is no buffer here
 * that could be lost.
 *
 * No byte is lost or doubled when this process dies. Before a reader is answered, it is kept which read got which part
 * of which write; the kernel takes the answer to the reader before the one to the writer. So if that read comes again,
 * its write comes again too, and the part is answered anew; and a write that comes again goes on behind what was taken.
 * For this everything that comes again is gathered before anything is answered (`settled`).
 */
import { SystemError } from '../../protocol/errno.ts';
import { bool, type Infer, record, u8, u16, u32, u53 } from '../../protocol/schema.ts';
import type { Deferred } from '../lib/index.ts';
import { badgeKind, badgeOf, restOf } from './badges.ts';

/** Pipes at the same time. */
export const MAX_PIPES = 256;

/** Reads, and writes, that may wait at one pipe. */
export const MAX_WAITING = 64;
/** Of all pipes together: each request that waits takes a capability, of which a task has so many and no more. */
export const MAX_ALL_WAITING = 4096;

/** The two ends. */
export type PipeEnd = 'reader' | 'writer';

/** What tells requests apart: who sent it, and its number there. */
interface RequestNumber {
  readonly sender: number;
  readonly sequence: number;
}

/**
 * What is kept of a pipe: which ends are open; of the write being taken, its number and the bytes taken so far; of the
 * read answered last, its number and where its part began (it ended at `taken`).
 */
const kept = record({
  slot: u8,
  generation: u16,
  reader: bool,
  writer: bool,
  write: record({ sender: u32, sequence: u53 }),
  read: record({ sender: u32, sequence: u53 }),
  from: u32,
  taken: u32,
});
type Kept = Infer<typeof kept>;

interface Read extends RequestNumber {
  readonly count: number;
  readonly deferred: Deferred<Uint8Array>;
}

interface Write extends RequestNumber {
  readonly data: Uint8Array;
  taken: number;
  readonly deferred: Deferred<number>;
}

interface Pipe {
  readonly state: Kept;
  readonly reads: Read[];
  readonly writes: Write[];
}

/** What pipes need of the world. */
export interface PipeEffects {
  /** Keeps the state of a pipe. */
  save(slot: number, state: unknown): void;
  /** Forgets it. */
  forget(slot: number): void;
  /** Whether a task that asked for something still lives. What is answered to a dead one is lost. */
  waits(pid: number): boolean;
}

const NOBODY: RequestNumber = { sender: 0, sequence: 0 };
const GENERATIONS = 2 ** 15;
const END = new Uint8Array(0);

const unread = (): SystemError => new SystemError('EPIPE', 'nobody reads');

const same = (a: RequestNumber, b: RequestNumber): boolean => a.sender === b.sender && a.sequence === b.sequence;

/** See the head of this file. */
export class Pipes {
  private readonly effects: PipeEffects;
  private readonly pipes = new Map<number, Pipe>();
  private generation = 0;
  private isSettled = false;

  constructor(effects: PipeEffects) {
    this.effects = effects;
  }

  get size(): number {
    return this.pipes.size;
  }

  /** Badges of all ends that are open. */
  get badges(): number[] {
    return [...this.pipes.values()].flatMap((pipe) =>
      (['reader', 'writer'] as const).filter((end) => pipe.state[end]).map((end) => badge(pipe, end)),
    );
  }

  /** Takes up a pipe of an earlier incarnation. Throws SystemError EINVAL. */
  restore(state: unknown): void {
    const pipe = { state: kept.fromWire(state, []), reads: [], writes: [] };
    this.pipes.set(pipe.state.slot, pipe);
    this.generation = Math.max(this.generation, pipe.state.generation);
  }

  /** Everything that comes again has come. */
  settled(): void {
    this.isSettled = true;
    for (const pipe of [...this.pipes.values()]) {
      goOn(pipe);
      this.serve(pipe);
    }
  }

  /**
   * Makes a pipe; answers the badges of its ends. `mint` makes the rights, before anything is kept: a right that is
   * lost then is told as gone. EAGAIN.
   */
  create<R>(mint: (badge: number) => R): { reader: R; writer: R } {
    let slot = 0;
    while (this.pipes.has(slot)) slot++;
    if (slot >= MAX_PIPES) throw new SystemError('EAGAIN', `there are ${MAX_PIPES} pipes already`);
    this.generation = (this.generation + 1) % GENERATIONS;
    const open = { slot, generation: this.generation, reader: true, writer: true };
    const pipe: Pipe = { state: { ...open, write: NOBODY, read: NOBODY, from: 0, taken: 0 }, reads: [], writes: [] };
    const ends = { reader: mint(badge(pipe, 'reader')), writer: mint(badge(pipe, 'writer')) };
    this.save(pipe);
    this.pipes.set(slot, pipe);
    return ends;
  }

  /** Which end of which pipe a badge stands for: for attributes. Throws EBADF. */
  describe(given: number): { slot: number; end: PipeEnd } {
    const { pipe, end } = this.find(given);
    return { slot: pipe.state.slot, end };
  }

  /** Waits for data; nothing is the end: nobody writes any more. Throws EBADF: not the reader's end; EAGAIN. */
  read(given: number, count: number, request: RequestNumber, deferred: Deferred<Uint8Array>): void {
    const { pipe, end } = this.find(given);
    if (end !== 'reader') throw new SystemError('EBADF', "this is the writer's end of a pipe");
    if (count === 0) {
      deferred.reply(END);
      return;
    }
    this.refuseCrowd(pipe.reads.length);
    pipe.reads.push({ sender: request.sender, sequence: request.sequence, count, deferred });
    this.serve(pipe);
  }

  /**
   * Waits until readers have taken all data; answers its length. Throws EBADF: not the writer's end; EPIPE: nobody
   * reads; EAGAIN.
   */
  write(given: number, data: Uint8Array, request: RequestNumber, deferred: Deferred<number>): void {
    const { pipe, end } = this.find(given);
    if (end !== 'writer') throw new SystemError('EBADF', "this is the reader's end of a pipe");
    if (data.length === 0) {
      deferred.reply(0);
      return;
    }
    this.refuseCrowd(pipe.writes.length);
    pipe.writes.push({ sender: request.sender, sequence: request.sequence, data, taken: 0, deferred });
    this.serve(pipe);
  }

  /** EAGAIN: too many wait, `here` or in all. */
  private refuseCrowd(here: number): void {
    let all = 0;
    for (const { reads, writes } of this.pipes.values()) all += reads.length + writes.length;
    if (here >= MAX_WAITING || all >= MAX_ALL_WAITING) throw new SystemError('EAGAIN', 'too many requests wait');
  }

  /** Nobody has the right with this badge any more. One that stands for nothing is none of ours any more. */
  noSenders(given: number): void {
    const found = this.lookup(given);
    if (found === undefined) return;
    const { pipe, end } = found;
    const { state, reads, writes } = pipe;
    state[end] = false;
    if (end === 'reader') for (const read of reads.splice(0)) read.deferred.reply(END);
    if (state.reader || state.writer) {
      this.save(pipe);
      this.serve(pipe);
      return;
    }
    this.effects.forget(state.slot);
    this.pipes.delete(state.slot);
    for (const write of writes.splice(0)) write.deferred.fail(unread());
  }

  private lookup(given: number): { pipe: Pipe; end: PipeEnd } | undefined {
    const pipe = this.pipes.get((restOf(given) >>> 1) & (MAX_PIPES - 1));
    const end = (given & 1) === 0 ? 'reader' : 'writer';
    return pipe !== undefined && badge(pipe, end) === given && pipe.state[end] ? { pipe, end } : undefined;
  }

  private find(given: number): { pipe: Pipe; end: PipeEnd } {
    const found = this.lookup(given);
    if (found === undefined) throw new SystemError('EBADF', 'not a pipe');
    return found;
  }

  private save({ state }: Pipe): void {
    this.effects.save(state.slot, kept.toWire(state, []));
  }

  /** Gives data to readers as long as there are both. */
  private serve(pipe: Pipe): void {
    if (!this.isSettled) return;
    const { state, reads, writes } = pipe;
    if (!state.reader) for (const write of writes.splice(0)) write.deferred.fail(unread());
    for (
      let write = writes[0], read = reads[0];
      write !== undefined && read !== undefined;
      write = writes[0], read = reads[0]
    ) {
      reads.shift();
      if (this.effects.waits(read.sender)) this.give(pipe, write, read);
      else read.deferred.reply(END);
    }
    if (!state.writer && writes.length === 0) for (const read of reads.splice(0)) read.deferred.reply(END);
  }

  private give(pipe: Pipe, write: Write, read: Read): void {
    const from = write.taken;
    write.taken = Math.min(write.data.length, from + read.count);
    const { sender, sequence } = write;
    Object.assign(pipe.state, { write: { sender, sequence }, from, taken: write.taken });
    pipe.state.read = { sender: read.sender, sequence: read.sequence };
    this.save(pipe);
    read.deferred.reply(write.data.subarray(from, write.taken));
    finish(pipe, write);
  }
}

/** The badge of one end. */
function badge({ state: { slot, generation } }: Pipe, end: PipeEnd): number {
  return badgeOf(badgeKind.PIPE, generation * 2 * MAX_PIPES + slot * 2 + (end === 'reader' ? 0 : 1));
}

/** Answers a write whose data has been taken. */
function finish({ writes }: Pipe, write: Write): void {
  if (write.taken < write.data.length) return;
  writes.splice(writes.indexOf(write), 1);
  write.deferred.reply(write.data.length);
}

/** Goes on where the last incarnation died, with the reads and writes that have come again. */
function goOn(pipe: Pipe): void {
  const { state, reads, writes } = pipe;
  const write = writes.find((candidate) => same(candidate, state.write));
  // Without it nobody can have got the part: its writer has died, and the read is as good as new.
  if (write === undefined) return;
  write.taken = Math.min(state.taken, write.data.length);
  const read = reads.find((candidate) => same(candidate, state.read));
  if (read !== undefined) {
    reads.splice(reads.indexOf(read), 1);
    read.deferred.reply(write.data.subarray(state.from, write.taken));
  }
  finish(pipe, write);
}
