/**
 * The network service dies after each single thing that it does: connections go on, no byte is lost, doubled or
 * changed, and nothing is left behind when everything has been closed.
 */
import { describe, expect, it } from 'vitest';
import { SystemError } from '../../../protocol/errno.ts';
import { buildEthernet, ETHERTYPE } from '../../../wire/ethernet.ts';
import { buildIcmp, ICMP } from '../../../wire/icmp.ts';
import { buildIpv4, PROTOCOL } from '../../../wire/ipv4.ts';
import { Random } from '../../support/random.ts';
import type { Host } from './host.ts';
import { addressOf, connect, failure, listen, type Program, TestSocket, World } from './world.ts';

const PORT = 7;
const LOOPBACK = 0x7f000001;

/**
 * A seed with which the service dies in `settled`, on receiving the request that lets it settle: this comes again, too.
 */
const DIES_SETTLING = 5229;

/** Bytes that differ everywhere. */
function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at++) bytes[at] = (at * 31 + (at >> 8) * 7 + (at >> 16)) & 0xff;
  return bytes;
}

function* echo(socket: TestSocket): Program {
  for (;;) {
    const data = yield* socket.receive();
    if (data.length === 0) break;
    yield* socket.send(data);
  }
  yield* socket.call('shutdown', 'send');
  // The peer has got everything when it has closed, too.
  socket.close();
}

/** Serves so many connections, one after the other. */
function* echoServer(host: Host, connections: number): Program {
  const listener = yield* listen(host, PORT);
  for (let served = 0; served < connections; served++) yield* echo(yield* listener.accept());
  listener.close();
}

function* sender(socket: TestSocket, data: Buffer): Program {
  for (let at = 0; at < data.length; at += 5000) yield* socket.send(data.subarray(at, at + 5000));
  yield* socket.call('shutdown', 'send');
}

function* receiver(socket: TestSocket, length: number, done: (data: Buffer) => void): Program {
  const pieces: Uint8Array[] = [];
  let total = 0;
  for (;;) {
    const piece = yield* socket.receive();
    if (piece.length === 0) break;
    pieces.push(piece);
    total += piece.length;
    if (total > length) break;
  }
  done(Buffer.concat(pieces));
  socket.close();
}

/**
 * Sends data and takes it back. A connection that the other side has not kept yet when it dies ends with a reset
 * (docs/netstack.md), and one that comes before it listens is refused: only then it may have to be made anew.
 */
function* client(host: Host, address: number, data: Buffer, world: World, done: (data: Buffer) => void): Program {
  for (let attempt = 1; ; attempt++) {
    let socket: TestSocket | null = null;
    try {
      socket = yield* connect(host, address, PORT);
      yield* socket.send(data.subarray(0, 1));
      const [first] = yield* socket.receive(1);
      expect(first).toBe(data[0]);
      const connected = socket;
      world.start(receiver(connected, data.length - 1, (got) => done(Buffer.concat([data.subarray(0, 1), got]))));
      yield* sender(connected, data.subarray(1));
      return;
    } catch (error) {
      const code = error instanceof SystemError ? error.code : '';
      const isEarly = socket === null || socket.receiveOffset === 0;
      if (!isEarly || (code !== 'ECONNREFUSED' && code !== 'ECONNRESET') || attempt > 100) throw error;
      socket?.close();
      // Refused at once: time has to go on before the next attempt.
      yield* pause(host);
    }
  }
}

/** Lets 50 ms pass. */
function* pause(host: Host): Program {
  const socket = yield* TestSocket.open(host, 'datagram');
  yield* socket.call('bind', { address: 0, port: 0 });
  yield* failure(socket.call('receive_from', { most: 1, timeout: 50 }));
  socket.close();
}

/** One machine sends, the other sends it back; answers the two machines when all is over. */
function exchange(length: number, prepare: (client: Host, server: Host, world: World) => void): World {
  const world = new World(1);
  const [first, second] = [world.addHost(1), world.addHost(2)];
  const data = pattern(length);
  let received: Buffer | null = null;
  prepare(first, second, world);
  world.start(echoServer(second, 1));
  world.start(client(first, addressOf(2), data, world, (got) => (received = got)));
  world.run();
  expect(received === null ? 'nothing' : Buffer.compare(received, data)).toBe(0);
  return world;
}

/** Nothing is left of sockets and connections. */
function expectClean(world: World): void {
  world.pass(10 * 60_000);
  for (const host of world.hosts) {
    const left = host.store.keys().filter((key) => /^(socket\.|capture\.|tcp\.\d)/.test(key));
    expect({ host: host.name, left, rights: host.rightsHeld }).toEqual({ host: host.name, left: [], rights: 0 });
  }
}

describe('a transfer in both directions', () => {
  it('comes to its end without deaths, and leaves nothing behind', () => {
    expectClean(exchange(100_000, () => {}));
  });

  for (const who of ['client', 'server'] as const) {
    for (const happens of [false, true]) {
      it(`survives the death of the ${who} at each single effect, which ${happens ? 'still happens' : 'does not happen any more'}`, () => {
        let effects = 0;
        const world = exchange(8_000, (client, server) => {
          const host = who === 'client' ? client : server;
          effects = -host.effects;
        });
        effects += world.hosts[who === 'client' ? 0 : 1]?.effects ?? 0;
        expect(effects).toBeGreaterThan(30);
        for (let fate = 0; fate < effects; fate++) {
          const killed = exchange(8_000, (client, server) => {
            (who === 'client' ? client : server).fate = { effects: fate, happens };
          });
          expect(
            killed.hosts.reduce((sum, host) => sum + host.deaths, 0),
            `fate ${fate}`,
          ).toBe(1);
          expectClean(killed);
        }
      });
    }
  }

  it('survives deaths of both, again and again, with frames lost besides', () => {
    const { seed } = new Random();
    for (let round = 0; round < 10; round++) {
      const random = new Random(seed + round);
      withSeed(seed + round, () => {
        const world = exchange(60_000, (client, server, prepared) => {
          for (const host of [client, server]) {
            let left = 12;
            host.nextFate = () =>
              left-- > 0
                ? { effects: 15 + random.below(60), happens: random.next() < 0.5 }
                : { effects: Number.POSITIVE_INFINITY, happens: false };
            host.fate = host.nextFate();
          }
          prepared.loses = () => random.next() < 0.02;
        });
        expect(
          world.hosts.reduce((sum, host) => sum + host.deaths, 0),
          `seed ${seed + round}`,
        ).toBeGreaterThanOrEqual(2);
        expectClean(world);
      });
    }
  });
});

describe('many connections at once', () => {
  it('share the way to the card: those that find it crowded go on when it has room', () => {
    const world = new World(1);
    const [near, far] = [world.addHost(1), world.addHost(2)];
    function* server(): Program {
      const listener = yield* listen(far, PORT);
      for (let served = 0; served < 12; served++) world.start(echo(yield* listener.accept()));
      listener.close();
    }
    world.start(server());
    const data = pattern(150_000);
    let right = 0;
    for (let index = 0; index < 12; index++)
      world.start(
        client(near, addressOf(2), data, world, (got) => {
          if (Buffer.compare(got, data) === 0) right++;
        }),
      );
    world.run();
    expect(right).toBe(12);
  });
});

describe('a machine that is flooded with what it has to answer', () => {
  it('still sends what is its own', () => {
    const world = new World(1);
    const [near, far] = [world.addHost(1), world.addHost(2)];
    // More come than the card can send answers to.
    const frames = 200;
    Object.assign(near, { ringFrames: 2 * frames, mostFrames: frames, sendMilliseconds: 1 });
    const echo = echoRequest(near.hardware, addressOf(1), addressOf(2));
    let ended = 0;
    const flood = (): void => {
      for (let count = 0; count < frames; count++) near.frame(echo);
      if (ended === 0 && world.now < 4000) world.at(world.now + 1, flood);
    };
    const ends = (): void => {
      ended = world.now;
    };
    world.start(echoServer(far, 1));
    world.start(client(near, addressOf(2), pattern(3000), world, ends));
    flood();
    world.run();
    expect(ended).toBeLessThan(3500);
  });
});

describe('a connection of a machine to itself', () => {
  it('survives deaths, which both of its ends die', () => {
    const { seed } = new Random();
    const seeds = Array.from({ length: 10 }, (_, round) => seed + round);
    for (const each of [DIES_SETTLING, ...seeds]) {
      withSeed(each, () => {
        const random = new Random(each);
        const world = new World(1);
        const host = world.addHost(1);
        let left = 8;
        host.nextFate = () => ({
          effects: left-- > 0 ? 10 + random.below(60) : Number.POSITIVE_INFINITY,
          happens: random.next() < 0.5,
        });
        host.fate = host.nextFate();
        const data = pattern(40_000);
        let received: Buffer = Buffer.alloc(0);
        world.start(echoServer(host, 1));
        world.start(client(host, LOOPBACK, data, world, (got) => (received = got)));
        world.run();
        expect(Buffer.compare(received, data)).toBe(0);
        expect(host.deaths).toBeGreaterThan(0);
        expectClean(world);
      });
    }
  });
});

/** A frame that asks for an echo. */
function echoRequest(to: Uint8Array, destination: number, source: number): Buffer {
  const packet = { source, destination, protocol: PROTOCOL.ICMP, timeToLive: 64, identification: 1 };
  const [bytes] = buildIpv4(
    packet,
    buildIcmp({ type: ICMP.ECHO_REQUEST, code: 0, rest: 1, data: Buffer.alloc(10) }),
    1500,
  );
  return buildEthernet(to, Buffer.from([2, 0, 0, 0, 0, 2]), ETHERTYPE.IPV4, bytes as Buffer);
}

/** Says the seed of what fails. */
function withSeed(seed: number, action: () => void): void {
  try {
    action();
  } catch (error) {
    throw new Error(`VROS_TEST_SEED=${seed}`, { cause: error });
  }
}
