/**
 * One NE2000 that runs: starts it, takes frames out of its ring, sends, and gets it going again when it has come to a halt. Every wait is bounded.
 *
 * Read: DP8390D data sheet, 10.3 ("initialization sequence"), chapter 7 (packet reception, "buffer ring overflow"), chapter 8 (packet transmission).
 *
 * BNRY is one page behind what has been read, so that it never meets CURR but in a full ring. Whatever is taken out of the card, or sent, is known to the recovery store in the same
 * step (KEEP), under the number of the request that it is for: so a request that comes again to the next incarnation is not carried out twice.
 */
import type { Reply } from '../../protocol/interface.ts';
import { MAX_RECEIVED_FRAMES } from '../../protocol/net.ts';
import { type net, SystemError } from '../lib/index.ts';
import { FILTER_BYTES, type Filter, multicastRegisters, NO_FILTER, receiveRegister } from './filter.ts';
import type { Hardware, Log, VectorResult } from './hardware.ts';
import { PortVector } from './port-vector.ts';
import type { Identity } from './probe.ts';
import {
  BNRY,
  CNTR0,
  CNTR1,
  CNTR2,
  CR,
  CURR,
  command,
  DCR,
  dataConfiguration,
  IMR,
  INTERRUPTS,
  ISR,
  inRing,
  interrupt,
  LOOPBACK,
  MAR0,
  PAGE_BYTES,
  PAR0,
  PSTART,
  PSTOP,
  pageAfter,
  pageBefore,
  pagesBetween,
  RBCR0,
  RBCR1,
  RCR,
  RESET,
  RING_PAGES,
  RING_START,
  RING_STOP,
  RUNNING,
  RUNNING_PAGE_1,
  STOPPED,
  TCR,
  transmitStatus,
} from './registers.ts';
import { parseRing } from './ring.ts';
import { statusesOf, transmitVector } from './transmit.ts';

/** What `statistics` answers. */
export type Statistics = Reply<typeof net.methods.statistics>;

/** Keys of what the last vectors that took and sent frames gave: [number of the request, end, results]. A request may take several times. */
export const takenKey = (part: number): string => `taken.${part}`;
export const SENT_KEY = 'sent';

/** Times that one request takes frames. */
export const MAX_PARTS = 8;

/** With so many pages used there was no room for a frame of any size, so more frames wait in the cable. */
const HELD_UP_PAGES = RING_PAGES - 6;

/** A frame on the wire takes at most this long, and so does the controller to stop (data sheet: 1.6 ms). */
const STOP_MILLISECONDS = 2;
const RESET_MICROSECONDS = 10_000;
/** Times that one request looks at the ring when what it finds is of no use. */
const MAX_ROUNDS = 4;
const MAX_TRIES = 2;

const { CNT, OVW, PTX, TXE, RST } = interrupt;

/** Where a ring begins and ends that has not been read: BNRY and CURR. */
export interface Ring {
  readonly boundary: number;
  readonly current: number;
}

/**
 * Looks whether a card runs as this driver starts it, and has not been touched otherwise. Answers its ring; null: not so. The bits that the data sheet leaves open on page 2 read as
 * ones.
 */
export function runningRing(hardware: Hardware, { address, words }: Identity, filter: Filter): Ring | null {
  const vector = new PortVector()
    .check(CR, command.STP | command.STA | command.TXP, command.STA)
    .write(CR, RUNNING | command.PAGE_2)
    .read(PSTART)
    .read(PSTOP)
    .read(RCR)
    .read(TCR)
    .read(DCR)
    .read(IMR)
    .write(CR, RUNNING_PAGE_1)
    .read(CURR);
  const bytes = [...address, ...multicastRegisters(filter)];
  for (const index of address.keys()) vector.read(PAR0 + index);
  for (let index = 0; index < FILTER_BYTES; index++) vector.read(MAR0 + index);
  const { ended, results } = hardware.vector(vector.write(CR, RUNNING).read(BNRY).operations);
  const [start, stop, receive = 0, transmit = 0, data = 0, mask = 0, current = 0, ...rest] = results.map(Number);
  const boundary = rest.pop() ?? 0;
  const ours = start === RING_START && stop === RING_STOP && (data & 0x7f) === dataRegister(words);
  const quiet = (transmit & 0x1f) === 0 && (mask & 0x7f) === INTERRUPTS;
  const filtered = (receive & 0x3f) === receiveRegister(filter) && rest.every((byte, index) => byte === bytes[index]);
  const known = ended === -1 && ours && quiet && filtered && inRing(current) && inRing(boundary);
  return known ? { boundary, current } : null;
}

/**
 * What the vector of `takeInterrupted` has found, if it was the only frame, with BNRY before it. Its results are the interrupt status, CURR, BNRY and a page; what it has read is taken, though
 * BNRY moves later. Null: it was something else, and nothing is taken.
 */
function onlyFrame(results: readonly unknown[]): { boundary: number; page: Uint8Array } | null {
  const [status, current, boundary, page] = results;
  if (results.length !== 4 || !(page instanceof Uint8Array)) return null;
  const [state, before, behind] = [Number(status), Number(boundary), Number(current)];
  if ((state & OVW) !== 0 || !inRing(before) || behind !== pageAfter(pageAfter(before))) return null;
  return { boundary: before, page };
}

function dataRegister(words: boolean): number {
  const { WORDS, NORMAL, THRESHOLD } = dataConfiguration;
  return NORMAL | THRESHOLD | (words ? WORDS : 0);
}

/** See the head of this file. */
export class Card {
  readonly identity: Identity;
  /** Somebody is at the other end of the cable, as far as the last frame has told. */
  link = true;
  readonly counts: Statistics = {
    ...{ framesReceived: 0, bytesReceived: 0, framesSent: 0, bytesSent: 0, interrupts: 0 },
    ...{ receiveErrors: 0, missed: 0, transmitErrors: 0, overflows: 0, resets: 0 },
  };
  private readonly hardware: Hardware;
  private readonly log: Log;
  private filter: Filter = NO_FILTER;
  /** The first page that has not been read. */
  private next = pageAfter(RING_START);
  /** What BNRY is to be from the next look on: the page behind it has been read. */
  private boundaryWanted: number | null = null;
  /** A vector of `atInterrupt` is there for the next interrupt. */
  private armed = false;
  /** The card has been reset: an interrupt from before may still come, and has nothing to read. */
  private wasReset = false;
  /** The cable was held up, as far as the last look at the ring tells. */
  private heldUp = false;

  constructor(hardware: Hardware, identity: Identity, log: Log) {
    this.hardware = hardware;
    this.identity = identity;
    this.log = log;
  }

  /** Starts the card, which is stopped, with an empty ring. */
  start(filter: Filter): void {
    this.filter = filter;
    const vector = new PortVector()
      .write(CR, STOPPED)
      .write(DCR, dataRegister(this.identity.words))
      .write(RBCR0, 0)
      .write(RBCR1, 0)
      .write(RCR, receiveRegister(filter))
      .write(TCR, LOOPBACK)
      .write(PSTART, RING_START)
      .write(PSTOP, RING_STOP)
      .write(BNRY, RING_START)
      .write(ISR, 0xff)
      .write(IMR, INTERRUPTS)
      .write(CR, STOPPED | command.PAGE_1);
    for (const [index, byte] of this.identity.address.entries()) vector.write(PAR0 + index, byte);
    this.next = pageAfter(RING_START);
    this.boundaryWanted = null;
    this.armed = false;
    this.run(this.writeFilter(vector).write(CURR, this.next).write(CR, RUNNING).write(TCR, 0));
  }

  /** Goes on with a card that runs. `taken`: results of the vector that has taken frames last, as the store has them. */
  resume(filter: Filter, { boundary }: Ring, taken: readonly unknown[]): void {
    this.filter = filter;
    this.next = pageAfter(boundary);
    const only = onlyFrame(taken);
    if (only !== null && only.boundary === boundary) this.skip();
  }

  /** The first page has been read. */
  private skip(): void {
    this.boundaryWanted = this.next;
    this.next = pageAfter(this.next);
  }

  /** Nothing is received or sent any more, and nothing interrupts. */
  stop(): void {
    this.run(new PortVector().write(CR, STOPPED).write(IMR, 0));
  }

  /** Resets the card and starts it anew. What is in its memory is lost. */
  restart(why: string): void {
    this.counts.resets++;
    this.log(`the card is reset: ${why}`, 'warning');
    this.run(new PortVector().read(RESET).write(RESET, 0).poll(ISR, RST, RST, RESET_MICROSECONDS));
    this.start(this.filter);
    this.wasReset = true;
  }

  /** Changes which frames are taken. */
  setFilter(filter: Filter): void {
    this.filter = filter;
    const vector = new PortVector().write(CR, RUNNING_PAGE_1);
    this.run(this.writeFilter(vector).write(CR, RUNNING).write(RCR, receiveRegister(filter)));
  }

  private writeFilter(vector: PortVector): PortVector {
    for (const [index, byte] of multicastRegisters(this.filter).entries()) vector.write(MAR0 + index, byte);
    return vector;
  }

  private run(vector: PortVector): VectorResult {
    return this.hardware.vector(vector.operations);
  }

  /**
   * All frames that are in the ring, for the request with this number, and those that come into it at once because the cable was held up. The line stays masked as long as there are
   * some: only when this answers none does the next frame interrupt.
   */
  take(request: number): Uint8Array[] {
    return this.takeRest(request, this.takeFirst(request));
  }

  /**
   * The same after an interrupt. `vector`: what the vector of `atInterrupt` has given. Only when the frame that it has read is not all there is, the ring is looked at again.
   */
  takeInterrupted(vector: VectorResult | null, request: number): Uint8Array[] {
    const { armed } = this;
    this.armed = false;
    // What comes of an earlier incarnation, or from before a reset, says nothing about this ring.
    if (vector === null || !armed) return this.take(request);
    const { results } = vector;
    const [status = 0, current = 0, boundary = 0] = results.map(Number);
    if ((status & CNT) !== 0) this.readCounters();
    // The ring has been read since.
    if (boundary !== pageBefore(this.next)) return this.take(request);
    const only = onlyFrame(results);
    if (only !== null) {
      this.skip();
      const frames = this.received(only.boundary, only.page);
      return frames.length > 0 ? frames : this.take(request);
    }
    if ((status & OVW) !== 0 || current === this.next) return this.take(request);
    const frames = this.drain(current, request, 0);
    return frames.length > 0 ? this.takeRest(request, frames) : this.take(request);
  }

  /** For the next interrupt: what comes into an empty ring is mostly one frame in one page, so the vector looks at the ring and reads that page. */
  private atInterrupt(request: number): PortVector {
    return new PortVector()
      .keep(takenKey(0), request)
      .write(CR, RUNNING)
      .read(ISR)
      .write(ISR, 0xff & ~OVW)
      .write(CR, RUNNING_PAGE_1)
      .read(CURR)
      .write(CR, RUNNING)
      .read(BNRY)
      .readMemory(this.next * PAGE_BYTES, PAGE_BYTES, this.identity.words);
  }

  private takeRest(request: number, frames: Uint8Array[]): Uint8Array[] {
    for (let part = 1; this.heldUp && part < MAX_PARTS && frames.length + RING_PAGES <= MAX_RECEIVED_FRAMES; part++) {
      this.heldUp = false;
      const { overflow, current } = this.look(null);
      if (overflow) frames.push(...this.recover(request, part));
      else if (current !== null) frames.push(...this.drain(current, request, part));
    }
    this.heldUp = false;
    return frames;
  }

  private takeFirst(request: number): Uint8Array[] {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const { overflow, current } = this.look(request);
      if (!overflow && current === null) return [];
      const frames = overflow || current === null ? this.recover(request, 0) : this.drain(current, request, 0);
      if (frames.length > 0) return frames;
    }
    this.restart('nothing it has received is of use');
    this.run(new PortVector().acknowledge());
    return [];
  }

  /** Reads and clears the interrupt status, but for OVW. Answers CURR, or null when the ring is empty: then the line may interrupt, for `request` if that is not null. */
  private look(request: number | null): { overflow: boolean; current: number | null } {
    const vector = new PortVector().write(CR, RUNNING);
    if (this.boundaryWanted !== null) vector.write(BNRY, this.boundaryWanted);
    this.boundaryWanted = null;
    vector
      .read(ISR)
      .write(ISR, 0xff & ~OVW)
      .write(CR, RUNNING_PAGE_1)
      .check(CURR, 0xff, this.next);
    const arms = request !== null && !this.wasReset;
    if (arms) vector.onInterrupt(this.atInterrupt(request));
    else if (request !== null) vector.acknowledge();
    this.wasReset = false;
    const { ended, results } = this.run(vector);
    this.armed = arms && ended === -1;
    const [status = 0, current = 0] = results.map(Number);
    if ((status & CNT) !== 0) this.readCounters();
    return { overflow: (status & OVW) !== 0, current: ended === -1 ? null : current };
  }

  /** Takes what lies before page `current`. */
  private drain(current: number, request: number, part: number): Uint8Array[] {
    if (!inRing(current)) {
      this.restart(`the current page is ${current}`);
      return [];
    }
    const first = this.next;
    const pages = pagesBetween(first, current);
    if (pages === 0) return [];
    this.heldUp = pages > HELD_UP_PAGES;
    const vector = new PortVector()
      .keep(takenKey(part), request)
      .write(CR, RUNNING)
      .read(BNRY)
      .readMemory(first * PAGE_BYTES, pages * PAGE_BYTES, this.identity.words)
      .write(BNRY, pageBefore(current));
    const { results } = this.run(vector);
    this.next = current;
    return this.received(Number(results[0]), results[1]);
  }

  /** The frames of a vector that has taken some: BNRY before, and the pages. */
  private received(boundary: number, stretch: unknown): Uint8Array[] {
    if (!(stretch instanceof Uint8Array)) return [];
    const { frames, errors, corrupt } = parseRing(stretch, pageAfter(boundary));
    this.counts.receiveErrors += errors;
    if (corrupt !== null) {
      this.counts.receiveErrors++;
      this.restart(corrupt);
    }
    this.counts.framesReceived += frames.length;
    for (const { length } of frames) this.counts.bytesReceived += length;
    return frames;
  }

  /** The frames that an earlier incarnation has taken and not handed out. `results`: as the store has them. */
  takenBefore(results: readonly unknown[]): Uint8Array[] {
    const only = onlyFrame(results);
    if (only !== null) return this.received(only.boundary, only.page);
    return results.length === 2 && inRing(Number(results[0])) ? this.received(Number(results[0]), results[1]) : [];
  }

  /**
   * Data sheet, chapter 7, "buffer ring overflow": the steps that it numbers 1 to 11. A transmission that was cut off is made again. Answers what was in the ring.
   */
  private recover(request: number, part: number): Uint8Array[] {
    this.counts.overflows++;
    const [state] = this.run(new PortVector().write(CR, RUNNING).read(CR).write(CR, STOPPED)).results;
    this.hardware.pause(STOP_MILLISECONDS);
    const { results } = this.run(
      new PortVector()
        .write(RBCR0, 0)
        .write(RBCR1, 0)
        .read(ISR)
        .write(TCR, LOOPBACK)
        .write(CR, RUNNING_PAGE_1)
        .read(CURR),
    );
    const [status = 0, current = 0] = results.map(Number);
    const resend = (Number(state) & command.TXP) !== 0 && (status & (PTX | TXE)) === 0;
    const frames = this.drain(current, request, part);
    const end = new PortVector().write(CR, RUNNING).write(ISR, OVW).write(TCR, 0);
    if (resend) end.write(CR, RUNNING | command.TXP);
    this.run(end);
    this.readCounters();
    return frames;
  }

  /** Adds the card's tally counters, which reading clears: alignment errors, check sequence errors, missed frames. */
  readCounters(): void {
    const { results } = this.run(new PortVector().write(CR, RUNNING).read(CNTR0).read(CNTR1).read(CNTR2));
    const [alignment = 0, check = 0, missed = 0] = results.map(Number);
    this.counts.receiveErrors += alignment + check;
    this.counts.missed += missed;
  }

  /** Sends frames, for the request with this number. Throws SystemError EIO: the card does not send. */
  transmit(frames: readonly Uint8Array[], request: number): void {
    let rest = frames;
    for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
      const { ended, results } = this.run(transmitVector(rest, SENT_KEY, request, this.identity.words));
      const statuses = statusesOf(results, rest.length);
      this.count(rest, statuses);
      if (ended === -1) return;
      this.counts.transmitErrors++;
      this.restart('a frame does not go out');
      rest = rest.slice(statuses.length);
    }
    throw new SystemError('EIO', 'the card does not send');
  }

  private count(frames: readonly Uint8Array[], statuses: readonly number[]): void {
    for (const [index, status] of statuses.entries()) {
      this.link = (status & transmitStatus.CRS) === 0;
      if ((status & transmitStatus.PTX) === 0) this.counts.transmitErrors++;
      else {
        this.counts.framesSent++;
        this.counts.bytesSent += frames[index]?.length ?? 0;
      }
    }
  }
}

/** An answer holds a whole ring of the shortest frames. */
if (MAX_RECEIVED_FRAMES < RING_PAGES) throw new Error('a ring holds more frames than an answer');
