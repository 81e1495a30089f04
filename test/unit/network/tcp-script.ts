/** One connection, and a test that plays the guest: segments by hand, time by hand. */

import { expect } from 'vitest';
import { TcpConnection, type TcpEnd, type TcpOwner } from '../../../hw/network/user/tcp-connection.ts';
import { FLAG, sequenceAdd, type TcpSegment } from '../../../wire/tcp.ts';

export const OURS = 1000;
export const GUESTS = 50_000;

export class Script implements TcpOwner {
  now = 0;
  room = 65_535;
  readonly sent: TcpSegment[] = [];
  readonly events: string[] = [];
  readonly connection: TcpConnection;

  private constructor(make: (owner: TcpOwner) => TcpConnection) {
    this.connection = make(this);
  }

  static open(): Script {
    const settings = { localPort: 80, peerPort: 4000, initialSequence: OURS };
    return new Script((owner) => TcpConnection.open(settings, owner, 0));
  }

  static accept(syn: Partial<TcpSegment> = {}): Script {
    const settings = { localPort: 80, peerPort: 4000, initialSequence: OURS };
    const segment = guestSegment({ sequence: GUESTS, flags: FLAG.SYN, segmentSize: 1460, ...syn });
    return new Script((owner) => TcpConnection.accept(settings, owner, segment, 0));
  }

  /** Accepted, and acknowledged by the guest. */
  static established(syn: Partial<TcpSegment> = {}): Script {
    const script = Script.accept(syn);
    script.sent.length = 0;
    script.guest({ flags: FLAG.ACK });
    expect(script.take()).toEqual([]);
    return script;
  }

  /** A segment from the guest; sequence and acknowledgment relative to its and our SYN. */
  guest(fields: Partial<TcpSegment> & { readonly at?: number; readonly acks?: number }): void {
    const { at = 1, acks = 1, ...rest } = fields;
    const segment = guestSegment({
      sequence: sequenceAdd(GUESTS, at),
      acknowledgment: sequenceAdd(OURS, acks),
      ...rest,
    });
    this.connection.receive(segment, this.now);
  }

  /** Lets time pass. */
  wait(milliseconds: number): void {
    const end = this.now + milliseconds;
    while (this.connection.nextTimeout <= end) {
      this.now = Math.max(this.now, this.connection.nextTimeout);
      this.connection.advance(this.now);
    }
    this.now = end;
  }

  write(length: number): void {
    this.connection.write(Buffer.alloc(length, 0x61), this.now);
  }

  close(): void {
    this.connection.close(this.now);
  }

  /** What was sent since the last call, as text: flags, sequence and acknowledgment relative to the SYNs, length. */
  take(): string[] {
    return this.sent.splice(0).map((segment) => {
      const names = Object.entries(FLAG).filter(([, bit]) => (segment.flags & bit) !== 0);
      const sequence = (segment.sequence - OURS) | 0;
      const acknowledgment = (segment.flags & FLAG.ACK) === 0 ? '' : ` ack ${(segment.acknowledgment - GUESTS) | 0}`;
      const length = segment.data.length === 0 ? '' : ` +${segment.data.length}`;
      return `${names.map(([name]) => name).join(',')} ${sequence}${length}${acknowledgment}`;
    });
  }

  send(segment: TcpSegment): void {
    this.sent.push(segment);
  }

  receiveRoom(): number {
    return this.room;
  }

  established(): void {
    this.events.push('established');
  }

  received(data: Buffer): void {
    this.events.push(`received ${data.length}`);
  }

  peerClosed(): void {
    this.events.push('peer closed');
  }

  sendSpace(): void {}

  over(reason: TcpEnd): void {
    this.events.push(reason);
  }
}

function guestSegment(fields: Partial<TcpSegment>): TcpSegment {
  return {
    sourcePort: 4000,
    destinationPort: 80,
    sequence: 0,
    acknowledgment: 0,
    flags: 0,
    window: 65_535,
    segmentSize: undefined,
    windowShift: undefined,
    data: Buffer.alloc(0),
    ...fields,
  };
}
