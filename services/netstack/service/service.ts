/**
 * The process around the network stack: takes messages, lets the stack work, and sends what comes of it, once in every
 * turn of the loop.
 *
 * A turn: a message is taken; then, until nothing changes any more, waiting requests are answered and the stack does
 * what is due (`finish`); then the frames of the whole turn go to the driver. So what a frame relies on, whatever was
 * put into the recovery store and whatever was answered, is in the pipe before it (docs/netstack.md).
 */

import type { Handlers } from '../../../protocol/interface.ts';
import type { capture, network } from '../../../protocol/network.ts';
import { bytes, nameText, record, u16 } from '../../../protocol/schema.ts';
import type { socket } from '../../../protocol/socket.ts';
import { PROTOCOL } from '../../../wire/ipv4.ts';
import type { Gathering, Handle, RequestContext } from '../../lib/index.ts';
import type { Keeper } from '../environment.ts';
import { Stack } from '../stack.ts';
import type { TcpOutput } from '../tcp/environment.ts';
import { TcpLayer } from '../tcp/layer.ts';
import { NetworkArrival } from './arrival.ts';
import { CAPTURE_BADGE_KIND, Captures } from './captures.ts';
import { Alarm, TurnClock } from './clock.ts';
import { type Card, Link, type LinkEffects, type OpenCard } from './link.ts';
import { type NetworkParts, networkHandlers } from './network-handlers.ts';
import { SocketTable } from './socket-table.ts';
import { Sockets } from './sockets.ts';
import { PostedStore, type StoreEffects } from './store.ts';
import type { OpenSocket } from './surroundings.ts';
import { Place, WaitingRequests } from './waiting.ts';

/** How often in one turn the stack and those who wait for it take turns. What is left then is done in the next turn. */
const MAX_ROUNDS = 8;

const CARD_KEY = 'card';
const keptCard = record({ name: nameText, address: bytes(6), mtu: u16 });

/** What this process needs of the world. */
export interface ServiceEffects {
  /** Milliseconds since power-on. */
  uptime(): number;
  /** Milliseconds since 1970. */
  time(): number;
  random(count: number): Uint8Array;
  log(text: string, level: 'info' | 'warning' | 'error'): void;
  /** Asks for the alarm, in place of an earlier one. */
  alarm(milliseconds: number): void;
  readonly store: StoreEffects;
  /** Bounds of the store, as in the manifest. */
  readonly storeBytes: number;
  readonly storeKeys: number;
  mint(badge: number): Handle;
  release(right: Handle): void;
  isAlive(pid: number): boolean;
  findDriver: LinkEffects['findDriver'];
  openCard: LinkEffects['open'];
}

/** See the head of this file. */
export class NetworkService implements Gathering {
  readonly socketHandlers: Handlers<typeof socket.methods, RequestContext>;
  readonly networkHandlers: Handlers<typeof network.methods, RequestContext>;
  readonly captureHandlers: Handlers<typeof capture.methods, RequestContext>;
  private readonly effects: ServiceEffects;
  private readonly clock: TurnClock;
  private readonly wall: TurnClock;
  private readonly alarm: Alarm;
  private readonly store: PostedStore;
  private readonly waiting = new WaitingRequests();
  private readonly stack: Stack;
  private readonly tcp: TcpLayer;
  private readonly link: Link;
  private readonly arrival: NetworkArrival;
  private readonly table: SocketTable<OpenSocket>;
  private readonly sockets: Sockets;
  private readonly captures: Captures;
  /** Where requests wait for the card. */
  private readonly cards = new Place();
  private dirty = new Set<Place>();
  private cardName = '';
  private stopWatching: (() => void) | null = null;
  private isSettled = false;
  /** A segment of TCP is being sent. */
  private sendsStream = false;
  /** Something has been begun that `finish` has to end. */
  private hasBegun = false;
  /** The last turn has left something to do, which goes on behind the messages that wait. */
  private hasMore = false;

  /** Takes up what an earlier incarnation kept. */
  constructor(effects: ServiceEffects) {
    this.effects = effects;
    this.clock = new TurnClock(effects.uptime);
    this.wall = new TurnClock(effects.time);
    this.alarm = new Alarm(effects.alarm);
    this.store = new PostedStore(effects.store, effects.storeBytes, effects.storeKeys);
    this.tcp = new TcpLayer({
      output: (packet) => this.output(packet),
      mayOutput: () => this.link.hasRoom,
      sourceFor: (destination) => this.stack.sourceFor(destination),
      random: effects.random,
      keeper: this.keeper(),
      pathMtu: (destination) => this.stack.pathMtu(destination),
    });
    this.stack = new Stack({
      random: effects.random,
      keeper: this.keeper(),
      tcp: this.tcp,
      transmit: (interfaceName, frame) => {
        if (!this.link.put(frame, this.sendsStream)) this.stack.frameDropped(interfaceName);
      },
      log: (text) => effects.log(text, 'info'),
    });
    this.link = new Link(this.linkEffects());
    const now = this.clock.now();
    const state = { isThere: () => this.hasAddress(), isHopeful: () => this.link.isHopeful };
    this.arrival = new NetworkArrival(state, now);
    this.table = new SocketTable(this.store);
    this.captures = new Captures(this.store, this.waiting);
    const around = {
      now: () => this.clock.now(),
      stack: this.stack,
      tcp: this.tcp,
      waiting: this.waiting,
      arrival: this.arrival,
      table: this.table,
      mint: effects.mint,
      isAlive: effects.isAlive,
      touch: (place: Place) => void this.dirty.add(place),
    };
    this.sockets = new Sockets(around, (text) => effects.log(text, 'warning'));
    const parts: NetworkParts = {
      ...around,
      sockets: this.sockets,
      captures: this.captures,
      cards: this.cards,
      counters: () => this.counters(),
      watch: () => this.watch(),
    };
    this.networkHandlers = this.inTurn(networkHandlers(parts));
    this.socketHandlers = this.inTurn(this.sockets.handlers);
    this.captureHandlers = this.inTurn({
      receive: ({ timeout }, context) => this.captures.receive(context, timeout, this.clock.now()),
    });
    this.restore(now);
  }

  private restore(now: number): void {
    const card = this.store.get(CARD_KEY);
    if (card !== undefined) {
      const { name, address, mtu } = keptCard.fromWire(card, []);
      this.cardName = name;
      this.stack.addInterface({ name, hardware: address, mtu, link: true }, now);
    }
    this.tcp.restore(now);
    this.sockets.restore();
    this.tcp.settle(now);
    this.watch();
    this.store.settle();
    this.clock.expire();
  }

  /** The port is there: the card is looked for, and the stack begins to work. */
  ready(): void {
    this.link.start();
    this.finish();
  }

  /** What comes again has come: sockets and captures that nobody has a right to any more are told as gone now. */
  settled(): void {
    this.isSettled = true;
    const badges = [...[...this.table.list()].map(({ badge }) => badge), ...this.captures.badges];
    for (const badge of badges) this.effects.release(this.effects.mint(badge));
  }

  /**
   * Nobody has a right with this badge any more. Not believed before what comes again has come: a right may be made
   * anew.
   */
  noSenders(badge: number): void {
    if (!this.isSettled) return;
    this.hasBegun = true;
    if (badge >>> 24 === CAPTURE_BADGE_KIND) {
      this.captures.remove(badge);
      this.watch();
    } else this.sockets.noSenders(badge);
  }

  /** The alarm has gone off. */
  alarmed(): void {
    this.hasBegun = true;
    this.alarm.fired();
  }

  // Turns of the loop

  get pending(): boolean {
    return this.hasBegun || this.hasMore;
  }

  /** To ask whether another message waits costs as much as a turn of its own. */
  get full(): boolean {
    return this.hasBegun;
  }

  /** Ends a turn: see the head of this file. */
  finish(): void {
    this.hasBegun = false;
    const now = this.clock.now();
    for (const place of this.arrival.changed(now)) this.dirty.add(place);
    this.link.advance(now);
    this.waiting.advance(now);
    let deadline = this.work(now);
    for (let round = 1; round < MAX_ROUNDS && (this.dirty.size > 0 || deadline <= now); round++) {
      deadline = this.work(now);
    }
    this.captures.serve();
    this.link.flush();
    // What is left goes on at once, but after the messages that wait; so does what waited for room, if there is some
    // now.
    deadline = this.stack.deadline();
    this.hasMore = this.dirty.size > 0 || deadline <= now;
    if (!this.hasMore) {
      const others = Math.min(this.waiting.deadline(), this.link.deadline(), this.arrival.deadline());
      this.alarm.want(Math.min(deadline, others), now);
    }
    this.clock.expire();
    this.wall.expire();
  }

  /**
   * Answers who waits for what has changed, and only then lets the stack send: an acknowledgement goes behind the
   * answer that it is for.
   */
  private work(now: number): number {
    const { dirty } = this;
    if (dirty.size > 0) {
      this.dirty = new Set();
      for (const place of dirty) this.waiting.changed(place);
    }
    this.stack.advance(now);
    return this.stack.deadline();
  }

  /** Handlers that begin a turn. */
  private inTurn<H extends object>(handlers: H): H {
    const wrapped: Record<string, unknown> = {};
    for (const [name, handle] of Object.entries(handlers) as [
      string,
      (request: unknown, context: unknown) => unknown,
    ][]) {
      wrapped[name] = (request: unknown, context: unknown) => {
        this.hasBegun = true;
        return handle(request, context);
      };
    }
    return wrapped as H;
  }

  /** The end of an asynchronous call begins a turn, too. */
  private inTurnDone<A>(done: (outcome: A) => void): (outcome: A) => void {
    return (outcome) => {
      this.hasBegun = true;
      done(outcome);
    };
  }

  private inTurnCard(card: OpenCard): OpenCard {
    return {
      receive: (done) => card.receive(this.inTurnDone(done)),
      transmit: (frames, done) =>
        card.transmit(frames, (outcome) => {
          done(outcome);
          // That all is well and nothing waits is no reason for a turn.
          if (!outcome.ok || this.link.hasToFlush) this.hasBegun = true;
        }),
      setFilter: (filter, done) => card.setFilter(filter, this.inTurnDone(done)),
      close: () => card.close(),
    };
  }

  // The parts' effects

  private keeper(): Keeper {
    const { store } = this;
    return {
      put: (key, value) => store.put(key, value),
      delete: (key) => store.delete(key),
      get: (key) => store.get(key),
      keys: () => [...store.keys()],
    };
  }

  /** A segment of TCP becomes a packet. What cannot be sent is lost, as on any way; TCP sends it again. */
  private output({ packet, payload, ...fields }: TcpOutput): void {
    this.sendsStream = true;
    this.stack.send(
      { ...fields, protocol: PROTOCOL.TCP, buffer: packet, payloadBytes: payload.length },
      this.clock.now(),
    );
    this.sendsStream = false;
  }

  private linkEffects(): LinkEffects {
    const { effects } = this;
    return {
      now: () => this.clock.now(),
      findDriver: (done) => effects.findDriver(this.inTurnDone(done)),
      open: (port, done) =>
        effects.openCard(
          port,
          this.inTurnDone((opened) => {
            if (!opened.ok) done(opened);
            else done({ ok: true, value: { ...opened.value, card: this.inTurnCard(opened.value.card) } });
          }),
        ),
      log: effects.log,
      opened: (card) => this.cardOpened(card),
      lost: () => this.stack.setLink(this.cardName, false, this.clock.now()),
      received: (frames) => this.received(frames),
    };
  }

  private cardOpened({ name, address, mtu, link }: Card): void {
    this.cardName = name;
    this.store.put(CARD_KEY, keptCard.toWire({ name, address, mtu }, []));
    this.stack.addInterface({ name, hardware: address, mtu, link }, this.clock.now());
    this.dirty.add(this.cards);
  }

  private received(frames: readonly Uint8Array[]): void {
    const now = this.clock.now();
    for (const frame of frames) this.stack.frame(this.cardName, bufferOf(frame), now);
  }

  private watch(): void {
    const { isWatching } = this.captures;
    this.link.setPromiscuous(isWatching);
    if (!isWatching) {
      this.stopWatching?.();
      this.stopWatching = null;
    } else {
      this.stopWatching ??= this.stack.tap(null, (name, sent, frame) =>
        this.captures.packet(name, frame, sent, this.wall.now()),
      );
    }
  }

  /** Whether an interface to the outside has an address. */
  private hasAddress(): boolean {
    return this.stack.interfaces().some(({ loopback, address }) => !loopback && address !== null);
  }

  private counters(): { name: string; value: number }[] {
    return [
      { name: 'link.framesDropped', value: this.link.figures.dropped },
      { name: 'link.framesFailed', value: this.link.figures.failed },
      { name: 'service.sockets', value: this.table.size },
      { name: 'service.requestsWaiting', value: this.waiting.size },
      { name: 'service.bytesKept', value: this.store.bytes },
    ];
  }
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
