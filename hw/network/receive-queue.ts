/**
 * Frames on their way to a card: they wait, up to a bound, while it has no room. What finds no place is dropped and
 * counted.
 */

import type { NetworkPort } from './cable.ts';

/** Frames that wait for room in the card. */
const QUEUE_LIMIT = 1024;

export class ReceiveQueue {
  /** Frames that came, and how many of them were dropped. */
  received = 0;
  drops = 0;
  #port: NetworkPort | null = null;
  #frames: Uint8Array[] = [];
  #planned = false;

  connect(port: NetworkPort): void {
    this.#port = port;
  }

  /** Takes a frame, and keeps it until the card has it. */
  push(frame: Uint8Array): void {
    this.received++;
    if (this.#frames.length >= QUEUE_LIMIT || this.#port === null) {
      this.drops++;
      return;
    }
    this.#frames.push(frame);
    // Not at once: the card may be in the middle of a port access.
    if (this.#planned) return;
    this.#planned = true;
    queueMicrotask(() => {
      this.#planned = false;
      this.deliver();
    });
  }

  /** Gives the card what it has room for. */
  deliver(): void {
    const port = this.#port;
    if (port === null) return;
    let delivered = 0;
    while (delivered < this.#frames.length && port.ready()) {
      const frame = this.#frames[delivered];
      delivered++;
      if (frame !== undefined) port.receive(frame);
    }
    this.#frames.splice(0, delivered);
  }

  clear(): void {
    this.#frames = [];
  }
}
