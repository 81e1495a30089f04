/** What the parts of the network share. */

import type { Ipv4Message } from './guest-link.ts';
import type { Host } from './host.ts';

export interface NatContext {
  readonly host: Host;
  /** The guest is to reach nothing but the router itself. */
  readonly restricted: boolean;
  /** Milliseconds, never backwards. */
  clock(): number;
  /** A number from 0 to 2^32 - 1 that nobody can guess. */
  random32(): number;
  /** Sends a packet to the guest. */
  send(message: Ipv4Message, payload: Uint8Array): void;
  /** Tells the guest by ICMP why its packet did not arrive. @param packet that packet, or as much of it as is known */
  unreachable(code: number, packet: Buffer): void;
}
