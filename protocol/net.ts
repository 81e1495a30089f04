/**
 * Interface `net` (12): a network card as its driver offers it. Frames are Ethernet frames from destination address to payload (IEEE 802.3, 3.1.1), without preamble and
 * frame check sequence.
 *
 * `open` answers a right with a badge; `receive`, `transmit` and `set_filter` go through it. There is one user at a time. All requests may be repeated: a frame that is sent twice
 * is what Ethernet allows, and one that is lost, too.
 */
import { defineInterface, method } from './interface.ts';
import { bool, bytes, list, nameText, nothing, record, right, u8, u16, u32, u53 } from './schema.ts';

/** Bytes of a hardware address. */
export const HARDWARE_ADDRESS_BYTES = 6;

/** Bytes of the longest frame: header of 14 and payload of 1,500. */
export const MAX_ETHERNET_FRAME_BYTES = 1514;

/** Frames in one request to transmit. */
export const MAX_FRAMES = 64;

/** Frames in one answer to `receive`. */
export const MAX_RECEIVED_FRAMES = 128;

/** Multicast addresses that a filter may have. */
export const MAX_MULTICAST_ADDRESSES = 64;

const frame = bytes(MAX_ETHERNET_FRAME_BYTES);
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

/** What the driver has done since its incarnation started. The last five are the card's own counts and what the driver had to do about them. */
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
  /** The frames that have come, as soon as there are some. A further request while one waits takes its place, which is answered with none. EBADF: no right to the card. */
  receive: method(3, nothing, list(frame, MAX_RECEIVED_FRAMES)),
  /** Returns when the card has taken all frames. EBADF; EINVAL: one has less than 14 bytes; EIO: the card does not send. */
  transmit: method(4, list(frame, MAX_FRAMES), nothing),
  /** Which frames are wanted besides those to the card's address and to all: those to some multicast addresses, to all of these, or all frames. EBADF, EINVAL. */
  set_filter: method(
    5,
    record({ promiscuous: bool, allMulticast: bool, multicast: list(hardwareAddress, MAX_MULTICAST_ADDRESSES) }),
    nothing,
  ),
  statistics: method(6, nothing, networkCardStatistics),
  /** Stops the card and starts it anew, with what the present user has set. What is in its memory is lost. */
  reset: method(7, nothing, nothing),
});
