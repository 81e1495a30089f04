/**
 * A stream socket: the end of a TCP connection, or what connections come to.
 *
 * What it is, is kept in the table before anything that relies on it is answered: the number of its connection before
 * `accept` and `connect` are, its local end and backlog before `bind` and `listen` are. The connection keeps itself
 * (tcp/). So after a death of this process each right stands for the same connection, and a request that comes again
 * finds what it has done.
 */
import { FOREVER } from '../../../protocol/bounds.ts';
import { errno, SystemError } from '../../../protocol/errno.ts';
import type { LATER, Reply } from '../../../protocol/interface.ts';
import { MAX_STREAM_BYTES, pollEvents, type socket } from '../../../protocol/socket.ts';
import type { RequestContext } from '../../lib/index.ts';
import type { Endpoint } from '../environment.ts';
import type { TcpConnection } from '../tcp/connection.ts';
import type { TcpListener } from '../tcp/listener.ts';
import { type KeptOption, NOWHERE } from './socket-table.ts';
import type { Entry, OpenSocket, Surroundings } from './surroundings.ts';
import { WAIT } from './waiting.ts';

/** Connections that may wait to be accepted. */
const MAX_BACKLOG = 128;

const NOTHING = new Uint8Array(0);

const TCP = 6;

/** See the head of this file. */
export class StreamSocket implements OpenSocket {
  readonly entry: Entry;
  private readonly around: Surroundings;
  private listener: TcpListener | null = null;
  private connection: TcpConnection | null = null;
  /** The one that `connect` is waiting for. */
  private attempt: TcpConnection | null = null;
  private connecting = false;
  /** It had a connection, which did not survive. */
  private lost = false;

  constructor(entry: Entry, around: Surroundings) {
    this.entry = entry;
    this.around = around;
  }

  /** Takes up what an earlier incarnation had: connections first, for all sockets, then listeners. */
  restoreConnection(): void {
    const { connection: id } = this.entry.state;
    if (id === null) return;
    const connection = this.around.tcp.adopt(id);
    if (connection === undefined) this.lost = true;
    else this.use(connection);
  }

  restoreListener(): void {
    const { local, backlog } = this.entry.state;
    if (backlog !== null) this.hear(local, backlog);
  }

  bind(local: Endpoint, retry: boolean): void {
    const { entry, around } = this;
    if (entry.state.bound) {
      if (retry && (local.port === entry.state.local.port || local.port === 0)) return;
      throw new SystemError('EINVAL', 'the socket is bound already');
    }
    if (this.connection !== null || this.connecting) throw new SystemError('EINVAL', 'the socket is connected');
    if (local.address !== 0 && !around.stack.isOwn(local.address))
      throw new SystemError('EADDRNOTAVAIL', 'not an address of this machine');
    const reuse = entry.option('reuse-address') === 1;
    const port =
      local.port === 0
        ? around.tcp.ephemeralPort(local.address, (candidate) => this.isTaken({ ...local, port: candidate }, false))
        : local.port;
    if (port === 0) throw new SystemError('EADDRINUSE', 'no port is free');
    const end = { address: local.address, port };
    if (this.isTaken(end, reuse) || !around.tcp.isPortFree(end, reuse))
      throw new SystemError('EADDRINUSE', `port ${port} is in use`);
    entry.state.local = end;
    entry.state.bound = true;
    around.table.save(entry);
  }

  /** Whether another socket is bound there that neither listens nor is connected, which TCP does not know of. */
  private isTaken({ address, port }: Endpoint, reuse: boolean): boolean {
    for (const other of this.around.table.list()) {
      const { state } = other;
      if (other === this.entry || state.type !== 'stream' || !state.bound || state.local.port !== port) continue;
      if (state.connection !== null || state.backlog !== null) continue;
      const overlap = address === 0 || state.local.address === 0 || address === state.local.address;
      if (overlap && !(reuse && other.option('reuse-address') === 1)) return true;
    }
    return false;
  }

  listen(backlog: number): void {
    const { entry, around } = this;
    if (!entry.state.bound) throw new SystemError('EDESTADDRREQ', 'the socket is not bound');
    if (this.connection !== null || this.connecting || this.lost)
      throw new SystemError('EINVAL', 'the socket is connected');
    const most = Math.min(Math.max(backlog, 1), MAX_BACKLOG);
    if (this.listener === null) this.hear(entry.state.local, most);
    else this.listener.backlog = most;
    entry.state.backlog = most;
    around.table.save(entry);
  }

  private hear(local: Endpoint, backlog: number): void {
    const { place } = this.entry;
    this.listener = this.around.tcp.listen(local, backlog);
    this.listener.changed = () => this.around.touch(place);
  }

  accept(context: RequestContext, timeout: number): Reply<typeof socket.methods.accept> | typeof LATER {
    const { around, entry } = this;
    if (this.listener === null) throw new SystemError('EINVAL', 'the socket does not listen');
    if (context.retry) {
      const made = around.table.madeBy(context);
      if (made !== undefined) return this.accepted(made);
    }
    const terms = { timeout, isAlive: () => around.isAlive(context.sender) };
    return around.waiting.answer(context, entry.place, terms, around.now(), () => {
      if (this.listener?.waiting.length === 0) return WAIT;
      // Refused before a connection is taken, which then would be nobody's.
      around.table.checkRoom(context.sender);
      const connection = this.listener?.accept();
      return connection === undefined ? WAIT : this.accepted(this.enter(connection, context));
    });
  }

  private enter(connection: TcpConnection, context: RequestContext): Entry {
    const { around, entry } = this;
    const { local, remote, id } = connection;
    const options = [...entry.state.options];
    const state = { type: 'stream', protocol: TCP, bound: true, local, remote, connection: id, options } as const;
    const made = around.table.add(state, context);
    const socket = new StreamSocket(made, around);
    made.behind = socket;
    socket.use(connection);
    return made;
  }

  private accepted(made: Entry): Reply<typeof socket.methods.accept> {
    const { local, remote } = made.state;
    try {
      return { connection: this.around.mint(made.badge), local, remote };
    } catch (error) {
      made.behind?.close();
      this.around.table.remove(made);
      throw error;
    }
  }

  /** The connection is this socket's from now on. */
  private use(connection: TcpConnection): void {
    const { around, entry } = this;
    this.connection = connection;
    connection.changed = () => around.touch(entry.place);
    this.apply(connection);
  }

  private apply(connection: TcpConnection): void {
    const { entry } = this;
    const noDelay = entry.option('no-delay');
    if (noDelay !== null) connection.noDelay = noDelay === 1;
    connection.keepAlive = entry.option('keep-alive') ?? connection.keepAlive;
    connection.timeToLive = entry.option('time-to-live') ?? connection.timeToLive;
    connection.typeOfService = entry.option('type-of-service') ?? connection.typeOfService;
    connection.userTimeout = entry.option('user-timeout') ?? connection.userTimeout;
    const sendBuffer = entry.option('send-buffer');
    if (sendBuffer !== null) connection.sendBuffer = sendBuffer;
    const receiveBuffer = entry.option('receive-buffer');
    if (receiveBuffer !== null) connection.receiveBuffer = receiveBuffer;
  }

  connect(context: RequestContext, remote: Endpoint, timeout: number): undefined | typeof LATER {
    const { around, entry } = this;
    if (this.listener !== null) throw new SystemError('EOPNOTSUPP', 'the socket listens');
    if (this.connecting) throw new SystemError('EALREADY', 'the socket is being connected');
    if (this.connection !== null || this.lost) {
      // The one that this request has made in an earlier incarnation.
      const { remote: present } = entry.state;
      if (context.retry && present.address === remote.address && present.port === remote.port) return undefined;
      throw new SystemError('EISCONN', 'the socket is connected');
    }
    this.connecting = true;
    const expired = (): SystemError => {
      this.abandon();
      return new SystemError('ETIMEDOUT', 'nobody has answered in time');
    };
    try {
      return around.waiting.answer(context, entry.place, { timeout, expired }, around.now(), () =>
        this.tryConnect(remote),
      );
    } catch (error) {
      this.abandon();
      throw error;
    }
  }

  private tryConnect(remote: Endpoint): undefined | typeof WAIT {
    const { around, entry } = this;
    const attempt = this.attempt ?? this.beginConnect(remote);
    if (attempt === null || attempt.state === 'syn-sent' || attempt.state === 'syn-received') return WAIT;
    if (attempt.state === 'closed') {
      const error = attempt.takeError() ?? 'ECONNREFUSED';
      this.abandon();
      throw new SystemError(error);
    }
    this.attempt = null;
    this.connecting = false;
    Object.assign(entry.state, { connection: attempt.id, local: attempt.local, remote: attempt.remote });
    around.table.save(entry);
    this.use(attempt);
    return undefined;
  }

  /** Sends the first segment; null: the network is still coming. */
  private beginConnect(remote: Endpoint): TcpConnection | null {
    const { around, entry } = this;
    const { local } = entry.state;
    try {
      const address = local.address === 0 ? around.stack.sourceFor(remote.address)?.address : local.address;
      if (address === undefined) throw new SystemError('ENETUNREACH', 'there is no route');
      const attempt = around.tcp.connect({ address, port: local.port }, remote, around.now());
      this.attempt = attempt;
      attempt.changed = () => around.touch(entry.place);
      this.apply(attempt);
      return attempt;
    } catch (error) {
      const isUnreachable = error instanceof SystemError && error.code === 'ENETUNREACH';
      if (isUnreachable && around.arrival.isComing(entry.place, around.now())) return null;
      this.abandon();
      throw error;
    }
  }

  private abandon(): void {
    const { attempt } = this;
    this.connecting = false;
    this.attempt = null;
    if (attempt === null) return;
    attempt.changed = null;
    attempt.close(0, this.around.now());
  }

  /** Throws SystemError: ENOTCONN; ECONNRESET: it did not survive a death of the network stack. */
  private get connected(): TcpConnection {
    if (this.connection !== null) return this.connection;
    if (this.lost) throw new SystemError('ECONNRESET', 'the connection was lost with the network stack');
    throw new SystemError('ENOTCONN', 'the socket is not connected');
  }

  send(context: RequestContext, offset: number, data: Uint8Array, timeout: number): number | typeof LATER {
    const { around, entry, connected: connection } = this;
    if (data.length === 0) return offset;
    return around.waiting.answer(context, entry.place, { timeout }, around.now(), () => {
      const taken = connection.write(offset, data);
      return taken === 0 ? WAIT : offset + taken;
    });
  }

  receive(context: RequestContext, offset: number, most: number, timeout: number): Uint8Array | typeof LATER {
    const { around, entry, connected: connection } = this;
    const count = Math.min(most, MAX_STREAM_BYTES);
    if (count === 0) throw new SystemError('EINVAL', 'no bytes are no answer');
    return around.waiting.answer<Uint8Array>(context, entry.place, { timeout }, around.now(), () => {
      const data = connection.read(offset, count, around.now());
      if (data === 'wait') return WAIT;
      return data === 'end' ? NOTHING : data;
    });
  }

  sendTo(): never {
    throw new SystemError('EOPNOTSUPP', 'a stream has no datagrams');
  }

  receiveFrom(): never {
    throw new SystemError('EOPNOTSUPP', 'a stream has no datagrams');
  }

  shutdown(how: 'receive' | 'send' | 'both'): void {
    const { connected: connection } = this;
    if (how !== 'receive') connection.closeSend();
    if (how !== 'send') connection.closeReceive();
  }

  optionChanged(): void {
    const connection = this.connection ?? this.attempt;
    if (connection !== null) this.apply(connection);
  }

  usualOption(option: KeptOption): number {
    const connection = this.connection ?? this.attempt;
    switch (option) {
      case 'no-delay':
        return connection?.noDelay === true ? 1 : 0;
      case 'keep-alive':
        return connection?.keepAlive ?? 0;
      case 'time-to-live':
        return connection?.timeToLive ?? 64;
      case 'send-buffer':
        return connection?.sendBuffer ?? 0;
      case 'receive-buffer':
        return connection?.receiveBuffer ?? 0;
      case 'linger':
        return FOREVER;
      case 'user-timeout':
        return connection?.userTimeout ?? 0;
      default:
        return 0;
    }
  }

  takeError(): number {
    const error = this.connection?.takeError() ?? null;
    return error === null ? 0 : errno[error];
  }

  names(): ReturnType<OpenSocket['names']> {
    const { local, bound } = this.entry.state;
    if (this.listener !== null) return { state: 'listen', local, remote: NOWHERE };
    const connection = this.connection ?? this.attempt;
    if (connection !== null) return { state: connection.state, local: connection.local, remote: connection.remote };
    return { state: bound && !this.lost ? 'bound' : 'closed', local, remote: NOWHERE };
  }

  queues(): { receiveQueue: number; sendQueue: number } {
    const { listener, connection } = this;
    if (listener !== null) return { receiveQueue: listener.waiting.length, sendQueue: listener.backlog };
    return { receiveQueue: connection?.receiveQueue ?? 0, sendQueue: connection?.sendQueue ?? 0 };
  }

  ready(receiveOffset: number, sendOffset: number): number {
    const { READABLE, WRITABLE, HANGUP, ERROR } = pollEvents;
    const { listener, connection } = this;
    if (listener !== null) return listener.waiting.length > 0 ? READABLE : 0;
    if (connection === null) return this.lost ? ERROR | HANGUP : this.connecting ? 0 : HANGUP;
    const error = connection.error === null ? 0 : ERROR;
    const readable = connection.readable(receiveOffset) ? READABLE : 0;
    const writable = connection.writable(sendOffset) ? WRITABLE : 0;
    return error | readable | writable | (connection.hangup ? HANGUP : 0);
  }

  close(): void {
    const { around, connection, listener } = this;
    const now = around.now();
    this.abandon();
    listener?.close(now);
    if (connection === null) return;
    connection.changed = null;
    const linger = this.entry.option('linger');
    connection.close(linger === null || linger === FOREVER ? null : linger * 1000, now);
  }
}
