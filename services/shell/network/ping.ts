/**
 * ping: echo requests, and what comes back, as the one of iputils does and shows it. Options, words and exit statuses
 * are its.
 *
 * Read: RFC 792 (echo), and ping(8) of iputils.
 */

import { FOREVER } from '../../../protocol/bounds.ts';
import { signals } from '../../../protocol/signal.ts';
import { MAX_DATAGRAM_BYTES, MAX_PACKET_PAYLOAD_BYTES } from '../../../protocol/socket.ts';
import { formatIpv4 } from '../../../wire/address.ts';
import { buildIcmp, ICMP, parseIcmp, parseQuote } from '../../../wire/icmp.ts';
import { IPV4_HEADER_BYTES, PROTOCOL } from '../../../wire/ipv4.ts';
import {
  type Datagram,
  ICMP_PROTOCOL,
  type Network,
  random,
  type Socket,
  SystemError,
  socket as socketInterface,
  uptime,
  time as wallClock,
} from '../../lib/index.ts';
import { type CommandContext, expectWords, wholeNumber } from '../command.ts';
import { CommandError, reasonOf } from '../errors.ts';
import { parseOptions } from '../options.ts';
import { seconds } from './durations.ts';
import { EventLoop } from './event-loop.ts';
import { icmpErrorText } from './icmp-texts.ts';
import { PingStatistics, roundTripText } from './ping-statistics.ts';
import { addressOf, networkOf } from './stack.ts';

const ICMP_HEADER_BYTES = 8;
const DEFAULT_BYTES = 56;
const DEFAULT_INTERVAL_MS = 1000;
const LEAST_INTERVAL_MS = 2;
const DEFAULT_WAIT_MS = 10_000;
const MAX_SECONDS = 2_000_000;
/** Any port will do, nothing is sent there. */
const PROBE_PORT = 1025;

/** Failures of the same receive that are borne: the stack has died meanwhile, and nothing was lost but time. */
const MAX_FAILURES = 3;

/** What ping is to do. Times in milliseconds. */
interface PingOptions {
  readonly count: number | null;
  readonly interval: number;
  readonly bytes: number;
  readonly wait: number;
  readonly deadline: number | null;
  readonly timeToLive: number | null;
  readonly quiet: boolean;
  readonly timestamps: boolean;
  readonly host: string;
}

/** Throws UsageError. */
export function parsePing(words: readonly string[]): PingOptions {
  const { flags, values, operands } = parseOptions(words, { flags: 'qDn', values: 'cisWwt' });
  const [host = ''] = expectWords(operands, 1, 1);
  const number = (letter: string, least: number, most: number): number | null => {
    const text = values.get(letter);
    return text === undefined ? null : wholeNumber(text, `-${letter}`, least, most);
  };
  const duration = (letter: string, least: number): number | null => {
    const text = values.get(letter);
    return text === undefined ? null : seconds(text, `-${letter}`, least, MAX_SECONDS);
  };
  return {
    host,
    count: number('c', 1, Number.MAX_SAFE_INTEGER),
    bytes: number('s', 0, MAX_DATAGRAM_BYTES) ?? DEFAULT_BYTES,
    timeToLive: number('t', 1, 255),
    interval: duration('i', LEAST_INTERVAL_MS / 1000) ?? DEFAULT_INTERVAL_MS,
    wait: duration('W', 0.001) ?? DEFAULT_WAIT_MS,
    deadline: duration('w', 0.001),
    quiet: flags.has('q'),
    timestamps: flags.has('D'),
  };
}

/** One run of ping. */
class Ping {
  private readonly context: CommandContext;
  private readonly options: PingOptions;
  private readonly address: number;
  private readonly socket: Socket;
  private readonly loop = new EventLoop();
  private readonly statistics = new PingStatistics();
  private readonly identifier: number;
  private readonly payload: Buffer;
  private due = uptime();
  private sends = 0;
  private failures = 0;
  private lingering = false;
  status: number | null = null;

  constructor(context: CommandContext, options: PingOptions, address: number, socket: Socket) {
    this.context = context;
    this.options = options;
    this.address = address;
    this.socket = socket;
    const [high = 0, low = 0] = random(2);
    this.identifier = high * 256 + low;
    this.payload = Buffer.from(Uint8Array.from({ length: options.bytes }, (_, at) => at & 0xff));
  }

  run(): void {
    const { options, loop } = this;
    this.loop.signals((signal) => {
      if (signal === signals.QUIT) this.context.print(`\r${this.statistics.shortSummary()}\n`);
      else loop.finish();
      this.context.shell.flush();
    });
    if (options.deadline !== null) loop.after(options.deadline, () => loop.finish());
    this.receive();
    this.sendNext();
    loop.run();
    this.context.lines(...this.statistics.summary(options.host));
  }

  get exitStatus(): number {
    const { received } = this.statistics;
    const { count, deadline } = this.options;
    if (this.status !== null) return this.status;
    return received === 0 || (deadline !== null && count !== null && received < count) ? 1 : 0;
  }

  private sendNext(): void {
    const { count, deadline, interval } = this.options;
    if (count !== null && this.sends >= count && deadline === null) {
      this.linger();
      return;
    }
    this.send();
    this.sends += 1;
    // The times are counted from the start, so that small delays do not add up; long ones are not made up for.
    const now = uptime();
    this.due = Math.max(this.due + interval, now);
    const last = count !== null && this.sends >= count && deadline === null;
    if (last) this.linger();
    else this.loop.after(this.due - now, () => this.sendNext());
  }

  /** Everything is sent: answers may still come. */
  private linger(): void {
    if (this.lingering) return;
    this.lingering = true;
    const { statistics, options, loop } = this;
    const wait = statistics.received > 0 ? Math.max(2 * statistics.longest, options.interval) : options.wait;
    loop.after(wait, () => loop.finish());
    this.endWhenAnswered();
  }

  private send(): void {
    const sequence = this.statistics.send(uptime());
    const rest = this.identifier * 65536 + sequence;
    const message = buildIcmp({ type: ICMP.ECHO_REQUEST, code: 0, rest, data: this.payload });
    try {
      this.socket.sendTo(message, { address: this.address, port: 0 });
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.context.complain(`sendmsg: ${reasonOf(error)}`);
      this.statistics.unsent();
      this.endWhenAnswered();
    }
  }

  private receive(): void {
    const client = this.loop.client(socketInterface, this.socket.right);
    client.receive_from({ most: MAX_PACKET_PAYLOAD_BYTES, timeout: FOREVER }, (outcome) => {
      if (outcome.ok) {
        this.failures = 0;
        this.handle(outcome.value);
      } else {
        this.failures += 1;
        if (this.failures > MAX_FAILURES) {
          this.context.complain(`recvmsg: ${reasonOf(outcome.error)}`);
          this.status = 2;
          this.loop.finish();
          return;
        }
      }
      this.receive();
    });
  }

  private handle({ from, timeToLive, data }: Datagram): void {
    const now = uptime();
    const message = parseIcmp(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    if (message === null) return;
    if (message.type === ICMP.ECHO_REPLY) {
      if (message.rest >>> 16 === this.identifier && from.address === this.address)
        this.reply(message.rest & 0xffff, now, data.length, timeToLive);
      return;
    }
    const text = icmpErrorText(message);
    const quoted = text === null ? null : parseQuote(message.data);
    if (text === null || quoted === null || quoted.protocol !== PROTOCOL.ICMP) return;
    if (quoted.destination !== this.address || quoted.payload.length < ICMP_HEADER_BYTES) return;
    if (quoted.payload.readUInt16BE(4) !== this.identifier || quoted.payload[0] !== ICMP.ECHO_REQUEST) return;
    const sequence = quoted.payload.readUInt16BE(6);
    if (!this.statistics.error(sequence, now)) return;
    this.show(`From ${formatIpv4(from.address)} icmp_seq=${sequence} ${text}`);
    if (this.options.deadline !== null) this.loop.finish();
    this.endWhenAnswered();
  }

  private reply(sequence: number, now: number, bytes: number, timeToLive: number): void {
    const { time, kind } = this.statistics.receive(sequence, now);
    if (kind === 'unknown') return;
    const duplicate = kind === 'duplicate' ? ' (DUP!)' : '';
    const from = formatIpv4(this.address);
    this.show(
      `${bytes} bytes from ${from}: icmp_seq=${sequence} ttl=${timeToLive} time=${roundTripText(time)} ms${duplicate}`,
    );
    this.endWhenAnswered();
  }

  private show(line: string): void {
    if (this.options.quiet) return;
    const stamp = this.options.timestamps ? `[${(wallClock() / 1000).toFixed(6)}] ` : '';
    this.context.lines(stamp + line);
    this.context.shell.flush();
  }

  private endWhenAnswered(): void {
    const { count } = this.options;
    const { received, errors } = this.statistics;
    if (count !== null && received + errors >= count) this.loop.finish();
  }
}

/**
 * Waits for a way to the host, as iputils looks for one with a socket for datagrams: else the time that the network
 * takes to come after the boot would be that of the first packet. When there is none, each packet tells why it is not
 * sent.
 */
function awaitRoute(network: Network, address: number): void {
  const socket = network.datagram();
  try {
    socket.connect({ address, port: PROBE_PORT });
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
  } finally {
    socket.close();
  }
}

export function ping(context: CommandContext): number {
  const options = parsePing(context.words);
  const network = networkOf(context);
  let address: number;
  try {
    address = addressOf(network, options.host);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    context.complain(error.message);
    return 2;
  }
  const socket = network.raw(ICMP_PROTOCOL);
  try {
    if (options.timeToLive !== null) socket.setOption('time-to-live', options.timeToLive);
    const whole = options.bytes + ICMP_HEADER_BYTES + IPV4_HEADER_BYTES;
    context.lines(`PING ${options.host} (${formatIpv4(address)}) ${options.bytes}(${whole}) bytes of data.`);
    context.shell.flush();
    awaitRoute(network, address);
    const run = new Ping(context, options, address, socket);
    run.run();
    return run.exitStatus;
  } finally {
    socket.close();
  }
}
