/** tcpdump: shows packets that go by, or that were recorded, and records them. */
import { FOREVER } from '../../../protocol/bounds.ts';
import type { Reply } from '../../../protocol/interface.ts';
import { MAX_CAPTURED_BYTES } from '../../../protocol/network.ts';
import { ETHERTYPE, parseEthernet } from '../../../wire/ethernet.ts';
import {
  LINK_TYPE_ETHERNET,
  LINK_TYPE_RAW,
  PcapReader,
  pcapFileHeader,
  pcapRecord,
  type RecordedFrame,
} from '../../../wire/pcap.ts';
import { capture as captureInterface, type Handle, ipcRelease } from '../../lib/index.ts';
import { type CommandContext, wholeNumber } from '../command.ts';
import { about, aboutFile, CommandError, reasonOf, UsageError } from '../errors.ts';
import { piecesOf } from '../operands.ts';
import { parseOptions } from '../options.ts';
import { type Output, outputTo } from '../streams.ts';
import { EventLoop } from './event-loop.ts';
import { addressesOf, networkOf } from './stack.ts';
import { type Filter, parseFilter } from './tcpdump/filter.ts';
import { framed, viewFrame } from './tcpdump/packet.ts';
import { clockText, PacketText } from './tcpdump/text.ts';

const FILE_BUFFER_BYTES = 256 * 1024;
const MAX_FAILURES = 3;

type CapturedPacket = Reply<typeof captureInterface.methods.receive>['packets'][number];

/** Where packets go that the filter lets through. */
class Sink {
  captured = 0;
  private readonly context: CommandContext;
  private readonly filter: Filter;
  private readonly most: number;
  private readonly text: PacketText;
  private readonly file: Output | null;

  constructor(context: CommandContext, filter: Filter, most: number, text: PacketText, file: Output | null) {
    this.context = context;
    this.filter = filter;
    this.most = most;
    this.text = text;
    this.file = file;
  }

  /** No more are wanted. */
  get full(): boolean {
    return this.captured >= this.most;
  }

  /** Takes an Ethernet frame. Throws CommandError, BrokenPipe. */
  take({ time, length, data }: RecordedFrame): void {
    if (this.full) return;
    const view = viewFrame(data, length);
    if (!this.filter(view)) return;
    this.captured += 1;
    if (this.file !== null) this.file.write(pcapRecord(time, data, length));
    else this.context.lines(`${clockText(time)} ${this.text.of(view)}`);
  }

  flush(): void {
    this.file?.flush();
    this.context.shell.flush();
  }
}

/** A frame as it is recorded: what comes without an Ethernet header gets one. */
function asEthernet(frame: RecordedFrame, raw: boolean): RecordedFrame {
  if (!raw) return frame;
  const data = framed(frame.data);
  return { ...frame, data, length: frame.length + data.length - frame.data.length };
}

/** Shows what is in a file. Throws CommandError. */
function readFile(context: CommandContext, path: string, sink: Sink): void {
  const reader = new PcapReader();
  const add = (piece: Uint8Array): RecordedFrame[] => {
    try {
      return reader.add(piece);
    } catch (error) {
      if (error instanceof RangeError) throw new CommandError(`${path}: ${error.message}`);
      throw error;
    }
  };
  const file = aboutFile(path, () => context.files.open(path));
  try {
    for (const piece of piecesOf(path, () => context.descriptors.read(file))) {
      const frames = add(piece);
      const { linkType } = reader;
      if (linkType !== null && linkType !== LINK_TYPE_ETHERNET && linkType !== LINK_TYPE_RAW)
        throw new CommandError(`${path}: frames of link type ${linkType} are not known`);
      for (const frame of frames) sink.take(asEthernet(frame, linkType === LINK_TYPE_RAW));
      if (sink.full) return;
    }
  } finally {
    file.close();
  }
  if (reader.linkType === null) throw new CommandError(`${path}: it is no pcap file`);
  if (!reader.isAtBoundary) context.complain(`${path}: it is cut off in the middle of a frame`);
}

/** Shows what goes by, until ^C or enough has come. Throws CommandError, BrokenPipe. */
function watch(context: CommandContext, right: Handle, sink: Sink, name: string): void {
  const loop = new EventLoop();
  const server = loop.client(captureInterface, right);
  let seen = 0;
  let dropped = 0;
  let failures = 0;
  // From here on ^C ends it with its sums.
  loop.signals(() => loop.finish());
  const link = 'link-type EN10MB (Ethernet)';
  context.descriptors.complain(`listening on ${name}, ${link}, snapshot length ${MAX_CAPTURED_BYTES} bytes`);
  const next = (): void =>
    server.receive({ timeout: FOREVER }, (outcome) => {
      if (outcome.ok) {
        failures = 0;
        dropped += outcome.value.dropped;
        seen += outcome.value.packets.length;
        for (const packet of outcome.value.packets) sink.take(recorded(packet));
        sink.flush();
      } else {
        failures += 1;
        if (failures > MAX_FAILURES) throw new CommandError(reasonOf(outcome.error));
      }
      if (sink.full) loop.finish();
      else next();
    });
  next();
  try {
    loop.run();
  } finally {
    context.descriptors.complain(
      `${sink.captured} packets captured\n${seen} packets received by filter\n${dropped} packets dropped by kernel`,
    );
  }
}

/** A packet as it stands in a file. The loopback interface has packets without frames around them. */
function recorded({ time, length, data }: CapturedPacket): RecordedFrame {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const bare = parseEthernet(bytes)?.type !== ETHERTYPE.IPV4 && (bytes[0] ?? 0) >>> 4 === 4;
  return asEthernet({ time: BigInt(Math.round(time * 1000)) * 1000n, length, data: bytes }, bare);
}

export function tcpdump(context: CommandContext): number {
  const { flags, values, operands } = parseOptions(context.words, { flags: 'nvlq', values: 'icwr' });
  const read = values.get('r');
  const write = values.get('w');
  const name = values.get('i');
  if (read !== undefined && name !== undefined) throw new UsageError('-i and -r exclude each other');
  const count = values.get('c');
  const most = count === undefined ? Number.POSITIVE_INFINITY : wholeNumber(count, '-c', 1, Number.MAX_SAFE_INTEGER);
  const filter = parseFilter(operands, (host) => addressesOf(networkOf(context), host));
  const text = new PacketText({ numeric: flags.has('n'), verbose: flags.has('v') });
  const right = read !== undefined ? null : openCapture(context, name);
  const file =
    write === undefined
      ? null
      : aboutFile(write, () => context.files.open(write, { write: true, create: true, truncate: true }));
  try {
    const output =
      file === null ? null : outputTo((bytes) => aboutFile(write ?? '', () => file.write(bytes)), FILE_BUFFER_BYTES);
    output?.write(pcapFileHeader());
    const sink = new Sink(context, filter, most, text, output);
    if (read !== undefined) readFile(context, read, sink);
    else if (right !== null) {
      watch(context, right, sink, name ?? 'any');
    }
    sink.flush();
    return 0;
  } finally {
    file?.close();
    if (right !== null) ipcRelease(right);
  }
}

function openCapture(context: CommandContext, name: string | undefined): Handle {
  const { stack } = networkOf(context);
  const wanted = name === 'any' ? undefined : name;
  return about(name ?? 'any', () => stack.capture({ interface: wanted ?? null, length: MAX_CAPTURED_BYTES }));
}
