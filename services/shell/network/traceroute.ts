/**
 * traceroute: the routers on the way to a host. UDP datagrams whose time to live grows, and what ICMP says of them.
 * Read RFC 1393, 1 (the method it replaces), and RFC 792.
 */
import { MAX_DATAGRAM_BYTES, MAX_PACKET_PAYLOAD_BYTES } from '../../../protocol/socket.ts';
import { formatIpv4 } from '../../../wire/address.ts';
import { ICMP, parseIcmp, parseQuote } from '../../../wire/icmp.ts';
import { PROTOCOL } from '../../../wire/ipv4.ts';
import { type Datagram, ICMP_PROTOCOL, type Socket, SystemError, uptime } from '../../lib/index.ts';
import { type CommandContext, expectWords, wholeNumber } from '../command.ts';
import { CommandError, reasonOf } from '../errors.ts';
import { parseOptions } from '../options.ts';
import { seconds } from './durations.ts';
import { unreachableMark } from './icmp-texts.ts';
import { roundTripText } from './ping-statistics.ts';
import { addressOf, networkOf } from './stack.ts';

/** Port of the first probe; nobody is expected to listen there. */
const FIRST_PORT = 33434;
const PORTS = 65536 - FIRST_PORT;
/** Headers of IPv4 and UDP. */
const HEADER_BYTES = 28;
const DEFAULT_BYTES = 60;

/** A probe: where it went, and what has come back. `mark` is null for a router on the way. */
export interface Probe {
  readonly port: number;
  readonly sentAt: number;
  answer: { readonly from: number; readonly time: number; readonly mark: string | null } | null;
}

/** The line of a hop. */
export function hopLine(hop: number, probes: readonly Probe[]): string {
  let line = String(hop).padStart(2);
  let last: number | null = null;
  for (const { answer } of probes) {
    if (answer === null) {
      line += '  *';
      continue;
    }
    if (answer.from !== last) line += `  ${formatIpv4(answer.from)}`;
    last = answer.from;
    line += `  ${roundTripText(answer.time)} ms${answer.mark === null || answer.mark === '' ? '' : ` ${answer.mark}`}`;
  }
  return line;
}

/** Notes what an ICMP message says of one of the probes. `ownPort`: where they come from. */
export function note(
  probes: readonly Probe[],
  { from, data }: Datagram,
  destination: number,
  ownPort: number,
  now: number,
): void {
  const message = parseIcmp(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  if (message === null || (message.type !== ICMP.TIME_EXCEEDED && message.type !== ICMP.UNREACHABLE)) return;
  const quoted = parseQuote(message.data);
  if (quoted === null || quoted.protocol !== PROTOCOL.UDP || quoted.destination !== destination) return;
  if (quoted.payload.length < 4 || quoted.payload.readUInt16BE(0) !== ownPort) return;
  const port = quoted.payload.readUInt16BE(2);
  const probe = probes.find((each) => each.port === port);
  if (probe === undefined || probe.answer !== null) return;
  const mark = message.type === ICMP.TIME_EXCEEDED ? null : unreachableMark(message.code);
  probe.answer = { from: from.address, time: Math.max(0, now - probe.sentAt), mark };
}

/** Waits for the answers to the probes of a hop, at most `wait` milliseconds. */
function collect(receiver: Socket, probes: readonly Probe[], destination: number, ownPort: number, wait: number): void {
  const end = uptime() + wait;
  while (probes.some(({ answer }) => answer === null)) {
    const left = Math.ceil(end - uptime());
    if (left <= 0) return;
    try {
      const datagram = receiver.receiveFrom(left, MAX_PACKET_PAYLOAD_BYTES);
      note(probes, datagram, destination, ownPort, uptime());
    } catch (error) {
      if (!(error instanceof SystemError) || error.code !== 'ETIMEDOUT') throw error;
    }
  }
}

/** Sends a probe. What an earlier one has come to is no failure of this one. */
function send(sender: Socket, address: number, port: number, bytes: number): Probe {
  const data = new Uint8Array(bytes);
  for (let tries = 0; ; tries += 1) {
    const sentAt = uptime();
    try {
      sender.sendTo(data, { address, port });
      return { port, sentAt, answer: null };
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      const earlier = error.code === 'ECONNREFUSED' || error.code === 'EHOSTUNREACH';
      if (!earlier || tries > 0) throw new CommandError(`send: ${reasonOf(error)}`);
    }
  }
}

export function traceroute(context: CommandContext): number {
  const { values, operands } = parseOptions(context.words, { flags: 'n', values: 'mqw' });
  const [host = '', size] = expectWords(operands, 1, 2);
  const hops = wholeNumber(values.get('m') ?? '30', '-m', 1, 255);
  const queries = wholeNumber(values.get('q') ?? '3', '-q', 1, 10);
  const wait = seconds(values.get('w') ?? '5', '-w', 0.001, 3600);
  const bytes = wholeNumber(size ?? String(DEFAULT_BYTES), 'BYTES', HEADER_BYTES, MAX_DATAGRAM_BYTES);
  const network = networkOf(context);
  const address = addressOf(network, host);
  const receiver = network.raw(ICMP_PROTOCOL);
  const sender = network.datagram();
  sender.bind({ address: 0, port: 0 });
  const ownPort = sender.names().local.port;
  context.lines(`traceroute to ${host} (${formatIpv4(address)}), ${hops} hops max, ${bytes} byte packets`);
  let sent = 0;
  for (let hop = 1; hop <= hops; hop += 1) {
    context.shell.flush();
    sender.setOption('time-to-live', hop);
    const probes: Probe[] = [];
    for (let query = 0; query < queries; query += 1) {
      probes.push(send(sender, address, FIRST_PORT + (sent % PORTS), bytes - HEADER_BYTES));
      sent += 1;
    }
    collect(receiver, probes, address, ownPort, wait);
    context.lines(hopLine(hop, probes));
    if (probes.some(({ answer }) => answer !== null && (answer.mark !== null || answer.from === address))) break;
  }
  receiver.close();
  sender.close();
  return 0;
}
