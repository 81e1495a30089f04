/**
 * Scenario files: one operation on the machine a line, and the results a reference gave for them.
 *
 * A scenario `NAME.qt` has a line per operation (`#` begins a comment); `NAME.expect` has `OPERATION => RESULT` for
 * each.
 *
 * | operation                                              | result                                          |
 * | ------------------------------------------------------ | ----------------------------------------------- |
 * | `inb PORT [*N]`, `inw`, `inl`                          | the value, or N values                          |
 * | … `mask=M`, `any=M`, `only=INDEX[&MASK],…`             | those bits; whether one is set; those values    |
 * | `outb PORT VALUE…`, `outw`, `outl`, `*N`               | `ok`                                            |
 * | … `fill=SEED *N`, `hex=BYTES`                          | `ok`; a pattern, or bytes                       |
 * | `poll PORT mask=M value=V [max=N]`                     | `ok` once the masked value is V                 |
 * | `irq N [level, raises, forget]`                        | level, and rising edges since last asked        |
 * | `wait-irq N`                                           | `raised`                                        |
 * | `step NS`, `pause MS`                                  | time of the machine, of the world               |
 * | `frame-in …`, `frame-out [none]`                       | a frame put on the cable, the next one from it  |
 * | `disk LBA [*N]`, `disk-size SECTORS`                   | sectors of the image file; its size (first)     |
 */

import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { QtestClient } from './qtest-client.ts';

export const DEFAULT_DISK_SECTORS = 32_768;
const SECTOR_BYTES = 512;
const WAIT_MS = 3000;
/** How long the cable has to be silent to count as silent. */
const QUIET_MS = 250;
const POLLS_AT_FULL_SPEED = 16;

/** One line of a scenario. */
export interface Operation {
  readonly text: string;
  readonly words: readonly string[];
  readonly options: ReadonlyMap<string, string>;
  readonly count: number;
}

/** The operations of a scenario's lines. */
export function parseScenario(lines: readonly string[]): Operation[] {
  return lines.map((line) => line.replace(/#.*/, '').trim().split(/\s+/).join(' ')).flatMap((text) => parse(text));
}

function parse(text: string): Operation[] {
  if (text === '') return [];
  const words: string[] = [];
  const options = new Map<string, string>();
  let count = 1;
  for (const word of text.split(' ')) {
    const [name = '', value] = splitOnce(word, '=');
    if (word.startsWith('*')) count = Number(word.slice(1));
    else if (value !== undefined) options.set(name, value);
    else words.push(word);
  }
  return [{ text, words, options, count }];
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** The size of the disk a scenario wants, in sectors. */
export function diskSectors(operations: readonly Operation[]): number {
  const size = operations.find(({ words }) => words[0] === 'disk-size');
  return size === undefined ? DEFAULT_DISK_SECTORS : Number(size.words[1]);
}

/** Whether a scenario has frames on the cable. */
export function usesNetwork(operations: readonly Operation[]): boolean {
  return operations.some(({ words }) => words[0]?.startsWith('frame-'));
}

/** A fresh image: word 0 and 1 of sector n are n, word w is ((w + n * 0x6d2b) * 257) mod 65536. */
export function pristineImage(sectors: number): Buffer {
  const image = Buffer.alloc(sectors * SECTOR_BYTES);
  const words = new Uint16Array(image.buffer, image.byteOffset, image.length / 2);
  for (let sector = 0; sector < sectors; sector++) {
    const first = sector * (SECTOR_BYTES / 2);
    for (let word = 2; word < SECTOR_BYTES / 2; word++) words[first + word] = ((word + sector * 0x6d2b) % 65_536) * 257;
    words[first] = sector & 0xffff;
    words[first + 1] = sector >>> 16;
  }
  return image;
}

/** Our end of the machine's network cable: a UDP socket on 127.0.0.1. */
export class Cable {
  readonly #socket: Socket;
  readonly #frames: Buffer[] = [];
  readonly peerPort: number;

  private constructor(socket: Socket, peerPort: number) {
    this.#socket = socket;
    this.peerPort = peerPort;
    socket.on('message', (frame) => this.#frames.push(frame));
  }

  static async create(): Promise<Cable> {
    const bind = async (): Promise<Socket> => {
      const socket = createSocket('udp4');
      socket.bind(0, '127.0.0.1');
      await once(socket, 'listening');
      return socket;
    };
    const [ours, spare] = [await bind(), await bind()];
    const peerPort = spare.address().port;
    spare.close();
    return new Cable(ours, peerPort);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  send(frame: Buffer): void {
    this.#socket.send(frame, this.peerPort, '127.0.0.1');
  }

  /** The next frame from the machine, or null when none comes in time. */
  async receive(timeoutMs: number): Promise<Buffer | null> {
    if (this.#frames.length === 0) {
      await once(this.#socket, 'message', { signal: AbortSignal.timeout(timeoutMs) }).catch(() => null);
    }
    return this.#frames.shift() ?? null;
  }

  close(): void {
    this.#socket.close();
  }
}

/** What a scenario acts on. */
export interface Bench {
  readonly client: QtestClient;
  /** Path of the image file. */
  readonly disk: string;
  readonly cable: Cable | null;
}

/** Runs a scenario: one `OPERATION => RESULT` a line, ending early with the first operation that fails. */
export async function runScenario(bench: Bench, operations: readonly Operation[]): Promise<string[]> {
  const results: string[] = [];
  try {
    await bench.client.commands(['irq_intercept_in ioapic']);
  } catch (error) {
    return [`start => ERROR ${String(error)}`];
  }
  for (const operation of operations) {
    try {
      results.push(`${operation.text} => ${await perform(bench, operation)}`);
    } catch (error) {
      results.push(`${operation.text} => ERROR ${String(error)}`);
      break;
    }
  }
  return results;
}

async function perform(bench: Bench, operation: Operation): Promise<string> {
  const [name = '', first = ''] = operation.words;
  switch (name) {
    case 'inb':
    case 'inw':
    case 'inl':
      return read(bench, operation);
    case 'outb':
    case 'outw':
    case 'outl':
      await bench.client.commands(valuesToWrite(operation).map((value) => `${name} ${first} ${value}`));
      return 'ok';
    case 'poll':
      return poll(bench, operation);
    case 'step':
      return `clock=${(await bench.client.commands([`clock_step ${first}`]))[0]}`;
    case 'irq':
      return interruptLine(bench, Number(first), operation.words[2] ?? 'both');
    case 'wait-irq':
      return (await bench.client.waitForLine(Number(first), WAIT_MS)) ? 'raised' : 'timeout';
    case 'frame-in':
      return sendFrame(bench, operation);
    case 'frame-out':
      return receiveFrame(bench, first === 'none');
    case 'disk':
      return readDisk(bench.disk, Number(first), operation.count);
    case 'pause':
      await delay(Number(first));
      return 'ok';
    case 'disk-size':
      return 'ok';
    default:
      throw new Error(`unknown operation ${name}`);
  }
}

async function read(bench: Bench, { words, options, count }: Operation): Promise<string> {
  const [name = '', port = ''] = words;
  const digits = { inb: 2, inw: 4, inl: 8 }[name] ?? 2;
  const hex = (value: number): string => value.toString(16).padStart(digits, '0');
  const answers = await bench.client.commands(new Array<string>(count).fill(`${name} ${port}`));
  const values = answers.map(Number);
  const only = options.get('only');
  if (only !== undefined) {
    const shown = only.split(',').map((item) => {
      const [index, mask] = splitOnce(item, '&');
      return `${index}:${hex(masked(values[Number(index)] ?? 0, mask))}`;
    });
    return shown.join(' ');
  }
  const any = options.get('any');
  if (any !== undefined) return `any:${masked(values[0] ?? 0, any) === 0 ? 0 : 1}`;
  const shown = values.map((value) => hex(masked(value, options.get('mask'))));
  return count === 1 ? `0x${shown[0]}` : shown.join(' ');
}

function masked(value: number, mask: string | undefined): number {
  return mask === undefined ? value : (value & Number(mask)) >>> 0;
}

function valuesToWrite({ words, options, count }: Operation): number[] {
  const [name = '', , ...values] = words;
  const fill = options.get('fill');
  if (fill !== undefined) {
    const [step, mask] = name === 'outb' ? [7, 0xff] : [0x0123, 0xffff];
    return Array.from({ length: count }, (_, index) => (Number(fill) + index * step) & mask);
  }
  const bytes = options.get('hex');
  if (bytes !== undefined) {
    const data = Buffer.from(bytes, 'hex');
    const width = { outb: 1, outw: 2, outl: 4 }[name] ?? 1;
    return Array.from({ length: data.length / width }, (_, index) => data.readUIntLE(index * width, width));
  }
  return new Array<string[]>(count).fill(values).flat().map(Number);
}

async function poll(bench: Bench, { words, options }: Operation): Promise<string> {
  const wanted = Number(options.get('value') ?? 0);
  const turns = Number(options.get('max') ?? 1000);
  let value = 0;
  for (let turn = 0; turn < turns; turn++) {
    value = Number((await bench.client.commands([`inb ${words[1]}`]))[0]);
    if (masked(value, options.get('mask') ?? '0xff') === wanted) return 'ok';
    if (turn >= POLLS_AT_FULL_SPEED) await delay(1);
  }
  return `timeout last=0x${value.toString(16).padStart(2, '0')}`;
}

function interruptLine(bench: Bench, irq: number, what: string): string {
  const line = bench.client.line(irq);
  const level = `level=${line.level ? 1 : 0}`;
  const raises = `raises=${line.raises}`;
  line.raises = 0;
  return { level, raises, forget: 'ok' }[what] ?? `${level} ${raises}`;
}

function sendFrame(bench: Bench, { options }: Operation): string {
  const bytes = options.get('hex');
  const frame = bytes === undefined ? patternFrame(options) : Buffer.from(bytes, 'hex');
  bench.cable?.send(frame);
  return `sent ${frame.length}`;
}

function patternFrame(options: ReadonlyMap<string, string>): Buffer {
  const length = Number(options.get('len'));
  const seed = Number(options.get('seed') ?? 0);
  const address = (text: string): Buffer => Buffer.from(text.replaceAll(':', ''), 'hex');
  const head = Buffer.concat([
    address(options.get('dst') ?? ''),
    address(options.get('src') ?? '02:00:00:00:00:01'),
    address(
      Number(options.get('type') ?? 0x88b5)
        .toString(16)
        .padStart(4, '0'),
    ),
  ]);
  const payload = Buffer.alloc(Math.max(0, length - head.length)).map((_, index) => (seed + index) & 0xff);
  return Buffer.concat([head, payload]).subarray(0, length);
}

async function receiveFrame(bench: Bench, expectNone: boolean): Promise<string> {
  const frame = (await bench.cable?.receive(expectNone ? QUIET_MS : WAIT_MS)) ?? null;
  if (frame !== null) return frame.toString('hex');
  return expectNone ? 'none' : 'timeout';
}

async function readDisk(path: string, lba: number, count: number): Promise<string> {
  const file = await open(path, 'r');
  try {
    const bytes = Buffer.alloc(count * SECTOR_BYTES);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, lba * SECTOR_BYTES);
    return bytes.toString('hex', 0, bytesRead);
  } finally {
    await file.close();
  }
}
