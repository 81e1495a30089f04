/** UDP sockets: RFC 768, RFC 1122, 4.1. */
import { describe, expect, it } from 'vitest';
import type { UdpSocket } from '../../../services/netstack/udp/socket.ts';
import { parseIpv4 } from '../../../wire/address.ts';
import { PROTOCOL } from '../../../wire/ipv4.ts';
import { buildUdp } from '../../../wire/udp.ts';
import { BROADCAST_LINK, FAR, OWN, PEER, StackBench } from './stack-bench.ts';

const NET_BROADCAST = parseIpv4('10.0.2.255');
const handlers = { changed: () => {} };

function bind(bench: StackBench, address: number, port: number, share = false): UdpSocket {
  return bench.stack.udp.bind({ address, port }, handlers, share);
}

describe('UDP', () => {
  it('sends and receives', () => {
    const bench = StackBench.configured();
    let changes = 0;
    const socket = bench.stack.udp.bind({ address: 0, port: 7 }, { changed: () => changes++ });
    socket.options.timeToLive = 9;
    socket.options.typeOfService = 8;
    socket.send({ address: PEER, port: 99 }, Buffer.from('out'), bench.now);
    expect(bench.frames[0]).toHaveLength(60);
    const [packet] = bench.take();
    expect(packet).toMatchObject({ source: OWN, destination: PEER, timeToLive: 9, typeOfService: 8 });
    expect(packet?.payload).toEqual(buildUdp(OWN, 7, PEER, 99, Buffer.from('out')));
    bench.udp(99, 7, 'in', { timeToLive: 3 });
    expect(changes).toBe(1);
    expect(socket.receive()).toEqual({
      from: { address: PEER, port: 99 },
      to: { address: OWN, port: 7 },
      timeToLive: 3,
      data: Buffer.from('in'),
    });
    expect(socket.receive()).toBeUndefined();
  });

  it('takes datagrams without a check sum, and none with a wrong one or length', () => {
    const bench = StackBench.configured();
    const socket = bind(bench, 0, 7);
    const bytes = buildUdp(PEER, 1, OWN, 7, Buffer.from('abcd'));
    const changed = (at: number, value: number): Buffer => {
      const copy = Buffer.from(bytes);
      copy.writeUInt16BE(value, at);
      return copy;
    };
    bench.ipv4(PROTOCOL.UDP, changed(6, 0));
    expect(socket.receive()?.data.toString()).toBe('abcd');
    for (const [at, value] of [
      [6, 1],
      [4, 7],
      [4, 13],
      [10, 0],
    ] as const)
      bench.ipv4(PROTOCOL.UDP, changed(at, value));
    bench.ipv4(PROTOCOL.UDP, bytes.subarray(0, 7));
    expect(socket.receive()).toBeUndefined();
    expect(bench.take()).toEqual([]);
  });

  it('gives a datagram to the socket that fits it best', () => {
    const bench = StackBench.configured();
    const any = bind(bench, 0, 7, true);
    const connected = bind(bench, 0, 7, true);
    connected.connect({ address: PEER, port: 99 });
    const local = bind(bench, OWN, 8);
    bench.udp(99, 7, 'peer');
    bench.udp(98, 7, 'other');
    bench.udp(98, 8, 'local');
    expect(connected.receive()?.data.toString()).toBe('peer');
    expect(any.receive()?.data.toString()).toBe('other');
    expect(local.receive()?.data.toString()).toBe('local');
    expect([connected.receive(), any.receive()]).toEqual([undefined, undefined]);
    expect([connected.local.address, any.local.address]).toEqual([OWN, 0]);
    connected.connect({ address: 0, port: 0 });
    expect(connected.local.address).toBe(0);
  });

  it('binds each end once, unless all of its sockets want to share it', () => {
    const bench = StackBench.configured();
    const first = bind(bench, OWN, 7);
    expect(() => bind(bench, OWN, 7)).toThrow('EADDRINUSE');
    expect(() => bind(bench, 0, 7)).toThrow('EADDRINUSE');
    expect(() => bind(bench, 0, 7, true)).toThrow('EADDRINUSE');
    bind(bench, parseIpv4('127.0.0.1'), 7).close();
    first.close();
    first.close();
    bind(bench, 0, 7).close();
    expect(() => bind(bench, PEER, 7)).toThrow('EADDRNOTAVAIL');
    expect(bench.stack.udp.size).toBe(0);
  });

  it('chooses ports that nobody can guess, until none is left', () => {
    const bench = StackBench.configured();
    const ports = Array.from({ length: 1000 }, () => bind(bench, 0, 0).local.port);
    expect(new Set(ports).size).toBe(1000);
    expect(Math.min(...ports)).toBeGreaterThanOrEqual(49_152);
    expect(ports.every((port, index) => index === 0 || port === (ports[index - 1] ?? 0) + 1)).toBe(false);
    expect(() => {
      for (let count = 0; count < 100; count++) bind(bench, 0, 0);
    }).toThrow('EMFILE');
  });

  it('sends broadcasts only where it is allowed to, and hears them on every socket', () => {
    const bench = StackBench.configured();
    const socket = bind(bench, 0, 7, true);
    const other = bind(bench, 0, 7, true);
    for (const address of [NET_BROADCAST, 0xffff_ffff]) {
      expect(() => socket.send({ address, port: 9 }, Buffer.alloc(1), bench.now)).toThrow('EACCES');
    }
    socket.options.broadcast = true;
    socket.send({ address: NET_BROADCAST, port: 9 }, Buffer.from('all'), bench.now);
    socket.send({ address: 0xffff_ffff, port: 9 }, Buffer.from('all'), bench.now);
    expect(bench.frames.map((frame) => frame.subarray(0, 6))).toEqual([BROADCAST_LINK, BROADCAST_LINK]);
    expect(bench.takeUdp()).toMatchObject([{ source: OWN }, { source: OWN, destination: 0xffff_ffff }]);
    bench.udp(1, 7, 'hear', { destination: NET_BROADCAST, to: BROADCAST_LINK });
    for (const each of [socket, other])
      expect(each.receive()).toMatchObject({ to: { address: NET_BROADCAST, port: 7 } });
  });

  it('says clearly what it does not do', () => {
    const bench = StackBench.configured();
    const socket = bind(bench, 0, 7);
    const send = (address: number, port: number, size = 1): void =>
      socket.send({ address, port }, Buffer.alloc(size), bench.now);
    expect(() => send(parseIpv4('224.0.0.1'), 9)).toThrow('EOPNOTSUPP: there is no multicast');
    expect(() => send(parseIpv4('240.0.0.1'), 9)).toThrow('ENETUNREACH');
    expect(() => send(PEER, 0)).toThrow('EINVAL');
    expect(() => send(PEER, 9, 65_508)).toThrow('EMSGSIZE');
    expect(() => socket.send(null, Buffer.alloc(1), bench.now)).toThrow('EDESTADDRREQ');
    expect(() => socket.connect({ address: PEER, port: 0 })).toThrow('EINVAL');
    bench.stack.removeRoute({ destination: 0, prefix: 0, gateway: parseIpv4('10.0.2.2') });
    expect(() => send(FAR, 9)).toThrow('ENETUNREACH');
    expect(() => socket.connect({ address: FAR, port: 9 })).toThrow('ENETUNREACH');
  });

  it('bounds what waits, in datagrams and in bytes', () => {
    const bench = StackBench.configured();
    const small = bind(bench, 0, 7);
    for (let count = 0; count < 1000; count++) bench.udp(1, 7, '');
    expect(small.queue.length).toBe(256);
    expect(small.queue.drops).toBe(744);
    const large = bind(bench, 0, 8);
    large.options.receiveBuffer = 5000;
    for (let count = 0; count < 100; count++) bench.udp(1, 8, Buffer.alloc(1000));
    expect(large.queue.bytes).toBe(4000);
    expect(large.queue.length).toBe(4);
    large.options.receiveBuffer = 0;
    while (large.receive() !== undefined);
    // One datagram is taken whatever its size.
    bench.udp(1, 8, Buffer.alloc(40_000));
    expect(large.receive()?.data).toHaveLength(40_000);
    expect(large.queue.bytes).toBe(0);
  });
});
