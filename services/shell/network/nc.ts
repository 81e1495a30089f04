/** nc: connects the standard input and output with a socket, as OpenBSD's does. */
import { FOREVER } from '../../../protocol/bounds.ts';
import { MAX_DATAGRAM_BYTES } from '../../../protocol/socket.ts';
import { formatIpv4 } from '../../../wire/address.ts';
import { type Endpoint, type Network, type Socket, SystemError, socket as socketInterface } from '../../lib/index.ts';
import type { CommandContext } from '../command.ts';
import { CommandError, reasonOf } from '../errors.ts';
import { BrokenPipe } from '../streams.ts';
import { portText } from './addresses.ts';
import {
  type ByteSink,
  type ByteSource,
  type PumpEnd,
  pump,
  SharedSource,
  StreamSocket,
  standardSink,
  standardSource,
} from './byte-streams.ts';
import { EventLoop } from './event-loop.ts';
import { type NcOptions, parseNc } from './nc-options.ts';
import { addressOf, networkOf } from './stack.ts';

/** Bytes of the input that go into one datagram at most. */
const DATAGRAM_BYTES = 16 * 1024;

/** What is at the other end: bytes both ways, and how the own direction ends. */
interface Peer extends ByteSource, ByteSink {
  /** Ends the own direction, where that can be told. */
  end(): void;
}

/** Throws CommandError for an error of the socket. */
function failed(what: string, error: SystemError): never {
  throw new CommandError(`${what}: ${reasonOf(error)}`);
}

/** The standard input and output, for one connection after the other. */
class Terminal {
  readonly input: SharedSource;
  readonly output: ByteSink;
  /** Somebody sits there. */
  readonly interactive: boolean;

  constructor(loop: EventLoop, context: CommandContext) {
    const source = standardSource(loop, context);
    this.input = new SharedSource(source);
    this.output = standardSink(loop, context);
    this.interactive = source.terminal;
  }
}

/** Both directions of one connection at once, until they are over. */
class Relay {
  private readonly loop: EventLoop;
  private readonly options: NcOptions;
  private readonly terminal: Terminal;
  private failure: Error | null = null;
  private sending = true;
  private receiving = true;
  private moves = 0;
  private stopWatch: () => void = () => undefined;

  constructor(loop: EventLoop, options: NcOptions, terminal: Terminal) {
    this.loop = loop;
    this.options = options;
    this.terminal = terminal;
  }

  /** `sends`: the input goes to the peer. Throws CommandError, BrokenPipe. */
  run(peer: Peer, sends: boolean): void {
    const { terminal, loop, options } = this;
    const moved = (): void => {
      this.moves += 1;
    };
    const stopSending = sends ? pump(terminal.input, peer, moved, (end) => this.sent(peer, end)) : () => undefined;
    const stopReceiving = pump(peer, terminal.output, moved, (end) => this.received(end));
    if (options.timeout !== null) this.watch(options.timeout);
    loop.run();
    this.stopWatch();
    stopSending();
    stopReceiving();
    terminal.input.leave();
    if (this.failure !== null) throw this.failure;
  }

  /** Ends when nothing has moved for some time. */
  private watch(timeout: number): void {
    const seen = this.moves;
    this.stopWatch = this.loop.after(timeout, () => {
      if (this.moves === seen) this.loop.finish();
      else this.watch(timeout);
    });
  }

  private sent(peer: Peer, end: PumpEnd): void {
    if (end.side !== 'end') {
      this.fail(end.side === 'source' ? 'standard input' : 'send', end.error);
      return;
    }
    this.sending = false;
    if (this.options.shutdownAtEnd) peer.end();
    this.finishIfOver();
  }

  private received(end: PumpEnd): void {
    if (end.side !== 'end') {
      this.fail(end.side === 'source' ? 'receive' : 'standard output', end.error);
      return;
    }
    this.receiving = false;
    this.finishIfOver();
  }

  /** Whoever sits at a terminal sees that the other side has gone; what comes from elsewhere is sent to its end. */
  private finishIfOver(): void {
    if (!this.receiving && (!this.sending || this.terminal.interactive)) this.loop.finish();
  }

  private fail(where: string, error: SystemError): void {
    const pipe = where === 'standard output' && error.code === 'EPIPE';
    this.failure ??= pipe ? new BrokenPipe() : new CommandError(`${where}: ${reasonOf(error)}`);
    this.loop.finish();
  }
}

function streamPeer(loop: EventLoop, socket: Socket): Peer {
  const stream = new StreamSocket(loop, socket.right);
  return {
    read: (done) => stream.read(done),
    write: (bytes, done) => stream.write(bytes, done),
    // A direction that cannot be ended any more has ended.
    end: () => stream.end(() => undefined),
  };
}

/** Datagrams from and to one peer. They have no end. */
function datagramPeer(loop: EventLoop, socket: Socket, first: Uint8Array | null): Peer {
  const server = loop.client(socketInterface, socket.right);
  let waiting = first;
  const read: Peer['read'] = (done) => {
    if (waiting !== null) {
      const value = waiting;
      waiting = null;
      done({ ok: true, value });
      return;
    }
    server.receive_from({ most: MAX_DATAGRAM_BYTES, timeout: FOREVER }, (outcome) => {
      // An empty datagram is none of the ends that a stream has.
      if (outcome.ok && outcome.value.data.length === 0) read(done);
      else done(outcome.ok ? { ok: true, value: outcome.value.data } : outcome);
    });
  };
  const write: Peer['write'] = (bytes, done) => {
    server.send_to({ to: null, data: bytes.subarray(0, DATAGRAM_BYTES) }, (outcome) => {
      if (outcome.ok && bytes.length > DATAGRAM_BYTES) write(bytes.subarray(DATAGRAM_BYTES), done);
      else done(outcome);
    });
  };
  return { read, write, end: () => undefined };
}

const nameOf = ({ datagrams }: NcOptions): string => (datagrams ? 'udp' : 'tcp');

function connected(context: CommandContext, options: NcOptions, port: number): void {
  if (!options.verbose) return;
  const name = portText(port, false);
  const service = name === String(port) ? '*' : name;
  context.descriptors.complain(`Connection to ${options.host} ${port} port [${nameOf(options)}/${service}] succeeded!`);
}

/** A socket at the local end that was asked for. Throws CommandError. */
function localSocket(network: Network, { datagrams, local }: NcOptions): Socket {
  const socket = datagrams ? network.datagram() : network.stream();
  if (local.address === 0 && local.port === 0) return socket;
  try {
    if (!datagrams) socket.setOption('reuse-address', 1);
    socket.bind(local);
    return socket;
  } catch (error) {
    socket.close();
    if (error instanceof SystemError) failed(`${formatIpv4(local.address)} ${local.port}`, error);
    throw error;
  }
}

/** Throws CommandError. */
function connectTo(network: Network, options: NcOptions, remote: Endpoint): Socket {
  const socket = localSocket(network, options);
  try {
    socket.connect(remote, options.timeout ?? FOREVER);
    return socket;
  } catch (error) {
    socket.close();
    if (error instanceof SystemError)
      failed(`connect to ${options.host} port ${remote.port} (${nameOf(options)}) failed`, error);
    throw error;
  }
}

function connect(context: CommandContext, network: Network, options: NcOptions): number {
  const [port] = options.ports;
  const socket = connectTo(network, options, { address: addressOf(network, options.host ?? ''), port });
  connected(context, options, port);
  const loop = new EventLoop();
  const peer = options.datagrams ? datagramPeer(loop, socket, null) : streamPeer(loop, socket);
  new Relay(loop, options, new Terminal(loop, context)).run(peer, true);
  socket.close();
  return 0;
}

/** How long a scanned UDP port has to refuse, in milliseconds. */
const REFUSAL_MS = 1000;

/** Sees whether somebody refuses a datagram. Throws CommandError. */
function probeDatagrams(socket: Socket, { host, timeout }: NcOptions, port: number): void {
  try {
    socket.sendTo(new Uint8Array(1));
    socket.receiveFrom(timeout ?? REFUSAL_MS);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    if (error.code !== 'ETIMEDOUT') failed(`connect to ${host} port ${port} (udp) failed`, error);
  }
}

/** Tries ports one after the other. Status 0: one is open. */
function scan(context: CommandContext, network: Network, options: NcOptions): number {
  const address = addressOf(network, options.host ?? '');
  const [first, last] = options.ports;
  let status = 1;
  for (let port = first; port <= last; port += 1) {
    try {
      const socket = connectTo(network, options, { address, port });
      try {
        if (options.datagrams) probeDatagrams(socket, options, port);
      } finally {
        socket.close();
      }
      connected(context, options, port);
      status = 0;
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      if (options.verbose || first === last) context.complain(error.message);
    }
  }
  return status;
}

function received(context: CommandContext, options: NcOptions, { address, port }: Endpoint): void {
  if (options.verbose) context.descriptors.complain(`Connection received on ${formatIpv4(address)} ${port}`);
}

/** Waits for a peer. Throws SystemError. */
function accept(
  context: CommandContext,
  loop: EventLoop,
  socket: Socket,
  options: NcOptions,
): { peer: Peer; close: () => void } {
  if (!options.datagrams) {
    const { connection, remote } = socket.accept();
    received(context, options, remote);
    return { peer: streamPeer(loop, connection), close: () => connection.close() };
  }
  const { from, data } = socket.receiveFrom();
  received(context, options, from);
  // With -k everybody is heard, and nobody answered.
  if (!options.keepListening) socket.connect(from);
  const first = data.length === 0 ? null : data;
  return { peer: datagramPeer(loop, socket, first), close: () => undefined };
}

function listen(context: CommandContext, network: Network, options: NcOptions): number {
  const { datagrams, keepListening, verbose, local } = options;
  const socket = localSocket(network, options);
  if (!datagrams) socket.listen(keepListening ? 128 : 1);
  if (verbose) context.descriptors.complain(`Listening on ${formatIpv4(local.address)} ${local.port}`);
  const loop = new EventLoop();
  const terminal = new Terminal(loop, context);
  do {
    const { peer, close } = accept(context, loop, socket, options);
    if (!keepListening && !datagrams) socket.close();
    new Relay(loop, options, terminal).run(peer, !(keepListening && datagrams));
    close();
  } while (keepListening);
  return 0;
}

export function nc(context: CommandContext): number {
  const options = parseNc(context.words);
  const network = networkOf(context);
  const modes = { connect, listen, scan } as const;
  return modes[options.mode](context, network, options);
}
