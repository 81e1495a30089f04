/**
 * A hostile service that sends frames nobody should send. Arguments: a seed, and how many frames to send. It checks
 * that every call that cannot wait is answered, and reports as a `RESULT` line what was not. It writes to its pipe
 * itself, so it runs without the lock-down.
 */
import fs from 'node:fs';
import { encodeFrame } from '../../../protocol/codec.ts';
import {
  emptyFrame,
  FrameCutter,
  OFFSET_FLAGS,
  OFFSET_HANDLE,
  OFFSET_ID,
  OFFSET_TYPE,
  RESULT,
} from '../../../protocol/frame.ts';
import { type SystemCallName, systemCallName, systemCalls } from '../../../protocol/syscall.ts';
import {
  exit,
  getpid,
  ipcCreatePort,
  ipcFindPort,
  ipcMint,
  requestIoPort,
  startInformation,
} from '../../../services/lib/index.ts';
import { hostile, IO_FIRST, IO_LAST, type Material, streamEnd } from './frames.ts';
import { Random } from './random.ts';

const FROM_KERNEL = 3;
const TO_KERNEL = 4;
/** Frames sent before the answers are read. */
const BATCH = 40;
/** Calls that may be left waiting before this incarnation ends: the kernel allows 256. */
const MOST_WAITING = 200;
/** Ids of the calls that mark the end of a batch. */
const MARK = 0xf000_0000;
/** Once in so many frames one is large. */
const LARGE = 400;

/** Calls that may be left waiting; a message too is handed over only when the task has a CPU. */
const waits = new Set<SystemCallName>([
  ...([
    'waitpid',
    'sleep',
    'yield',
    'ipc_find_port',
    'ipc_recv',
    'ipc_try_recv',
    'ipc_call',
    'ipc_reply_recv',
    'io_vector',
  ] as const),
]);

const [seed = '1', quota = '1000'] = startInformation.arguments;
const random = new Random(Number(seed));
const handles: number[] = [];
const material: Material = { random, handles, ownPid: getpid() };

/** Calls sent and not answered: name, and how many batches ago. */
const open = new Map<number, { name: string; waits: boolean; age: number }>();
let marked = 0;

const cutter = new FrameCutter(
  (buffer, start) => {
    const id = buffer.readUInt32LE(start + OFFSET_ID);
    if (buffer.readUInt16LE(start + OFFSET_TYPE) !== RESULT) report(`a frame of another type for ${id}`);
    if (id >= MARK) marked = id;
    open.delete(id);
    const handle = buffer.readUInt32LE(start + OFFSET_HANDLE);
    if (buffer.readUInt16LE(start + OFFSET_FLAGS) === 0 && handle > 0xffff && handles.length < 64) handles.push(handle);
  },
  (length) => report(`a frame of ${length} bytes`),
);

function report(text: string): void {
  write(encodeFrame(systemCalls.log.number, 0, 0, 0, [50, `RESULT ${JSON.stringify({ seed, text })}`]));
}

function write(bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += fs.writeSync(TO_KERNEL, bytes, at);
}

const input = Buffer.alloc(256 * 1024);

function readUntil(mark: number): void {
  while (marked !== mark) {
    const count = fs.readSync(FROM_KERNEL, input, 0, input.length, null);
    if (count === 0) process.exit(0);
    cutter.feed(input, 0, count);
  }
}

/** Notes which answer a frame has to get. Its header is what was made of it. */
function note(frame: Buffer): void {
  const id = frame.readUInt32LE(OFFSET_ID);
  const name = systemCallName(frame.readUInt16LE(OFFSET_TYPE));
  if (id !== 0 && id < MARK) {
    open.set(id, { name: name ?? 'an unknown call', waits: name !== undefined && waits.has(name), age: 0 });
  }
}

function sendBatch(first: number): void {
  const frames: Buffer[] = [];
  for (let count = 0; count < BATCH; count++) {
    const frame = hostile(material, random.once(20) ? 0 : first + count);
    note(frame);
    frames.push(frame);
  }
  if (random.once(LARGE / BATCH)) {
    const large = random.bytes(1);
    const frame = encodeFrame(systemCalls.store_put.number, 0, first + BATCH, 0, [
      'large',
      Buffer.alloc(900_000, large),
    ]);
    note(frame);
    frames.push(frame);
  }
  const mark = MARK + first;
  frames.push(emptyFrame(systemCalls.getpid.number, 0, mark, 0));
  write(Buffer.concat(frames));
  readUntil(mark);
}

/** A call that cannot wait and is not answered two batches later is lost. */
function checkAnswers(): void {
  for (const [id, call] of open) {
    if (call.waits || call.age++ < 2) continue;
    report(`${call.name} (call ${id}) was not answered`);
    open.delete(id);
  }
}

requestIoPort(IO_FIRST, IO_LAST);
const port = ipcCreatePort();
handles.push(port, ipcMint(port, 5), ipcMint(port, 0), ipcFindPort('echo'));
let next = 1000;
while (next < 1000 + Number(quota) && open.size < MOST_WAITING) {
  sendBatch(next);
  checkAnswers();
  next += BATCH + 1;
}
if (random.once(3)) {
  write(streamEnd(material));
  process.exit(random.below(100));
}
exit(0);
