/**
 * The interface `lo`: what is sent to ourselves comes back. Packets wait until the owner of the stack calls `advance`,
 * so that nothing is entered a second time.
 */
import type { ErrorName } from '../../../protocol/errno.ts';
import { ETHERNET_HEADER_BYTES, ETHERTYPE } from '../../../wire/ethernet.ts';
import { type InterfaceCounters, type NetworkInterface, noCounters, type OwnAddress } from './interface.ts';

export const LOOPBACK_NAME = 'lo';
const LOOPBACK_MTU = 16_384;
const QUEUE_PACKETS = 1024;
const QUEUE_BYTES = 2 * 1024 * 1024;
/** Packets that one `drain` delivers. */
const DRAIN_PACKETS = 64;

/** See the head of this file. */
export class LoopbackInterface implements NetworkInterface {
  readonly name = LOOPBACK_NAME;
  readonly loopback = true;
  readonly mtu = LOOPBACK_MTU;
  readonly own: OwnAddress = { address: 0x7f00_0001, prefix: 8 };
  readonly counters: InterfaceCounters = noCounters();
  up = true;
  readonly #seen: (sent: boolean, frame: Buffer) => void;
  #queue: Buffer[] = [];
  #bytes = 0;

  /** @param seen is shown each frame that goes by; link addresses in it are all zero */
  constructor(seen: (sent: boolean, frame: Buffer) => void) {
    this.#seen = seen;
  }

  get pending(): boolean {
    return this.#queue.length > 0;
  }

  output(buffer: Buffer, packetBytes: number): ErrorName | null {
    const { counters } = this;
    if (this.#queue.length >= QUEUE_PACKETS || this.#bytes + packetBytes > QUEUE_BYTES) {
      counters.sendDrops++;
      return null;
    }
    const frame = buffer.subarray(0, ETHERNET_HEADER_BYTES + packetBytes);
    frame.fill(0, 0, ETHERNET_HEADER_BYTES);
    frame.writeUInt16BE(ETHERTYPE.IPV4, ETHERNET_HEADER_BYTES - 2);
    counters.framesSent++;
    counters.bytesSent += frame.length;
    this.#seen(true, frame);
    this.#queue.push(frame);
    this.#bytes += packetBytes;
    return null;
  }

  /** Hands over what waits, as far as it waited when this was called. */
  drain(deliver: (packet: Buffer) => void): void {
    const frames = this.#queue.slice(0, DRAIN_PACKETS);
    this.#queue = this.#queue.slice(frames.length);
    for (const frame of frames) {
      this.#bytes -= frame.length - ETHERNET_HEADER_BYTES;
      this.counters.framesReceived++;
      this.counters.bytesReceived += frame.length;
      this.#seen(false, frame);
      deliver(frame.subarray(ETHERNET_HEADER_BYTES));
    }
  }
}
