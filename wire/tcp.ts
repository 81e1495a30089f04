/**
 * TCP segments, with the options for segment size and window scale.
 *
 * Read: RFC 9293, 3.1 and 3.2; RFC 7323, 2.2 (window scale).
 */

import type { Ipv4Address } from './address.ts';
import { transportChecksum } from './checksum.ts';
import { PROTOCOL } from './ipv4.ts';

export const TCP_HEADER_BYTES = 20;
const OPTION = { END: 0, NOTHING: 1, SEGMENT_SIZE: 2, WINDOW_SCALE: 3 } as const;
/** A larger shift counts as this one. */
const LARGEST_SHIFT = 14;

export const FLAG = { FIN: 0x01, SYN: 0x02, RST: 0x04, PSH: 0x08, ACK: 0x10 } as const;

export interface TcpSegment {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly flags: number;
  /** As in the header: not scaled. */
  readonly window: number;
  /** Option "maximum segment size"; undefined where it is not there. */
  readonly segmentSize: number | undefined;
  /** Option "window scale", a shift of 0 to 14; undefined where it is not there. */
  readonly windowShift: number | undefined;
  readonly data: Buffer;
}

/** Takes a segment apart. Null when lengths, options or the check sum are wrong. */
export function parseTcp(bytes: Buffer, source: Ipv4Address, destination: Ipv4Address): TcpSegment | null {
  if (bytes.length < TCP_HEADER_BYTES) return null;
  const headerBytes = (bytes.readUInt8(12) >>> 4) * 4;
  if (headerBytes < TCP_HEADER_BYTES || headerBytes > bytes.length) return null;
  if (transportChecksum(source, destination, PROTOCOL.TCP, bytes) !== 0) return null;
  const options = parseOptions(bytes.subarray(TCP_HEADER_BYTES, headerBytes));
  if (options === null) return null;
  return {
    sourcePort: bytes.readUInt16BE(0),
    destinationPort: bytes.readUInt16BE(2),
    sequence: bytes.readUInt32BE(4),
    acknowledgment: bytes.readUInt32BE(8),
    flags: bytes.readUInt8(13),
    window: bytes.readUInt16BE(14),
    ...options,
    data: bytes.subarray(headerBytes),
  };
}

type Options = Pick<TcpSegment, 'segmentSize' | 'windowShift'>;

/** Null when an option has a length that cannot be. */
function parseOptions(bytes: Buffer): Options | null {
  let segmentSize: number | undefined;
  let windowShift: number | undefined;
  for (let at = 0; at < bytes.length; ) {
    const kind = bytes.readUInt8(at);
    if (kind === OPTION.END) break;
    if (kind === OPTION.NOTHING) {
      at++;
      continue;
    }
    const length = bytes[at + 1] ?? 0;
    if (length < 2 || at + length > bytes.length) return null;
    if (kind === OPTION.SEGMENT_SIZE && length === 4) segmentSize = bytes.readUInt16BE(at + 2);
    if (kind === OPTION.WINDOW_SCALE && length === 3) windowShift = Math.min(bytes.readUInt8(at + 2), LARGEST_SHIFT);
    at += length;
  }
  return { segmentSize, windowShift };
}

export function buildTcp(source: Ipv4Address, destination: Ipv4Address, segment: TcpSegment): Buffer {
  const options = buildOptions(segment);
  const headerBytes = TCP_HEADER_BYTES + options.length;
  const bytes = Buffer.alloc(headerBytes + segment.data.length);
  bytes.writeUInt16BE(segment.sourcePort, 0);
  bytes.writeUInt16BE(segment.destinationPort, 2);
  bytes.writeUInt32BE(segment.sequence, 4);
  bytes.writeUInt32BE(segment.acknowledgment, 8);
  bytes.writeUInt8((headerBytes / 4) << 4, 12);
  bytes.writeUInt8(segment.flags, 13);
  bytes.writeUInt16BE(segment.window, 14);
  bytes.set(options, TCP_HEADER_BYTES);
  bytes.set(segment.data, headerBytes);
  bytes.writeUInt16BE(transportChecksum(source, destination, PROTOCOL.TCP, bytes), 16);
  return bytes;
}

function buildOptions({ segmentSize, windowShift }: Options): number[] {
  const size = segmentSize === undefined ? [] : [OPTION.SEGMENT_SIZE, 4, segmentSize >>> 8, segmentSize & 0xff];
  const scale = windowShift === undefined ? [] : [OPTION.NOTHING, OPTION.WINDOW_SCALE, 3, windowShift];
  return [...size, ...scale];
}

/** a - b in the sequence space, from -2^31 to 2^31 - 1: negative when a comes before b (RFC 9293, 3.4). */
export function sequenceDifference(a: number, b: number): number {
  return (a - b) | 0;
}

/** The sequence number `count` after `sequence`. */
export function sequenceAdd(sequence: number, count: number): number {
  return (sequence + count) >>> 0;
}
