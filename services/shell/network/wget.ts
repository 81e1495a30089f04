/** wget: fetches a file by HTTP. Read RFC 9110, 14 (ranges) and 15.4 (redirections); wget(1) for the looks. */
import { formatIpv4 } from '../../../wire/address.ts';
import { type Network, type Socket, SystemError, uptime, time as wallClock } from '../../lib/index.ts';
import { type CommandContext, expectWords } from '../command.ts';
import { aboutFile, CommandError, reasonOf } from '../errors.ts';
import { timeText } from '../listing.ts';
import { unlessRefused } from '../name-source.ts';
import { parseOptions } from '../options.ts';
import { shortSize } from '../sizes.ts';
import { type Output, outputTo } from '../streams.ts';
import { visibleText } from '../width.ts';
import { seconds } from './durations.ts';
import { HttpError } from './http/fields.ts';
import { parseContentRange } from './http/ranges.ts';
import { type ResponseHead, ResponseReader } from './http/response-reader.ts';
import { fileNameOf, type HttpUrl, hostField, parseUrl, redirected, urlText } from './http/url.ts';
import { addressesOf, networkOf } from './stack.ts';
import { rateText, transferLine } from './transfer-line.ts';

const MAX_REDIRECTIONS = 20;
const MAX_NAMES = 1000;
const FILE_BUFFER_BYTES = 256 * 1024;
/** Between two updates of the line, in milliseconds. */
const PERIOD_MS = 200;
const DEFAULT_TIMEOUT_MS = 60_000;
const MAX_SECONDS = 86_400;

/** Exit statuses, as wget(1) has them: the network does not carry, and the server refuses. */
const NETWORK_FAILURE = 4;
const SERVER_ERROR = 8;

const redirections: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** What wget is to do. */
interface WgetOptions {
  readonly url: string;
  /** `-` for the standard output, null for the name in the URL. */
  readonly file: string | null;
  readonly quiet: boolean;
  readonly resume: boolean;
  /** Milliseconds without anything. */
  readonly timeout: number;
}

function parseWget(words: readonly string[]): WgetOptions {
  const { flags, values, operands } = parseOptions(words, { flags: 'qc', values: 'OT' });
  const [url = ''] = expectWords(operands, 1, 1);
  const timeout = values.get('T');
  return {
    url,
    file: values.get('O') ?? null,
    quiet: flags.has('q'),
    resume: flags.has('c'),
    timeout: timeout === undefined ? DEFAULT_TIMEOUT_MS : seconds(timeout, '-T', 0.001, MAX_SECONDS),
  };
}

/** One run of wget. */
class Download {
  private readonly context: CommandContext;
  private readonly options: WgetOptions;
  private readonly network: Network;
  private readonly showsLine: boolean;

  constructor(context: CommandContext, options: WgetOptions) {
    this.context = context;
    this.options = options;
    this.network = networkOf(context);
    this.showsLine = !options.quiet && context.descriptors.isTerminal(2);
  }

  /** Fetches it. Throws CommandError. */
  run(): void {
    let url = parseUrl(this.options.url);
    const name = this.options.file ?? fileNameOf(url);
    const present = this.options.resume && name !== '-' ? this.sizeOf(name) : 0;
    for (let redirection = 0; redirection <= MAX_REDIRECTIONS; redirection += 1) {
      const socket = this.connect(url);
      try {
        const reader = this.request(socket, url, present);
        const head = reader.head();
        this.say(`${head.status} ${head.reason}\n`);
        const location = redirections.has(head.status) ? head.fields.get('location') : undefined;
        if (location === undefined) {
          this.save(reader, head, { name, present });
          return;
        }
        this.say(`Location: ${visibleText(location)} [following]\n`);
        url = redirected(url, location);
      } catch (error) {
        if (error instanceof HttpError) throw new CommandError(`${urlText(url)}: ${error.message}`);
        if (error instanceof SystemError)
          throw new CommandError(`${urlText(url)}: ${reasonOf(error)}`, NETWORK_FAILURE);
        throw error;
      } finally {
        socket.close();
      }
    }
    throw new CommandError(`${this.options.url}: it was redirected more than ${MAX_REDIRECTIONS} times`);
  }

  private say(text: string): void {
    if (this.options.quiet) return;
    const { error } = this.context.descriptors;
    error.print(text);
    error.flush();
  }

  private sizeOf(name: string): number {
    return unlessRefused(0, () => {
      const { type, size } = this.context.files.attributes(name);
      return type === 'file' ? size : 0;
    });
  }

  /** A connection to one of the addresses of the host. */
  private connect(url: HttpUrl): Socket {
    const { host, port } = url;
    this.say(`--${timeText(wallClock())}--  ${urlText(url)}\n`);
    const literal = /^[\d.]+$/.test(host);
    if (!literal) this.say(`Resolving ${host}... `);
    const addresses = addressesOf(this.network, host, NETWORK_FAILURE);
    if (!literal) this.say(`${addresses.map(formatIpv4).join(', ')}\n`);
    let failure = new CommandError(`${host}: it has no address`, NETWORK_FAILURE);
    for (const address of addresses) {
      const end = `${formatIpv4(address)}:${port}`;
      this.say(`Connecting to ${end}... `);
      const socket = this.network.stream();
      try {
        socket.connect({ address, port }, this.options.timeout);
        this.say('connected.\n');
        return socket;
      } catch (error) {
        socket.close();
        if (!(error instanceof SystemError)) throw error;
        this.say(`failed: ${reasonOf(error)}.\n`);
        failure = new CommandError(`${end}: ${reasonOf(error)}`, NETWORK_FAILURE);
      }
    }
    throw failure;
  }

  private request(socket: Socket, url: HttpUrl, present: number): ResponseReader {
    const { timeout } = this.options;
    const lines = [
      `GET ${url.target} HTTP/1.1`,
      `Host: ${hostField(url)}`,
      ...['User-Agent: VROS wget', 'Accept: */*', 'Accept-Encoding: identity', 'Connection: close'],
      ...(present > 0 ? [`Range: bytes=${present}-`] : []),
    ];
    this.say('HTTP request sent, awaiting response... ');
    socket.send(new TextEncoder().encode(`${lines.join('\r\n')}\r\n\r\n`), timeout);
    return new ResponseReader(() => socket.receive(FILE_BUFFER_BYTES, timeout));
  }

  /** Saves the content. Throws CommandError, HttpError, SystemError. */
  private save(reader: ResponseReader, head: ResponseHead, { name, present }: { name: string; present: number }): void {
    const { status, fields, reason } = head;
    if (present > 0 && status === 416 && fields.get('content-range') === `bytes */${present}`) {
      this.say('The file is complete already; there is nothing to do.\n');
      return;
    }
    if (status < 200 || status > 299) throw new CommandError(`${this.options.url}: ${status} ${reason}`, SERVER_ERROR);
    const range = status === 206 ? this.partOf(head, present) : { start: 0, size: null };
    const { start } = range;
    if (present > 0 && start === 0) this.say('The server does not send parts: it is fetched from the beginning.\n');
    const length = ResponseReader.lengthOf(head);
    const total = length === null ? range.size : start + length;
    const type = visibleText(fields.get('content-type') ?? 'no type');
    this.say(`Length: ${total === null ? 'unspecified' : `${total} (${shortSize(total)})`} [${type}]\n`);
    const path = this.options.file !== null || start > 0 || this.options.resume ? name : this.freeName(name);
    const pieces = reader.content(head);
    if (path === '-') this.receive(pieces, this.context.output, { name: '-', start, total });
    else this.saveTo(path, pieces, start, total);
  }

  /** Where a part begins, which has to be where the file ends, and how large the whole is, if that is known. */
  private partOf({ fields }: ResponseHead, present: number): { start: number; size: number | null } {
    const range = parseContentRange(fields.get('content-range') ?? '');
    if (present === 0 || range === undefined || range.start !== present)
      throw new CommandError(`${this.options.url}: the server sends another part than was asked for`);
    return range;
  }

  private saveTo(path: string, pieces: Iterable<Uint8Array>, start: number, total: number | null): void {
    const options = { write: true, create: true, truncate: start === 0 };
    this.say(`Saving to: '${path}'\n\n`);
    const file = aboutFile(path, () => this.context.files.open(path, options));
    try {
      file.position = start;
      const output = outputTo((bytes) => aboutFile(path, () => file.write(bytes)), FILE_BUFFER_BYTES);
      try {
        this.receive(pieces, output, { name: path, start, total });
      } finally {
        // What has come is kept for -c.
        output.flush();
      }
    } finally {
      file.close();
    }
  }

  private receive(
    pieces: Iterable<Uint8Array>,
    output: Output,
    { name, start, total }: { name: string; start: number; total: number | null },
  ): void {
    const before = uptime();
    const columns = this.showsLine ? this.context.shell.columns() : 0;
    let shown = before;
    let received = 0;
    const line = (now: number): void => {
      if (this.showsLine)
        this.say(`\r\x1b[K${transferLine({ name, start, received, total, milliseconds: now - before }, columns)}`);
    };
    try {
      for (const piece of pieces) {
        output.write(piece);
        received += piece.length;
        if (!this.showsLine) continue;
        const now = uptime();
        if (now - shown < PERIOD_MS) continue;
        shown = now;
        line(now);
      }
      output.flush();
    } catch (error) {
      if (this.showsLine) this.say('\n');
      throw error;
    }
    const milliseconds = uptime() - before;
    line(before + milliseconds);
    if (this.showsLine) this.say('\n\n');
    const rate = milliseconds > 0 ? rateText(received / (milliseconds / 1000)) : 'at once';
    const of = total === null ? `${start + received}` : `${start + received}/${total}`;
    const verb = name === '-' ? 'written to stdout' : `'${name}' saved`;
    this.say(`${timeText(wallClock())} (${rate}) - ${verb} [${of}]\n`);
  }

  /** The name, with a number behind it if there is such a file already. */
  private freeName(name: string): string {
    const exists = (path: string): boolean =>
      unlessRefused(false, () => this.context.files.attributes(path, false) !== undefined);
    if (!exists(name)) return name;
    for (let number = 1; number < MAX_NAMES; number += 1) if (!exists(`${name}.${number}`)) return `${name}.${number}`;
    throw new CommandError(`${name}: there are too many files of this name`);
  }
}

export function wget(context: CommandContext): number {
  new Download(context, parseWget(context.words)).run();
  return 0;
}
