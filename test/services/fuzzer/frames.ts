/** Frames as a hostile task would send them: valid ones of every system call, and what mutations make of them. */
import { FOREVER, HEADER_BYTES, MAX_FRAME_BYTES } from '../../../protocol/bounds.ts';
import { encodeFrame, encodeMessage } from '../../../protocol/codec.ts';
import { OFFSET_HANDLE, OFFSET_ID, OFFSET_LENGTH, OFFSET_TYPE } from '../../../protocol/frame.ts';
import { ENVELOPE_AT } from '../../../protocol/message.ts';
import { type SystemCallName, systemCalls } from '../../../protocol/syscall.ts';
import type { Random } from './random.ts';

const names = Object.keys(systemCalls) as SystemCallName[];

/** Calls that cost the task its life or everybody much time: they come seldom. */
const rare = new Set<SystemCallName>(['exit', 'in', 'out', 'ins', 'outs', 'io_vector', 'dmesg', 'kill', 'task_list']);
/** One of these in so many. */
const RARE = 100;

/** Ports this task may use. */
export const IO_FIRST = 0x300;
export const IO_LAST = 0x30f;

/** What frames are made of. */
export interface Material {
  readonly random: Random;
  /** Handles this task holds or held. */
  readonly handles: readonly number[];
  readonly ownPid: number;
}

/** A valid or nearly valid frame of some system call. */
export function plausible(material: Material, id: number): Buffer {
  const { random } = material;
  let name = random.pick(names);
  while (rare.has(name) && !random.once(RARE)) name = random.pick(names);
  const call = systemCalls[name];
  if ('message' in call && call.message === true) return message(material, name, id);
  return Buffer.from(encodeFrame(call.number, 0, id, handleFor(material, name), argumentsFor(material, name)));
}

function handle({ random, handles }: Material): number {
  return random.once(10) || handles.length === 0 ? random.next() : random.pick(handles);
}

function handleFor(material: Material, name: SystemCallName): number {
  const { random } = material;
  if (name === 'in' || name === 'out' || name === 'ins' || name === 'outs') {
    const width = random.pick([1, 1, 1, 2, 4, 3]);
    return width * 0x10000 + IO_FIRST + random.below(IO_LAST - IO_FIRST + 1);
  }
  return handle(material);
}

function argumentsFor(material: Material, name: SystemCallName): unknown {
  const { random, ownPid } = material;
  const port = handle(material);
  const text = random.pick(['echo', 'fuzz-a', 'fuzz-b', 'init', 'x'.repeat(64), 'y'.repeat(65), '', 'ä€😀']);
  const time = random.pick([0, 1, 5, 20, 1000, FOREVER, 0x7fffffff, 0x80000000]);
  const known: Partial<Record<SystemCallName, unknown>> = {
    exit: [random.below(300)],
    spawn: [text, random.pick([[], ['a'], [1], new Array<string>(65).fill('')]), random.pick([0, port])],
    waitpid: [random.below(4), time],
    kill: [random.pick([ownPid, 1, 2, 77777]), random.pick([1, 15, 18, 20, 99])],
    sleep: [random.pick([0, 0.5, 3, -1, Number.NaN, 1e300])],
    task_capabilities: [random.below(8)],
    scheduler: [random.pick(['', 'rr', 'cfs', 'nonsense'])],
    set_priority: [random.below(4), random.below(40), random.below(70000)],
    ipc_create_named_port: [text],
    ipc_find_port: [text, random.pick([0, 1, 10])],
    ipc_recv: [random.pick([[], [port], [port, port], new Array<number>(4097).fill(port)]), time],
    ipc_try_recv: [random.pick([[], [port]])],
    ipc_mint: [random.pick([0, 1, 2, 0xffffffff, -1])],
    request_io_port: [IO_FIRST + random.below(20), IO_FIRST + random.below(20)],
    out: random.pick([0, 255, 256, 65536, -1, null]),
    ins: [random.pick([1, 512, 1e9])],
    outs: random.bytes(random.below(64)),
    io_vector: [random.pick([[], [1, 2, 3], [[0, IO_FIRST, 1]], 'x'])],
    register_irq_handler: [random.below(20), port],
    irq_acknowledge: [random.below(20)],
    alarm: [random.below(100), random.pick([0, 1, 1e9, -5])],
    random: [random.pick([0, 16, 65536, 65537])],
    store_put: [text, random.pick([null, 1, { a: [1, { b: 2 }] }, random.bytes(random.below(3000))])],
    store_get: [text],
    store_delete: [text],
    log: [random.below(256), random.pick(['fuzz', 'two\nlines', '\x1b[2J\x00', 'ü'.repeat(3000)])],
    dmesg: [random.below(8192)],
    crash_show: [random.below(9)],
    crash_report: [random.pick(['last words', 'z'.repeat(20000)])],
    halt: [random.below(256), random.once(2), 'why'],
    service_lost: [text],
    service_debug: [text],
    service_port: [text],
    service_forget: [text],
  };
  return name in known ? known[name] : null;
}

function message(material: Material, name: SystemCallName, id: number): Buffer {
  const { random } = material;
  const rights = random.once(3) ? Array.from({ length: random.below(9) }, () => handle(material)) : [];
  const head = {
    interface: random.pick([7, 7, 1, 2, 3, 4, 0x8000, 0]),
    method: random.below(4),
    timeoutMilliseconds: random.pick([0, 1, 5, 50, FOREVER, 0x80000000]),
    port: handle(material),
    rights,
  };
  const data = random.pick([null, 1, 'text', [1, 2, 3], { a: 1 }, random.bytes(random.below(2000))]);
  const flags = random.pick([0, 0, 1, 5, 0xffff]);
  return Buffer.from(encodeMessage(systemCalls[name].number, flags, id, handle(material), head, data));
}

/** Bodies that try the checks of msgpack. */
function cursedBody(random: Random): Buffer {
  const deep = (mark: number, levels: number): Buffer => Buffer.concat([Buffer.alloc(levels, mark), Buffer.of(0xc0)]);
  return random.pick([
    () => deep(0x91, 31),
    () => deep(0x91, 33),
    () => deep(0x91, 100_000),
    () => deep(0x81, 40),
    () => Buffer.of(0xdd, 0xff, 0xff, 0xff, 0xff),
    () => Buffer.of(0xdf, 0x7f, 0xff, 0xff, 0xff, 0x01),
    () => Buffer.of(0xdb, 0xff, 0xff, 0xff, 0xf0, 0x41),
    () => Buffer.of(0xc6, 0x00, 0x0f, 0xff, 0xff),
    () => Buffer.of(0xc7, 0x01, 0x72, 0x00),
    () => Buffer.of(0xd4, 0x72, 0x40),
    () => Buffer.of(0xd6, 0xff, 1, 2, 3, 4),
    () => Buffer.of(0xc1),
    () => Buffer.of(0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
    () => Buffer.of(0x92, 0xcb, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0, 0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0),
    () => Buffer.of(0x91, 0xa4, 0xff, 0xfe, 0xc0, 0x80),
    () => Buffer.of(0x82, 0xa9, ...Buffer.from('__proto__'), 0x81, 0xa1, 0x78, 1, 0xa1, 0x79, 2),
    () => Buffer.of(0xc0, 0xc0),
    () => Buffer.of(0x92, 0xc4, 0x20),
    () => Buffer.concat([Buffer.of(0x92, 0xc4, 0x40), random.bytes(80)]),
    () => random.bytes(random.below(200)),
  ])();
}

/** A frame with a length that fits its bytes. */
function framed(type: number, id: number, handleNumber: number, body: Buffer): Buffer {
  const frame = Buffer.alloc(HEADER_BYTES + body.length);
  frame.writeUInt32LE(body.length, OFFSET_LENGTH);
  frame.writeUInt16LE(type, OFFSET_TYPE);
  frame.writeUInt32LE(id, OFFSET_ID);
  frame.writeUInt32LE(handleNumber, OFFSET_HANDLE);
  body.copy(frame, HEADER_BYTES);
  return frame;
}

/** A whole frame, damaged in one of many ways or not at all; the stream can be followed after it. */
export function hostile(material: Material, id: number): Buffer {
  const { random } = material;
  const frame = plausible(material, id);
  switch (random.below(10)) {
    case 0:
    case 1:
      return frame;
    case 2:
    case 3:
      return flipped(random, frame, HEADER_BYTES);
    case 4:
      return flipped(random, frame, OFFSET_TYPE);
    case 5:
      return flipped(random, frame, Math.min(ENVELOPE_AT, frame.length - 1), 4);
    case 6: {
      const cut = frame.subarray(0, HEADER_BYTES + random.below(frame.length - HEADER_BYTES + 1));
      cut.writeUInt32LE(cut.length - HEADER_BYTES, OFFSET_LENGTH);
      return cut;
    }
    case 7: {
      const longer = Buffer.concat([frame, random.bytes(1 + random.below(40))]);
      longer.writeUInt32LE(longer.length - HEADER_BYTES, OFFSET_LENGTH);
      return longer;
    }
    case 8:
      return framed(random.below(0x80), id, handle(material), cursedBody(random));
    default:
      return framed(frame.readUInt16LE(OFFSET_TYPE), id, handle(material), cursedBody(random));
  }
}

/** Flips some bits at or after an offset. */
function flipped(random: Random, frame: Buffer, from: number, most = 3): Buffer {
  for (let count = 1 + random.below(most); count > 0 && frame.length > from; count--) {
    const at = from + random.below(frame.length - from);
    frame[at] = (frame[at] ?? 0) ^ (1 << random.below(8));
  }
  return frame;
}

/** Bytes after which the stream is lost, or is never whole again. */
export function streamEnd(material: Material): Buffer {
  const { random } = material;
  const frame = plausible(material, 1);
  switch (random.below(4)) {
    case 0:
      frame.writeUInt32LE(MAX_FRAME_BYTES + 1 + random.below(0x7fffffff), OFFSET_LENGTH);
      return frame;
    case 1:
      return frame.subarray(0, random.below(frame.length));
    case 2:
      frame.writeUInt32LE(MAX_FRAME_BYTES, OFFSET_LENGTH);
      return Buffer.concat([frame, random.bytes(5000)]);
    default:
      return random.bytes(4000);
  }
}
