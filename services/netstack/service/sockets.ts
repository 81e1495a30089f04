/**
 * The sockets of all programs and the methods of the interface `socket`: finds the socket of a badge and hands the
 * request to it.
 */
import { SystemError } from '../../../protocol/errno.ts';
import type { Handlers } from '../../../protocol/interface.ts';
import type { socketRow } from '../../../protocol/network.ts';
import type { Infer } from '../../../protocol/schema.ts';
import { pollEvents, type socket } from '../../../protocol/socket.ts';
import type { Handle, RequestContext } from '../../lib/index.ts';
import { DatagramSocket } from './datagram.ts';
import { NOWHERE, SOCKET_BADGE_KIND, type SocketState } from './socket-table.ts';
import { StreamSocket } from './stream.ts';
import { checkOption, type Entry, type OpenSocket, type Surroundings } from './surroundings.ts';
import { WAIT } from './waiting.ts';

/** Protocols of IP that sockets have by default. */
const TCP = 6;
const UDP = 17;

/** Rows that `sockets` answers at most. */
const MAX_ROWS = 2048;

type Row = Infer<typeof socketRow>;
type SocketType = SocketState['type'];

/** See the head of this file. */
export class Sockets {
  readonly handlers: Handlers<typeof socket.methods, RequestContext>;
  private readonly around: Surroundings;
  private readonly log: (text: string) => void;

  constructor(around: Surroundings, log: (text: string) => void) {
    this.around = around;
    this.log = log;
    this.handlers = handlersOf(this);
  }

  /**
   * Makes the sockets of an earlier incarnation anew. TCP and the stack have been restored; afterwards TCP can reset
   * what belongs to nobody.
   */
  restore(): void {
    const { table } = this.around;
    const streams: StreamSocket[] = [];
    for (const entry of [...table.list()]) {
      if (entry.state.type === 'stream') {
        const stream = new StreamSocket(entry, this.around);
        entry.behind = stream;
        streams.push(stream);
        this.attempt(entry, () => stream.restoreConnection());
      } else {
        this.attempt(entry, () => {
          const datagram = new DatagramSocket(entry, this.around);
          entry.behind = datagram;
          datagram.restore();
        });
      }
    }
    for (const stream of streams) this.attempt(stream.entry, () => stream.restoreListener());
  }

  private attempt({ state }: Entry, action: () => void): void {
    try {
      action();
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.log(`a ${state.type} socket of task ${state.pid} on port ${state.local.port} is lost: ${error.message}`);
    }
  }

  /** The method `socket` of the interface `network`. Throws SystemError: EMFILE, EOPNOTSUPP. */
  create({ type, protocol }: { type: SocketType; protocol: number }, context: RequestContext): Handle {
    const { table, mint } = this.around;
    const known = context.retry ? table.madeBy(context) : undefined;
    if (known !== undefined) return mint(known.badge);
    const entry = table.add({ type, protocol: protocolOf(type, protocol) }, context);
    try {
      entry.behind = type === 'stream' ? new StreamSocket(entry, this.around) : new DatagramSocket(entry, this.around);
      return mint(entry.badge);
    } catch (error) {
      this.remove(entry);
      throw error;
    }
  }

  /** The entry of a badge and its socket. Throws SystemError EBADF. */
  find(badge: number): { entry: Entry; open: OpenSocket } {
    if (badge >>> 24 !== SOCKET_BADGE_KIND) throw new SystemError('EBADF', 'not a right to a socket');
    const entry = this.around.table.get(badge);
    if (entry.behind === null) throw new SystemError('EBADF', 'the socket was lost with the network stack');
    return { entry, open: entry.behind };
  }

  /** Nobody has the right with this badge any more. */
  noSenders(badge: number): void {
    if (badge >>> 24 !== SOCKET_BADGE_KIND) return;
    for (const entry of this.around.table.list()) if (entry.badge === badge) this.remove(entry);
  }

  /** The socket ends before it is forgotten: should this process die in between, its end is only begun once more. */
  private remove(entry: Entry): void {
    entry.behind?.close();
    this.around.table.remove(entry);
    this.around.waiting.end(entry.place, new SystemError('EBADF', 'the socket was closed'));
  }

  /** For people: all sockets, and connections that have no socket any more. */
  rows(): Row[] {
    const { table, tcp } = this.around;
    const rows: Row[] = [];
    const owned = new Set<number>();
    for (const { state, behind } of table.list()) {
      if (state.connection !== null) owned.add(state.connection);
      const names = behind?.names() ?? { state: 'closed', local: NOWHERE, remote: NOWHERE };
      const queues = behind?.queues() ?? { receiveQueue: 0, sendQueue: 0 };
      rows.push({ type: state.type, protocol: state.protocol, ...names, ...queues, pid: state.pid });
    }
    for (const { id, state, local, remote, receiveQueue, sendQueue } of tcp.list()) {
      if (state === 'listen' || owned.has(id) || rows.length >= MAX_ROWS) continue;
      rows.push({ type: 'stream', protocol: TCP, state, local, remote, receiveQueue, sendQueue, pid: 0 });
    }
    return rows.slice(0, MAX_ROWS);
  }

  /** The method `poll`. */
  poll(
    { events, receiveOffset, sendOffset, timeout }: Parameters<Sockets['handlers']['poll']>[0],
    context: RequestContext,
  ): ReturnType<Sockets['handlers']['poll']> {
    const { entry, open } = this.find(context.badge);
    const wanted = events | pollEvents.HANGUP | pollEvents.ERROR;
    return this.around.waiting.answer<number>(context, entry.place, { timeout }, this.around.now(), () => {
      const ready = open.ready(receiveOffset, sendOffset) & wanted;
      return ready === 0 ? WAIT : ready;
    });
  }

  /** The method `set_option`. */
  setOption(badge: number, option: Parameters<typeof checkOption>[1], value: number): void {
    const { entry, open } = this.find(badge);
    checkOption(entry, option, value);
    entry.setOption(option, value);
    this.around.table.save(entry);
    open.optionChanged(option);
  }

  /** The method `get_option`. */
  getOption(badge: number, option: Parameters<typeof checkOption>[1]): number {
    const { entry, open } = this.find(badge);
    if (option === 'error') return open.takeError();
    checkOption(entry, option);
    return entry.option(option) ?? open.usualOption(option);
  }

  /** The method `names`. */
  names(badge: number): { type: SocketType } & ReturnType<OpenSocket['names']> {
    const { entry, open } = this.find(badge);
    return { type: entry.state.type, ...open.names() };
  }
}

function protocolOf(type: SocketType, protocol: number): number {
  if (type === 'raw') {
    if (protocol === 0) throw new SystemError('EINVAL', 'a raw socket needs a protocol');
    return protocol;
  }
  const usual = type === 'stream' ? TCP : UDP;
  if (protocol !== 0 && protocol !== usual)
    throw new SystemError('EOPNOTSUPP', `${type} sockets are of protocol ${usual}`);
  return usual;
}

function handlersOf(sockets: Sockets): Handlers<typeof socket.methods, RequestContext> {
  const open = (context: RequestContext): OpenSocket => sockets.find(context.badge).open;
  return {
    bind: (local, context) => open(context).bind(local, context.retry),
    listen: (backlog, context) => open(context).listen(backlog),
    accept: ({ timeout }, context) => open(context).accept(context, timeout),
    connect: ({ remote, timeout }, context) => open(context).connect(context, remote, timeout),
    send: ({ offset, data, timeout }, context) => open(context).send(context, offset, data, timeout),
    receive: ({ offset, most, timeout }, context) => open(context).receive(context, offset, most, timeout),
    send_to: ({ to, data }, context) => open(context).sendTo(context, to, data),
    receive_from: ({ most, timeout }, context) => open(context).receiveFrom(context, most, timeout),
    shutdown: (how, context) => open(context).shutdown(how),
    set_option: ({ option, value }, { badge }) => sockets.setOption(badge, option, value),
    get_option: (option, { badge }) => sockets.getOption(badge, option),
    names: (_request, { badge }) => sockets.names(badge),
    poll: (request, context) => sockets.poll(request, context),
  };
}
