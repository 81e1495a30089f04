/**
 * One NE2000 that runs: starts it, takes frames out of its ring, sends, and gets it going again when it has come to a
 * halt. Every wait is bounded.
 *
 * Read: DP8390D data sheet, 10.3 ("initialization sequence"), chapter 7 (packet reception, "buffer ring overflow"),
 * chapter 8 (packet transmission).
 *
 * BNRY is one page behind what has been read, so that it never meets CURR but in a full ring. Whatever is taken out of
 * the card, or sent, is known to the recovery store in the same step (KEEP), under the number of the request that it is
 * for: so a request that comes again to the next incarnation is not carried out twice.
 */
import type { Reply } from '../../protocol/interface.ts';
import {
  batchOf,
  type FrameBatch,
  frameCount,
  frameLength,
  framesOf,
  MAX_RECEIVED_BYTES,
  MAX_RECEIVED_FRAMES,
} from '../../protocol/net.ts';
import { type Handle, type net, SystemError } from '../lib/index.ts';
import { drainOperations, isHeldUp, MAX_STRETCHES, pageBehind, pageOperations } from './drain.ts';
import { type Filter, multicastRegisters, NO_FILTER, receiveRegister } from './filter.ts';
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
  RSR,
  RUNNING,
  RUNNING_PAGE_1,
  receiveStatus,
  STOPPED,
  TCR,
  transmitStatus,
} from './registers.ts';
import { TakenFrames } from './ring.ts';
import { dataRegister, type Ring } from './running.ts';
import { transmitOutcome, transmitVector } from './transmit.ts';

/** What `statistics` answers. */
export type Statistics = Reply<typeof net.methods.statistics>;

/**
 * Keys of what the last vectors that took and sent frames gave: [number of the request, end, results]. A request may
 * take several times.
 */
export const takenKey = (part: number): string => `taken.${part}`;
export const SENT_KEY = 'sent';

/** Vectors with which one request takes frames. */
export const MAX_PARTS = MAX_STRETCHES;

/** A frame on the wire takes at most this long, and so does the controller to stop (data sheet: 1.6 ms). */
const STOP_MILLISECONDS = 2;
const RESET_MICROSECONDS = 10_000;
/** Times that one request looks at the ring when what it finds is of no use. */
const MAX_ROUNDS = 4;
const MAX_TRIES = 2;

const { CNT, OVW, PTX, TXE, RST } = interrupt;
const { PRX, CRC, FAE, FO, MPA } = receiveStatus;

/** Where the vector of `atInterrupt` ends when the ring is not as expected, and its result is CURR. */
const CURRENT_CHECK = 6;

/**
 * What the store has of a vector, and the number that it is kept under: that of the request, or, of a vector for the
 * interrupt, that of its arming.
 */
export interface KeptVector extends VectorResult {
  readonly tag: number;
}

/** A request for frames: its number, and the right to answer it. */
export interface TheRequest {
  readonly number: number;
  readonly reply: Handle;
}

/** The page that the vector of `atInterrupt` has answered a request with; null: it has come to nothing. */
function answeredPage({ ended, results }: VectorResult): Uint8Array | null {
  const [page] = results;
  return ended === -1 && results.length === 1 && page instanceof Uint8Array ? page : null;
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
  private readonly taken: () => KeptVector | null;
  private readonly log: Log;
  private filter: Filter = NO_FILTER;
  /** The first page that has not been read. */
  private next = pageAfter(RING_START);
  /** What BNRY is to be from the next look on: the page behind it has been read. */
  private boundaryWanted: number | null = null;
  /** Vectors of `atInterrupt` that were armed, also by earlier incarnations: each is kept under a number of its own. */
  private armings = 0;
  /** The one that is there for the next interrupt. */
  private armed: number | null = null;
  /** The last one has answered its request. */
  private answered = false;
  /** The card has been reset: an interrupt from before may still come, and has nothing to read. */
  private wasReset = false;
  /**
   * When the ring was so full that the cable was held up, and what has come since it was emptied is not what was
   * expected: CURR.
   */
  private behind: number | null = null;

  /** `taken`: what the store has of the vector that has taken frames last. */
  constructor(hardware: Hardware, identity: Identity, taken: () => KeptVector | null, log: Log) {
    this.hardware = hardware;
    this.identity = identity;
    this.taken = taken;
    this.log = log;
    const last = taken();
    if (last !== null && answeredPage(last) !== null) this.armings = last.tag;
  }

  /** Starts the card, which is stopped, with an empty ring. */
  start(filter: Filter): void {
    this.foundAnswered();
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
    this.behind = null;
    this.writeFilter(vector).write(CURR, this.next).write(CR, RUNNING).write(TCR, 0);
    // What is armed was meant for another ring.
    if (this.armed !== null) vector.acknowledge();
    this.armed = null;
    this.run(vector);
  }

  /** Goes on with a card that runs. */
  resume(filter: Filter, { boundary, current }: Ring): void {
    this.filter = filter;
    this.next = pageAfter(boundary);
    const taken = this.taken();
    const page = taken === null ? null : answeredPage(taken);
    if (page !== null && current !== this.next && this.holds(page)) this.skip();
  }

  /** Whether the first page is still this one. If the card was started anew since, it is another one. */
  private holds(page: Uint8Array): boolean {
    const { results } = this.run(new PortVector().packed(pageOperations(this.next, this.identity.words)));
    return results[0] instanceof Uint8Array && Buffer.compare(results[0], page) === 0;
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
   * All frames that are in the ring, for the request with this number, and those that come into it at once because the
   * cable was held up. The line stays masked as long as there are some: only when this answers none does the next frame
   * interrupt.
   */
  take(request: TheRequest): TakenFrames {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const taken = new TakenFrames();
      const current = this.look(request);
      if (current === null) return taken;
      if (current === 'overflow') this.recover(request.number, 0, taken);
      else this.drain(current, request.number, 0, taken);
      this.takeRest(request.number, taken);
      if (taken.count > 0) return taken;
    }
    this.restart('nothing it has received is of use');
    this.run(new PortVector().acknowledge());
    return new TakenFrames();
  }

  /**
   * The same after an interrupt whose vector, that of `atInterrupt`, has answered nothing. `vector`: what it has given.
   * If it has found more than a page, it says how much.
   */
  takeInterrupted(vector: VectorResult | null, request: TheRequest): TakenFrames {
    const { armed } = this;
    this.armed = null;
    // What comes of an earlier incarnation, or from before a reset, says nothing about this ring.
    if (armed === null || vector?.ended !== CURRENT_CHECK) return this.take(request);
    const taken = new TakenFrames();
    this.drain(Number(vector.results[0]), request.number, 0, taken);
    this.takeRest(request.number, taken);
    return taken.count > 0 ? taken : this.take(request);
  }

  /**
   * For the next interrupt: what comes into an empty ring is mostly one frame in one page, so the vector looks at the
   * ring, and answers the request with this page. BNRY moves with the next look.
   */
  private atInterrupt({ reply }: TheRequest): PortVector {
    return new PortVector()
      .keep(takenKey(0), ++this.armings)
      .write(CR, RUNNING)
      .check(ISR, OVW | CNT, 0)
      .check(RSR, PRX | CRC | FAE | FO | MPA, PRX)
      .write(ISR, 0xff & ~OVW)
      .write(CR, RUNNING_PAGE_1)
      .check(CURR, 0xff, pageAfter(this.next))
      .packed(pageOperations(this.next, this.identity.words))
      .answer(reply);
  }

  /** Whether the request that was last taken for has been answered by the vector of `atInterrupt`. */
  hasAnswered(): boolean {
    this.foundAnswered();
    return this.answered;
  }

  /** Whether the vector of `atInterrupt` has answered the request that it was for: the page is taken then. */
  private foundAnswered(): boolean {
    const { armed, next } = this;
    const taken = armed === null ? null : this.taken();
    const page = taken?.tag === armed && taken !== null ? answeredPage(taken) : null;
    if (page === null) return false;
    this.armed = null;
    this.answered = true;
    this.counts.interrupts++;
    this.skip();
    this.received(pageBefore(next), [page], new TakenFrames());
    return true;
  }

  /** Takes what has come while the ring was emptied, as far as that is another amount than it was. */
  private takeRest(request: number, taken: TakenFrames): void {
    for (let part = 1; this.behind !== null && part < MAX_PARTS; part++) {
      const current = this.behind;
      this.behind = null;
      if (taken.stretches.length < MAX_STRETCHES) this.drain(current, request, part, taken);
    }
    this.behind = null;
  }

  /**
   * Reads and clears the interrupt status, but for OVW. Answers CURR, or null when the ring is empty: then the line may
   * interrupt, for `request`.
   */
  private look(request: TheRequest): number | null | 'overflow' {
    const vector = new PortVector().write(CR, RUNNING);
    if (this.boundaryWanted !== null) vector.write(BNRY, this.boundaryWanted);
    this.boundaryWanted = null;
    vector.read(ISR).write(ISR, 0xff & ~OVW);
    // As long as an overflow has to be dealt with the line stays masked: a frame may come while that is done.
    vector.check(ISR, OVW, 0);
    // CURR twice: when it is not as expected there is a third result, and so that end is told from the other.
    vector.write(CR, RUNNING_PAGE_1).read(CURR).check(CURR, 0xff, this.next);
    const arms = !this.wasReset;
    if (arms) vector.onInterrupt(this.atInterrupt(request));
    else vector.acknowledge();
    const { ended, results } = this.run(vector);
    // The vector for the interrupt may have answered an earlier request since this one has come.
    if (ended !== -1 && this.foundAnswered()) return this.look(request);
    const [status = 0, , current = null] = results.map(Number);
    this.wasReset &&= ended !== -1;
    this.armed = arms && ended === -1 ? this.armings : null;
    this.answered = false;
    if ((status & CNT) !== 0) this.readCounters();
    return ended !== -1 && current === null ? 'overflow' : current;
  }

  /** Takes what lies before page `current`, and, if the cable was held up, what comes in its place. */
  private drain(current: number, request: number, part: number, taken: TakenFrames): void {
    if (!inRing(current)) {
      this.restart(`the current page is ${current}`);
      return;
    }
    const pages = pagesBetween(this.next, current);
    if (pages === 0) return;
    const most = isHeldUp(pages) ? MAX_STRETCHES - taken.stretches.length : 1;
    const operations = drainOperations(this.next, pages, most, this.identity.words);
    const { ended, results } = this.run(new PortVector().keep(takenKey(part), request).packed(operations));
    const stretches = results.filter((result) => result instanceof Uint8Array);
    this.next = pageBehind(this.next, pages * stretches.length);
    const behind = ended === -1 ? this.next : Number(results.at(-1));
    this.behind = behind === this.next ? null : behind;
    this.received(Number(results[0]), stretches, taken);
  }

  /** Adds the frames of what a vector has taken: BNRY before it, and the pages. */
  private received(boundary: number, stretches: readonly Uint8Array[], taken: TakenFrames): void {
    const corrupt = this.add(boundary, stretches, taken);
    if (corrupt !== null) this.restart(corrupt);
  }

  /** The same; answers why the rest cannot be believed, or null. */
  private add(boundary: number, stretches: readonly Uint8Array[], taken: TakenFrames): string | null {
    const [count, bytes, errors] = [taken.count, taken.bytes, taken.errors];
    let page = pageAfter(boundary);
    let corrupt: string | null = null;
    for (const stretch of stretches) {
      corrupt ??= taken.add(stretch, page);
      page = pageBehind(page, stretch.length / PAGE_BYTES);
    }
    this.counts.framesReceived += taken.count - count;
    this.counts.bytesReceived += taken.bytes - bytes;
    this.counts.receiveErrors += taken.errors - errors + (corrupt === null ? 0 : 1);
    return corrupt;
  }

  /**
   * Adds the frames that an earlier incarnation has taken and not handed out. `results`: as the store has them. The
   * ring goes on behind them, whatever they are.
   */
  takenBefore(results: readonly unknown[], taken: TakenFrames): void {
    const [boundary, first] = results;
    if (typeof boundary !== 'number' || !inRing(boundary) || !(first instanceof Uint8Array)) return;
    const stretches = results.filter((result) => result instanceof Uint8Array);
    const whole = stretches.every(({ length }) => length % PAGE_BYTES === 0);
    if (whole && taken.stretches.length + stretches.length <= MAX_STRETCHES) this.add(boundary, stretches, taken);
  }

  /**
   * Data sheet, chapter 7, "buffer ring overflow": the steps that it numbers 1 to 11. A transmission that was cut off
   * is made again. Adds what was in the ring.
   */
  private recover(request: number, part: number, taken: TakenFrames): void {
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
    this.drain(current, request, part, taken);
    const end = new PortVector().write(CR, RUNNING).write(ISR, OVW).write(TCR, 0);
    if (resend) end.write(CR, RUNNING | command.TXP);
    this.run(end);
    this.readCounters();
  }

  /** Adds the card's tally counters, which reading clears: alignment errors, check sequence errors, missed frames. */
  readCounters(): void {
    const { results } = this.run(new PortVector().write(CR, RUNNING).read(CNTR0).read(CNTR1).read(CNTR2));
    const [alignment = 0, check = 0, missed = 0] = results.map(Number);
    this.counts.receiveErrors += alignment + check;
    this.counts.missed += missed;
  }

  /** Sends frames, for the request with this number. Throws SystemError EIO: the card does not send. */
  transmit(batch: FrameBatch, request: number): void {
    let rest = batch;
    for (let halts = 0; ; ) {
      const result = this.hardware.vector(transmitVector(rest, SENT_KEY, request, this.identity.words));
      const { sent, failed } = transmitOutcome(result, frameCount(rest));
      const sound = result.ended === -1;
      if (sound || failed) this.link = (Number(result.results[0]) & transmitStatus.CRS) === 0;
      this.countSent(rest, sent);
      if (sound) return;
      this.counts.transmitErrors++;
      if (!failed) {
        this.restart('a frame does not go out');
        if (++halts === MAX_TRIES) throw new SystemError('EIO', 'the card does not send');
      }
      rest = batchOf(framesOf(rest).slice(failed ? sent + 1 : sent));
      if (rest.lengths.length === 0) return;
    }
  }

  private countSent(batch: FrameBatch, sent: number): void {
    this.counts.framesSent += sent;
    if (sent === frameCount(batch)) this.counts.bytesSent += batch.bytes.length;
    else for (let index = 0; index < sent; index++) this.counts.bytesSent += frameLength(batch, index);
  }
}

/** An answer holds everything that a request takes. */
if (MAX_RECEIVED_FRAMES < MAX_STRETCHES * RING_PAGES || MAX_RECEIVED_BYTES < MAX_STRETCHES * RING_PAGES * PAGE_BYTES)
  throw new Error('a request takes more than an answer holds');
