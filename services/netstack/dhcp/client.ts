/**
 * DHCP client of one interface: a state machine that gets an address, keeps it for as long as it is granted, and goes
 * on asking when nobody answers.
 *
 * Read: RFC 2131, 3 (course), 4.4 (client behaviour, figure 5) and 4.1 (times between messages).
 */

import type { networkConfiguration } from '../../../protocol/network.ts';
import type { Infer } from '../../../protocol/schema.ts';
import { type Ipv4Address, UNSPECIFIED } from '../../../wire/address.ts';
import {
  BOOT_REPLY,
  BOOT_REQUEST,
  buildDhcp,
  DHCP,
  DHCP_OPTION,
  type DhcpMessage,
  option32,
  parseDhcp,
} from '../../../wire/dhcp.ts';
import type { RandomNumbers } from '../random.ts';
import { type Lease, readLease } from './lease.ts';

/**
 * Pause after the first message; each further one is twice as long, up to the last (RFC 2131, 4.1), all within a second
 * more or less.
 */
const FIRST_PAUSE_MS = 4000;
const LONGEST_PAUSE_MS = 64_000;
const JITTER_MS = 1000;
/** Messages without an answer, after which a request is given up, and a search is called failed (it goes on). */
const REQUEST_TRIES = 4;
const REBOOT_TRIES = 2;
const DISCOVER_TRIES = 3;
/** Between two requests for the same lease (RFC 2131, 4.4.5). */
const LEAST_RENEWAL_PAUSE_MS = 60_000;
/** After a refusal, and after an address that is somebody else's (RFC 2131, 3.1). */
const REFUSED_PAUSE_MS = 1000;
const DECLINED_PAUSE_MS = 10_000;
const LARGEST_MESSAGE_BYTES = 1472;

/** What is asked for besides the address. */
const PARAMETERS = [
  DHCP_OPTION.SUBNET_MASK,
  DHCP_OPTION.ROUTER,
  DHCP_OPTION.NAME_SERVER,
  DHCP_OPTION.HOST_NAME,
  DHCP_OPTION.DOMAIN_NAME,
  DHCP_OPTION.BROADCAST,
  DHCP_OPTION.RENEWAL_SECONDS,
  DHCP_OPTION.REBINDING_SECONDS,
];

/** As `configuration` shows it. */
export type DhcpState = Infer<typeof networkConfiguration>['dhcp'];

/** What the client does. */
export interface DhcpEffects {
  /** Sends a message from an address (0: none yet) to a server, or to all (null). */
  send(message: Buffer, source: Ipv4Address, server: Ipv4Address | null, now: number): void;
  /** Finds out whether anybody has an address; `checked` or `conflicted` follows. */
  check(address: Ipv4Address, now: number): void;
  /** The lease is ours, or has been renewed: its values are to be used, and kept. */
  use(lease: Lease, now: number): void;
  /** The lease is not ours any more. */
  lose(now: number): void;
}

type Phase =
  | 'off'
  /** Waits before it begins anew. */
  | 'pausing'
  | 'selecting'
  | 'requesting'
  /** Asks whether an address that it had may be used again. */
  | 'rebooting'
  | 'checking'
  | 'bound'
  | 'renewing'
  | 'rebinding';

/** See the head of this file. */
export class DhcpClient {
  readonly counters = { sent: 0, received: 0, malformed: 0, refused: 0, declined: 0 };
  readonly #hardware: Buffer;
  readonly #effects: DhcpEffects;
  readonly #random: RandomNumbers;
  #phase: Phase = 'off';
  #due = Infinity;
  #transaction = 0;
  /** Messages of this phase that have been sent, and when the first of them was. */
  #tries = 0;
  #asked = 0;
  /** Searches that came to nothing. */
  #failures = 0;
  /** What is ours, or was and is asked for again. */
  #lease: Lease | null = null;
  /** What has been offered, or granted and not been checked. */
  #candidate: Lease | null = null;

  constructor(hardware: Buffer, effects: DhcpEffects, random: RandomNumbers) {
    this.#hardware = hardware;
    this.#effects = effects;
    this.#random = random;
  }

  get state(): DhcpState {
    switch (this.#phase) {
      case 'rebooting':
        return this.#lease === null ? 'requesting' : 'bound';
      case 'checking':
        return 'requesting';
      case 'pausing':
      case 'selecting':
        return this.#failures > 0 || this.#tries > DISCOVER_TRIES ? 'failed' : 'selecting';
      default:
        return this.#phase;
    }
  }

  /** What is used now. */
  get lease(): Lease | null {
    return this.#lease;
  }

  /** Begins. @param kept a lease of an earlier incarnation that has not expired: it goes on as if nothing had been */
  start(kept: Lease | null, now: number): void {
    this.#failures = 0;
    this.#candidate = null;
    this.#lease = null;
    if (kept === null) this.#discover(now);
    else this.#bind(kept, now);
  }

  /** Ends; an address that was used has to be given up by the caller. */
  stop(): void {
    this.#enter('off', Infinity);
    this.#lease = null;
    this.#candidate = null;
  }

  /**
   * The cable was plugged in again, perhaps elsewhere: asks whether the address may still be used, which it is until it
   * is refused (RFC 2131, 3.7).
   */
  verify(now: number): void {
    if (this.#phase === 'off') return;
    if (this.#lease === null) this.#discover(now);
    else this.#begin('rebooting', now);
  }

  /** Nobody else has the address that `check` was called for. */
  checked(now: number): void {
    if (this.#phase === 'checking' && this.#candidate !== null) this.#bind(this.#candidate, now);
  }

  /** The address is somebody else's. */
  conflicted(now: number): void {
    const lease = this.#candidate ?? this.#lease;
    if (lease === null || this.#phase === 'off') return;
    this.counters.declined++;
    this.#send(DHCP.DECLINE, UNSPECIFIED, null, now, [
      [DHCP_OPTION.REQUESTED_ADDRESS, lease.address],
      [DHCP_OPTION.SERVER, lease.server],
    ]);
    this.#restart(DECLINED_PAUSE_MS, now);
  }

  /** Takes the data of a datagram to the client's port. */
  receive(data: Buffer, now: number): void {
    const message = parseDhcp(data);
    if (message === null) {
      this.counters.malformed++;
      return;
    }
    const ours = message.operation === BOOT_REPLY && message.transaction === this.#transaction;
    if (!ours || !message.clientLink.equals(this.#hardware)) return;
    this.counters.received++;
    switch (message.options.get(DHCP_OPTION.MESSAGE_TYPE)?.[0]) {
      case DHCP.OFFER:
        if (this.#phase === 'selecting') this.#takeOffer(message, now);
        break;
      case DHCP.ACK:
        this.#takeAcknowledgment(message, now);
        break;
      case DHCP.NAK:
        this.#takeRefusal(message, now);
        break;
    }
  }

  advance(now: number): void {
    if (now < this.#due) return;
    const lease = this.#lease;
    if (lease?.expiresAt != null && now >= lease.expiresAt) {
      this.#restart(0, now);
      return;
    }
    switch (this.#phase) {
      case 'pausing':
        this.#discover(now);
        break;
      case 'selecting':
        if (this.#tries === DISCOVER_TRIES) this.#failures++;
        this.#sendAgain(now);
        break;
      case 'requesting':
        if (this.#tries < REQUEST_TRIES) {
          this.#sendAgain(now);
        } else {
          this.#failures++;
          this.#restart(0, now);
        }
        break;
      case 'rebooting':
        if (this.#tries < REBOOT_TRIES) this.#sendAgain(now);
        // Nobody says no: the lease holds (RFC 2131, 4.4.2).
        else if (lease !== null) this.#bind(lease, now);
        break;
      case 'bound':
        this.#begin('renewing', now);
        break;
      case 'renewing':
        if (lease?.rebindAt != null && now >= lease.rebindAt) this.#begin('rebinding', now);
        else this.#sendAgain(now);
        break;
      case 'rebinding':
        this.#sendAgain(now);
        break;
    }
  }

  deadline(): number {
    return this.#due;
  }

  #takeOffer(message: DhcpMessage, now: number): void {
    const offer = readLease(message, this.#asked);
    if (offer === null) {
      this.counters.malformed++;
      return;
    }
    this.#candidate = offer;
    // The request belongs to the same transaction as the offer (RFC 2131, 4.4.1).
    this.#begin('requesting', now, this.#transaction);
  }

  #takeAcknowledgment(message: DhcpMessage, now: number): void {
    const phase = this.#phase;
    if (phase !== 'requesting' && phase !== 'rebooting' && phase !== 'renewing' && phase !== 'rebinding') return;
    const granted = readLease(message, this.#asked);
    const wanted = phase === 'requesting' ? this.#candidate : this.#lease;
    if (
      granted === null ||
      granted.address !== wanted?.address ||
      (phase === 'requesting' && granted.server !== wanted.server)
    ) {
      this.counters.malformed++;
      return;
    }
    this.#failures = 0;
    if (phase !== 'requesting') {
      this.#bind(granted, now);
      return;
    }
    this.#candidate = granted;
    this.#enter('checking', Infinity);
    this.#effects.check(granted.address, now);
  }

  #takeRefusal(message: DhcpMessage, now: number): void {
    const phase = this.#phase;
    if (phase !== 'requesting' && phase !== 'rebooting' && phase !== 'renewing' && phase !== 'rebinding') return;
    const server = option32(message, DHCP_OPTION.SERVER);
    if (phase === 'requesting' && server !== this.#candidate?.server) return;
    this.counters.refused++;
    this.#failures++;
    this.#restart(Math.min(REFUSED_PAUSE_MS * 2 ** Math.min(this.#failures - 1, 6), LONGEST_PAUSE_MS), now);
  }

  #bind(lease: Lease, now: number): void {
    this.#candidate = null;
    this.#lease = lease;
    this.#failures = 0;
    this.#enter('bound', lease.renewAt ?? Infinity);
    this.#effects.use(lease, now);
  }

  /** Gives up what there is and looks for an address anew. */
  #restart(pause: number, now: number): void {
    const had = this.#lease !== null;
    this.#lease = null;
    this.#candidate = null;
    this.#enter('pausing', now + pause);
    if (had) this.#effects.lose(now);
  }

  #discover(now: number): void {
    this.#begin('selecting', now);
  }

  /** Enters a phase in which a message is sent until it is answered. */
  #begin(phase: Phase, now: number, transaction = this.#random.u32()): void {
    this.#transaction = transaction;
    this.#enter(phase, now);
    this.#asked = now;
    this.#sendAgain(now);
  }

  #enter(phase: Phase, due: number): void {
    this.#phase = phase;
    this.#due = due;
    this.#tries = 0;
  }

  /** Sends the message of this phase, once more, and sets when it is next due. */
  #sendAgain(now: number): void {
    this.#tries++;
    this.#due = now + this.#pause(now);
    const lease = this.#lease;
    const candidate = this.#candidate;
    switch (this.#phase) {
      case 'selecting':
        this.#asked = now;
        this.#send(DHCP.DISCOVER, UNSPECIFIED, null, now);
        break;
      case 'requesting':
        if (candidate === null) break;
        this.#send(DHCP.REQUEST, UNSPECIFIED, null, now, [
          [DHCP_OPTION.REQUESTED_ADDRESS, candidate.address],
          [DHCP_OPTION.SERVER, candidate.server],
        ]);
        break;
      case 'rebooting':
        if (lease === null) break;
        this.#send(DHCP.REQUEST, UNSPECIFIED, null, now, [[DHCP_OPTION.REQUESTED_ADDRESS, lease.address]]);
        break;
      case 'renewing':
      case 'rebinding':
        if (lease === null) break;
        this.#send(DHCP.REQUEST, lease.address, this.#phase === 'renewing' ? lease.server : null, now);
        break;
    }
  }

  #pause(now: number): number {
    const lease = this.#lease;
    if (this.#phase === 'renewing' || this.#phase === 'rebinding') {
      // Half of what is left, but not too often (RFC 2131, 4.4.5).
      const end = (this.#phase === 'renewing' ? lease?.rebindAt : lease?.expiresAt) ?? Infinity;
      return Math.min(Math.max((end - now) / 2, LEAST_RENEWAL_PAUSE_MS), Math.max(0, end - now));
    }
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(this.#tries - 1, 10), LONGEST_PAUSE_MS);
    return pause - JITTER_MS + this.#random.below(2 * JITTER_MS);
  }

  /** @param source the address that the client has, 0 for none */
  #send(
    type: number,
    source: Ipv4Address,
    server: Ipv4Address | null,
    now: number,
    words: readonly (readonly [number, number])[] = [],
  ): void {
    const options = new Map<number, Buffer>([
      [DHCP_OPTION.MESSAGE_TYPE, Buffer.from([type])],
      [DHCP_OPTION.CLIENT, Buffer.concat([Buffer.from([1]), this.#hardware])],
    ]);
    for (const [code, value] of words) {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(value);
      options.set(code, bytes);
    }
    if (type !== DHCP.DECLINE) {
      const most = Buffer.alloc(2);
      most.writeUInt16BE(LARGEST_MESSAGE_BYTES);
      options.set(DHCP_OPTION.LARGEST_MESSAGE, most);
      options.set(DHCP_OPTION.PARAMETERS, Buffer.from(PARAMETERS));
    }
    const message = buildDhcp(
      {
        operation: BOOT_REQUEST,
        transaction: this.#transaction,
        broadcast: false,
        clientAddress: source,
        yourAddress: UNSPECIFIED,
        clientLink: this.#hardware,
        options,
      },
      UNSPECIFIED,
    );
    this.counters.sent++;
    this.#effects.send(message, source, server, now);
  }
}
