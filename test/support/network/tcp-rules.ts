/**
 * Rules of TCP and ARP that every frame of one side is held to, over a whole recording taken at that side: what a peer
 * has said so far is known when it answers, so each breach is one. What Wireshark's dissectors find is in tshark.ts;
 * these are rules that they do not know.
 */
import { framesIn, type Segment, segmentIn } from './recording.ts';

/**
 * RFC 6928: ten segments before the first acknowledgement of data; and one that probes for a lost tail (RFC 8985, 7.3).
 */
const INITIAL_SEGMENTS = 11;
/** RFC 1122, 4.2.3.2 has half a second; a host that is busy with other things gets half as much again. */
const LATEST_ACKNOWLEDGEMENT_SECONDS = 0.75;
/** Sending the same byte so often without an answer is a storm. */
const MOST_REPETITIONS = 16;
const DEFAULT_MSS = 536;
/** RFC 1122, 2.3.2.1: a request a second for one address; the clocks of both sides may differ a little. */
const LEAST_ARP_SECONDS = 0.9;
const MOST_BREACHES = 20;

/** a − b of sequence numbers. */
function difference(a: number, b: number): number {
  return (a - b) | 0;
}

function later(a: number, b: number): number {
  return difference(a, b) > 0 ? a : b;
}

/** The sequence number behind a segment. */
function endOf({ sequence, length, syn, fin }: Segment): number {
  return (sequence + length + Number(syn) + Number(fin)) >>> 0;
}

/** What one side of a connection has sent. */
interface Side {
  first: number;
  /** Behind what it has sent. */
  end: number;
  /** Latest acknowledgement, and the right edge of its window, the farthest ever. */
  acknowledged: number | null;
  edge: number | null;
  scale: number | null;
  mss: number;
  sackPermitted: boolean;
  timestamp: number | null;
  fin: number | null;
  reset: boolean;
  /** Whether the other side has said something since data came from here. */
  answered: boolean;
  repetitions: Map<number, number>;
  /** In-order data that the other side has not acknowledged: up to where, and when it came. */
  owed: { end: number; time: number } | null;
}

function newSide(segment: Segment): Side {
  const { mss = DEFAULT_MSS, scale, sackPermitted = false } = segment.options;
  return {
    first: segment.sequence,
    end: endOf(segment),
    ...{ acknowledged: null, edge: null, timestamp: null, fin: null, owed: null },
    scale: scale ?? null,
    mss,
    sackPermitted,
    reset: false,
    answered: false,
    repetitions: new Map(),
  };
}

class Connection {
  readonly sides = new Map<string, Side>();
  private readonly breach: (segment: Segment, text: string) => void;

  constructor(breach: (segment: Segment, text: string) => void) {
    this.breach = breach;
  }

  take(segment: Segment, ours: boolean): void {
    const peer = this.sides.get(segment.to);
    let side = this.sides.get(segment.from);
    if (side === undefined || (segment.syn && segment.sequence !== side.first)) {
      if (!segment.syn) return;
      side = newSide(segment);
      this.sides.set(segment.from, side);
      // A new connection between the same ends.
      if (!segment.ack) this.sides.delete(segment.to);
    }
    if (ours && peer !== undefined) this.judge(segment, side, peer);
    this.note(segment, side, peer);
  }

  private judge(segment: Segment, side: Side, peer: Side): void {
    const { sequence, length, acknowledgment, options } = segment;
    if (segment.rst) return;
    if (side.reset) this.breach(segment, 'goes on after its own RST');
    const end = endOf(segment);
    const again = difference(side.end, sequence) > 0;
    if (length > 0 && peer.edge !== null && peer.acknowledged !== null) {
      // A probe of a closed window is one byte (RFC 9293, 3.8.6.1).
      const beyond = difference((sequence + length) >>> 0, peer.edge);
      if (beyond > 0 && !(length === 1 && difference(sequence, peer.edge) <= 0))
        this.breach(segment, `${beyond} bytes beyond the peer's window`);
      if (length + segment.optionBytes > peer.mss)
        this.breach(segment, `${length} bytes of data and ${segment.optionBytes} of options, MSS ${peer.mss}`);
      const flight = difference((sequence + length) >>> 0, (side.first + 1) >>> 0);
      if (!side.answered && flight > INITIAL_SEGMENTS * Math.min(peer.mss, 1460) + 1)
        this.breach(segment, `${flight} bytes in the initial window`);
    }
    if (side.fin !== null && difference(end, (side.fin + 1) >>> 0) > 0) this.breach(segment, 'sends behind its FIN');
    if (again && length > 0) {
      const times = (side.repetitions.get(sequence) ?? 0) + 1;
      side.repetitions.set(sequence, times);
      if (times === MOST_REPETITIONS) this.breach(segment, `sent ${times} times`);
    }
    if (!segment.ack) return;
    if (difference(acknowledgment, peer.end) > 0) this.breach(segment, 'acknowledges what the peer has not sent');
    if (side.acknowledged !== null && difference(acknowledgment, side.acknowledged) < 0)
      this.breach(segment, `acknowledges less than before, by ${difference(side.acknowledged, acknowledgment)}`);
    const edge = this.edge(segment, side, peer);
    const unit = 1 << this.scale(segment, side, peer);
    if (side.edge !== null && !segment.syn && difference(side.edge, edge) >= unit)
      this.breach(segment, `its window shrinks by ${difference(side.edge, edge)}`);
    this.judgeOptions(segment, side, peer);
    for (const [start, behind] of options.sack ?? []) {
      if (!peer.sackPermitted) this.breach(segment, 'SACK that was not negotiated');
      else if (difference(behind, start) <= 0 || difference(behind, peer.end) > 0)
        this.breach(segment, 'SACK of what has not come');
    }
    const { owed } = peer;
    if (owed !== null && difference(acknowledgment, owed.end) >= 0) {
      const waited = segment.frame.time - owed.time;
      if (waited > LATEST_ACKNOWLEDGEMENT_SECONDS) this.breach(segment, `acknowledges after ${waited.toFixed(3)} s`);
    }
  }

  private judgeOptions(segment: Segment, side: Side, peer: Side): void {
    const { timestamp } = segment.options;
    const negotiated = side.timestamp !== null && peer.timestamp !== null;
    if (timestamp === undefined) {
      if (negotiated && !segment.syn) this.breach(segment, 'no timestamp though both have them (RFC 7323, 3.2)');
      return;
    }
    if (side.timestamp !== null && difference(timestamp[0], side.timestamp) < 0)
      this.breach(segment, 'its timestamp goes back');
    if (peer.timestamp === null || difference(timestamp[1], peer.timestamp) > 0)
      this.breach(segment, 'echoes a timestamp that has not come');
  }

  private note(segment: Segment, side: Side, peer: Side | undefined): void {
    const { acknowledgment, length, options } = segment;
    if (segment.rst) {
      side.reset = true;
      return;
    }
    if (peer !== undefined && segment.ack) {
      // Also by saying once more what it expects.
      if (difference(peer.end, (peer.first + 1) >>> 0) > 0) peer.answered = true;
      if (side.acknowledged === null || difference(acknowledgment, side.acknowledged) > 0) {
        side.acknowledged = acknowledgment;
        peer.repetitions.clear();
      }
      const edge = this.edge(segment, side, peer);
      side.edge = side.edge === null ? edge : later(edge, side.edge);
      if (peer.owed !== null && difference(acknowledgment, peer.owed.end) >= 0) peer.owed = null;
      const window = peer.edge === null ? 0 : difference(peer.edge, segment.sequence);
      const inOrder = segment.sequence === peer.acknowledged && length <= window;
      if (length > 0 && inOrder) side.owed ??= { end: endOf(segment), time: segment.frame.time };
    }
    side.end = later(endOf(segment), side.end);
    if (segment.fin) side.fin = (segment.sequence + length) >>> 0;
    if (options.timestamp !== undefined)
      side.timestamp = side.timestamp === null ? options.timestamp[0] : later(options.timestamp[0], side.timestamp);
  }

  /** Shift of a window: both sides have to have offered one, and that of a SYN has none (RFC 7323, 2.2). */
  private scale(segment: Segment, side: Side, peer: Side): number {
    return segment.syn || side.scale === null || peer.scale === null ? 0 : side.scale;
  }

  private edge(segment: Segment, side: Side, peer: Side): number {
    return (segment.acknowledgment + segment.window * 2 ** this.scale(segment, side, peer)) >>> 0;
  }
}

/**
 * Breaches of the rules by one side, a line for each: the frame as Wireshark numbers it, and what is wrong.
 * `remembers`: whether it knows whom it has asked by ARP.
 */
export function breachesOf(file: string, sender: string, remembers = true): string[] {
  const hardware = Buffer.from(sender.replaceAll(':', ''), 'hex');
  const breaches: string[] = [];
  const connections = new Map<string, Connection>();
  const asked = new Map<string, number>();
  const breach = (segment: Segment, text: string): void => {
    breaches.push(`frame ${segment.frame.number}, ${segment.from} → ${segment.to}: ${text}`);
  };
  for (const frame of framesIn(file)) {
    if (breaches.length >= MOST_BREACHES) break;
    const { bytes, time, number } = frame;
    const ours = bytes.subarray(6, 12).equals(hardware);
    if (remembers && ours && bytes.readUInt16BE(12) === 0x0806 && bytes.readUInt16BE(20) === 1) {
      const target = bytes.subarray(38, 42).join('.');
      const since = time - (asked.get(target) ?? Number.NEGATIVE_INFINITY);
      if (since < LEAST_ARP_SECONDS)
        breaches.push(`frame ${number}: asks for ${target} again after ${since.toFixed(3)} s`);
      asked.set(target, time);
    }
    const segment = segmentIn(frame);
    if (segment === undefined) continue;
    const key = [segment.from, segment.to].sort().join(' ');
    let connection = connections.get(key);
    if (connection === undefined) {
      connection = new Connection(breach);
      connections.set(key, connection);
    }
    connection.take(segment, ours);
  }
  return breaches;
}
