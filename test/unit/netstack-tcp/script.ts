/**
 * Segments by hand, in the manner of packetdrill: a peer that does what the test says, and what our side answers.
 * Sequence numbers are positions in the streams: -1 is a SYN, 0 the first byte.
 */
import { expect } from 'vitest';
import type { TcpConnection } from '../../../services/netstack/tcp/connection.ts';
import type { TcpOutput } from '../../../services/netstack/tcp/environment.ts';
import { TcpLayer } from '../../../services/netstack/tcp/layer.ts';
import type { TcpListener } from '../../../services/netstack/tcp/listener.ts';
import { buildTcp, FLAG, parseTcp, type SequenceRange, sequenceAdd, sequenceDifference } from '../../../wire/tcp.ts';
import { MemoryKeeper } from '../../support/memory-keeper.ts';
import { Random } from '../../support/random.ts';

export const US = 0x0a000001;
export const PEER = 0x0a000002;
export const PORT = 80;
const PEER_PORT = 4000;
const PEER_INITIAL = 0xffff_f000;

/** A segment of the peer, or of ours, in positions. */
export interface Move {
  /** Letters of SFRPA. */
  readonly flags?: string;
  readonly at?: number;
  readonly ack?: number;
  readonly data?: Buffer | string | number;
  readonly window?: number;
  readonly segmentSize?: number;
  readonly windowShift?: number;
  readonly selectivePermitted?: true;
  readonly timestamp?: number;
  readonly timestampEcho?: number;
  /** Positions in our stream. */
  readonly blocks?: readonly SequenceRange[];
  readonly port?: number;
  readonly from?: number;
}

/** What our side has sent. */
export interface Seen {
  readonly flags: string;
  readonly at: number;
  readonly ack: number;
  readonly length: number;
  readonly window: number;
  readonly data: Buffer;
  readonly segmentSize: number | undefined;
  readonly windowShift: number | undefined;
  readonly selectivePermitted: true | undefined;
  readonly timestamp: number | undefined;
  readonly timestampEcho: number | undefined;
  /** Positions in the peer's stream. */
  readonly blocks: readonly (readonly [number, number])[];
  readonly output: TcpOutput;
}

const LETTERS: readonly (readonly [string, number])[] = [
  ['S', FLAG.SYN],
  ['F', FLAG.FIN],
  ['R', FLAG.RST],
  ['P', FLAG.PSH],
  ['A', FLAG.ACK],
];

/** See the head of this file. */
export class Script {
  readonly keeper = new MemoryKeeper();
  layer: TcpLayer;
  now = 10_000;
  mtu = 1500;
  /** Whether the way out has room. */
  hasRoom = true;
  private readonly random: Random;
  private outputs: TcpOutput[] = [];
  /** Our initial sequence number, from our SYN. */
  initial = 0;
  port = PORT;
  connection: TcpConnection | undefined;
  listener: TcpListener | undefined;

  constructor(seed?: number) {
    this.random = new Random(seed);
    this.layer = this.boot();
  }

  private boot(): TcpLayer {
    return new TcpLayer({
      output: (packet) => this.outputs.push(packet),
      sourceFor: (destination) => (destination === 1 ? null : { address: US, mtu: this.mtu }),
      random: (count) => this.random.bytes(count),
      keeper: this.keeper,
      pathMtu: () => this.mtu,
      mayOutput: () => this.hasRoom,
    });
  }

  /** The process has died; the next one goes on with the store. */
  reboot(): void {
    this.outputs = [];
    this.layer = this.boot();
    this.layer.restore(this.now);
    if (this.connection !== undefined) this.connection = this.layer.adopt(this.connection.id);
    this.layer.settle(this.now);
  }

  /** The connection that the test is about. */
  get our(): TcpConnection {
    if (this.connection === undefined) throw new Error('there is no connection');
    return this.connection;
  }

  /** A listening end, and nothing more. */
  static listening(backlog = 4): Script {
    const script = new Script();
    script.listener = script.layer.listen({ address: 0, port: PORT }, backlog);
    return script;
  }

  /** A connection that the peer has made; `syn` has the options it offers. */
  static established(syn: Move = {}): Script {
    const script = Script.listening();
    script.peer({ flags: 'S', at: -1, window: 65_535, segmentSize: 1460, ...syn });
    script.seen();
    script.peer({
      flags: 'A',
      at: 0,
      ack: 0,
      ...(syn.timestamp === undefined ? {} : { timestamp: syn.timestamp, timestampEcho: script.lastTimestamp }),
    });
    script.connection = script.listener?.accept();
    expect(script.our.state).toBe('established');
    script.seen();
    return script;
  }

  /** A connection that we have asked for; our SYN is still to be seen. */
  static connecting(): Script {
    const script = new Script();
    script.connection = script.layer.connect({ address: US, port: 0 }, { address: PEER, port: PEER_PORT }, script.now);
    script.port = script.our.local.port;
    return script;
  }

  lastTimestamp = 0;

  /** The peer sends. Then our side has its turn, unless `quiet`. */
  peer(move: Move, quiet = false): this {
    const { data = '', flags = 'A' } = move;
    const bytes = typeof data === 'number' ? Buffer.alloc(data, 0x61) : Buffer.from(data);
    const segment = {
      sourcePort: move.port ?? PEER_PORT,
      destinationPort: this.port,
      sequence: sequenceAdd(PEER_INITIAL, 1 + (move.at ?? 0)),
      acknowledgment: flags.includes('A') ? sequenceAdd(this.initial, 1 + (move.ack ?? 0)) : 0,
      flags: LETTERS.reduce((sum, [letter, bit]) => (flags.includes(letter) ? sum | bit : sum), 0),
      window: move.window ?? 65_535,
      segmentSize: move.segmentSize,
      windowShift: move.windowShift,
      selectivePermitted: move.selectivePermitted,
      timestamp: move.timestamp,
      timestampEcho: move.timestampEcho,
      blocks: move.blocks?.map(({ start, end }) => ({
        start: sequenceAdd(this.initial, 1 + start),
        end: sequenceAdd(this.initial, 1 + end),
      })),
      data: bytes,
    };
    const from = move.from ?? PEER;
    this.layer.input(from, US, buildTcp(from, US, segment), this.now);
    if (!quiet) this.turn();
    return this;
  }

  /** Our side sends what is due. */
  turn(): this {
    if (this.layer.deadline() <= this.now) this.layer.advance(this.now);
    return this;
  }

  /** Time passes, with every timer at its time. */
  wait(milliseconds: number): this {
    const end = this.now + milliseconds;
    for (let turns = 0; ; turns++) {
      const at = Math.max(this.layer.deadline(), this.now);
      if (at > end) break;
      if (turns > 10_000) throw new Error('the timers do not come to rest');
      this.now = at;
      this.layer.advance(at);
    }
    this.now = end;
    return this;
  }

  write(data: Buffer | string | number): number {
    const bytes = typeof data === 'number' ? Buffer.alloc(data, 0x62) : Buffer.from(data);
    const taken = this.our.write(this.our.endOffset, bytes);
    this.turn();
    return taken;
  }

  read(offset: number, most = 65_536): Buffer | 'wait' | 'end' {
    const data = this.our.read(offset, most, this.now);
    this.turn();
    return data;
  }

  /** What our side has sent since the last call. */
  seen(): Seen[] {
    const outputs = this.outputs;
    this.outputs = [];
    return outputs.map((output) => this.interpret(output));
  }

  /** The same, in short: flags, position and length, acknowledgement. */
  brief(): string[] {
    return this.seen().map(({ flags, at, length, ack }) => `${flags} ${at}+${length} ack ${ack}`);
  }

  private interpret(output: TcpOutput): Seen {
    const segment = parseTcp(output.payload, output.source, output.destination);
    if (segment === null) throw new Error('our side has sent a malformed segment');
    if (segment.flags & FLAG.SYN) this.initial = segment.sequence;
    if (segment.timestamp !== undefined) this.lastTimestamp = segment.timestamp;
    const theirs = (sequence: number): number => sequenceDifference(sequence, sequenceAdd(PEER_INITIAL, 1));
    return {
      flags: LETTERS.filter(([, bit]) => segment.flags & bit)
        .map(([letter]) => letter)
        .join(''),
      at: sequenceDifference(segment.sequence, sequenceAdd(this.initial, 1)),
      ack: segment.flags & FLAG.ACK ? theirs(segment.acknowledgment) : 0,
      length: segment.data.length,
      window: segment.window,
      data: Buffer.from(segment.data),
      segmentSize: segment.segmentSize,
      windowShift: segment.windowShift,
      selectivePermitted: segment.selectivePermitted,
      timestamp: segment.timestamp,
      timestampEcho: segment.timestampEcho,
      blocks: (segment.blocks ?? []).map(({ start, end }) => [theirs(start), theirs(end)] as const),
      output,
    };
  }
}
