/**
 * Ethernet frames without frame check sequence.
 *
 * Read: IEEE 802.3, 3.1.1 and 3.2.6; RFC 894.
 */

import { LINK_ADDRESS_BYTES } from './address.ts';
import { readUint16, writeUint16 } from './bytes.ts';

export const ETHERNET_HEADER_BYTES = 14;
/** The largest payload, and the smallest frame: shorter ones are padded. */
export const ETHERNET_MTU = 1500;
export const MINIMUM_FRAME_BYTES = 60;
/** Smaller values of the field are lengths, of frames that carry no type. */
const FIRST_TYPE = 0x0600;

export const ETHERTYPE = { IPV4: 0x0800, ARP: 0x0806 } as const;

export interface EthernetFrame {
  readonly destination: Buffer;
  readonly source: Buffer;
  readonly type: number;
  /** With any padding. */
  readonly payload: Buffer;
}

/** Takes a frame apart: views of its bytes. Null for one that is too short or has no type. */
export function parseEthernet(frame: Buffer): EthernetFrame | null {
  if (frame.length < ETHERNET_HEADER_BYTES) return null;
  const type = readUint16(frame, 2 * LINK_ADDRESS_BYTES);
  if (type < FIRST_TYPE) return null;
  return {
    destination: frame.subarray(0, LINK_ADDRESS_BYTES),
    source: frame.subarray(LINK_ADDRESS_BYTES, 2 * LINK_ADDRESS_BYTES),
    type,
    payload: frame.subarray(ETHERNET_HEADER_BYTES),
  };
}

/** Puts a frame together, padded with zeros to the smallest size. */
export function buildEthernet(destination: Uint8Array, source: Uint8Array, type: number, payload: Uint8Array): Buffer {
  const frame = Buffer.alloc(Math.max(MINIMUM_FRAME_BYTES, ETHERNET_HEADER_BYTES + payload.length));
  frame.set(destination, 0);
  frame.set(source, LINK_ADDRESS_BYTES);
  writeUint16(frame, type, 2 * LINK_ADDRESS_BYTES);
  frame.set(payload, ETHERNET_HEADER_BYTES);
  return frame;
}
