/**
 * Machines behind `--netdev user` whose services move data, the ends of their connections on this host, and the killing
 * of services.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { onTestFinished } from 'vitest';
import { fillPattern } from '../../services/network-user/pattern.ts';
import { piece } from '../../services/traffic/content.ts';
import { killProcess, startMachine, type TestMachine } from '../machine.ts';
import { standardServices, trafficServices } from './lab.ts';

/** Bytes. */
export const MEBIBYTE = 2 ** 20;

/** What test/services/network-user has logged. */
export interface Result {
  readonly name: string;
  readonly error?: string;
  readonly milliseconds: number;
  readonly [field: string]: unknown;
}

/**
 * A machine with the test services of these names; `traffic` serves, `task-reporter` is there for `kill` (it takes its
 * share of a slow host), others are of test/services/network-user.
 */
export function startNetworkMachine(names: readonly string[], netdev = 'user'): TestMachine {
  const users = names.filter((name) => name !== 'traffic' && name !== 'task-reporter');
  return startMachine({
    services: [
      ...standardServices(),
      ...trafficServices(...names.filter((name) => name === 'traffic')),
      ...users.map((name) => ({
        name,
        entry: 'test/services/network-user',
        looksUp: ['netstack'],
        dependsOn: ['netstack'],
        restart: 'never',
      })),
      ...names
        .filter((name) => name === 'task-reporter')
        .map((name) => ({ name, entry: 'test/services/task-reporter', restart: 'always' })),
    ],
    options: ['--no-disk', '--netdev', netdev],
  });
}

export async function resultOf(machine: TestMachine, name: string, milliseconds = 30_000): Promise<Result> {
  const { msg } = await machine.logged(new RegExp(`RESULT .*"name":"${name}"`), milliseconds);
  return JSON.parse(msg.slice('RESULT '.length)) as Result;
}

/** A TCP server of this host. Answers its port. */
export async function serve(each: (socket: net.Socket) => void): Promise<number> {
  const server = net.createServer({ allowHalfOpen: true }, each).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as net.AddressInfo).port;
}

/** Bytes of a stream of test/services/network-user. */
export const pattern = (length: number, from = 0): Buffer => {
  const bytes = Buffer.alloc(length);
  fillPattern(bytes, from);
  return bytes;
};

/** In hexadecimal digits. */
export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Sends bytes of pattern.ts and closes. */
export async function pour(socket: net.Socket, length: number): Promise<void> {
  socket.on('error', () => undefined);
  for (let at = 0; at < length && !socket.destroyed; at += 65536) {
    if (!socket.write(pattern(Math.min(65536, length - at), at)))
      await Promise.race([once(socket, 'drain'), once(socket, 'close')]);
  }
  socket.end();
}

/** Takes everything, then answers a line: how many bytes, and their hash. */
export function collect(socket: net.Socket): void {
  const hash = createHash('sha256');
  let bytes = 0;
  socket.on('error', () => undefined);
  socket.on('data', (data) => {
    bytes += data.length;
    hash.update(data);
  });
  socket.on('end', () => socket.end(`${bytes} ${hash.digest('hex')}\n`));
}

/** A port of this host that nobody uses just now, for `hostfwd`. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Connects to the machine, sends bytes, and answers all that comes back. */
export async function exchange(port: number, send: (socket: net.Socket) => void): Promise<Buffer> {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const pieces: Buffer[] = [];
  socket.on('data', (data) => pieces.push(data));
  await once(socket, 'connect');
  send(socket);
  await once(socket, 'end');
  socket.end();
  return Buffer.concat(pieces);
}

/** Bytes of a stream of test/services/traffic. */
export const content = (length: number): Buffer => {
  const pieces: Buffer[] = [];
  for (let at = 0; at < length; at += 65536) pieces.push(piece(at, Math.min(65536, length - at)));
  return Buffer.concat(pieces);
};

/** Kills a service on the host, by its name, and waits until it is back. Answers false when it was not there. */
export async function kill(machine: TestMachine, name: string): Promise<boolean> {
  const host = (): number => {
    const line = machine.log.findLast(({ msg }) => msg.startsWith('TASKS '));
    return line === undefined ? 0 : ((JSON.parse(line.msg.slice(6)) as Record<string, number>)[name] ?? 0);
  };
  const pid = host();
  if (pid === 0) return false;
  killProcess(pid);
  const deadline = performance.now() + 10_000;
  while (host() === pid || host() === 0) {
    if (performance.now() > deadline) throw new Error(`${name} did not come back\n${machine.logText}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return true;
}
