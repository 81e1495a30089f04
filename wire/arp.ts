/**
 * ARP for IPv4 over Ethernet.
 *
 * Read: RFC 826.
 */

import { type Ipv4Address, LINK_ADDRESS_BYTES } from './address.ts';
import { readUint16, readUint32, writeUint16, writeUint32 } from './bytes.ts';

const PACKET_BYTES = 28;
/** Hardware type Ethernet, protocol type IPv4, lengths of their addresses. */
const ETHERNET_AND_IPV4 = 0x0001_0800;
const LENGTHS = 0x0604;

export const ARP_REQUEST = 1;
export const ARP_REPLY = 2;

export interface ArpPacket {
  readonly operation: number;
  readonly senderLink: Uint8Array;
  readonly sender: Ipv4Address;
  readonly targetLink: Uint8Array;
  readonly target: Ipv4Address;
}

/** Takes a packet apart. Null for one that is too short, or for other kinds of addresses. */
export function parseArp(bytes: Buffer): ArpPacket | null {
  if (bytes.length < PACKET_BYTES) return null;
  if (readUint32(bytes, 0) !== ETHERNET_AND_IPV4 || readUint16(bytes, 4) !== LENGTHS) return null;
  return {
    operation: readUint16(bytes, 6),
    senderLink: bytes.subarray(8, 8 + LINK_ADDRESS_BYTES),
    sender: readUint32(bytes, 14),
    targetLink: bytes.subarray(18, 18 + LINK_ADDRESS_BYTES),
    target: readUint32(bytes, 24),
  };
}

export function buildArp(packet: ArpPacket): Buffer {
  const bytes = Buffer.alloc(PACKET_BYTES);
  writeUint32(bytes, ETHERNET_AND_IPV4, 0);
  writeUint16(bytes, LENGTHS, 4);
  writeUint16(bytes, packet.operation, 6);
  bytes.set(packet.senderLink, 8);
  writeUint32(bytes, packet.sender, 14);
  bytes.set(packet.targetLink, 18);
  writeUint32(bytes, packet.target, 24);
  return bytes;
}
