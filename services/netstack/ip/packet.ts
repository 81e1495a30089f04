/**
 * Packets on their way out: one buffer with room for the headers of Ethernet and IPv4 in front of the payload, so that
 * no layer copies.
 */
import type { Ipv4Address } from '../../../wire/address.ts';
import { ETHERNET_HEADER_BYTES, MINIMUM_FRAME_BYTES } from '../../../wire/ethernet.ts';
import { IPV4_HEADER_BYTES } from '../../../wire/ipv4.ts';

/** Bytes in front of the payload: of the Ethernet header and of an IPv4 header without options. */
export const HEADROOM_BYTES = ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES;

/** A packet to be sent. The layer that sends it gives its buffer away. */
export interface OutgoingPacket {
  readonly source: Ipv4Address;
  readonly destination: Ipv4Address;
  readonly protocol: number;
  readonly timeToLive: number;
  readonly typeOfService: number;
  /** What is too long for the way is EMSGSIZE, and no router may fragment it. */
  readonly dontFragment: boolean;
  /** Nobody else's; the payload begins at HEADROOM_BYTES. */
  readonly buffer: Buffer;
  readonly payloadBytes: number;
}

/** A buffer for a packet with so many bytes of payload, which belong at HEADROOM_BYTES. Its content is not defined. */
export function packetBuffer(payloadBytes: number): Buffer {
  return Buffer.allocUnsafe(Math.max(MINIMUM_FRAME_BYTES, HEADROOM_BYTES + payloadBytes));
}
