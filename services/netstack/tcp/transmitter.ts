/**
 * What both ends have agreed on in their SYNs, and the segments of one connection on their way out: numbers, windows
 * and options of the wire instead of positions.
 */
import { buildTcp, FLAG, type TcpSegment } from '../../../wire/tcp.ts';
import { type Endpoint, TCP_HEADROOM_BYTES, type TcpEnvironment } from './environment.ts';
import { DEFAULT_SEGMENT_BYTES, HEADER_BYTES, LEAST_SEGMENT_BYTES, WINDOW_SHIFT } from './limits.ts';
import type { ControlRecord } from './record.ts';
import type { Range } from './scoreboard.ts';
import { StreamNumbers } from './sequence.ts';
import { Timestamps } from './timestamps.ts';

/** Ranges that fit beside timestamps. */
export const MAX_BLOCKS = 3;

/** A segment as the connection thinks of it. */
export interface Outgoing {
  readonly flags: number;
  /** Of its first byte; -1 is the SYN. */
  readonly position: number;
  readonly data: Buffer;
  /** Position that is acknowledged, if the flags have ACK, and the window as it stands in the header. */
  readonly acknowledged: number;
  readonly window: number;
  readonly ranges: readonly Range[];
}

/** See the head of this file. */
export class Transmitter {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly ours: StreamNumbers;
  /** Set when the peer's SYN is known. */
  theirs: StreamNumbers | null = null;
  readonly timestamps: Timestamps;
  /** What the peer takes in a segment, options included. */
  peerSegmentBytes = DEFAULT_SEGMENT_BYTES;
  /** Shift of the peer's windows; null: windows are not scaled. */
  peerShift: number | null = null;
  selective = false;
  /** Whether a SYN of ours offers the options: when we begin, and else what the peer has offered. */
  private offers = { scale: true, selective: true, timestamps: true };
  timeToLive = 64;
  typeOfService = 0;
  dontFragment = true;
  private readonly environment: TcpEnvironment;

  constructor(
    environment: TcpEnvironment,
    local: Endpoint,
    remote: Endpoint,
    initial: number,
    timestampOffset: number,
  ) {
    this.environment = environment;
    this.local = local;
    this.remote = remote;
    this.ours = new StreamNumbers(initial);
    this.timestamps = new Timestamps(timestampOffset);
  }

  /** Shift of our windows in segments other than SYNs. */
  get shift(): number {
    return this.peerShift === null ? 0 : WINDOW_SHIFT;
  }

  /** The peer's SYN has come. */
  agree(syn: TcpSegment, now: number): void {
    this.theirs = new StreamNumbers(syn.sequence);
    this.peerSegmentBytes = Math.max(syn.segmentSize ?? DEFAULT_SEGMENT_BYTES, LEAST_SEGMENT_BYTES);
    this.peerShift = syn.windowShift ?? null;
    this.selective = syn.selectivePermitted === true;
    if (syn.timestamp !== undefined) this.timestamps.begin(syn.timestamp, now);
    this.offers = { scale: this.peerShift !== null, selective: this.selective, timestamps: this.timestamps.enabled };
  }

  /** What an earlier incarnation had agreed on. */
  resume(control: ControlRecord, timestampRecent: number, now: number): void {
    this.theirs = new StreamNumbers(control.theirs);
    this.peerSegmentBytes = control.peerSegmentBytes;
    this.peerShift = control.peerShift;
    this.selective = control.selective;
    this.timeToLive = control.timeToLive;
    this.typeOfService = control.typeOfService;
    if (control.timestamps) this.timestamps.begin(timestampRecent, now);
  }

  /**
   * Bytes of data in a full segment: as much as the peer takes and the path carries, less the options that every
   * segment has.
   */
  get segmentBytes(): number {
    const path = this.environment.pathMtu(this.remote.address) - HEADER_BYTES;
    return Math.max(Math.min(this.peerSegmentBytes, path), LEAST_SEGMENT_BYTES) - this.timestamps.bytes;
  }

  /** Sends a segment. */
  send(outgoing: Outgoing, now: number): void {
    const { flags, data, acknowledged } = outgoing;
    const { theirs, timestamps } = this;
    const syn = (flags & FLAG.SYN) !== 0;
    const stamped = timestamps.enabled || (syn && this.offers.timestamps);
    const blocks = this.blocks(outgoing);
    this.output({
      sourcePort: this.local.port,
      destinationPort: this.remote.port,
      sequence: this.ours.sequence(outgoing.position),
      acknowledgment: flags & FLAG.ACK && theirs !== null ? theirs.sequence(acknowledged) : 0,
      flags,
      window: outgoing.window,
      segmentSize: syn ? this.ownSegmentBytes : undefined,
      windowShift: syn && this.offers.scale ? WINDOW_SHIFT : undefined,
      selectivePermitted: syn && this.offers.selective ? true : undefined,
      timestamp: stamped ? timestamps.value(now) : undefined,
      timestampEcho: timestamps.recent,
      blocks,
      data,
    });
  }

  /** SACK blocks, as far as they fit beside the data. */
  private blocks({ ranges, data, flags }: Outgoing): TcpSegment['blocks'] {
    const { theirs } = this;
    if (ranges.length === 0 || theirs === null || !this.selective || flags & FLAG.SYN) return undefined;
    const room = Math.floor((this.segmentBytes - data.length - 4) / 8);
    const fitting = ranges.slice(0, Math.max(0, Math.min(room, MAX_BLOCKS)));
    return fitting.map(({ start, end }) => ({ start: theirs.sequence(start), end: theirs.sequence(end) }));
  }

  /** What we take in one segment (RFC 6691): what the first hop carries. */
  private get ownSegmentBytes(): number {
    const mtu = this.environment.sourceFor(this.remote.address)?.mtu ?? DEFAULT_SEGMENT_BYTES + HEADER_BYTES;
    return Math.min(Math.max(mtu - HEADER_BYTES, LEAST_SEGMENT_BYTES), 0xffff);
  }

  private output(segment: TcpSegment): void {
    const { local, remote, timeToLive, typeOfService, dontFragment } = this;
    const packet = buildTcp(local.address, remote.address, segment, TCP_HEADROOM_BYTES);
    this.environment.output({
      source: local.address,
      destination: remote.address,
      timeToLive,
      typeOfService,
      dontFragment,
      payload: packet.subarray(TCP_HEADROOM_BYTES),
      packet,
    });
  }
}
