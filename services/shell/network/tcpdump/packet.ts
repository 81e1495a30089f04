/**
 * Packets as tcpdump looks at them: also those that are cut off or wrong, which the readers in wire/ refuse. Read RFC
 * 791, 3.1, RFC 9293, 3.1, RFC 768, RFC 792.
 */
import { type ArpPacket, parseArp } from '../../../../wire/arp.ts';
import { ETHERNET_HEADER_BYTES, ETHERTYPE, parseEthernet } from '../../../../wire/ethernet.ts';
import { IPV4_HEADER_BYTES, PROTOCOL } from '../../../../wire/ipv4.ts';

/** The header of IPv4, as far as it is there. */
export interface IpView {
  readonly source: number;
  readonly destination: number;
  readonly protocol: number;
  readonly timeToLive: number;
  readonly typeOfService: number;
  readonly identification: number;
  readonly dontFragment: boolean;
  readonly moreFragments: boolean;
  readonly fragmentOffset: number;
  /** Bytes of the packet, by its header. */
  readonly length: number;
  readonly header: Buffer;
  /** What is there of the payload, without padding. */
  readonly payload: Buffer;
}

/** A packet. What is null is not there, or not whole enough. */
export interface PacketView {
  /** Type of the Ethernet frame; null for other frames. */
  readonly type: number | null;
  /** Bytes of the frame, also those that were not recorded. */
  readonly length: number;
  readonly arp: ArpPacket | null;
  readonly ip: IpView | null;
  /** Ports of TCP and UDP. */
  readonly ports: readonly [source: number, destination: number] | null;
}

function parseIp(bytes: Buffer): IpView | null {
  if (bytes.length < IPV4_HEADER_BYTES) return null;
  const first = bytes.readUInt8(0);
  const headerBytes = (first & 0x0f) * 4;
  const length = bytes.readUInt16BE(2);
  if (first >>> 4 !== 4 || headerBytes < IPV4_HEADER_BYTES || headerBytes > bytes.length || length < headerBytes)
    return null;
  const fragment = bytes.readUInt16BE(6);
  return {
    source: bytes.readUInt32BE(12),
    destination: bytes.readUInt32BE(16),
    protocol: bytes.readUInt8(9),
    timeToLive: bytes.readUInt8(8),
    typeOfService: bytes.readUInt8(1),
    identification: bytes.readUInt16BE(4),
    dontFragment: (fragment & 0x4000) !== 0,
    moreFragments: (fragment & 0x2000) !== 0,
    fragmentOffset: (fragment & 0x1fff) * 8,
    length,
    header: bytes.subarray(0, headerBytes),
    payload: bytes.subarray(headerBytes, length),
  };
}

function portsOf(ip: IpView | null): PacketView['ports'] {
  if (ip === null || ip.fragmentOffset !== 0 || ip.payload.length < 4) return null;
  if (ip.protocol !== PROTOCOL.TCP && ip.protocol !== PROTOCOL.UDP) return null;
  return [ip.payload.readUInt16BE(0), ip.payload.readUInt16BE(2)];
}

/** Looks at an Ethernet frame of `length` bytes, of which these are recorded. */
export function viewFrame(bytes: Buffer, length = bytes.length): PacketView {
  const frame = parseEthernet(bytes);
  const type = frame?.type ?? null;
  const arp = type === ETHERTYPE.ARP && frame !== null ? parseArp(frame.payload) : null;
  const ip = type === ETHERTYPE.IPV4 && frame !== null ? parseIp(frame.payload) : null;
  return { type, length, arp, ip, ports: portsOf(ip) };
}

/**
 * A frame around a bare packet, so that both can be recorded in one file: without addresses, as that of a loopback
 * interface.
 */
export function framed(packet: Uint8Array): Buffer {
  const frame = Buffer.alloc(ETHERNET_HEADER_BYTES + packet.length);
  frame.writeUInt16BE(ETHERTYPE.IPV4, ETHERNET_HEADER_BYTES - 2);
  frame.set(packet, ETHERNET_HEADER_BYTES);
  return frame;
}
