/**
 * TCP segments, with the options for segment size, window scale, selective acknowledgment and timestamps.
 *
 * Read: RFC 9293, 3.1 and 3.2; RFC 7323, 2.2 (window scale), 3.2 (timestamps); RFC 2018, 2 and 3 (selective
 * acknowledgment).
 */

import type { Ipv4Address } from './address.ts';
import { readUint16, readUint32, writeUint16, writeUint32 } from './bytes.ts';
import { transportChecksum } from './checksum.ts';
import { PROTOCOL } from './ipv4.ts';

export const TCP_HEADER_BYTES = 20;
const OPTION = {
  END: 0,
  NOTHING: 1,
  SEGMENT_SIZE: 2,
  WINDOW_SCALE: 3,
  SELECTIVE_PERMITTED: 4,
  SELECTIVE: 5,
  TIMESTAMPS: 8,
} as const;
/** A larger shift counts as this one. */
const LARGEST_SHIFT = 14;
/**
 * Two times nothing, and timestamps: as everybody sends them, since this leaves the numbers aligned (RFC 7323, appendix
 * A).
 */
const ALIGNED_TIMESTAMPS = 0x0101_080a;
/** Bytes that timestamps take in a header, with the filling. */
export const TCP_TIMESTAMP_BYTES = 12;
const BLOCK_BYTES = 8;

export const FLAG = { FIN: 0x01, SYN: 0x02, RST: 0x04, PSH: 0x08, ACK: 0x10 } as const;

/** Bytes from `start` up to but not including `end`. */
export interface SequenceRange {
  readonly start: number;
  readonly end: number;
}

/** Options; undefined where one is not there. */
export interface TcpOptions {
  /** "Maximum segment size". */
  readonly segmentSize: number | undefined;
  /** "Window scale", a shift of 0 to 14. */
  readonly windowShift: number | undefined;
  /** "SACK permitted". */
  readonly selectivePermitted?: true | undefined;
  /** "SACK": at most four blocks, as they came. */
  readonly blocks?: readonly SequenceRange[] | undefined;
  /** "Timestamps": TSval and TSecr, both or none. */
  readonly timestamp?: number | undefined;
  readonly timestampEcho?: number | undefined;
}

export interface TcpSegment extends TcpOptions {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly flags: number;
  /** As in the header: not scaled. */
  readonly window: number;
  readonly data: Buffer;
}

/** Takes a segment apart. Null when lengths, options or the check sum are wrong. */
export function parseTcp(bytes: Buffer, source: Ipv4Address, destination: Ipv4Address): TcpSegment | null {
  if (bytes.length < TCP_HEADER_BYTES) return null;
  const headerBytes = (bytes.readUInt8(12) >>> 4) * 4;
  if (headerBytes < TCP_HEADER_BYTES || headerBytes > bytes.length) return null;
  if (transportChecksum(source, destination, PROTOCOL.TCP, bytes) !== 0) return null;
  const options = parseOptions(bytes, headerBytes);
  if (options === null) return null;
  return {
    sourcePort: readUint16(bytes, 0),
    destinationPort: readUint16(bytes, 2),
    sequence: readUint32(bytes, 4),
    acknowledgment: readUint32(bytes, 8),
    flags: bytes.readUInt8(13),
    window: readUint16(bytes, 14),
    segmentSize: options.segmentSize,
    windowShift: options.windowShift,
    selectivePermitted: options.selectivePermitted,
    blocks: options.blocks,
    timestamp: options.timestamp,
    timestampEcho: options.timestampEcho,
    data: bytes.subarray(headerBytes),
  };
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

const NO_OPTIONS: TcpOptions = { segmentSize: undefined, windowShift: undefined };

/** Options between the fixed header and `end`. Null when one has a length that cannot be. */
function parseOptions(bytes: Buffer, end: number): TcpOptions | null {
  if (end === TCP_HEADER_BYTES) return NO_OPTIONS;
  const options: Writable<TcpOptions> = { segmentSize: undefined, windowShift: undefined };
  for (let at = TCP_HEADER_BYTES; at < end; ) {
    const kind = bytes[at] ?? OPTION.END;
    if (kind === OPTION.END) break;
    if (kind === OPTION.NOTHING) {
      at++;
      continue;
    }
    const length = at + 1 < end ? (bytes[at + 1] ?? 0) : 0;
    if (length < 2 || at + length > end) return null;
    if (kind === OPTION.TIMESTAMPS && length === 10) {
      options.timestamp = readUint32(bytes, at + 2);
      options.timestampEcho = readUint32(bytes, at + 6);
    } else if (kind === OPTION.SELECTIVE && length > 2 && (length - 2) % BLOCK_BYTES === 0) {
      options.blocks = parseBlocks(bytes, at + 2, at + length);
    } else if (kind === OPTION.SEGMENT_SIZE && length === 4) options.segmentSize = readUint16(bytes, at + 2);
    else if (kind === OPTION.WINDOW_SCALE && length === 3) {
      options.windowShift = Math.min(bytes.readUInt8(at + 2), LARGEST_SHIFT);
    } else if (kind === OPTION.SELECTIVE_PERMITTED && length === 2) options.selectivePermitted = true;
    at += length;
  }
  return options;
}

function parseBlocks(bytes: Buffer, start: number, end: number): SequenceRange[] {
  const blocks: SequenceRange[] = [];
  for (let at = start; at < end; at += BLOCK_BYTES) {
    blocks.push({ start: readUint32(bytes, at), end: readUint32(bytes, at + 4) });
  }
  return blocks;
}

/**
 * Puts a segment together, with `headroom` free bytes in front of it that are not set: room for the headers of IPv4 and
 * of the link. The options have to fit: at most three blocks beside timestamps, and none in a SYN.
 */
export function buildTcp(source: Ipv4Address, destination: Ipv4Address, segment: TcpSegment, headroom = 0): Buffer {
  const headerBytes = TCP_HEADER_BYTES + optionBytes(segment);
  const packet = Buffer.allocUnsafe(headroom + headerBytes + segment.data.length);
  writeUint16(packet, segment.sourcePort, headroom);
  writeUint16(packet, segment.destinationPort, headroom + 2);
  writeUint32(packet, segment.sequence, headroom + 4);
  writeUint32(packet, segment.acknowledgment, headroom + 8);
  writeUint16(packet, ((headerBytes / 4) << 12) | segment.flags, headroom + 12);
  writeUint16(packet, segment.window, headroom + 14);
  writeUint32(packet, 0, headroom + 16);
  writeOptions(packet, headroom + TCP_HEADER_BYTES, segment);
  packet.set(segment.data, headroom + headerBytes);
  const bytes = headroom === 0 ? packet : packet.subarray(headroom);
  writeUint16(packet, transportChecksum(source, destination, PROTOCOL.TCP, bytes), headroom + 16);
  return packet;
}

/** Bytes that the options take, each filled up to whole words. */
function optionBytes({ segmentSize, windowShift, selectivePermitted, timestamp, blocks }: TcpOptions): number {
  let count = 0;
  if (segmentSize !== undefined) count += 4;
  if (windowShift !== undefined) count += 4;
  if (timestamp !== undefined) count += TCP_TIMESTAMP_BYTES;
  if (selectivePermitted) count += 4;
  if (blocks !== undefined && blocks.length > 0) count += 4 + BLOCK_BYTES * blocks.length;
  return count;
}

function writeOptions(packet: Buffer, start: number, options: TcpOptions): void {
  let at = start;
  if (options.segmentSize !== undefined) {
    at = writeUint32(packet, ((OPTION.SEGMENT_SIZE << 24) | (4 << 16) | options.segmentSize) >>> 0, at);
  }
  if (options.windowShift !== undefined) {
    const scale = (OPTION.NOTHING << 24) | (OPTION.WINDOW_SCALE << 16) | (3 << 8) | options.windowShift;
    at = writeUint32(packet, scale, at);
  }
  if (options.selectivePermitted) {
    at = writeUint32(
      packet,
      (OPTION.NOTHING << 24) | (OPTION.NOTHING << 16) | (OPTION.SELECTIVE_PERMITTED << 8) | 2,
      at,
    );
  }
  if (options.timestamp !== undefined) {
    at = writeUint32(packet, ALIGNED_TIMESTAMPS, at);
    at = writeUint32(packet, options.timestamp, at);
    at = writeUint32(packet, options.timestampEcho ?? 0, at);
  }
  const { blocks } = options;
  if (blocks === undefined || blocks.length === 0) return;
  const length = 2 + BLOCK_BYTES * blocks.length;
  at = writeUint32(packet, (OPTION.NOTHING << 24) | (OPTION.NOTHING << 16) | (OPTION.SELECTIVE << 8) | length, at);
  for (const block of blocks) {
    at = writeUint32(packet, block.start, at);
    at = writeUint32(packet, block.end, at);
  }
}

/** a - b in the sequence space, from -2^31 to 2^31 - 1: negative when a comes before b (RFC 9293, 3.4). */
export function sequenceDifference(a: number, b: number): number {
  return (a - b) | 0;
}

/** The sequence number `count` after `sequence`. */
export function sequenceAdd(sequence: number, count: number): number {
  return (sequence + count) >>> 0;
}
