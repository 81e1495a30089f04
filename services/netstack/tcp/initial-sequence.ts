/**
 * Initial sequence numbers that nobody can guess, and that rise with time for each pair of ends. Read RFC 6528, 3. The
 * secret is in the recovery store, so that they go on rising.
 */
import type { Endpoint, Keeper } from './environment.ts';
import { sipHash } from './siphash.ts';

const SECRET_KEY = 'tcp.secret';
const SECRET_BYTES = 16;

/** The clock of sequence numbers ticks every 4 microseconds. */
const TICKS_A_MILLISECOND = 250;

/** See the head of this file. */
export class InitialSequence {
  private readonly secret: Buffer;

  constructor(keeper: Keeper, random: (bytes: number) => Uint8Array) {
    const kept = keeper.get(SECRET_KEY);
    if (kept instanceof Uint8Array && kept.length === SECRET_BYTES) this.secret = Buffer.from(kept);
    else {
      this.secret = Buffer.from(random(SECRET_BYTES));
      keeper.put(SECRET_KEY, this.secret);
    }
  }

  /** For a connection between two ends, at a time. */
  next(local: Endpoint, remote: Endpoint, now: number): number {
    const ends = Buffer.alloc(12);
    ends.writeUInt32BE(local.address, 0);
    ends.writeUInt32BE(remote.address, 4);
    ends.writeUInt16BE(local.port, 8);
    ends.writeUInt16BE(remote.port, 10);
    return (sipHash(this.secret, ends).low + Math.floor(now * TICKS_A_MILLISECOND)) >>> 0;
  }
}
