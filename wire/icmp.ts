/**
 * ICMP messages: echo, and errors that quote the packet they are about.
 *
 * Read: RFC 792; RFC 1122, 3.2.2.
 */

import type { Ipv4Address } from './address.ts';
import { readUint32, writeUint16, writeUint32 } from './bytes.ts';
import { checksum } from './checksum.ts';
import { IPV4_HEADER_BYTES } from './ipv4.ts';

const HEADER_BYTES = 8;
/** Of the packet's payload an error quotes this much: the ports of a transport protocol are in it. */
export const QUOTED_PAYLOAD_BYTES = 8;

export const ICMP = {
  ECHO_REPLY: 0,
  UNREACHABLE: 3,
  SOURCE_QUENCH: 4,
  REDIRECT: 5,
  ECHO_REQUEST: 8,
  TIME_EXCEEDED: 11,
  PARAMETER_PROBLEM: 12,
} as const;

/** Codes of ICMP.UNREACHABLE. */
export const UNREACHABLE = {
  NETWORK: 0,
  HOST: 1,
  PROTOCOL: 2,
  PORT: 3,
  FRAGMENTATION_NEEDED: 4,
  SOURCE_ROUTE_FAILED: 5,
  NETWORK_UNKNOWN: 6,
  NETWORK_PROHIBITED: 9,
  NETWORK_SERVICE: 11,
  PROHIBITED: 13,
} as const;

/** Codes of ICMP.TIME_EXCEEDED. */
export const TIME_EXCEEDED = { IN_TRANSIT: 0, REASSEMBLY: 1 } as const;

export interface IcmpMessage {
  readonly type: number;
  readonly code: number;
  /**
   * The four bytes after the check sum: identifier and sequence number of an echo, MTU of the next link in
   * "fragmentation needed" (RFC 1191, 4).
   */
  readonly rest: number;
  readonly data: Buffer;
}

/** Takes a message apart. Null when it is too short or its check sum is wrong. */
export function parseIcmp(bytes: Buffer): IcmpMessage | null {
  if (bytes.length < HEADER_BYTES || checksum(bytes) !== 0) return null;
  return {
    type: bytes.readUInt8(0),
    code: bytes.readUInt8(1),
    rest: readUint32(bytes, 4),
    data: bytes.subarray(HEADER_BYTES),
  };
}

export function buildIcmp(message: IcmpMessage): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + message.data.length);
  bytes.writeUInt8(message.type, 0);
  bytes.writeUInt8(message.code, 1);
  writeUint32(bytes, message.rest, 4);
  bytes.set(message.data, HEADER_BYTES);
  writeUint16(bytes, checksum(bytes), 2);
  return bytes;
}

/** Whether messages of this type are errors, about which no errors may be sent (RFC 1122, 3.2.2). */
export function isIcmpError(type: number): boolean {
  switch (type) {
    case ICMP.UNREACHABLE:
    case ICMP.SOURCE_QUENCH:
    case ICMP.REDIRECT:
    case ICMP.TIME_EXCEEDED:
    case ICMP.PARAMETER_PROBLEM:
      return true;
    default:
      return false;
  }
}

/** The part of a packet that an error about it quotes: its header and the beginning of its payload. */
export function quote(packet: Buffer): Buffer {
  const headerBytes = ((packet[0] ?? 0) & 0x0f) * 4;
  return Buffer.from(packet.subarray(0, Math.max(IPV4_HEADER_BYTES, headerBytes) + QUOTED_PAYLOAD_BYTES));
}

/** What an ICMP error quotes: whose packet it was, and the first bytes of its payload. */
export interface QuotedPacket {
  readonly source: Ipv4Address;
  readonly destination: Ipv4Address;
  readonly protocol: number;
  readonly payload: Buffer;
}

/**
 * Takes a quotation apart: the packet's length and check sum need not fit what is there. Null when there is no whole
 * header, or nothing behind it.
 */
export function parseQuote(bytes: Buffer): QuotedPacket | null {
  const headerBytes = ((bytes[0] ?? 0) & 0x0f) * 4;
  if ((bytes[0] ?? 0) >>> 4 !== 4 || headerBytes < IPV4_HEADER_BYTES || bytes.length <= headerBytes) return null;
  return {
    source: readUint32(bytes, 12),
    destination: readUint32(bytes, 16),
    protocol: bytes.readUInt8(9),
    payload: bytes.subarray(headerBytes),
  };
}
