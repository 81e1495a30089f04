/**
 * A datagram or raw socket. What it is bound and connected to is kept in the table and survives; datagrams that wait in
 * it do not, as any network may lose them.
 */
import { errno, SystemError } from '../../../protocol/errno.ts';
import type { LATER, Reply } from '../../../protocol/interface.ts';
import { pollEvents, type socket } from '../../../protocol/socket.ts';
import type { RequestContext } from '../../lib/index.ts';
import type { Endpoint } from '../environment.ts';
import type { RawSocket } from '../raw.ts';
import type { UdpSocket } from '../udp/socket.ts';
import { ARRIVAL_MS } from './arrival.ts';
import { type KeptOption, NOWHERE } from './socket-table.ts';
import type { Entry, OpenSocket, Surroundings } from './surroundings.ts';
import { WAIT } from './waiting.ts';

type Received = Reply<typeof socket.methods.receive_from>;

/** See the head of this file. */
export class DatagramSocket implements OpenSocket {
  private readonly entry: Entry;
  private readonly around: Surroundings;
  private udp: UdpSocket | null = null;
  private raw: RawSocket | null = null;

  /** Throws SystemError: of a raw socket EMFILE, EINVAL, EOPNOTSUPP. */
  constructor(entry: Entry, around: Surroundings) {
    this.entry = entry;
    this.around = around;
    if (entry.state.type === 'raw') {
      this.raw = around.stack.raw.open(entry.state.protocol, () => around.touch(entry.place));
      this.apply();
    }
  }

  /** Takes up what an earlier incarnation had. Throws SystemError: the address is gone. */
  restore(): void {
    const { bound, local, remote } = this.entry.state;
    if (bound) this.bindTo(local);
    if (remote.address !== 0) this.connectTo(remote);
  }

  bind(local: Endpoint, retry: boolean): void {
    const { state } = this.entry;
    if (state.bound) {
      if (retry && (local.port === state.local.port || local.port === 0)) return;
      throw new SystemError('EINVAL', 'the socket is bound already');
    }
    this.bindTo(local);
    state.bound = true;
    this.around.table.save(this.entry);
  }

  private bindTo(local: Endpoint): void {
    const { around, entry } = this;
    if (this.raw !== null) {
      this.raw.bind(local.address);
      entry.state.local = { address: local.address, port: 0 };
      return;
    }
    const share = entry.option('reuse-address') === 1;
    this.udp = around.stack.udp.bind(local, { changed: () => around.touch(entry.place) }, share);
    entry.state.local = this.udp.local;
    this.apply();
  }

  private connectTo(remote: Endpoint): void {
    if (this.raw !== null) this.raw.connect(remote.address);
    else this.udp?.connect(remote);
  }

  private apply(): void {
    const options = this.raw?.options ?? this.udp?.options;
    if (options === undefined) return;
    const { entry } = this;
    options.timeToLive = entry.option('time-to-live') ?? options.timeToLive;
    options.typeOfService = entry.option('type-of-service') ?? options.typeOfService;
    options.dontFragment = entry.option('dont-fragment') === 1;
    options.broadcast = entry.option('broadcast') === 1;
    const receiveBuffer = entry.option('receive-buffer');
    if (receiveBuffer !== null) options.receiveBuffer = receiveBuffer;
  }

  /** The end that the socket has by now; one is chosen for who does not care. */
  private get end(): UdpSocket | RawSocket {
    const { udp, raw } = this;
    if (raw !== null) return raw;
    if (udp !== null) return udp;
    this.bind(NOWHERE, false);
    return this.end;
  }

  listen(): never {
    throw new SystemError('EOPNOTSUPP', 'not a stream');
  }

  accept(): never {
    throw new SystemError('EOPNOTSUPP', 'not a stream');
  }

  connect(context: RequestContext, remote: Endpoint, timeout: number): undefined | typeof LATER {
    const { around, entry } = this;
    const terms = { timeout: Math.min(timeout, ARRIVAL_MS), expired: unreachable };
    return this.whenThere(context, terms, () => {
      if (this.raw === null) void this.end;
      this.connectTo(remote);
      entry.state.remote = remote.address === 0 ? NOWHERE : remote;
      around.table.save(entry);
    });
  }

  sendTo(context: RequestContext, to: Endpoint | null, data: Uint8Array): undefined | typeof LATER {
    const terms = { timeout: ARRIVAL_MS, expired: unreachable };
    return this.whenThere(context, terms, () => this.end.send(to, data, this.around.now()));
  }

  /** Does something as soon as the network is there, if it is about to come. */
  private whenThere(
    context: RequestContext,
    terms: { timeout: number; expired: () => SystemError },
    action: () => void,
  ): undefined | typeof LATER {
    const { around, entry } = this;
    return around.waiting.answer<undefined>(context, entry.place, terms, around.now(), () => {
      try {
        action();
        return undefined;
      } catch (error) {
        const isUnreachable = error instanceof SystemError && error.code === 'ENETUNREACH';
        if (isUnreachable && around.arrival.isComing(entry.place, around.now())) return WAIT;
        throw error;
      }
    });
  }

  receiveFrom(context: RequestContext, most: number, timeout: number): Received | typeof LATER {
    const { around, entry } = this;
    const end = this.raw ?? this.udp;
    if (end === null) throw new SystemError('EINVAL', 'the socket is not bound');
    return around.waiting.answer<Received>(context, entry.place, { timeout }, around.now(), () => {
      end.queue.throwPending();
      const datagram = end.receive();
      if (datagram === undefined) return WAIT;
      const { from, to, timeToLive, data } = datagram;
      return { from, to, timeToLive, length: data.length, data: data.subarray(0, most) };
    });
  }

  send(): never {
    throw new SystemError('EOPNOTSUPP', 'not a stream: see send_to');
  }

  receive(): never {
    throw new SystemError('EOPNOTSUPP', 'not a stream: see receive_from');
  }

  shutdown(): never {
    throw new SystemError('EOPNOTSUPP', 'not a stream');
  }

  optionChanged(): void {
    this.apply();
  }

  usualOption(option: KeptOption): number {
    const options = this.raw?.options ?? this.udp?.options;
    if (option === 'time-to-live') return options?.timeToLive ?? 64;
    if (option === 'receive-buffer') return options?.receiveBuffer ?? 0;
    return 0;
  }

  takeError(): number {
    const error = (this.raw ?? this.udp)?.queue.takeError() ?? null;
    return error === null ? 0 : errno[error];
  }

  names(): ReturnType<OpenSocket['names']> {
    const { bound, local, remote } = this.entry.state;
    return { state: bound ? 'bound' : 'closed', local: this.udp?.local ?? local, remote };
  }

  queues(): { receiveQueue: number; sendQueue: number } {
    return { receiveQueue: (this.raw ?? this.udp)?.queue.bytes ?? 0, sendQueue: 0 };
  }

  ready(): number {
    const { READABLE, WRITABLE, ERROR } = pollEvents;
    const queue = (this.raw ?? this.udp)?.queue;
    const readable = (queue?.length ?? 0) > 0 ? READABLE : 0;
    return WRITABLE | readable | ((queue?.error ?? null) === null ? 0 : ERROR);
  }

  close(): void {
    this.udp?.close();
    this.raw?.close();
  }
}

function unreachable(): SystemError {
  return new SystemError('ENETUNREACH', 'there is no way to the network yet');
}
