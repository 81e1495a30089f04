/**
 * The driver: the card, its owner, and the request for frames that waits. Interrupts and requests come in as calls;
 * only a card that is stuck makes it wait, for a bounded time.
 *
 * Frames stay in the card's ring until somebody asks for them: the line stays masked until the ring has been found
 * empty for a request that waits. So the cable is held up, and nothing goes round in circles while nobody asks.
 *
 * What survives a restart: the owner's right and filter; frames in the ring; what was taken out and not handed out; and
 * that frames have been sent. What does not: the statistics.
 */
import type { Handlers } from '../../protocol/interface.ts';
import { type FrameBatch, frameCount, frameLength, hardwareAddress, type PlacedFrames } from '../../protocol/net.ts';
import type { Infer, Schema } from '../../protocol/schema.ts';
import { bool, i32, nameText, nullable, record, u8, u32, u53, values } from '../../protocol/schema.ts';
import { type Deferred, type Handle, type net, type RequestContext, SystemError } from '../lib/index.ts';
import { Card, MAX_PARTS, SENT_KEY, type TheRequest, takenKey } from './card.ts';
import { type Filter, filterRecord, NO_FILTER } from './filter.ts';
import type { Hardware, Log, VectorResult } from './hardware.ts';
import { type Identity, probe } from './probe.ts';
import { BASE, IRQ } from './registers.ts';
import { TakenFrames } from './ring.ts';
import { type Ring, runningRing } from './running.ts';

/** What the driver asks of the kernel. */
export interface DriverEffects extends Hardware {
  /** Keeps a value in the recovery store, in order with the answers given afterwards. */
  save(key: string, value: unknown): void;
  /** The value kept by an earlier incarnation, or undefined. */
  load(key: string): unknown;
  /** Makes a right with a badge to a port. */
  mint(port: Handle, badge: number): Handle;
  release(right: Handle): void;
  readonly log: Log;
}

export const STATE_KEY = 'state';
const NAME = 'ne0';
const MTU = 1500;
const MINIMUM_FRAME_BYTES = 14;
const MAX_BADGE = 0xffff_ffff;

const ownerRecord = record({ badge: u32, sender: u32, sequence: u53, filter: filterRecord });
const identityRecord = record({ model: nameText, address: hardwareAddress, words: bool });
/** Results of the last vector that took or sent frames. */
const keptVector = record({ tag: u53, ended: i32, results: values(1024) });
/** `adopted`: the ring of an earlier incarnation, as it was when it was taken over, as long as it has not been read. */
export const keptState = record({
  ...{ identity: identityRecord, lastBadge: u32, owner: nullable(ownerRecord) },
  adopted: nullable(record({ boundary: u8, current: u8 })),
});

interface Waiting {
  readonly request: TheRequest;
  readonly deferred: Deferred<PlacedFrames>;
}

/** The number of a request: those of one task differ, and those of two hardly ever agree. */
const requestNumber = ({ sender, sequence }: RequestContext): number =>
  (sender % 2 ** 13) * 2 ** 40 + (sequence % 2 ** 40);

/** See the head of this file. */
export class NetworkDriver {
  private readonly effects: DriverEffects;
  private card: Card | null = null;
  private absent = 'no card';
  private owner: Infer<typeof ownerRecord> | null = null;
  private lastBadge = 0;
  private waiting: Waiting | null = null;
  private adopted: Ring | null = null;

  constructor(effects: DriverEffects) {
    this.effects = effects;
  }

  /**
   * Brings the card to a known state, and running if somebody has it. A card that runs as an earlier incarnation has
   * left it is in a known state: it is not stopped, and loses nothing.
   */
  start(): void {
    const { effects } = this;
    const state = this.kept(STATE_KEY, keptState);
    this.owner = state?.owner ?? null;
    this.lastBadge = state?.lastBadge ?? 0;
    if (state !== null && this.resumed(state)) return;
    const found = probe(effects);
    if (typeof found === 'string') {
      this.absent = found;
      effects.log(`there is no network card at 0x${BASE.toString(16)}: ${found}`, 'error');
      return;
    }
    const mode = found.words ? '16-bit' : '8-bit';
    const place = `at 0x${BASE.toString(16)}, interrupt ${IRQ}`;
    effects.log(`${NAME}: ${found.model} ${place}, ${mode}, ${colons(found.address)}`, 'info');
    this.card = this.cardOf(found);
    this.save();
    if (this.owner !== null) this.card.start(this.owner.filter);
  }

  /** What an earlier incarnation has kept, or null. */
  private kept<T>(key: string, schema: Schema<T>): T | null {
    const value = this.effects.load(key) ?? null;
    return value === null ? null : schema.fromWire(value, []);
  }

  /**
   * A ring is taken over once: should what is in it be what the earlier incarnation died of, the next one does without.
   */
  private resumed({ identity, owner, adopted }: Infer<typeof keptState>): boolean {
    const { effects } = this;
    const ring = owner === null ? null : runningRing(effects, identity, owner.filter);
    if (owner === null || ring === null) return false;
    if (adopted?.boundary === ring.boundary && adopted.current === ring.current) return false;
    this.card = this.cardOf(identity);
    this.card.resume(owner.filter, ring);
    this.adopted = ring;
    this.save();
    return true;
  }

  private cardOf(identity: Identity): Card {
    const { effects } = this;
    return new Card(effects, identity, () => this.kept(takenKey(0), keptVector), effects.log);
  }

  /**
   * Frames that have come, for a request: those that an earlier incarnation took for this very one and did not come to
   * answer, or what is in the ring.
   */
  private take(card: Card, request: TheRequest, again: boolean): TakenFrames {
    const before = again ? this.takenBefore(card, request.number) : null;
    return this.taken(before !== null && before.count > 0 ? before : card.take(request));
  }

  private taken(frames: TakenFrames): TakenFrames {
    this.adoptedIsRead();
    return frames;
  }

  private adoptedIsRead(): void {
    if (this.adopted === null) return;
    this.adopted = null;
    this.save();
  }

  private takenBefore(card: Card, request: number): TakenFrames {
    const frames = new TakenFrames();
    for (let part = 0; part < MAX_PARTS; part++) {
      const taken = this.kept(takenKey(part), keptVector);
      if (taken?.tag !== request) break;
      card.takenBefore(taken.results, frames);
    }
    return frames;
  }

  private save(): void {
    const { card, lastBadge, owner, adopted } = this;
    if (card === null) return;
    const { identity } = card;
    this.effects.save(STATE_KEY, keptState.toWire({ identity, lastBadge, owner, adopted }, []));
  }

  /** The card's line has interrupted, and is masked. `vector`: what the card's vector for that has given. */
  interrupt(vector: VectorResult | null): void {
    const { card } = this;
    // A vector whose notice comes has answered nothing; arming the next one takes back the notice of an earlier one.
    const waiting = vector === null ? this.stillWaiting() : this.waiting;
    if (card === null) return;
    card.counts.interrupts++;
    if (waiting === null) return;
    const frames = this.taken(card.takeInterrupted(vector, waiting.request));
    if (frames.count === 0) return;
    this.waiting = null;
    waiting.deferred.reply(frames.placed);
  }

  /**
   * What comes again has come. An earlier incarnation may have died between keeping an owner and making its right, and
   * the owner, too: of a right that there never was nobody tells that it is gone, so one is made and given up.
   */
  settled(port: Handle): void {
    if (this.owner !== null) this.effects.release(this.effects.mint(port, this.owner.badge));
  }

  /** Nobody has the right with this badge any more. */
  noSenders(badge: number): void {
    if (this.owner === null || this.owner.badge !== badge) return;
    this.owner = null;
    this.save();
    this.stillWaiting()?.deferred.fail(new SystemError('EBADF', 'the right to the card is gone'));
    this.waiting = null;
    this.card?.stop();
  }

  /** The methods of the interface `net` (protocol/net.ts). */
  handlers(): Handlers<typeof net.methods, RequestContext> {
    return {
      open: (_request, context) => this.open(context),
      information: () => describe(this.present()),
      receive: (_request, context) => this.receive(context),
      transmit: (batch, context) => this.transmit(batch, context),
      set_filter: (filter, context) => this.setFilter(filter, context),
      statistics: () => {
        const card = this.present();
        this.stillWaiting();
        if (this.owner !== null) card.readCounters();
        return { ...card.counts };
      },
      reset: () => {
        const card = this.present();
        card.restart('somebody asks for it');
        if (this.owner === null) card.stop();
      },
    };
  }

  /** Throws SystemError ENODEV. */
  private present(): Card {
    if (this.card === null) throw new SystemError('ENODEV', `there is no network card: ${this.absent}`);
    return this.card;
  }

  /** The card, for who has the right to it. Throws SystemError: ENODEV, EBADF. */
  private owned({ badge }: RequestContext): Card {
    const card = this.present();
    if (this.owner === null || badge !== this.owner.badge)
      throw new SystemError('EBADF', 'no right to the card: see open');
    return card;
  }

  private open({ sender, sequence, port }: RequestContext) {
    const card = this.present();
    const again = this.owner !== null && this.owner.sender === sender && this.owner.sequence === sequence;
    if (this.owner !== null && !again) throw new SystemError('EBUSY', 'somebody else has the card');
    if (!again) {
      this.lastBadge = (this.lastBadge % MAX_BADGE) + 1;
      this.owner = { badge: this.lastBadge, sender, sequence, filter: NO_FILTER };
      this.save();
      card.start(NO_FILTER);
    }
    return { card: this.effects.mint(port, this.lastBadge), description: describe(card) };
  }

  /** The request that waits, unless the card's vector for the interrupt has answered it. */
  private stillWaiting(): Waiting | null {
    const { card, waiting } = this;
    if (waiting !== null && card?.hasAnswered() === true) {
      this.waiting = null;
      this.adoptedIsRead();
    }
    return this.waiting;
  }

  private receive(context: RequestContext) {
    const card = this.owned(context);
    this.stillWaiting()?.deferred.reply(new TakenFrames().placed);
    this.waiting = null;
    const request = { number: requestNumber(context), reply: context.reply };
    const frames = this.take(card, request, context.retry);
    if (frames.count > 0) return frames.placed;
    return context.later<PlacedFrames>((deferred) => {
      this.waiting = { request, deferred };
    });
  }

  private transmit(batch: FrameBatch, context: RequestContext): void {
    const card = this.owned(context);
    const count = frameCount(batch);
    for (let index = 0; index < count; index++)
      if (frameLength(batch, index) < MINIMUM_FRAME_BYTES)
        throw new SystemError('EINVAL', `a frame has at least the ${MINIMUM_FRAME_BYTES} bytes of its header`);
    const request = requestNumber(context);
    const sent = context.retry ? this.kept(SENT_KEY, keptVector) : null;
    if (count === 0 || (sent?.tag === request && sent.ended === -1)) return;
    card.transmit(batch, request);
  }

  private setFilter(filter: Filter, context: RequestContext): void {
    const card = this.owned(context);
    if (filter.multicast.some((address) => address.length !== 6 || ((address[0] ?? 0) & 1) === 0))
      throw new SystemError('EINVAL', 'not a multicast address');
    if (this.owner === null) return;
    this.owner = { ...this.owner, filter };
    this.save();
    card.setFilter(filter);
  }
}

function describe({ identity: { model, address }, link }: Card) {
  return { name: NAME, model, address, mtu: MTU, ioPort: BASE, irq: IRQ, link };
}

const colons = (address: Uint8Array): string =>
  Array.from(address, (byte) => byte.toString(16).padStart(2, '0')).join(':');
