/**
 * Interface `net` (12): a network card as its driver offers it. Frames are Ethernet frames from destination address to
 * payload (IEEE 802.3, 3.1.1), without preamble and frame check sequence.
 *
 * `open` answers a right with a badge; `receive`, `transmit` and `set_filter` go through it. There is one user at a
 * time. All requests may be repeated: a frame that is sent twice is what Ethernet allows, and one that is lost, too.
 */

import { SystemError } from './errno.ts';
import { defineInterface, method } from './interface.ts';
import { bool, bytes, list, nameText, nothing, record, right, type Schema, u8, u16, u32, u53 } from './schema.ts';

/** Bytes of a hardware address. */
export const HARDWARE_ADDRESS_BYTES = 6;

/** Bytes of the longest frame: header of 14 and payload of 1,500. */
export const MAX_ETHERNET_FRAME_BYTES = 1514;

/** Frames in one request to transmit. */
export const MAX_FRAMES = 64;

/** Frames in one answer to `receive`. */
export const MAX_RECEIVED_FRAMES = 512;

/** Bytes in one answer to `receive`. */
export const MAX_RECEIVED_BYTES = 128 * 1024;

/** Multicast addresses that a filter may have. */
export const MAX_MULTICAST_ADDRESSES = 64;

/**
 * Frames one behind the other, and their lengths, each as two bytes, little endian: two values of msgpack, however many
 * frames there are.
 */
export interface FrameBatch {
  readonly bytes: Uint8Array;
  readonly lengths: Uint8Array;
}

/** A batch of frames. `memory`: where it is put if it has room there; null: in memory of its own. */
export function batchOf(frames: readonly Uint8Array[], memory: Uint8Array | null = null): FrameBatch {
  const lengths = new Uint8Array(2 * frames.length);
  let total = 0;
  for (let index = 0; index < frames.length; index++) {
    const length = frames[index]?.length ?? 0;
    lengths[2 * index] = length & 0xff;
    lengths[2 * index + 1] = length >>> 8;
    total += length;
  }
  if (frames.length === 1 && frames[0] !== undefined) return { bytes: frames[0], lengths };
  const bytes = memory !== null && memory.length >= total ? memory.subarray(0, total) : new Uint8Array(total);
  let at = 0;
  for (const frame of frames) {
    bytes.set(frame, at);
    at += frame.length;
  }
  return { bytes, lengths };
}

/** Frames in a batch. */
export const frameCount = ({ lengths }: FrameBatch): number => lengths.length >>> 1;

/** Bytes of one frame of a batch. */
export const frameLength = ({ lengths }: FrameBatch, index: number): number =>
  (lengths[2 * index] ?? 0) + 256 * (lengths[2 * index + 1] ?? 0);

/** The frames of a batch, as parts of it: whoever keeps one for long copies it. */
export function framesOf(batch: FrameBatch): Uint8Array[] {
  const frames: Uint8Array[] = [];
  const count = frameCount(batch);
  let at = 0;
  for (let index = 0; index < count; index++) {
    const end = at + frameLength(batch, index);
    frames.push(batch.bytes.subarray(at, end));
    at = end;
  }
  return frames;
}

/**
 * Frames that lie in a longer byte string. For each frame, where it begins (four bytes) and its length (two bytes),
 * little endian.
 */
export interface PlacedFrames {
  readonly bytes: Uint8Array;
  readonly places: Uint8Array;
}

const PLACE_BYTES = 6;
const CARD_HEADER_BYTES = 4;
const CHECK_SEQUENCE_BYTES = 4;

/** Adds the place of a frame to those of others. */
export function placeFrame(places: number[], start: number, length: number): void {
  places.push(start & 0xff, (start >>> 8) & 0xff, (start >>> 16) & 0xff, start >>> 24, length & 0xff, length >>> 8);
}

/** The frames, as parts of the byte string: whoever keeps one for long copies it. */
export function placedFrames({ bytes, places }: PlacedFrames): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let at = 0; at < places.length; at += PLACE_BYTES) {
    const start = startAt(places, at);
    frames.push(bytes.subarray(start, start + lengthAt(places, at)));
  }
  return frames;
}

function startAt(places: Uint8Array, at: number): number {
  const low = (places[at] ?? 0) + 0x100 * (places[at + 1] ?? 0);
  return low + 0x10000 * (places[at + 2] ?? 0) + 0x1000000 * (places[at + 3] ?? 0);
}

const lengthAt = (places: Uint8Array, at: number): number => (places[at + 4] ?? 0) + 0x100 * (places[at + 5] ?? 0);

/** With room for what lies behind the frame in its last page. */
const cardBytes = bytes(CARD_HEADER_BYTES + MAX_ETHERNET_FRAME_BYTES + 256);
const placedParts = record({ bytes: bytes(MAX_RECEIVED_BYTES), places: bytes(PLACE_BYTES * MAX_RECEIVED_FRAMES) });

/**
 * At most MAX_RECEIVED_FRAMES frames of at most MAX_ETHERNET_FRAME_BYTES, all of which lie in the byte string. On the
 * wire there is another form, for a single frame as a card keeps it: only a byte string, in which a header of four
 * bytes is in front of the frame. The last two of these are its length, little endian, with a frame check sequence of
 * four bytes, which need not be there; a length that cannot be stands for no frame. So the kernel can hand on what it
 * has read from the card (protocol/vector.ts, ANSWER).
 */
const receivedFrames: Schema<PlacedFrames> = {
  name: placedParts.name,
  toWire: ({ bytes, places }) => [bytes, places],
  fromWire: (wire, rights) => {
    const isSingle = Array.isArray(wire) && wire.length === 1;
    const received: PlacedFrames = isSingle
      ? asCardKeeps(cardBytes.fromWire(wire[0], rights))
      : placedParts.fromWire(wire, rights);
    const { bytes, places } = received;
    if (places.length % PLACE_BYTES !== 0) throw new SystemError('EINVAL', 'part of a place');
    for (let at = 0; at < places.length; at += PLACE_BYTES) {
      const length = lengthAt(places, at);
      if (length > MAX_ETHERNET_FRAME_BYTES || startAt(places, at) + length > bytes.length)
        throw new SystemError('EINVAL', `a frame of ${length} bytes from ${startAt(places, at)} on`);
    }
    return received;
  },
};

function asCardKeeps(bytes: Uint8Array): PlacedFrames {
  const length = (bytes[2] ?? 0) + 0x100 * (bytes[3] ?? 0) - CHECK_SEQUENCE_BYTES;
  const fits = length >= 0 && length <= MAX_ETHERNET_FRAME_BYTES && CARD_HEADER_BYTES + length <= bytes.length;
  const places: number[] = [];
  if (fits) placeFrame(places, CARD_HEADER_BYTES, length);
  return { bytes, places: Uint8Array.from(places) };
}

/** At most `most` frames of at most MAX_ETHERNET_FRAME_BYTES, in exactly so many bytes as the lengths say. */
function frameBatch(most: number): Schema<FrameBatch> {
  const parts = record({ bytes: bytes(most * MAX_ETHERNET_FRAME_BYTES), lengths: bytes(2 * most) });
  return {
    name: parts.name,
    toWire: ({ bytes, lengths }) => [bytes, lengths],
    fromWire: (wire, rights) => {
      const batch: FrameBatch = parts.fromWire(wire, rights);
      if (batch.lengths.length % 2 !== 0) throw new SystemError('EINVAL', 'half a length');
      const count = frameCount(batch);
      let total = 0;
      for (let index = 0; index < count; index++) {
        const length = frameLength(batch, index);
        if (length > MAX_ETHERNET_FRAME_BYTES) throw new SystemError('EINVAL', `a frame of ${length} bytes`);
        total += length;
      }
      if (total !== batch.bytes.length)
        throw new SystemError('EINVAL', `${batch.bytes.length} bytes for frames of ${total}`);
      return batch;
    },
  };
}

export const hardwareAddress = bytes(HARDWARE_ADDRESS_BYTES);

/** A card. `link`: whether anybody is at the other end. */
export const networkCard = record({
  name: nameText,
  model: nameText,
  address: hardwareAddress,
  mtu: u16,
  ioPort: u16,
  irq: u8,
  link: bool,
});

/**
 * What the driver has done since its incarnation started. The last five are the card's own counts and what the driver
 * had to do about them.
 */
export const networkCardStatistics = record({
  framesReceived: u53,
  bytesReceived: u53,
  framesSent: u53,
  bytesSent: u53,
  interrupts: u53,
  /** Frames that had an error, and those that found no room in the ring. */
  receiveErrors: u32,
  missed: u32,
  transmitErrors: u32,
  overflows: u32,
  resets: u32,
});

export const net = defineInterface('net', 12, {
  /** A right to the card. EBUSY: somebody else has one. */
  open: method(1, nothing, record({ card: right, description: networkCard })),
  information: method(2, nothing, networkCard),
  /**
   * The frames that have come, as soon as there are some. A further request while one waits takes its place, which is
   * answered with none. EBADF: no right to the card. The other form of the reply is [bytes]: a single frame, behind a
   * header of four bytes whose last two are its length, little endian, with the four bytes of a frame check sequence.
   */
  receive: method(3, nothing, receivedFrames),
  /**
   * Returns when the card has taken all frames. EBADF; EINVAL: one has less than 14 bytes; EIO: the card does not send.
   */
  transmit: method(4, frameBatch(MAX_FRAMES), nothing),
  /**
   * Which frames are wanted besides those to the card's address and to all: those to some multicast addresses, to all
   * of these, or all frames. EBADF, EINVAL.
   */
  set_filter: method(
    5,
    record({ promiscuous: bool, allMulticast: bool, multicast: list(hardwareAddress, MAX_MULTICAST_ADDRESSES) }),
    nothing,
  ),
  statistics: method(6, nothing, networkCardStatistics),
  /** Stops the card and starts it anew, with what the present user has set. What is in its memory is lost. */
  reset: method(7, nothing, nothing),
});
