/**
 * The frames of a recording (pcap with nanoseconds, as `--pcap` writes it), and the TCP segments in them, read here by
 * the specifications alone.
 */
import fs from 'node:fs';

const MAGIC = 0xa1b23c4d;
const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const PIECE_BYTES = 1 << 20;

/** A frame with its time in seconds, and its number as Wireshark counts. */
export interface RecordedFrame {
  readonly number: number;
  readonly time: number;
  readonly bytes: Buffer;
}

/** Options of a segment (RFC 9293, 3.2; RFC 7323; RFC 2018); undefined where it has none. */
export interface SegmentOptions {
  readonly mss?: number;
  readonly scale?: number;
  readonly sackPermitted?: boolean;
  readonly sack?: readonly (readonly [number, number])[];
  readonly timestamp?: readonly [value: number, echo: number];
}

/** A segment of TCP over IPv4. */
export interface Segment {
  readonly frame: RecordedFrame;
  /** `address:port`. */
  readonly from: string;
  readonly to: string;
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly window: number;
  readonly syn: boolean;
  readonly fin: boolean;
  readonly rst: boolean;
  readonly ack: boolean;
  readonly length: number;
  readonly optionBytes: number;
  readonly options: SegmentOptions;
}

/** The frames of a file, in order. Their bytes may be kept. */
export function* framesIn(file: string): Generator<RecordedFrame> {
  const descriptor = fs.openSync(file, 'r');
  try {
    let bytes = Buffer.alloc(0);
    let number = 0;
    for (let at = FILE_HEADER_BYTES, first = true; ; ) {
      const next = Buffer.alloc(PIECE_BYTES);
      const count = fs.readSync(descriptor, next);
      bytes = Buffer.concat([bytes, next.subarray(0, count)]);
      if (first && bytes.readUInt32LE(0) !== MAGIC) throw new Error(`${file} is no recording with nanoseconds`);
      first = false;
      while (at + RECORD_HEADER_BYTES <= bytes.length) {
        const start = at + RECORD_HEADER_BYTES;
        const end = start + bytes.readUInt32LE(at + 8);
        if (end > bytes.length) break;
        const time = bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) / 1e9;
        number += 1;
        yield { number, time, bytes: bytes.subarray(start, end) };
        at = end;
      }
      if (count === 0) return;
      bytes = bytes.subarray(at);
      at = 0;
    }
  } finally {
    fs.closeSync(descriptor);
  }
}

function address(bytes: Buffer, at: number): string {
  return bytes.subarray(at, at + 4).join('.');
}

/** Whether the ones' complement sum of 16-bit words is that of something with its checksum (RFC 1071). */
function sumsUp(bytes: Buffer, initial: number): boolean {
  let sum = initial;
  for (let at = 0; at + 1 < bytes.length; at += 2) sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  if (bytes.length % 2 === 1) sum += (bytes.at(-1) ?? 0) << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return sum === 0xffff;
}

/** The segment in a frame; undefined if it holds something else or a part of a packet, or if it has been damaged. */
export function segmentIn(frame: RecordedFrame): Segment | undefined {
  const { bytes } = frame;
  if (bytes.length < 54 || bytes.readUInt16BE(12) !== 0x0800 || bytes[23] !== 6) return undefined;
  if ((bytes.readUInt16BE(20) & 0x3fff) !== 0) return undefined;
  const packetEnd = 14 + bytes.readUInt16BE(16);
  const tcp = 14 + ((bytes[14] ?? 0) & 15) * 4;
  const data = tcp + ((bytes[tcp + 12] ?? 0) >> 4) * 4;
  if (data > packetEnd || packetEnd > bytes.length) return undefined;
  const pseudo = [26, 28, 30, 32].reduce((sum, at) => sum + bytes.readUInt16BE(at), 6 + packetEnd - tcp);
  if (!sumsUp(bytes.subarray(14, tcp), 0) || !sumsUp(bytes.subarray(tcp, packetEnd), pseudo)) return undefined;
  const flags = bytes[tcp + 13] ?? 0;
  return {
    frame,
    from: `${address(bytes, 26)}:${bytes.readUInt16BE(tcp)}`,
    to: `${address(bytes, 30)}:${bytes.readUInt16BE(tcp + 2)}`,
    sequence: bytes.readUInt32BE(tcp + 4),
    acknowledgment: bytes.readUInt32BE(tcp + 8),
    window: bytes.readUInt16BE(tcp + 14),
    fin: (flags & 1) !== 0,
    syn: (flags & 2) !== 0,
    rst: (flags & 4) !== 0,
    ack: (flags & 16) !== 0,
    length: packetEnd - data,
    optionBytes: data - tcp - 20,
    options: optionsIn(bytes.subarray(tcp + 20, data)),
  };
}

function optionsIn(bytes: Buffer): SegmentOptions {
  let options: SegmentOptions = {};
  for (let at = 0; at < bytes.length; ) {
    const kind = bytes[at] ?? 0;
    if (kind === 0) break;
    if (kind === 1) {
      at += 1;
      continue;
    }
    const length = bytes[at + 1] ?? 0;
    if (length < 2 || at + length > bytes.length) break;
    const value = bytes.subarray(at + 2, at + length);
    if (kind === 2 && length === 4) options = { ...options, mss: value.readUInt16BE() };
    if (kind === 3 && length === 3) options = { ...options, scale: value[0] ?? 0 };
    if (kind === 4) options = { ...options, sackPermitted: true };
    if (kind === 5) {
      const blocks = Array.from({ length: (length - 2) >> 3 }, (_, index) => index * 8);
      options = { ...options, sack: blocks.map((block) => [value.readUInt32BE(block), value.readUInt32BE(block + 4)]) };
    }
    if (kind === 8 && length === 10) options = { ...options, timestamp: [value.readUInt32BE(), value.readUInt32BE(4)] };
    at += length;
  }
  return options;
}
