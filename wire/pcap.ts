/**
 * Files of recorded frames.
 *
 * Read: the pcap file format (draft-ietf-opsawg-pcap): magic numbers for microseconds and nanoseconds in either byte
 * order, link type 1 (Ethernet).
 */

const MAGIC_MICROSECONDS = 0xa1b2_c3d4;
const MAGIC_NANOSECONDS = 0xa1b2_3c4d;
const VERSION_MAJOR = 2;
const VERSION_MINOR = 4;
const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;

/** Bytes of the largest frame in a file. */
export const SNAPSHOT_BYTES = 262_144;
export const LINK_TYPE_ETHERNET = 1;
/** Packets of IPv4 and IPv6 without anything before them. */
export const LINK_TYPE_RAW = 101;

/** The beginning of a file: little-endian, times in nanoseconds. */
export function pcapFileHeader(): Buffer {
  const header = Buffer.alloc(FILE_HEADER_BYTES);
  header.writeUInt32LE(MAGIC_NANOSECONDS, 0);
  header.writeUInt16LE(VERSION_MAJOR, 4);
  header.writeUInt16LE(VERSION_MINOR, 6);
  header.writeUInt32LE(SNAPSHOT_BYTES, 16);
  header.writeUInt32LE(LINK_TYPE_ETHERNET, 20);
  return header;
}

/**
 * One frame of it.
 *
 * @param time nanoseconds since 1970-01-01T00:00:00Z
 * @param length bytes that the frame had, if not all of them are here
 */
export function pcapRecord(time: bigint, frame: Uint8Array, length = frame.length): Buffer {
  const record = Buffer.alloc(RECORD_HEADER_BYTES + Math.min(frame.length, SNAPSHOT_BYTES));
  record.writeUInt32LE(Number(time / 1_000_000_000n) >>> 0, 0);
  record.writeUInt32LE(Number(time % 1_000_000_000n), 4);
  record.writeUInt32LE(record.length - RECORD_HEADER_BYTES, 8);
  record.writeUInt32LE(length, 12);
  record.set(frame.subarray(0, SNAPSHOT_BYTES), RECORD_HEADER_BYTES);
  return record;
}

/** A frame from a file. `time`: nanoseconds since 1970; `length`: bytes that it had. */
export interface RecordedFrame {
  readonly time: bigint;
  readonly length: number;
  readonly data: Buffer;
}

/** Takes a file apart, whose bytes come in any pieces. */
export class PcapReader {
  /** Link type of the frames, once the beginning has been read. */
  linkType: number | null = null;
  #bytes: Buffer = Buffer.alloc(0);
  #littleEndian = true;
  #nanoseconds = true;

  /** Whether everything that was given has been taken: false at the end of a file means that it was cut off. */
  get isAtBoundary(): boolean {
    return this.#bytes.length === 0;
  }

  /**
   * Answers the frames that are complete with these bytes. Throws a RangeError when it is no such file, or a length in
   * it cannot be.
   */
  add(piece: Uint8Array): RecordedFrame[] {
    this.#bytes = Buffer.concat([this.#bytes, piece]);
    const frames: RecordedFrame[] = [];
    if (this.linkType === null && !this.#readHeader()) return frames;
    let at = 0;
    for (; this.#bytes.length - at >= RECORD_HEADER_BYTES; ) {
      const kept = this.#number(at + 8);
      if (kept > SNAPSHOT_BYTES) throw new RangeError(`a frame of ${kept} bytes is too long`);
      if (this.#bytes.length - at < RECORD_HEADER_BYTES + kept) break;
      const fraction = BigInt(this.#number(at + 4)) * (this.#nanoseconds ? 1n : 1000n);
      const time = BigInt(this.#number(at)) * 1_000_000_000n + fraction;
      const start = at + RECORD_HEADER_BYTES;
      frames.push({ time, length: this.#number(at + 12), data: this.#bytes.subarray(start, start + kept) });
      at = start + kept;
    }
    this.#bytes = this.#bytes.subarray(at);
    return frames;
  }

  #readHeader(): boolean {
    if (this.#bytes.length < FILE_HEADER_BYTES) return false;
    const magics = [MAGIC_MICROSECONDS, MAGIC_NANOSECONDS];
    this.#littleEndian = magics.includes(this.#bytes.readUInt32LE(0));
    const magic = this.#number(0);
    if (!magics.includes(magic)) throw new RangeError('it is no pcap file');
    this.#nanoseconds = magic === MAGIC_NANOSECONDS;
    this.linkType = this.#number(20) & 0xffff;
    this.#bytes = this.#bytes.subarray(FILE_HEADER_BYTES);
    return true;
  }

  #number(at: number): number {
    return this.#littleEndian ? this.#bytes.readUInt32LE(at) : this.#bytes.readUInt32BE(at);
  }
}
