/**
 * The way to the card: finds its driver, opens the card, keeps one request for frames under way, and sends what goes
 * out in batches. Nothing here waits; the effects are asynchronous calls.
 *
 * When the driver dies, the requests under way come again to its next incarnation by themselves (protocol/net.ts), and
 * nothing is to be done here. A call that fails means that the driver was given up, or that the card does not work:
 * then the way begins anew, later and later. Frames that find no room meanwhile are dropped and counted, as on any
 * network.
 */
import type { SystemError } from '../../../protocol/errno.ts';
import type { Reply, Request } from '../../../protocol/interface.ts';
import {
  batchOf,
  MAX_ETHERNET_FRAME_BYTES,
  MAX_FRAMES,
  type net,
  type networkCard,
  placedFrames,
} from '../../../protocol/net.ts';
import type { Handle, Infer } from '../../../protocol/schema.ts';
import type { Outcome } from '../../lib/index.ts';

/** Batches that may be under way to the driver; while it sends one, the next waits in its port. */
export const MAX_BATCHES_UNDER_WAY = 2;

/** Frames of streams that may wait for their batch, and as many of everything else. */
export const MAX_QUEUED_FRAMES = 512;

/**
 * Frames of streams that wait from which on the streams wait, too: what is left has room for all that one connection
 * may send at once.
 */
const CROWDED_FRAMES = 64;

/** Milliseconds after which a way that failed is tried again: at first, and at most. */
const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 60_000;

/** A card as its driver describes it. */
export type Card = Infer<typeof networkCard>;

type Filter = Request<typeof net.methods.set_filter>;
type Done<A> = (outcome: Outcome<A>) => void;

/** A card that is open. */
export interface OpenCard {
  receive(done: Done<Reply<typeof net.methods.receive>>): void;
  /** The bytes of the batch are valid only during the call. */
  transmit(batch: Request<typeof net.methods.transmit>, done: Done<void>): void;
  setFilter(filter: Filter, done: Done<void>): void;
  /** Gives the right up. */
  close(): void;
}

/** What the link needs of the world. */
export interface LinkEffects {
  /** Milliseconds since power-on. */
  now(): number;
  /** Finds the port of the driver, however long that takes. EIO: it was given up; EPERM. */
  findDriver(done: Done<Handle>): void;
  /** Opens the card behind the port, which is given up. */
  open(port: Handle, done: Done<{ card: OpenCard; description: Card }>): void;
  log(text: string, level: 'info' | 'warning' | 'error'): void;
  /** The card is open, or open again. */
  opened(description: Card): void;
  /** There is no way to the card at present. */
  lost(): void;
  /** Frames have come. */
  received(frames: readonly Uint8Array[]): void;
}

/** What has become of frames that were to go out. */
export interface LinkFigures {
  dropped: number;
  failed: number;
}

/** See the head of this file. */
export class Link {
  readonly figures: LinkFigures = { dropped: 0, failed: 0 };
  private readonly effects: LinkEffects;
  private card: OpenCard | null = null;
  /**
   * What is to go out, of streams and of everything else. A batch has half of each if there is enough of both: so who
   * floods this host with what it answers cannot keep its streams from sending.
   */
  private readonly streams: Uint8Array[] = [];
  private readonly others: Uint8Array[] = [];
  /** Where a batch is put together. */
  private readonly memory = new Uint8Array(MAX_FRAMES * MAX_ETHERNET_FRAME_BYTES);
  private underWay = 0;
  /** The last request for frames has been answered. */
  private hasToReceive = false;
  private promiscuous = false;
  private retryAt = Number.POSITIVE_INFINITY;
  private retryDelay = FIRST_RETRY_MS;
  /** Of each way the number: what belongs to an earlier one means nothing any more. */
  private way = 0;
  private complained = '';
  private hopeful = true;

  constructor(effects: LinkEffects) {
    this.effects = effects;
  }

  /** Whether the card is open. */
  get isOpen(): boolean {
    return this.card !== null;
  }

  /** Whether nothing is known to be wrong, so that it is worth while to wait for the card. */
  get isHopeful(): boolean {
    return this.hopeful;
  }

  /** Looks for the card. */
  start(): void {
    const way = ++this.way;
    this.retryAt = Number.POSITIVE_INFINITY;
    this.effects.findDriver((found) => {
      if (way !== this.way) return;
      if (!found.ok) this.fail('there is no driver of the network card', found.error);
      else {
        this.effects.open(found.value, (opened) => {
          if (way !== this.way) {
            if (opened.ok) opened.value.card.close();
          } else if (opened.ok) this.use(opened.value);
          else this.fail('the network card cannot be opened', opened.error);
        });
      }
    });
  }

  private use({ card, description }: { card: OpenCard; description: Card }): void {
    this.card = card;
    this.complained = '';
    this.hopeful = true;
    this.effects.log(`${description.name}: ${description.model}, link ${description.link ? 'up' : 'down'}`, 'info');
    if (this.promiscuous) this.applyFilter();
    this.effects.opened(description);
    this.receive();
  }

  private receive(): void {
    const { way } = this;
    this.hasToReceive = false;
    this.card?.receive((outcome) => {
      if (way !== this.way) return;
      if (!outcome.ok) {
        this.fail('the network card does not receive', outcome.error);
        return;
      }
      this.retryDelay = FIRST_RETRY_MS;
      this.hasToReceive = true;
      const frames = placedFrames(outcome.value);
      if (frames.length > 0) this.effects.received(frames);
    });
  }

  /** A frame is to go out. It goes with `flush`. False: there was no room, and it is dropped. */
  put(frame: Uint8Array, ofStream: boolean): boolean {
    const queue = ofStream ? this.streams : this.others;
    if (queue.length >= MAX_QUEUED_FRAMES) {
      this.figures.dropped++;
      return false;
    }
    queue.push(frame);
    return true;
  }

  /**
   * Whether streams should put more. Without a card there is nothing to wait for: what is put is dropped in the end.
   */
  get hasRoom(): boolean {
    return this.card === null || this.streams.length < CROWDED_FRAMES;
  }

  /** Whether `flush` would send something. */
  get hasToFlush(): boolean {
    return this.card !== null && this.waits && this.underWay < MAX_BATCHES_UNDER_WAY;
  }

  /**
   * Hands frames to the driver, as far as it may have more; then asks for frames, so that an answer to the last ones
   * goes out first.
   */
  flush(): void {
    const { card } = this;
    while (card !== null && card === this.card && this.hasToFlush) this.send(card, this.takeBatch());
    if (this.hasToReceive) this.receive();
  }

  private get waits(): boolean {
    return this.streams.length + this.others.length > 0;
  }

  private takeBatch(): Uint8Array[] {
    const { streams, others } = this;
    const frames = streams.splice(0, Math.max(MAX_FRAMES / 2, MAX_FRAMES - others.length));
    return frames.concat(others.splice(0, MAX_FRAMES - frames.length));
  }

  private send(card: OpenCard, frames: Uint8Array[]): void {
    const { way } = this;
    this.underWay++;
    card.transmit(batchOf(frames, this.memory), (outcome) => {
      if (way !== this.way) return;
      this.underWay--;
      if (outcome.ok) return;
      this.figures.failed += frames.length;
      this.fail('the network card does not send', outcome.error);
    });
  }

  /** All frames are wanted, also those to others. */
  setPromiscuous(promiscuous: boolean): void {
    if (promiscuous === this.promiscuous) return;
    this.promiscuous = promiscuous;
    this.applyFilter();
  }

  private applyFilter(): void {
    const { way } = this;
    this.card?.setFilter({ promiscuous: this.promiscuous, allMulticast: false, multicast: [] }, (outcome) => {
      if (way === this.way && !outcome.ok) this.fail('the network card takes no filter', outcome.error);
    });
  }

  /** Ends the present way; the next one begins later. */
  private fail(what: string, error: SystemError): void {
    const { card } = this;
    this.way++;
    this.card = null;
    this.underWay = 0;
    card?.close();
    const complaint = `${what}: ${error.message}`;
    // Once is enough for people: it goes on being tried.
    if (complaint !== this.complained) this.effects.log(complaint, error.code === 'EPERM' ? 'error' : 'warning');
    this.complained = complaint;
    // EBUSY: when both have died, the driver may not have heard yet that the last owner is gone.
    if (error.code !== 'EBUSY') this.hopeful = false;
    if (card !== null) this.effects.lost();
    if (error.code === 'EPERM') return;
    this.retryAt = this.effects.now() + this.retryDelay;
    this.retryDelay = Math.min(2 * this.retryDelay, LONGEST_RETRY_MS);
  }

  /** Goes on with what has become due. */
  advance(now: number): void {
    if (now >= this.retryAt) this.start();
  }

  /** When `advance` has something to do; Infinity: never. */
  deadline(): number {
    return this.retryAt;
  }
}
