/**
 * What is kept of a connection in the recovery store, so that the next incarnation can go on with it. Keys, ID being
 * the connection's number:
 *
 *     tcp.ID            what changes rarely: ends, what the handshake agreed on, options, whether each side has closed
 *     tcp.ID.p          positions: put before each acknowledgement that moves
 *     tcp.ID.s.OFFSET   bytes written and not acknowledged
 *     tcp.ID.r.OFFSET   bytes acknowledged and not given up by their reader
 */
import { SystemError } from '../../../protocol/errno.ts';
import {
  bool,
  type Infer,
  nullable,
  oneOf,
  real,
  record,
  type Schema,
  u8,
  u16,
  u32,
  u53,
} from '../../../protocol/schema.ts';
import type { Keeper } from './environment.ts';

const end = record({ address: u32, port: u16 });

/**
 * `owner`: none: it has gone, what is left is done in the background. `over`: closed on both sides, and only the
 * owner's reading is left.
 */
export const controlRecord = record({
  local: end,
  remote: end,
  listener: nullable(end),
  ours: u32,
  theirs: u32,
  peerSegmentBytes: u16,
  peerShift: nullable(u8),
  selective: bool,
  timestamps: bool,
  timestampOffset: u32,
  /** Position of our FIN. */
  sendClosed: nullable(u53),
  receiveClosed: bool,
  owner: oneOf('socket', 'none'),
  over: bool,
  noDelay: bool,
  timeToLive: u8,
  typeOfService: u8,
  keepAlive: u32,
  userTimeout: u32,
  sendBuffer: u32,
  receiveBuffer: u32,
});
export type ControlRecord = Infer<typeof controlRecord>;

/** `finished`: the last thing acknowledged was the FIN. */
export const positionRecord = record({
  receiveNext: u53,
  receiveEdge: u53,
  finished: bool,
  sendUnacknowledged: u53,
  timestampRecent: u32,
  roundTrip: real,
  roundTripVariation: real,
});
export type PositionRecord = Infer<typeof positionRecord>;

/** A kept chunk of a stream. */
export interface KeptChunk {
  readonly start: number;
  readonly data: Uint8Array;
}

/** Everything that is kept of one connection. */
export interface KeptConnection {
  readonly id: number;
  readonly control: ControlRecord;
  readonly positions: PositionRecord;
  /** Each without gaps. */
  readonly sent: readonly KeptChunk[];
  readonly received: readonly KeptChunk[];
}

const PREFIX = 'tcp.';
const KEY = /^tcp\.(\d+)(?:\.(p|[sr])(?:\.(\d+))?)?$/;

export const controlKey = (id: number): string => `${PREFIX}${id}`;
export const positionKey = (id: number): string => `${PREFIX}${id}.p`;
export const sentPrefix = (id: number): string => `${PREFIX}${id}.s.`;
export const receivedPrefix = (id: number): string => `${PREFIX}${id}.r.`;

export function putControl(keeper: Keeper, id: number, control: ControlRecord): void {
  keeper.put(controlKey(id), controlRecord.toWire(control, []));
}

export function putPositions(keeper: Keeper, id: number, positions: PositionRecord): void {
  keeper.put(positionKey(id), positionRecord.toWire(positions, []));
}

interface Found {
  readonly keys: string[];
  readonly sent: number[];
  readonly received: number[];
}

/**
 * Reads all connections, one after the other, so that what has been taken over need not be there twice. Keys that do
 * not make one are deleted: of a connection that was just being made, or had just ended.
 */
export function* loadConnections(keeper: Keeper): Generator<KeptConnection> {
  const found = new Map<number, Found>();
  for (const key of keeper.keys()) {
    const match = KEY.exec(key);
    if (match === null) continue;
    const id = Number(match[1]);
    const entry = found.get(id) ?? { keys: [], sent: [], received: [] };
    found.set(id, entry);
    entry.keys.push(key);
    if (match[2] === 's') entry.sent.push(Number(match[3]));
    if (match[2] === 'r') entry.received.push(Number(match[3]));
  }
  for (const [id, entry] of found) {
    const connection = loadConnection(keeper, id, entry);
    if (connection !== null) yield connection;
    else for (const key of entry.keys) keeper.delete(key);
  }
}

function loadConnection(keeper: Keeper, id: number, { sent, received }: Found): KeptConnection | null {
  const control = load(keeper, controlKey(id), controlRecord);
  const positions = load(keeper, positionKey(id), positionRecord);
  if (control === null || positions === null) return null;
  return {
    id,
    control,
    positions,
    sent: lastRun(keeper, sentPrefix(id), sent),
    received: lastRun(keeper, receivedPrefix(id), received),
  };
}

function load<T>(keeper: Keeper, key: string, schema: Schema<T>): T | null {
  const value = keeper.get(key);
  if (value === undefined || value === null) return null;
  try {
    return schema.fromWire(value, []);
  } catch (error) {
    if (error instanceof SystemError) return null;
    throw error;
  }
}

/**
 * The chunks behind the last gap. What lies before a gap was handed out together with the gap, and is given up with it.
 */
function lastRun(keeper: Keeper, prefix: string, starts: number[]): KeptChunk[] {
  let run: KeptChunk[] = [];
  let expected: number | undefined;
  for (const start of starts.sort((a, b) => a - b)) {
    const data = keeper.get(`${prefix}${start}`);
    if (!(data instanceof Uint8Array)) continue;
    if (start !== expected) {
      for (const lost of run) keeper.delete(`${prefix}${lost.start}`);
      run = [];
    }
    run.push({ start, data });
    expected = start + data.length;
  }
  return run;
}
