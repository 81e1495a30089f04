/**
 * The worked example of docs/protocol.md: the frames of one call, from both ends, made by the protocol's own encoders
 * and the kernel's own message machinery, and put down byte by byte.
 */
import { parseConfiguration } from '../../kernel/config.ts';
import type { Frame } from '../../kernel/ipc/frame.ts';
import { Ipc } from '../../kernel/ipc/ipc.ts';
import { PortTable } from '../../kernel/ipc/port-table.ts';
import { KernelLog } from '../../kernel/log.ts';
import { Program, Task } from '../../kernel/objects.ts';
import { Execution } from '../../kernel/task/execution.ts';
import { Timers } from '../../kernel/time/timers.ts';
import { FOREVER, HEADER_BYTES, PROTOCOL_VERSION } from '../../protocol/bounds.ts';
import { decode, encodeFrame, encodeMessage } from '../../protocol/codec.ts';
import { emptyFrame, OFFSET_FLAGS, OFFSET_HANDLE, OFFSET_ID, OFFSET_TYPE, RESULT } from '../../protocol/frame.ts';
import { dataOffset, ENVELOPE_AT, messageRights } from '../../protocol/message.ts';
import { startInformation } from '../../protocol/records.ts';
import { systemCallName, systemCalls } from '../../protocol/syscall.ts';
import { hex } from './text.ts';

/** One frame of the example. */
export interface ExampleFrame {
  readonly title: string;
  readonly role: Role;
  readonly bytes: Buffer;
}

/** What a message frame is, which decides what the fields of its envelope mean. */
type Role = 'request' | 'delivery' | 'reply' | 'answer';

/** The kernel's answers, kept instead of being written to a pipe. */
class Recorder extends Execution {
  readonly frames: Buffer[] = [];

  override wake(_task: Task, buffer: Buffer, start: number, end: number): void {
    this.frames.push(Buffer.from(buffer.subarray(start, end)));
  }
}

/** A frame as the kernel's handlers get it. */
function received(buffer: Buffer): Frame {
  return {
    buffer,
    start: 0,
    end: buffer.length,
    type: buffer.readUInt16LE(OFFSET_TYPE),
    flags: buffer.readUInt16LE(OFFSET_FLAGS),
    id: buffer.readUInt32LE(OFFSET_ID),
    handle: buffer.readUInt32LE(OFFSET_HANDLE),
  };
}

function expectNumber(value: unknown): number {
  if (typeof value !== 'number') throw new Error(`the example does not work: ${String(value)}`);
  return value;
}

/** Number of the private interface of the example, and of its one method. */
const INTERFACE = 0x8001;
const METHOD = 1;

/** A service `greeter` starts, makes its port, and answers one call of a client. */
export function exampleFrames(): ExampleFrame[] {
  const time = { now: () => 0, after: () => () => {} };
  const timers = new Timers(time);
  const execution = new Recorder(() => 0);
  const ports = new PortTable(execution, timers);
  const ipc = new Ipc(ports, execution, timers, new KernelLog(() => 0, false));
  const [init, greeter, client] = parseConfiguration(
    {
      services: [
        { name: 'init', entry: 'init' },
        { name: 'greeter', command: ['/opt/greeter'], serves: ['greeter'] },
        { name: 'client', entry: 'client', looksUp: ['greeter'] },
      ],
    },
    '/services.json',
  ).map((manifest) => new Program(manifest));
  if (init === undefined || greeter === undefined || client === undefined) throw new Error('no programs');
  const server = new Task(5, greeter, 1, null, [], 0);
  const caller = new Task(7, client, 1, null, [], 0);
  const frames: ExampleFrame[] = [];
  const add = (title: string, bytes: Buffer, role: Role = 'request'): Buffer => {
    // The kernel patches frames in place: what is shown is the frame as it was sent.
    frames.push({ title, role, bytes: Buffer.from(bytes) });
    return bytes;
  };
  const answered = (): Buffer => execution.frames.pop() ?? Buffer.alloc(0);

  add('The server says that it is there', emptyFrame(systemCalls.task_start.number, 0, 1, PROTOCOL_VERSION));
  const start = { pid: 5, name: 'greeter', incarnation: 1, entry: '', arguments: [] };
  add('The kernel tells it what it is to run', encodeFrame(RESULT, 0, 1, 0, startInformation.toWire(start, [])));
  add('The server makes its port', encodeFrame(systemCalls.ipc_create_named_port.number, 0, 2, 0, ['greeter']));
  const port = expectNumber(ports.createNamed(server, 'greeter'));
  add('The kernel answers with the receive right', emptyFrame(RESULT, 0, 2, port));
  add(
    'The server waits for a message on any of its ports',
    encodeFrame(systemCalls.ipc_recv.number, 0, 3, 0, [[], FOREVER]),
  );
  ipc.delivery.receive(server, 3, null, FOREVER);

  const right = expectNumber(ports.find(caller, 4, 'greeter', 0));
  const head = { interface: INTERFACE, method: METHOD, timeoutMilliseconds: 1000, port: 0, rights: [] };
  const call = add(
    'The client, which has found the port, calls method 1 of interface 0x8001 with "hello" and waits at most a second',
    encodeMessage(systemCalls.ipc_call.number, 0, 5, right, head, 'hello'),
  );
  ipc.call(caller, received(call));
  const delivered = add('The server receives it', answered(), 'delivery');
  const answer = { interface: 0, method: 0, timeoutMilliseconds: FOREVER, port: 0, rights: [] };
  const reply = add(
    'The server answers "HELLO" and waits for the next message, in one call',
    encodeMessage(systemCalls.ipc_reply_recv.number, 0, 4, delivered.readUInt32LE(OFFSET_HANDLE), answer, 'HELLO'),
    'reply',
  );
  ipc.reply(server, received(reply));
  add('The client gets the answer', answered(), 'answer');
  timers.clear();
  return frames;
}

/** The example as text: each frame with its bytes and what they mean. */
export function exampleText(): string {
  return exampleFrames()
    .map(
      ({ title, bytes, role }, index) =>
        `**${index + 1}. ${title}.** (${bytes.length} bytes)\n\n\`\`\`text\n${dump(bytes, role)}\n\`\`\``,
    )
    .join('\n\n');
}

/** A frame in hexadecimal, field by field. */
export function dump(frame: Buffer, role: Role): string {
  const lines: string[] = [];
  const line = (at: number, length: number, meaning: string): void => {
    for (let offset = 0; offset < Math.max(length, 1); offset += 16) {
      const bytes = [...frame.subarray(at + offset, at + Math.min(length, offset + 16))];
      const text = bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
      lines.push(`${String(at + offset).padStart(3)}  ${text.padEnd(47)}  ${offset === 0 ? meaning : ''}`.trimEnd());
    }
  };
  const type = frame.readUInt16LE(OFFSET_TYPE);
  const handle = frame.readUInt32LE(OFFSET_HANDLE);
  line(0, 4, `length of the body: ${frame.length - HEADER_BYTES}`);
  line(OFFSET_TYPE, 2, `type: ${type === RESULT ? 'RESULT' : `${systemCallName(type) ?? ''}, ${hex(type)}`}`);
  line(OFFSET_FLAGS, 2, `flags: ${type === RESULT ? 'errno' : 'status'} ${frame.readUInt16LE(OFFSET_FLAGS)}`);
  line(OFFSET_ID, 4, `id of the call: ${frame.readUInt32LE(OFFSET_ID)}`);
  line(OFFSET_HANDLE, 4, `handle: ${hex(handle, 1)}`);
  if (frame.length === HEADER_BYTES) return lines.join('\n');
  const rights = messageRights(frame, 0, frame.length);
  if (rights < 0) {
    line(HEADER_BYTES, frame.length - HEADER_BYTES, `body: ${json(decode(frame, HEADER_BYTES, frame.length))}`);
    return lines.join('\n');
  }
  const number = (at: number): number => frame.readUInt32LE(ENVELOPE_AT + at);
  line(HEADER_BYTES, 3, `array of 2; byte string of ${frame[HEADER_BYTES + 2] ?? 0} bytes: the envelope`);
  line(ENVELOPE_AT, 4, role === 'delivery' || role === 'answer' ? `sender: ${number(0)}` : 'sender: ignored');
  if (role === 'answer') line(ENVELOPE_AT + 4, 28, 'all zero in an answer');
  else {
    const ignored = role !== 'delivery';
    line(ENVELOPE_AT + 4, 4, ignored ? 'badge: ignored' : `badge: ${number(4)}`);
    line(ENVELOPE_AT + 8, 8, ignored ? 'sequence: ignored' : `sequence: ${frame.readBigUInt64LE(ENVELOPE_AT + 8)}`);
    const [interfaceNumber, methodNumber] = [16, 18].map((at) => frame.readUInt16LE(ENVELOPE_AT + at));
    line(ENVELOPE_AT + 16, 2, role === 'reply' ? 'interface: ignored' : `interface: ${hex(interfaceNumber ?? 0)}`);
    line(ENVELOPE_AT + 18, 2, role === 'reply' ? 'method: ignored' : `method: ${methodNumber}`);
    line(ENVELOPE_AT + 20, 4, timeoutMeaning(role, number(20)));
    line(ENVELOPE_AT + 24, 4, portMeaning(role, number(24)));
    line(ENVELOPE_AT + 28, 4, ignored ? 'flags: ignored' : `flags: ${number(28)}`);
  }
  const data = dataOffset(0, rights);
  line(data, frame.length - data, `data: ${json(decode(frame, data, frame.length))}`);
  return lines.join('\n');
}

function timeoutMeaning(role: Role, value: number): string {
  if (role === 'delivery') return `deliveries so far: ${value}`;
  const time = value === FOREVER ? 'FOREVER' : `${value} ms`;
  return role === 'reply' ? `timeout of the receive: ${time}` : `timeout: ${time}`;
}

function portMeaning(role: Role, handle: number): string {
  if (role === 'delivery') return `port it came to: ${hex(handle)}`;
  if (role === 'reply') return `port to receive from: ${handle === 0 ? '0, every port' : hex(handle)}`;
  return 'port: ignored';
}

function json(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => (part === FOREVER ? 'FOREVER' : part));
}
