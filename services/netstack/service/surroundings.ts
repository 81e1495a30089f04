/** What the sockets of this service stand on, and what each kind of socket has to do. */
import { SystemError } from '../../../protocol/errno.ts';
import type { LATER, Reply } from '../../../protocol/interface.ts';
import type { Handle } from '../../../protocol/schema.ts';
import type { socket } from '../../../protocol/socket.ts';
import type { RequestContext, SocketOption } from '../../lib/index.ts';
import type { Endpoint } from '../environment.ts';
import type { Stack } from '../stack.ts';
import type { TcpLayer } from '../tcp/layer.ts';
import type { NetworkArrival } from './arrival.ts';
import type { KeptOption, SocketEntry, SocketTable } from './socket-table.ts';
import type { Place, WaitingRequests } from './waiting.ts';

type Methods = typeof socket.methods;

/** A socket, seen by the handlers: its methods, which throw SystemError as protocol/socket.ts says. */
export interface OpenSocket {
  bind(local: Endpoint, retry: boolean): void;
  listen(backlog: number): void;
  accept(context: RequestContext, timeout: number): Reply<Methods['accept']> | typeof LATER;
  connect(context: RequestContext, remote: Endpoint, timeout: number): undefined | typeof LATER;
  send(context: RequestContext, offset: number, data: Uint8Array, timeout: number): number | typeof LATER;
  receive(context: RequestContext, offset: number, most: number, timeout: number): Uint8Array | typeof LATER;
  sendTo(context: RequestContext, to: Endpoint | null, data: Uint8Array): undefined | typeof LATER;
  receiveFrom(context: RequestContext, most: number, timeout: number): Reply<Methods['receive_from']> | typeof LATER;
  shutdown(how: 'receive' | 'send' | 'both'): void;
  /** Applies an option that has been checked and entered already. */
  optionChanged(option: KeptOption): void;
  /** The value of an option that was never set. */
  usualOption(option: KeptOption): number;
  /** The pending error as errno, which is cleared; 0: none. */
  takeError(): number;
  names(): Pick<Reply<Methods['names']>, 'state' | 'local' | 'remote'>;
  queues(): { receiveQueue: number; sendQueue: number };
  /** Bits of `pollEvents` that hold. */
  ready(receiveOffset: number, sendOffset: number): number;
  /** Nobody has it any more. */
  close(): void;
}

/** See the head of this file. */
export interface Surroundings {
  /** Milliseconds since power-on, as of this turn. */
  now(): number;
  readonly stack: Stack;
  readonly tcp: TcpLayer;
  readonly waiting: WaitingRequests;
  readonly arrival: NetworkArrival;
  readonly table: SocketTable<OpenSocket>;
  /** A right to a socket. EMFILE. */
  mint(badge: number): Handle;
  /** Whether a task lives. */
  isAlive(pid: number): boolean;
  /** Something has changed at a place: it is looked at in this turn. */
  touch(place: Place): void;
}

/** The entry of a socket. */
export type Entry = SocketEntry<OpenSocket>;

/** Ranges of the options; `reuse-address` and its like are 0 or 1. */
const ranges: Readonly<Record<KeptOption, readonly [number, number]>> = {
  'reuse-address': [0, 1],
  'no-delay': [0, 1],
  'keep-alive': [0, 32767],
  'time-to-live': [1, 255],
  'type-of-service': [0, 255],
  'dont-fragment': [0, 1],
  broadcast: [0, 1],
  'send-buffer': [1, 0xffffffff],
  'receive-buffer': [1, 0xffffffff],
  linger: [0, 0xffffffff],
  'user-timeout': [0, 0x7fffffff],
};

const ofStreams: ReadonlySet<SocketOption> = new Set(['no-delay', 'keep-alive', 'linger', 'user-timeout']);
const ofDatagrams: ReadonlySet<SocketOption> = new Set(['dont-fragment', 'broadcast']);

/**
 * Checks an option that is to be set or asked for. Throws SystemError: EOPNOTSUPP: not for this type of socket, or not
 * to be set; EINVAL.
 */
export function checkOption(entry: Entry, option: SocketOption, value?: number): asserts option is KeptOption {
  const others = entry.state.type === 'stream' ? ofDatagrams : ofStreams;
  if (others.has(option)) throw new SystemError('EOPNOTSUPP', `${option} is no option of a ${entry.state.type} socket`);
  if (option === 'error') throw new SystemError('EOPNOTSUPP', 'error can only be asked for');
  const [least, most] = ranges[option];
  if (value !== undefined && (value < least || value > most))
    throw new SystemError('EINVAL', `${option} is ${least} to ${most}`);
}
