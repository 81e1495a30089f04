/**
 * httpd: serves a directory by HTTP/1.1. One process, one loop (event-loop.ts), as many connections as there may be
 * calls under way.
 */
import { FOREVER } from '../../../protocol/bounds.ts';
import { formatIpv4 } from '../../../wire/address.ts';
import {
  type AsynchronousClient,
  type Endpoint,
  type Handle,
  type Socket,
  type SystemError,
  socket as socketInterface,
  time,
} from '../../lib/index.ts';
import { type CommandContext, expectWords } from '../command.ts';
import { about, aboutFile, CommandError, reasonOf } from '../errors.ts';
import { parseOptions } from '../options.ts';
import { parseAddress, parsePort } from './addresses.ts';
import { StreamSocket } from './byte-streams.ts';
import { EventLoop } from './event-loop.ts';
import { formatDate, logDate } from './http/dates.ts';
import { MAX_HEAD_BYTES } from './http/request.ts';
import { Connection, type ConnectionServer } from './httpd/connection.ts';
import { FileCache } from './httpd/file-cache.ts';
import { networkOf } from './stack.ts';

const DEFAULT_DIRECTORY = '/mnt/www';
const HTTP_PORT = 80;

/** Connections at the same time. Each has at most two calls under way (MAX_ASYNCHRONOUS_CALLS). */
const MAX_CONNECTIONS = 400;

/** How long a connection may be idle, and its client may take nothing, in milliseconds. */
const IDLE_MS = 30_000;
const SEND_MS = 30_000;

const TICK_MS = 1000;
/** Pause before the next try when no connection can be accepted. */
const PAUSE_MS = 100;
const MAX_ACCEPT_FAILURES = 50;

/**
 * Connections that are asked for at the same time, so that many clients that come at once do not wait for one another.
 */
const ACCEPTS = 8;

/** See the head of this file. */
class Server implements ConnectionServer {
  readonly cache: FileCache;
  date: string;
  private readonly context: CommandContext;
  private readonly loop: EventLoop;
  private readonly acceptor: AsynchronousClient<typeof socketInterface.methods>;
  private readonly verbose: boolean;
  private readonly connections = new Set<Connection>();
  /** In the order in which they became idle. */
  private readonly idlers = new Set<Connection>();
  private ticking = false;
  private failures = 0;
  private failure: SystemError | null = null;

  constructor(context: CommandContext, loop: EventLoop, listener: Socket, root: string, verbose: boolean) {
    this.context = context;
    this.loop = loop;
    this.acceptor = loop.client(socketInterface, listener.right);
    this.verbose = verbose;
    this.cache = new FileCache({ loop, files: context.files.right, root });
    this.date = formatDate(time());
  }

  /** Serves until nobody can be accepted any more. Throws CommandError. */
  run(): void {
    for (let calls = 0; calls < ACCEPTS; calls += 1) this.accept();
    this.loop.run();
    if (this.failure !== null) throw new CommandError(`accept: ${reasonOf(this.failure)}`);
  }

  answered(remote: string, line: string, status: number, length: number): void {
    if (!this.verbose) return;
    const shown = line.replaceAll(/["\\]/g, '\\$&');
    this.context.lines(`${remote} - - [${logDate(time())}] "${shown}" ${status} ${length}`);
    this.context.shell.flush();
  }

  idle(connection: Connection, idle: boolean): void {
    if (idle) this.idlers.add(connection);
    else {
      this.idlers.delete(connection);
      this.startTicking();
    }
  }

  closed(connection: Connection): void {
    this.connections.delete(connection);
    this.idlers.delete(connection);
  }

  private accept(): void {
    this.acceptor.accept({ timeout: FOREVER }, (outcome) => {
      if (outcome.ok) {
        this.failures = 0;
        this.welcome(outcome.value.connection, outcome.value.remote);
        this.accept();
        return;
      }
      // A stack that has died, or one that has no room at the moment.
      this.failures += 1;
      if (this.failures < MAX_ACCEPT_FAILURES) this.loop.after(PAUSE_MS, () => this.accept());
      else {
        this.failure = outcome.error;
        this.loop.finish();
      }
    });
  }

  private welcome(right: Handle, remote: Endpoint): void {
    // Who has been idle for longest makes room.
    const [oldest] = this.idlers;
    if (this.connections.size >= MAX_CONNECTIONS) oldest?.close();
    const stream = new StreamSocket(this.loop, right, { receive: IDLE_MS, send: SEND_MS, piece: MAX_HEAD_BYTES });
    if (this.connections.size >= MAX_CONNECTIONS) {
      stream.close();
      return;
    }
    const connection = new Connection(this, stream, remote);
    this.connections.add(connection);
    connection.start();
  }

  /** Once a second, as long as something goes on. */
  private startTicking(): void {
    if (this.ticking) return;
    this.ticking = true;
    this.date = formatDate(time());
    this.cache.grow();
    this.loop.after(TICK_MS, () => {
      this.ticking = false;
      for (const connection of [...this.connections]) connection.tick();
      if (this.connections.size > this.idlers.size) this.startTicking();
    });
  }
}

export function httpd(context: CommandContext): number {
  const { flags, values, operands } = parseOptions(context.words, { flags: 'v', values: 'pa' });
  const [directory = DEFAULT_DIRECTORY] = expectWords(operands, 0, 1);
  const port = parsePort(values.get('p') ?? String(HTTP_PORT), '-p', 1);
  const address = parseAddress(values.get('a') ?? '0.0.0.0', '-a');
  const root = aboutFile(directory, () => context.files.resolve(directory));
  if (aboutFile(directory, () => context.files.attributes(root)).type !== 'directory')
    throw new CommandError(`${directory}: not a directory`);
  const listener = networkOf(context).stream();
  about(`${formatIpv4(address)} port ${port}`, () => {
    listener.setOption('reuse-address', 1);
    listener.bind({ address, port });
    listener.listen();
  });
  if (flags.has('v')) context.lines(`serving ${root} on ${formatIpv4(address)} port ${port}`);
  context.shell.flush();
  new Server(context, new EventLoop(), listener, root, flags.has('v')).run();
  return 0;
}
