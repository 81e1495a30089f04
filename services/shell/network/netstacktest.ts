/** netstacktest: checks what sockets promise (protocol/socket.ts), over the loopback interface. */

import { MAX_DATAGRAM_BYTES } from '../../../protocol/socket.ts';
import {
  client as clientOf,
  type Handle,
  ICMP_PROTOCOL,
  type Network,
  pollEvents,
  random,
  type Socket,
  socket as socketInterface,
} from '../../lib/index.ts';
import { Checks, equalBytes, expect, expectError } from '../checks.ts';
import { type CommandContext, expectWords } from '../command.ts';
import { formatBytes, formatMilliseconds } from '../table.ts';
import { freePort, LOOPBACK, listening, type Pair, pairOf, transfer, WAIT_MS } from './loopback.ts';
import { networkOf } from './stack.ts';

const TRANSFER_BYTES = 4 * 1024 * 1024;
const CONNECTIONS = 100;
/** What must not take long, in milliseconds. */
const SHORT_MS = 50;

const bytesOf = (text: string): Uint8Array => Buffer.from(text);
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

/** Does something with sockets that are closed afterwards. */
function using<T>(sockets: readonly Socket[], act: () => T): T {
  try {
    return act();
  } finally {
    for (const socket of sockets) socket.close();
  }
}

function withPair<T>(network: Network, act: (pair: Pair) => T): T {
  const pair = pairOf(network);
  try {
    return act(pair);
  } finally {
    pair.close();
  }
}

/** `count` bytes, however many pieces they come in. */
function receiveAll(socket: Socket, count: number): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (let left = count; left > 0; ) {
    const piece = socket.receive(left, WAIT_MS);
    expect(piece.length > 0, `the stream ended ${left} bytes before the end`);
    pieces.push(piece);
    left -= piece.length;
  }
  return Buffer.concat(pieces);
}

function checkRefused(network: Network): string {
  const port = freePort(network);
  const socket = network.stream();
  return using([socket], () => expectError('ECONNREFUSED', () => socket.connect({ address: LOOPBACK, port }, WAIT_MS)));
}

function checkHalfClose(network: Network): string {
  return withPair(network, ({ client, server }) => {
    client.send(bytesOf('question'));
    client.shutdown('send');
    expect(textOf(receiveAll(server, 8)) === 'question', 'other bytes came');
    expect(server.receive(1, WAIT_MS).length === 0, 'the end did not come');
    server.send(bytesOf('answer'));
    expect(textOf(receiveAll(client, 6)) === 'answer', 'other bytes came back');
    expectError('EPIPE', () => client.send(bytesOf('more'), WAIT_MS));
    server.shutdown('send');
    expect(client.receive(1, WAIT_MS).length === 0, 'the end did not come back');
    return 'one direction ends, the other goes on; EPIPE after shutdown';
  });
}

function checkReset(network: Network): string {
  return withPair(network, ({ client, server }) => {
    const waiting = clientOf(socketInterface, server.right);
    client.setOption('linger', 0);
    client.close();
    expectError('ECONNRESET', () => waiting.receive({ offset: 0, most: 1, timeout: WAIT_MS }));
    return 'closed with linger 0: ECONNRESET at the other end';
  });
}

function checkTransfer(network: Network): string {
  return withPair(network, ({ client, server }) => {
    const took = transfer(
      [
        [client, server],
        [server, client],
      ],
      TRANSFER_BYTES,
    );
    const rate = (2 * TRANSFER_BYTES) / 1e6 / (took / 1000);
    return `${formatBytes(TRANSFER_BYTES)} each way at once, ${formatMilliseconds(took)}, ${rate.toFixed(1)} MB/s, hashes are right`;
  });
}

function checkMany(network: Network): string {
  const { listener, port } = listening(network);
  const clients: Socket[] = [];
  const servers: Socket[] = [];
  try {
    for (let index = 0; index < CONNECTIONS; index += 1) {
      const client = network.stream();
      clients.push(client);
      client.connect({ address: LOOPBACK, port }, WAIT_MS);
    }
    for (let index = 0; index < CONNECTIONS; index += 1) servers.push(listener.accept(WAIT_MS).connection);
    for (const [index, client] of clients.entries()) client.send(bytesOf(`number ${index}`));
    const byPort = new Map(servers.map((server) => [server.names().remote.port, server]));
    for (const [index, client] of clients.entries()) {
      const server = byPort.get(client.names().local.port);
      expect(server !== undefined, `connection ${index} was not accepted`);
      const text = `number ${index}`;
      expect(textOf(receiveAll(server, text.length)) === text, `connection ${index} got what belongs to another`);
    }
    return `${CONNECTIONS} at once, each with its own bytes`;
  } finally {
    for (const socket of [listener, ...clients, ...servers]) socket.close();
  }
}

function checkRepeats(network: Network): string {
  return withPair(network, ({ client, server }) => {
    const sender = clientOf(socketInterface, client.right);
    const receiver = clientOf(socketInterface, server.right);
    const data = bytesOf('abcdef');
    for (let time = 0; time < 3; time += 1)
      expect(sender.send({ offset: 0, data, timeout: WAIT_MS }) === 6, 'a repeated send answers another end');
    sender.send({ offset: 3, data: bytesOf('defghi'), timeout: WAIT_MS });
    for (let time = 0; time < 3; time += 1) {
      const first = receiver.receive({ offset: 0, most: 3, timeout: WAIT_MS });
      expect(textOf(first) === 'abc', `a repeated receive answers '${textOf(first)}'`);
    }
    server.receiveOffset = 3;
    expect(textOf(receiveAll(server, 6)) === 'defghi', 'the rest is wrong');
    expectError('EINVAL', () => receiver.receive({ offset: 0, most: 1, timeout: 0 }));
    expectError('EINVAL', () => receiver.receive({ offset: 100, most: 1, timeout: 0 }));
    expectError('EINVAL', () => sender.send({ offset: 100, data, timeout: 0 }));
    return 'nothing comes twice, nothing is lost; EINVAL for other offsets';
  });
}

function checkTimeouts(network: Network): string {
  return withPair(network, ({ client, server }) => {
    expectError('ETIMEDOUT', () => client.receive(1, SHORT_MS));
    expectError('EAGAIN', () => client.receive(1, 0));
    const { listener } = listening(network);
    using([listener], () => {
      expectError('ETIMEDOUT', () => listener.accept(SHORT_MS));
      expectError('EAGAIN', () => listener.accept(0));
    });
    const datagram = network.datagram();
    using([datagram], () => {
      datagram.bind({ address: LOOPBACK, port: 0 });
      expectError('ETIMEDOUT', () => datagram.receiveFrom(SHORT_MS));
      expectError('EAGAIN', () => datagram.receiveFrom(0));
    });
    // Nobody takes what is sent: the buffers fill up.
    const data = random(65536);
    let sent = 0;
    const code = expectError('ETIMEDOUT', () => {
      for (; sent < 64 * 1024 * 1024; sent += data.length) client.send(data, 4 * SHORT_MS);
    });
    expect(receiveAll(server, 65536).length === 65536, 'what was sent does not come');
    return `ETIMEDOUT, and EAGAIN for 0; ${code} after ${formatBytes(client.sendOffset)} that nobody took`;
  });
}

function checkPoll(network: Network): string {
  const { READABLE, WRITABLE, HANGUP } = pollEvents;
  return withPair(network, ({ client, server }) => {
    expect(client.poll(READABLE | WRITABLE, WAIT_MS) === WRITABLE, 'a fresh connection is not writable only');
    expectError('ETIMEDOUT', () => client.poll(READABLE, SHORT_MS));
    server.send(bytesOf('x'));
    expect((client.poll(READABLE, WAIT_MS) & READABLE) !== 0, 'what came is not readable');
    client.receive(1, WAIT_MS);
    server.close();
    expect((client.poll(READABLE, WAIT_MS) & (READABLE | HANGUP)) !== 0, 'the end is not readable');
    return 'writable, readable, and at the end';
  });
}

function checkOptions(network: Network): string {
  const stream = network.stream();
  const datagram = network.datagram();
  return using([stream, datagram], () => {
    const values = [
      ...([
        ['no-delay', 1],
        ['keep-alive', 60],
        ['time-to-live', 5],
        ['type-of-service', 16],
      ] as const),
      ...([
        ['reuse-address', 1],
        ['linger', 3],
        ['user-timeout', 5000],
      ] as const),
    ];
    for (const [option, value] of values) {
      stream.setOption(option, value);
      expect(stream.getOption(option) === value, `${option} is ${stream.getOption(option)}, not ${value}`);
    }
    for (const option of ['send-buffer', 'receive-buffer'] as const) {
      stream.setOption(option, 32768);
      expect(stream.getOption(option) > 0, `${option} is ${stream.getOption(option)}`);
    }
    datagram.setOption('broadcast', 1);
    expect(datagram.getOption('broadcast') === 1, 'broadcast was not set');
    expect(stream.getOption('error') === 0, 'there is an error before anything was done');
    expectError('EINVAL', () => stream.setOption('time-to-live', 0));
    expectError('EINVAL', () => stream.setOption('time-to-live', 256));
    expectError('EOPNOTSUPP', () => datagram.setOption('no-delay', 1));
    return `${values.length + 3} set and read; EINVAL, EOPNOTSUPP`;
  });
}

function checkStates(network: Network): string {
  const { listener, port } = listening(network);
  const stream = network.stream();
  const datagram = network.datagram();
  return using([listener, stream, datagram], () => {
    expect(listener.names().state === 'listen', `a listening socket is in state ${listener.names().state}`);
    expectError('EINVAL', () => listener.bind({ address: LOOPBACK, port: 0 }));
    expectError('EADDRINUSE', () => stream.bind({ address: LOOPBACK, port }));
    expectError('EADDRNOTAVAIL', () => stream.bind({ address: 0x01020304, port: 0 }));
    expectError('ENOTCONN', () => stream.send(bytesOf('x'), 0));
    expectError('ENOTCONN', () => stream.receive(1, 0));
    expectError('ENOTCONN', () => stream.shutdown('both'));
    expectError('EOPNOTSUPP', () => datagram.listen());
    expectError('EDESTADDRREQ', () => datagram.sendTo(bytesOf('x')));
    expectError('EMSGSIZE', () =>
      datagram.sendTo(new Uint8Array(MAX_DATAGRAM_BYTES + 1), { address: LOOPBACK, port: 9 }),
    );
    stream.connect({ address: LOOPBACK, port }, WAIT_MS);
    expectError('EISCONN', () => stream.connect({ address: LOOPBACK, port }, WAIT_MS));
    listener.accept(WAIT_MS).connection.close();
    expectError('EOPNOTSUPP', () => network.stack.socket({ type: 'stream', protocol: 99 }) as Handle);
    return 'each wrong order of calls has its error';
  });
}

function checkDatagrams(network: Network): string {
  const [client, server, stranger] = [network.datagram(), network.datagram(), network.datagram()];
  return using([client, server, stranger], () => {
    for (const socket of [client, server, stranger]) socket.bind({ address: LOOPBACK, port: 0 });
    client.connect(server.names().local);
    stranger.sendTo(bytesOf('not for you'), client.names().local);
    client.sendTo(bytesOf('hello'));
    const came = server.receiveFrom(WAIT_MS, 3);
    expect(textOf(came.data) === 'hel' && came.length === 5, `${came.data.length} of ${came.length} bytes came`);
    server.sendTo(bytesOf('to you'), came.from);
    expect(textOf(client.receiveFrom(WAIT_MS).data) === 'to you', 'a stranger was heard');
    const port = server.names().local.port;
    server.close();
    client.sendTo(bytesOf('anybody?'));
    const code = expectError('ECONNREFUSED', () => client.receiveFrom(WAIT_MS));
    expect(port !== 0, 'the port was 0');
    return `only the peer is heard, the rest of a long one is cut off, ${code}`;
  });
}

function checkRaw(network: Network): string {
  const [sender, receiver] = [network.raw(ICMP_PROTOCOL), network.raw(ICMP_PROTOCOL)];
  return using([sender, receiver], () => {
    // Type 254 is for experiments: nobody answers it.
    const message = Buffer.concat([Buffer.from([254, 0, 1, 255]), random(12)]);
    sender.setOption('time-to-live', 7);
    sender.sendTo(message, { address: LOOPBACK, port: 0 });
    const { data, from, timeToLive } = receiver.receiveFrom(WAIT_MS);
    expect(equalBytes(data, message), 'other bytes came');
    expect(
      from.address === LOOPBACK && timeToLive === 7,
      `it came from ${from.address} with a time to live of ${timeToLive}`,
    );
    return 'payload and time to live of a packet as it was sent';
  });
}

export function netstacktest(context: CommandContext): number {
  expectWords(context.words, 0, 0);
  const network = networkOf(context);
  const checks = new Checks(context);
  checks.run('refused', () => checkRefused(network));
  checks.run('half close', () => checkHalfClose(network));
  checks.run('reset', () => checkReset(network));
  checks.run('repeated requests', () => checkRepeats(network));
  checks.run('timeouts', () => checkTimeouts(network));
  checks.run('poll', () => checkPoll(network));
  checks.run('options', () => checkOptions(network));
  checks.run('wrong order', () => checkStates(network));
  checks.run('datagrams', () => checkDatagrams(network));
  checks.run('raw', () => checkRaw(network));
  checks.run('connections', () => checkMany(network));
  checks.run('transfer', () => checkTransfer(network));
  return checks.finish();
}
