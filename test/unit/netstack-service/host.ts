/**
 * A machine with the network service, without processes: as much of a kernel as it needs (a queue of requests that come
 * again after a death, rights with badges, notices, an alarm, a recovery store) and a driver of a network card. The
 * process can die at every single thing that it does.
 */
import { SystemError } from '../../../protocol/errno.ts';
import { LATER } from '../../../protocol/interface.ts';
import { framesOf, type PlacedFrames } from '../../../protocol/net.ts';
import type { Handle } from '../../../protocol/schema.ts';
import type { Outcome } from '../../../services/lib/asynchronous.ts';
import type { Deferred, RequestContext } from '../../../services/lib/server.ts';
import type { OpenCard } from '../../../services/netstack/service/link.ts';
import { NetworkService, type ServiceEffects } from '../../../services/netstack/service/service.ts';
import { placed } from '../../support/frames.ts';
import { Death, MemoryKeeper } from '../../support/memory-keeper.ts';

/** How long a new incarnation takes, in milliseconds. */
const RESTART_MS = 15;

const MEBIBYTE = 2 ** 20;

type HandlerTable = 'networkHandlers' | 'socketHandlers' | 'captureHandlers';

/** A request of a program. */
export interface Request {
  readonly host: Host;
  readonly table: HandlerTable;
  readonly method: string;
  readonly badge: number;
  readonly content: unknown;
  readonly sender: number;
  readonly sequence: number;
  deliveries: number;
  outcome: Outcome<unknown> | null;
}

/** Where the process is to die: after so many effects, and whether the last of them still happens. */
export interface Fate {
  effects: number;
  readonly happens: boolean;
}

const NEVER: Fate = { effects: Number.POSITIVE_INFINITY, happens: false };

/** Milliseconds until the driver of the card is found, or it is known why there is none. */
export interface Driver {
  readonly after: number;
  readonly error: SystemError | null;
}

const PRESENT: Driver = { after: 0, error: null };

/** What a machine needs of the world. */
export interface HostWorld {
  readonly now: number;
  /** Puts a frame on the cable. */
  transmit(from: Host, frame: Buffer): void;
  /** Something is to happen later. */
  at(time: number, action: () => void): void;
  random(count: number): Uint8Array;
}

/** See the head of this file. */
export class Host {
  readonly name: string;
  readonly hardware: Buffer;
  readonly store = new MemoryKeeper();
  /** Things that the process has done, over all incarnations, and what they were. */
  effects = 0;
  deaths = 0;
  fate: Fate = NEVER;
  /** Decides the fate of each further incarnation. */
  nextFate: () => Fate = () => NEVER;
  service: NetworkService | null = null;
  readonly log: string[] = [];
  /** Frames that the ring of the card has room for, and that a request for frames gets at most. */
  ringFrames = 40;
  mostFrames = 32;
  /** How long the card takes to send a batch. */
  sendMilliseconds = 0;
  private readonly world: HostWorld;
  private readonly driver: Driver;
  private incarnation = 0;
  private queue: Request[] = [];
  /** Received and not answered, in the order in which they were received. */
  private owed = new Set<Request>();
  private notices: (() => void)[] = [];
  private settled = false;
  private alarm = { number: 0, set: false };
  private ring: Buffer[] = [];
  private receiving: ((outcome: Outcome<PlacedFrames>) => void) | null = null;
  private readonly rights = new Map<number, { badge: number; ownedByService: boolean }>();
  private nextRight = 1;
  private sequence = 0;

  constructor(world: HostWorld, name: string, hardware: Buffer, driver = PRESENT) {
    this.world = world;
    this.name = name;
    this.hardware = hardware;
    this.driver = driver;
    this.start();
  }

  // Programs

  /** Sends a request through a right; 0: the right to the port itself. */
  send(table: HandlerTable, method: string, right: number, content: unknown, sender: number): Request {
    const badge = right === 0 ? 0 : (this.rights.get(right)?.badge ?? -1);
    const sequence = ++this.sequence;
    const request = { host: this, table, method, badge, content, sender, sequence, deliveries: 0, outcome: null };
    this.queue.push(request);
    return request;
  }

  /** A program gives a right up. */
  close(right: number): void {
    const { badge } = this.rights.get(right) ?? { badge: 0 };
    this.rights.delete(right);
    if (badge !== 0 && ![...this.rights.values()].some((other) => other.badge === badge)) this.tellNoSenders(badge);
  }

  private tellNoSenders(badge: number): void {
    // Withdrawn when a right is made anew before it is received.
    this.notices.push(() => {
      if ([...this.rights.values()].some((other) => other.badge === badge)) return;
      this.service?.noSenders(badge);
    });
  }

  // The process

  private start(): void {
    this.incarnation++;
    this.settled = this.queue.length === 0;
    this.mortal(() => {
      const service = new NetworkService(this.effectsFor(this.incarnation));
      this.service = service;
      service.ready();
      if (this.settled) service.settled();
    });
  }

  private mortal(action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!(error instanceof Death)) throw error;
      this.die();
    }
  }

  /** The process ends here and now. What it owes comes again. */
  die(): void {
    this.deaths++;
    this.service = null;
    this.incarnation++;
    this.fate = NEVER;
    this.alarm = { number: this.alarm.number + 1, set: false };
    this.receiving = null;
    // Notices about calls of the dead mean nothing; those about rights come from what its successor finds.
    this.notices = [];
    for (const [right, { ownedByService }] of [...this.rights]) if (ownedByService) this.rights.delete(right);
    this.queue = [...this.owed, ...this.queue];
    this.owed = new Set();
    this.world.at(this.world.now + RESTART_MS, () => {
      this.fate = this.nextFate();
      this.start();
    });
  }

  /** Something the process does to the world. */
  private effect<T>(act: () => T): T {
    this.effects++;
    this.fate.effects--;
    const isDead = this.fate.effects < -1;
    if (isDead || (this.fate.effects < 0 && !this.fate.happens)) throw new Death('before');
    const result = act();
    if (this.fate.effects < 0) throw new Death('after');
    return result;
  }

  private effectsFor(incarnation: number): ServiceEffects {
    const { store, world } = this;
    return {
      uptime: () => world.now,
      time: () => 1e12 + world.now,
      random: (count) => world.random(count),
      log: (text) => void this.log.push(text),
      alarm: (milliseconds) => this.effect(() => this.setAlarm(milliseconds)),
      store: {
        keys: () => store.keys(),
        get: (key) => store.get(key),
        put: (key, value) => this.effect(() => store.put(key, value)),
        delete: (key) => this.effect(() => store.delete(key)),
      },
      storeBytes: 64 * MEBIBYTE,
      storeKeys: 65536,
      mint: (badge) => this.effect(() => this.mint(badge)),
      release: (right) => this.effect(() => this.close(right)),
      isAlive: () => true,
      findDriver: (done) => {
        const { after, error } = this.driver;
        const outcome: Outcome<Handle> = error === null ? { ok: true, value: 1 as Handle } : { ok: false, error };
        const tell = (): void => this.notify(incarnation, () => done(outcome));
        if (after === 0) tell();
        else world.at(world.now + after, tell);
      },
      openCard: (_port, done) => {
        const { name, hardware } = this;
        const description = { ...{ name: 'ne0', model: `card of ${name}`, address: hardware, mtu: 1500 }, irq: 9 };
        const card = this.card(incarnation);
        this.notify(incarnation, () =>
          done({ ok: true, value: { card, description: { ...description, ioPort: 0x300, link: true } } }),
        );
      },
    };
  }

  private notify(incarnation: number, action: () => void): void {
    if (incarnation === this.incarnation) this.notices.push(action);
  }

  private mint(badge: number): Handle {
    const right = this.nextRight++;
    this.rights.set(right, { badge, ownedByService: true });
    return right as Handle;
  }

  private setAlarm(milliseconds: number): void {
    const number = ++this.alarm.number;
    this.alarm.set = true;
    this.world.at(this.world.now + milliseconds, () => {
      if (this.alarm.number !== number) return;
      this.alarm.set = false;
      this.notices.push(() => this.service?.alarmed());
    });
  }

  private card(incarnation: number): OpenCard {
    return {
      receive: (done) => {
        this.receiving = (outcome) => this.notify(incarnation, () => done(outcome));
        this.deliver();
      },
      transmit: (batch, done) =>
        this.effect(() => {
          for (const frame of framesOf(batch)) this.world.transmit(this, Buffer.from(frame));
          const end = (): void => this.notify(incarnation, () => done({ ok: true, value: undefined }));
          if (this.sendMilliseconds === 0) end();
          else this.world.at(this.world.now + this.sendMilliseconds, end);
        }),
      setFilter: (_filter, done) => this.notify(incarnation, () => done({ ok: true, value: undefined })),
      close: () => undefined,
    };
  }

  /** A frame has come over the cable. */
  frame(frame: Buffer): void {
    if (this.ring.length < this.ringFrames) this.ring.push(frame);
    this.deliver();
  }

  private deliver(): void {
    const { receiving } = this;
    if (receiving === null || this.ring.length === 0) return;
    this.receiving = null;
    receiving({ ok: true, value: placed(this.ring.splice(0, this.mostFrames)) });
  }

  /** Takes one turn of the loop; false: there is nothing to do. */
  step(): boolean {
    const { service } = this;
    if (service === null) return false;
    if (this.queue.length === 0 && this.notices.length === 0 && !service.pending) return false;
    this.mortal(() => {
      while (this.takeMessage(service) && service.pending && !service.full);
      while (service.pending && this.notices.length === 0 && this.queue.length === 0) service.finish();
      if (service.full) service.finish();
    });
    return true;
  }

  private takeMessage(service: NetworkService): boolean {
    // What comes again is in front.
    const again = this.queue[0]?.deliveries !== 0;
    const notice = again ? undefined : this.notices.shift();
    if (notice !== undefined) {
      notice();
      return true;
    }
    const request = this.queue.shift();
    if (request === undefined) {
      const other = this.notices.shift();
      other?.();
      return other !== undefined;
    }
    // It is owed as soon as it is received: settling is work of the process, which can die of it.
    const isNew = request.deliveries === 0;
    request.deliveries++;
    this.owed.add(request);
    if (isNew) this.settle(service);
    this.carryOut(service, request);
    if (this.queue.every(({ deliveries }) => deliveries === 0)) this.settle(service);
    return true;
  }

  private settle(service: NetworkService): void {
    if (this.settled) return;
    this.settled = true;
    service.settled();
  }

  private carryOut(service: NetworkService, request: Request): void {
    const handlers = service[request.table] as unknown as Record<
      string,
      (content: unknown, context: RequestContext) => unknown
    >;
    const answer = (outcome: Outcome<unknown>): void => this.effect(() => this.answer(request, outcome));
    const context = {
      sender: request.sender,
      badge: request.badge,
      sequence: request.sequence,
      retry: request.deliveries > 1,
      deliveries: request.deliveries,
      later: (keep: (deferred: Deferred<unknown>) => void) => {
        keep({
          reply: (value) => answer({ ok: true, value }),
          fail: (error) => answer({ ok: false, error }),
        });
        return LATER;
      },
    } as unknown as RequestContext;
    try {
      const value = handlers[request.method]?.(request.content, context);
      if (value !== LATER) answer({ ok: true, value });
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      answer({ ok: false, error });
    }
  }

  private answer(request: Request, outcome: Outcome<unknown>): void {
    if (!this.owed.delete(request)) throw new Error(`${request.method} is answered twice`);
    request.outcome = outcome;
    if (!outcome.ok) return;
    // Rights in the answer belong to who asked.
    const value = outcome.value as { connection?: number } | number | null | undefined;
    const right = request.method === 'accept' ? (value as { connection: number }).connection : value;
    const isRight = request.method === 'accept' || request.method === 'socket' || request.method === 'capture';
    if (isRight) Object.assign(this.rights.get(right as number) ?? {}, { ownedByService: false });
  }

  /** Rights that programs hold. */
  get rightsHeld(): number {
    return this.rights.size;
  }
}
