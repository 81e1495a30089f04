/**
 * Whose link address is whose on one Ethernet: the cache of ARP, and the packets that wait for an answer. Everything in
 * it is bounded; addresses that were only heard of never push out those that are used.
 *
 * Read: RFC 826; RFC 1122, 2.3.2 (old entries are asked for again, questions are limited, a packet waits).
 */
import type { ErrorName } from '../../../protocol/errno.ts';
import { SystemError } from '../../../protocol/errno.ts';
import type { Ipv4Address } from '../../../wire/address.ts';
import { RateLimit } from '../rate-limit.ts';

/** Entries of each kind. All together are what one answer of `network.neighbours` takes. */
const USED_LIMIT = 256;
const HEARD_LIMIT = 128;
const ASKED_LIMIT = 64;
const FAILED_LIMIT = 64;
const PERMANENT_LIMIT = 64;
/** Packets that wait: for one address (a ping of the largest size has 45 fragments), and for all. */
const WAITING_PACKETS = 64;
const WAITING_PACKETS_IN_ALL = 512;

/** An answer is believed so long; one that came unasked, shorter. */
const REACHABLE_MS = 60_000;
const UNASKED_MS = 5000;
/** Entries that are neither used nor heard of are forgotten. */
const FORGET_MS = 10 * 60_000;
const SWEEP_MS = 60_000;
/** Questions, and the time between them; then how long packets are refused at once. */
const QUESTIONS = 3;
const QUESTION_MS = 1000;
const FAILED_MS = 5000;
const QUESTIONS_A_SECOND = 50;
const QUESTIONS_AT_ONCE = 100;

/** What the cache does. */
export interface NeighbourEffects {
  /** Asks who has an address; the one who had it last, or everybody (null). */
  ask(address: Ipv4Address, hardware: Buffer | null): void;
  /** Sends a packet, which has room for an Ethernet header in front. */
  send(packet: WaitingPacket, hardware: Buffer): void;
  /** Nobody has answered for the address that this packet waited for. */
  failed(packet: WaitingPacket): void;
}

/** A packet in a buffer with room for an Ethernet header. */
export interface WaitingPacket {
  readonly buffer: Buffer;
  readonly packetBytes: number;
}

export type NeighbourState = 'incomplete' | 'reachable' | 'stale' | 'failed' | 'permanent';

interface Neighbour {
  readonly address: Ipv4Address;
  hardware: Buffer | null;
  /** Until then it is not asked for again. */
  freshUntil: number;
  heard: number;
  used: number;
  /** Questions since the last answer, and when the next step is due. */
  questions: number;
  due: number;
  waiting: WaitingPacket[];
}

/** A neighbour as one sees it. */
export interface NeighbourView {
  readonly address: Ipv4Address;
  readonly hardware: Buffer | null;
  readonly state: NeighbourState;
  /** Milliseconds since it was heard of. */
  readonly age: number;
}

/** See the head of this file. */
export class Neighbours {
  readonly counters = { questions: 0, waitingDrops: 0, evicted: 0 };
  /** Link addresses have come, changed or gone since this was set to false: they may be kept. */
  changed = false;
  readonly #effects: NeighbourEffects;
  readonly #limit = new RateLimit(QUESTIONS_A_SECOND, QUESTIONS_AT_ONCE);
  readonly #permanent = new Map<Ipv4Address, Buffer>();
  /** Those with a link address that we send to; who came first is first. */
  readonly #used = new Map<Ipv4Address, Neighbour>();
  /** Those with a link address that we have never sent to. */
  readonly #heard = new Map<Ipv4Address, Neighbour>();
  readonly #asked = new Map<Ipv4Address, Neighbour>();
  readonly #failed = new Map<Ipv4Address, Neighbour>();
  #waiting = 0;
  /** No step of any neighbour is due before. */
  #due = Infinity;
  #sweep = Infinity;

  constructor(effects: NeighbourEffects) {
    this.#effects = effects;
  }

  /** The link address for a packet, if it is known. If it is not, `enqueue` is to follow. */
  lookup(address: Ipv4Address, now: number): Buffer | null {
    const neighbour = this.#used.get(address);
    if (neighbour !== undefined) {
      neighbour.used = now;
      if (now >= neighbour.freshUntil && neighbour.due === Infinity) this.#question(neighbour, neighbour.hardware, now);
      return neighbour.hardware;
    }
    return this.#permanent.get(address) ?? this.#promote(address, now);
  }

  /** Has a packet wait until its address is known. @returns EHOSTUNREACH: nobody has answered a moment ago */
  enqueue(address: Ipv4Address, packet: WaitingPacket, now: number): ErrorName | null {
    const failed = this.#failed.get(address);
    if (failed !== undefined && now < failed.due) return 'EHOSTUNREACH';
    this.#failed.delete(address);
    let neighbour = this.#asked.get(address);
    if (neighbour === undefined) {
      this.#makeRoom(this.#asked, ASKED_LIMIT);
      neighbour = create(address, null, now);
      this.#asked.set(address, neighbour);
      this.#question(neighbour, null, now);
    }
    neighbour.waiting.push(packet);
    this.#waiting++;
    if (neighbour.waiting.length > WAITING_PACKETS || this.#waiting > WAITING_PACKETS_IN_ALL) {
      neighbour.waiting.shift();
      this.#waiting--;
      this.counters.waitingDrops++;
    }
    return null;
  }

  /**
   * Somebody says that he has an address.
   *
   * @param answer whether he was asked
   * @param concernsUs whether it was said to us, so that he is worth remembering
   */
  learn(address: Ipv4Address, bytes: Uint8Array, answer: boolean, concernsUs: boolean, now: number): void {
    if (this.#permanent.has(address)) return;
    const known = this.#used.get(address) ?? this.#heard.get(address);
    if (known !== undefined) {
      this.#update(known, bytes, answer, now);
      return;
    }
    const asked = this.#asked.get(address);
    if (asked === undefined && !concernsUs) return;
    const hardware = Buffer.from(bytes);
    this.#failed.delete(address);
    this.changed = true;
    if (asked === undefined) {
      const neighbour = create(address, hardware, now);
      neighbour.freshUntil = now + UNASKED_MS;
      this.#makeRoom(this.#heard, HEARD_LIMIT);
      this.#heard.set(address, neighbour);
      this.#armSweep(now);
      return;
    }
    this.#asked.delete(address);
    this.#settle(asked, hardware, now);
  }

  /** Sets a neighbour for good. ENOSPC. */
  setPermanent(address: Ipv4Address, bytes: Uint8Array, now: number): void {
    if (!this.#permanent.has(address) && this.#permanent.size >= PERMANENT_LIMIT) {
      throw new SystemError('ENOSPC', `${PERMANENT_LIMIT} neighbours are set`);
    }
    const asked = this.#asked.get(address);
    const hardware = Buffer.from(bytes);
    this.remove(address, false);
    this.#permanent.set(address, hardware);
    if (asked !== undefined) this.#flush(asked, hardware);
    this.#armSweep(now);
  }

  /** Forgets a neighbour; what waits for it is dropped. @returns whether there was one */
  remove(address: Ipv4Address, dropWaiting = true): boolean {
    const asked = this.#asked.get(address);
    if (asked !== undefined && dropWaiting) this.#drop(asked);
    const maps = [this.#permanent, this.#used, this.#heard, this.#asked, this.#failed];
    const found = maps.map((map) => map.delete(address)).some((gone) => gone);
    this.changed ||= found;
    return found;
  }

  /** Forgets everything but what was set for good. */
  clear(): void {
    for (const neighbour of this.#asked.values()) this.#drop(neighbour);
    for (const map of [this.#used, this.#heard, this.#asked, this.#failed]) map.clear();
    this.changed = true;
  }

  /** Takes over what an earlier incarnation knew: it is used, and asked for at once. */
  restore(address: Ipv4Address, bytes: Uint8Array, now: number): void {
    if (this.#used.size >= USED_LIMIT || this.#used.has(address)) return;
    this.#used.set(address, create(address, Buffer.from(bytes), now));
    this.#armSweep(now);
  }

  advance(now: number): void {
    if (now >= this.#sweep) this.#forget(now);
    if (now < this.#due) return;
    this.#due = Infinity;
    for (const neighbour of this.#used.values()) {
      if (neighbour.due <= now) this.#askAgain(neighbour, now);
      else this.#due = Math.min(this.#due, neighbour.due);
    }
    for (const neighbour of this.#asked.values()) {
      if (neighbour.due <= now) this.#ask(neighbour, now);
      else this.#due = Math.min(this.#due, neighbour.due);
    }
  }

  deadline(): number {
    return Math.min(this.#due, this.#sweep);
  }

  /** Those that are known or asked for. */
  list(now: number): NeighbourView[] {
    const rows: NeighbourView[] = [];
    for (const [address, hardware] of this.#permanent) rows.push({ address, hardware, state: 'permanent', age: 0 });
    const add = (map: Map<Ipv4Address, Neighbour>, state: (neighbour: Neighbour) => NeighbourState): void => {
      for (const neighbour of map.values()) {
        const { address, hardware, heard } = neighbour;
        rows.push({ address, hardware, state: state(neighbour), age: Math.max(0, now - heard) });
      }
    };
    const knownState = (neighbour: Neighbour): NeighbourState => (now < neighbour.freshUntil ? 'reachable' : 'stale');
    add(this.#used, knownState);
    add(this.#heard, knownState);
    add(this.#asked, () => 'incomplete');
    add(this.#failed, () => 'failed');
    return rows;
  }

  #update(neighbour: Neighbour, bytes: Uint8Array, answer: boolean, now: number): void {
    if (neighbour.hardware?.equals(bytes) !== true) {
      neighbour.hardware = Buffer.from(bytes);
      neighbour.freshUntil = now + UNASKED_MS;
      this.changed = true;
    }
    neighbour.heard = now;
    if (!answer) return;
    neighbour.freshUntil = now + REACHABLE_MS;
    neighbour.questions = 0;
    neighbour.due = Infinity;
  }

  /** One that was only heard of is going to be used. */
  #promote(address: Ipv4Address, now: number): Buffer | null {
    const neighbour = this.#heard.get(address);
    if (neighbour === undefined) return null;
    this.#heard.delete(address);
    this.#makeRoom(this.#used, USED_LIMIT);
    this.#used.set(address, neighbour);
    return this.lookup(address, now);
  }

  /** An address that was asked for is known. */
  #settle(neighbour: Neighbour, hardware: Buffer, now: number): void {
    neighbour.hardware = hardware;
    neighbour.freshUntil = now + REACHABLE_MS;
    neighbour.heard = now;
    neighbour.used = now;
    neighbour.questions = 0;
    neighbour.due = Infinity;
    this.#makeRoom(this.#used, USED_LIMIT);
    this.#used.set(neighbour.address, neighbour);
    this.#armSweep(now);
    this.#flush(neighbour, hardware);
  }

  #flush(neighbour: Neighbour, hardware: Buffer): void {
    const packets = neighbour.waiting;
    neighbour.waiting = [];
    this.#waiting -= packets.length;
    for (const packet of packets) this.#effects.send(packet, hardware);
  }

  #drop(neighbour: Neighbour): void {
    this.#waiting -= neighbour.waiting.length;
    this.counters.waitingDrops += neighbour.waiting.length;
    neighbour.waiting = [];
  }

  /** Sends a question, if there are not too many; the next step is due a second later in any case. */
  #question(neighbour: Neighbour, hardware: Buffer | null, now: number): void {
    neighbour.due = now + QUESTION_MS;
    this.#due = Math.min(this.#due, neighbour.due);
    neighbour.questions++;
    if (!this.#limit.allow(now)) return;
    this.counters.questions++;
    this.#effects.ask(neighbour.address, hardware);
  }

  /** One that is used has not answered yet: at last everybody is asked, and packets wait. */
  #askAgain(neighbour: Neighbour, now: number): void {
    if (neighbour.questions < QUESTIONS) {
      this.#question(neighbour, neighbour.hardware, now);
      return;
    }
    this.#used.delete(neighbour.address);
    this.changed = true;
    // Nobody needs it any more: then nobody is asked.
    if (now - neighbour.used > QUESTIONS * QUESTION_MS) return;
    neighbour.hardware = null;
    neighbour.questions = 0;
    this.#makeRoom(this.#asked, ASKED_LIMIT);
    this.#asked.set(neighbour.address, neighbour);
    this.#question(neighbour, null, now);
  }

  #ask(neighbour: Neighbour, now: number): void {
    if (neighbour.questions < QUESTIONS) {
      this.#question(neighbour, null, now);
      return;
    }
    this.#asked.delete(neighbour.address);
    const packets = neighbour.waiting;
    neighbour.waiting = [];
    this.#waiting -= packets.length;
    neighbour.due = now + FAILED_MS;
    this.#makeRoom(this.#failed, FAILED_LIMIT);
    this.#failed.set(neighbour.address, neighbour);
    this.#armSweep(now);
    for (const packet of packets) this.#effects.failed(packet);
  }

  /**
   * Takes the entry away that is least worth keeping, if there is no room: of those that are used the one that was used
   * longest ago, else the oldest.
   */
  #makeRoom(map: Map<Ipv4Address, Neighbour>, limit: number): void {
    if (map.size < limit) return;
    let [victim] = map.values();
    if (map === this.#used) {
      for (const neighbour of map.values())
        if (victim === undefined || neighbour.used < victim.used) victim = neighbour;
    }
    if (victim === undefined) return;
    this.#drop(victim);
    map.delete(victim.address);
    this.counters.evicted++;
  }

  #armSweep(now: number): void {
    if (this.#sweep === Infinity) this.#sweep = now + SWEEP_MS;
  }

  #forget(now: number): void {
    for (const map of [this.#used, this.#heard]) {
      for (const neighbour of map.values()) {
        if (now - Math.max(neighbour.used, neighbour.heard) <= FORGET_MS) continue;
        map.delete(neighbour.address);
        this.changed = true;
      }
    }
    for (const neighbour of this.#failed.values()) if (neighbour.due <= now) this.#failed.delete(neighbour.address);
    this.#sweep = this.#used.size + this.#heard.size + this.#failed.size > 0 ? now + SWEEP_MS : Infinity;
  }
}

function create(address: Ipv4Address, hardware: Buffer | null, now: number): Neighbour {
  return { address, hardware, freshUntil: now, heard: now, used: now, questions: 0, due: Infinity, waiting: [] };
}
