/**
 * What a standby of the driver rehearses (services/lib/rehearsal.ts): it takes over a card that runs, is asked for
 * frames, is interrupted, and sends, as in transfers of much data in either direction and in the exchange of single
 * frames.
 *
 * The card that is played has the registers and the ring that the driver looks at, and frames come into it as there is
 * room. It does not check anything: what a card is like is known to hw/ne2000.
 */
import { kernelNotices } from '../../protocol/kernel.ts';
import { batchOf, type FrameBatch, net } from '../../protocol/net.ts';
import { service } from '../../protocol/service.ts';
import { vectorOperation as operation, PACKED_HEAD_BYTES, packedOperandBytes } from '../../protocol/vector.ts';
import type { PlayedMessage, Rehearsal } from '../lib/index.ts';
import { SENT_KEY, takenKey } from './card.ts';
import { keptState, STATE_KEY } from './driver.ts';
import { NO_FILTER, receiveRegister } from './filter.ts';
import {
  BASE,
  BNRY,
  CR,
  CURR,
  command,
  DCR,
  dataConfiguration,
  IMR,
  INTERRUPTS,
  IRQ,
  ISR,
  interrupt,
  PAGE_BYTES,
  PAR0,
  PSTART,
  PSTOP,
  pageAfter,
  pagesBetween,
  RBCR0,
  RBCR1,
  RCR,
  RING_PAGES,
  RING_START,
  RING_STOP,
  RSAR1,
  RSR,
  RUNNING,
  receiveStatus,
  TSR,
  transmitStatus,
} from './registers.ts';

/** Turns of the play: the first is not like the others. */
const TURNS = 2;
const LONG = 1514;
const SHORT = 66;
const HEADER_BYTES = 4;
const CHECK_BYTES = 4;
const BADGE = 1;
const ADDRESS = Uint8Array.from([0x52, 0x54, 0, 0x12, 0x34, 0x56]);

type Operations = readonly unknown[];

/** A card in a vector's sight. */
class PlayedCard {
  /** What the next interrupt is to carry out, or null. */
  armed: Operations | null = null;
  /** Lengths of the frames that wait in the cable. */
  readonly waiting: number[] = [];
  private readonly memory = Buffer.alloc(RING_STOP * PAGE_BYTES);
  private readonly pages = [new Uint8Array(16), new Uint8Array(16)] as const;
  private current = pageAfter(RING_START);

  constructor() {
    this.set(PSTART, RING_START);
    this.set(PSTOP, RING_STOP);
    this.set(BNRY, RING_START);
    this.set(RCR, receiveRegister(NO_FILTER));
    this.set(DCR, dataConfiguration.WORDS | dataConfiguration.NORMAL | dataConfiguration.THRESHOLD);
    this.set(IMR, INTERRUPTS);
    this.set(CR, RUNNING);
    this.pages[1].set(ADDRESS, PAR0 - BASE);
  }

  /** What a vector for the next interrupt has kept. */
  kept: unknown;

  /** Has the card interrupt: what is armed is carried out. True: it has answered who waits. */
  interrupt(): { answered: boolean; vector: unknown } {
    const operations = this.armed ?? [];
    this.armed = null;
    const [ended, results] = this.vector(operations);
    this.kept = [operations[2], ended, results];
    return { answered: operations.length > 0 && ended === -1, vector: operations.length > 0 ? [ended, results] : null };
  }

  vector(operations: Operations): [number, unknown[]] {
    const results: unknown[] = [];
    let at = 0;
    let index = 0;
    const next = (): number => Number(operations[at++]);
    for (; at < operations.length; index++) {
      const code = next();
      if (code === operation.KEEP) at += 2;
      else if (code === operation.ACKNOWLEDGE || code === operation.ANSWER) at++;
      else if (code === operation.ON_INTERRUPT) {
        at++;
        this.armed = operations[at++] as Operations;
      } else if (code === operation.PACKED) {
        const packed = operations[at++] as Uint8Array;
        at++;
        const end = this.packed(packed, results);
        if (end !== -1) return [index + end, results];
      } else if (code === operation.READ8) results.push(this.read(next()));
      else if (code === operation.WRITE8) this.write(next(), next());
      else if (code === operation.CHECK8) {
        if (!this.check(next(), next(), next(), results)) return [index, results];
      } else throw new Error(`operation ${code} is not played`);
    }
    return [-1, results];
  }

  /** Carries out packed operations; answers the index of the one that has ended the vector, or -1. */
  private packed(bytes: Uint8Array, results: unknown[]): number {
    let index = 0;
    for (let at = 0; at < bytes.length; index++) {
      const code = bytes[at] ?? 0;
      const port = (bytes[at + 1] ?? 0) + 256 * (bytes[at + 2] ?? 0);
      const [first = 0, second = 0] = [bytes[at + 3], bytes[at + 4]];
      if (code === operation.READ8) results.push(this.read(port));
      else if (code === operation.WRITE8) this.write(port, first);
      else if (code === operation.READ_BLOCK16) results.push(this.readMemory());
      else if (code === operation.CHECK8) {
        if (!this.check(port, first, second, results)) return index;
      } else if (code !== operation.WRITE_BLOCK16 && code !== operation.AWAIT8)
        throw new Error(`operation ${code} is not played`);
      at += PACKED_HEAD_BYTES + (packedOperandBytes[code] ?? 0);
    }
    return -1;
  }

  private check(port: number, mask: number, value: number, results: unknown[]): boolean {
    const found = this.read(port);
    if ((found & mask) === value) return true;
    results.push(found);
    return false;
  }

  private set(port: number, value: number): void {
    this.pages[0][port - BASE] = value;
  }

  private get(port: number): number {
    return this.pages[0][port - BASE] ?? 0;
  }

  private read(port: number): number {
    if (port === CR) return this.get(CR) & ~command.TXP;
    if ((this.get(CR) & command.PAGE_1) !== 0) return port === CURR ? this.current : (this.pages[1][port - BASE] ?? 0);
    if ((this.get(CR) & command.PAGE_2) !== 0) return this.get(port);
    if (port === ISR) return this.current === pageAfter(this.get(BNRY)) ? 0 : interrupt.PRX;
    if (port === TSR) return transmitStatus.PTX;
    if (port === RSR) return receiveStatus.PRX;
    return port === BNRY ? this.get(BNRY) : 0;
  }

  private write(port: number, value: number): void {
    if (port !== CR && (this.get(CR) & command.PAGE_1) !== 0) this.pages[1][port - BASE] = value;
    else if (port !== ISR) this.set(port, value);
    if (port === BNRY) this.arrive();
  }

  /** Puts what waits in the cable into the ring, as long as there is room for a frame of any length. */
  arrive(): void {
    const longest = Math.ceil((HEADER_BYTES + LONG + CHECK_BYTES) / PAGE_BYTES);
    while (this.waiting.length > 0 && RING_PAGES - pagesBetween(this.get(BNRY), this.current) > longest) {
      const length = (this.waiting.shift() ?? SHORT) + CHECK_BYTES;
      const pages = Math.ceil((HEADER_BYTES + length) / PAGE_BYTES);
      const next = RING_START + ((this.current - RING_START + pages) % RING_PAGES);
      const at = this.current * PAGE_BYTES;
      this.memory[at] = receiveStatus.PRX;
      this.memory[at + 1] = next;
      this.memory.writeUInt16LE(length, at + 2);
      this.current = next;
    }
  }

  /** Remote DMA from a page on, round the ring. */
  private readMemory(): Buffer {
    const count = this.get(RBCR0) + 256 * this.get(RBCR1);
    const at = this.get(RSAR1) * PAGE_BYTES;
    const bytes = Buffer.allocUnsafeSlow(count);
    const copied = this.memory.copy(bytes, 0, at, Math.min(at + count, this.memory.length));
    if (copied < count)
      this.memory.copy(bytes, copied, RING_START * PAGE_BYTES, RING_START * PAGE_BYTES + count - copied);
    return bytes;
  }
}

/** See the head of this file. */
export class CardRehearsal implements Rehearsal {
  /** A transfer at full speed needs optimized code. */
  readonly performances = 10;
  private readonly card = new PlayedCard();
  private readonly play = this.messages();

  load(key: string): unknown {
    if (key === takenKey(0)) return this.card.kept;
    if (key === SENT_KEY) return [0, -1, [transmitStatus.PTX]];
    if (key !== STATE_KEY) return undefined;
    const owner = { badge: BADGE, sender: 2, sequence: 1, filter: NO_FILTER };
    const identity = { model: 'a card that is played', address: ADDRESS, words: true };
    return keptState.toWire({ identity, lastBadge: BADGE, owner, adopted: null }, []);
  }

  vector(operations: Operations): [number, unknown[]] {
    return this.card.vector(operations);
  }

  answered(status: number): void {
    if (status !== 0) throw new Error(`the driver has answered with error ${status}`);
  }

  next(): PlayedMessage | null {
    const { done, value } = this.play.next();
    return done === true ? null : value;
  }

  private *messages(): Generator<PlayedMessage, undefined> {
    const acknowledgement = transmit([SHORT]);
    const acknowledgements = transmit(new Array<number>(12).fill(SHORT));
    const data = transmit([SHORT, ...new Array<number>(7).fill(LONG)]);
    const muchData = transmit([SHORT, ...new Array<number>(60).fill(LONG)]);
    // What came to the earlier incarnation comes again, and then the mark that nothing more does.
    yield { ...receive, retry: true };
    yield { ...acknowledgement, retry: true };
    yield mark;
    for (let turn = 0; turn < TURNS; turn++) {
      // Much has come: the first time more than the ring holds.
      this.come(new Array<number>(turn === 0 ? 48 : 12).fill(LONG));
      yield receive;
      // Then nothing, so this one waits. Much goes out, and is acknowledged.
      yield receive;
      yield acknowledgement;
      yield turn === 0 ? muchData : data;
      yield* this.interrupt(new Array<number>(1 + 4 * turn).fill(SHORT));
      if (turn === 0) yield acknowledgements;
      // One frame comes, and is answered.
      yield receive;
      yield* this.interrupt([turn === 0 ? LONG : SHORT]);
      yield acknowledgement;
      yield receive;
      yield* this.interrupt(new Array<number>(5).fill(LONG));
      yield acknowledgement;
    }
  }

  /** Frames come while a request for some waits. */
  private *interrupt(lengths: readonly number[]): Generator<PlayedMessage, undefined> {
    this.come(lengths);
    const { answered, vector } = this.card.interrupt();
    if (answered) return;
    const { number } = kernelNotices.methods.irq;
    yield {
      interface: kernelNotices.number,
      method: number,
      badge: 0,
      notice: true,
      retry: false,
      data: [IRQ, vector],
    };
  }

  private come(lengths: readonly number[]): void {
    this.card.waiting.push(...lengths);
    this.card.arrive();
  }
}

const mark: PlayedMessage = {
  ...{ interface: service.number, method: service.methods.ping.number, badge: 0 },
  ...{ notice: false, retry: false, data: null },
};
const receive = request(net.methods.receive.number, null);

function transmit(lengths: readonly number[]): PlayedMessage {
  const batch: FrameBatch = batchOf(lengths.map((length) => new Uint8Array(length)));
  return request(net.methods.transmit.number, [batch.bytes, batch.lengths]);
}

function request(method: number, data: unknown): PlayedMessage {
  return { interface: net.number, method, badge: BADGE, notice: false, retry: false, data };
}
