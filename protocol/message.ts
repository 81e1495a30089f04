/**
 * Messages: the bodies of ipc_send, ipc_call, ipc_reply, ipc_reply_recv and ipc_forward, and of what ipc_recv and
 * ipc_call return.
 *
 * A message is the msgpack array [envelope, data]. The envelope is a msgpack `bin 8` of 32 bytes plus 4 bytes per
 * right, at a fixed place, so that the kernel reads and patches it without decoding anything; `data` is any msgpack
 * value and passes the kernel untouched. With any msgpack library it is packed as [bytes(32 + 4 * rights), data].
 *
 *     body    0x92 0xc4 <32 + 4n> envelope[32] rights[n × u32] data
 *
 *     offset  size  field        the sender writes                       the receiver reads
 *     0       u32   sender       (ignored)                               pid of the sender, 0 = the kernel
 *     4       u32   badge        (ignored)                               badge of the right it was sent through
 *     8       u64   sequence     (ignored)                               per-sender number, the same on each delivery
 *     16      u16   interface    number of the interface                 the same
 *     18      u16   method       number of the method                    the same
 *     20      u32   timeout      ipc_call: milliseconds or FOREVER;      deliveries of this message so far, from 1
 *                                ipc_reply_recv: the same for the receive
 *     24      u32   port         ipc_reply_recv: port to receive from,   receiver's handle of the port it came to
 *                                0 = every port it has; asynchronous
 *                                ipc_call: port that gets the notice
 *                                `answered`, 0 = none
 *     28      u32   flags        0                                       MESSAGE_RETRY …
 *     32      u32×n rights       handles of the sender, which loses      new handles of the receiver
 *                                them
 *
 * The header's `handle` is the port sent to, or the reply right answered; on delivery it is the reply right, 0 when no
 * answer is expected.
 */
import { HEADER_BYTES, MAX_FRAME_BYTES, MAX_RIGHTS } from './bounds.ts';
import { writeUint16, writeUint32 } from './bytes.ts';

/** Bytes of an envelope without rights. */
export const ENVELOPE_BYTES = 32;

/** Offset of the envelope in a frame: header, array mark, bin mark, bin length. */
export const ENVELOPE_AT = HEADER_BYTES + 3;

/** Smallest frame that holds a message: an envelope and one byte of data. */
export const MIN_MESSAGE_BYTES = ENVELOPE_AT + ENVELOPE_BYTES + 1;

/** Largest data part of a message with the most rights, in bytes of msgpack. */
export const MAX_DATA_BYTES = MAX_FRAME_BYTES - 3 - ENVELOPE_BYTES - 4 * MAX_RIGHTS;

/** Offsets within the envelope. */
export const ENVELOPE_SENDER = 0;
export const ENVELOPE_BADGE = 4;
export const ENVELOPE_SEQUENCE = 8;
export const ENVELOPE_INTERFACE = 16;
export const ENVELOPE_METHOD = 18;
export const ENVELOPE_TIMEOUT = 20;
export const ENVELOPE_PORT = 24;
export const ENVELOPE_FLAGS = 28;

/** Flag: this message was delivered before, to an incarnation that died without answering it. */
export const MESSAGE_RETRY = 1;

/** Flag: a notice from the kernel (interface `kernel`). */
export const MESSAGE_NOTICE = 2;

/**
 * Number of rights in the message frame at `start`, or -1 when it is not a well-formed message. `end` is the end of the
 * frame.
 */
export function messageRights(frame: Buffer, start: number, end: number): number {
  if (end - start < MIN_MESSAGE_BYTES) return -1;
  const at = start + HEADER_BYTES;
  if (frame[at] !== 0x92 || frame[at + 1] !== 0xc4) return -1;
  const extra = (frame[at + 2] ?? 0) - ENVELOPE_BYTES;
  if (extra < 0 || (extra & 3) !== 0) return -1;
  const rights = extra >> 2;
  if (rights > MAX_RIGHTS || end - start < MIN_MESSAGE_BYTES + extra) return -1;
  return rights;
}

/** Offset of the data of a message in its frame. */
export function dataOffset(start: number, rights: number): number {
  return start + ENVELOPE_AT + ENVELOPE_BYTES + 4 * rights;
}

/** Writes the fixed marks and an envelope with the fields a sender fills in; `start` is the start of the frame. */
export function writeEnvelope(
  frame: Buffer,
  start: number,
  interfaceNumber: number,
  methodNumber: number,
  timeoutMilliseconds: number,
  port: number,
  rights: readonly number[],
): void {
  const mark = start + HEADER_BYTES;
  frame[mark] = 0x92;
  frame[mark + 1] = 0xc4;
  frame[mark + 2] = ENVELOPE_BYTES + 4 * rights.length;
  const at = mark + 3;
  for (let zero = at; zero < at + 16; zero++) frame[zero] = 0;
  writeUint16(frame, interfaceNumber, at + ENVELOPE_INTERFACE);
  writeUint16(frame, methodNumber, at + ENVELOPE_METHOD);
  writeUint32(frame, Math.trunc(timeoutMilliseconds), at + ENVELOPE_TIMEOUT);
  writeUint32(frame, port, at + ENVELOPE_PORT);
  writeUint32(frame, 0, at + ENVELOPE_FLAGS);
  for (let i = 0; i < rights.length; i++) writeUint32(frame, rights[i] ?? 0, at + ENVELOPE_BYTES + 4 * i);
}
