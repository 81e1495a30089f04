/** ICMP: RFC 792, RFC 1122, 3.2.2. */
import { describe, expect, it } from 'vitest';
import { parseIpv4 } from '../../../wire/address.ts';
import { checksum } from '../../../wire/checksum.ts';
import { buildIcmp } from '../../../wire/icmp.ts';
import { buildIpv4, PROTOCOL } from '../../../wire/ipv4.ts';
import { Reassembly } from '../../../wire/reassembly.ts';
import { buildUdp } from '../../../wire/udp.ts';
import { Random } from '../../support/random.ts';
import { BROADCAST_LINK, FAR, OWN, PEER, ROUTER, StackBench } from './stack-bench.ts';

const NET_BROADCAST = parseIpv4('10.0.2.255');

describe('echoes', () => {
  it('are answered in any size', () => {
    for (const size of [0, 1, 56, 1472, 1473, 65_507]) {
      const bench = StackBench.configured();
      const data = new Random(size).bytes(size);
      bench.icmp({ rest: 0x1234_0001, data });
      const reassembly = new Reassembly({ packets: 1, bytes: 200_000, lifetimeMs: 1 });
      const whole = bench.take().map((packet) => reassembly.add(packet, 0));
      const reply = whole.at(-1);
      expect(reply).toMatchObject({ source: OWN, destination: PEER, timeToLive: 64 });
      expect(reply?.payload.equals(buildIcmp({ type: 0, code: 0, rest: 0x1234_0001, data }))).toBe(true);
    }
  });

  it('to all, with a wrong check sum, or replies are not answered', () => {
    const bench = StackBench.configured();
    bench.icmp({}, { destination: NET_BROADCAST, to: BROADCAST_LINK });
    bench.icmp({}, { destination: 0xffff_ffff, to: BROADCAST_LINK });
    bench.icmp({ type: 0 });
    bench.icmp({ type: 13 });
    const spoilt = buildIcmp({ type: 8, code: 0, rest: 0, data: Buffer.from('abc') });
    spoilt[9] = 0;
    bench.ipv4(PROTOCOL.ICMP, spoilt);
    bench.ipv4(PROTOCOL.ICMP, Buffer.alloc(7));
    expect(bench.take()).toEqual([]);
  });
});

describe('errors that we send', () => {
  it('say that a port or protocol is nobody’s, and quote the packet', () => {
    const bench = StackBench.configured();
    bench.udp(1234, 9, 'hello');
    bench.ipv4(132, Buffer.from('12345678901'));
    const [port, protocol] = bench.takeIcmp();
    expect(port).toMatchObject({ source: OWN, destination: PEER, type: 3, code: 3, rest: 0 });
    expect(port?.data.subarray(20)).toEqual(buildUdp(PEER, 1234, OWN, 9, Buffer.from('hello')).subarray(0, 8));
    expect(protocol).toMatchObject({ type: 3, code: 2 });
    expect(protocol?.data.toString('latin1', 20)).toBe('12345678');
  });

  it('say so for a datagram in fragments, too, and when one has not come in time', () => {
    const bench = StackBench.configured();
    bench.udp(1234, 9, Buffer.alloc(3000));
    expect(bench.takeIcmp()).toMatchObject([{ type: 3, code: 3 }]);
    const header = { source: PEER, destination: OWN, protocol: 17, timeToLive: 64, identification: 5 };
    const [first] = buildIpv4(header, buildUdp(PEER, 1, OWN, 2, Buffer.alloc(2000)), 1500);
    if (first === undefined) throw new Error('no fragment');
    bench.frame(Buffer.concat([Buffer.from('5254001234560200000000010800', 'hex'), first]));
    bench.wait(29_999);
    expect(bench.take()).toEqual([]);
    bench.wait(1);
    expect(bench.takeIcmp()).toMatchObject([{ type: 11, code: 1, data: first.subarray(0, 28) }]);
  });

  it('are never about errors, broadcasts, later fragments or packets from nobody in particular', () => {
    const bench = StackBench.configured();
    bench.udp(1, 9, 'x', { destination: NET_BROADCAST, to: BROADCAST_LINK });
    bench.ipv4(132, Buffer.alloc(20), { destination: 0xffff_ffff, to: BROADCAST_LINK });
    bench.udp(1, 9, 'x', { source: parseIpv4('224.0.0.9') });
    bench.udp(1, 9, 'x', { source: NET_BROADCAST });
    bench.icmp({ type: 3, code: 3, data: Buffer.alloc(28) });
    bench.icmp({ type: 77 });
    const header = { source: PEER, destination: OWN, protocol: 17, timeToLive: 64, identification: 5 };
    const last = buildIpv4(header, Buffer.alloc(3000), 1500).at(-1);
    if (last === undefined) throw new Error('no fragment');
    bench.frame(Buffer.concat([Buffer.from('5254001234560200000000010800', 'hex'), last]));
    bench.wait(30_000);
    expect(bench.take()).toEqual([]);
  });

  it('are limited', () => {
    const bench = StackBench.configured();
    for (let count = 0; count < 1000; count++) bench.udp(1, 9, 'x');
    expect(bench.take()).toHaveLength(50);
    bench.wait(100);
    for (let count = 0; count < 1000; count++) bench.udp(1, 9, 'x');
    expect(bench.take()).toHaveLength(10);
  });
});

describe('errors that come', () => {
  /** A packet of ours, as an error quotes it. */
  function ours(protocol: number, payload: Buffer, source = OWN, destination = FAR): Buffer {
    const [packet] = buildIpv4({ source, destination, protocol, timeToLive: 9, identification: 0 }, payload, 1500);
    if (packet === undefined) throw new Error('no packet');
    // Routers have counted it down.
    packet[8] = 1;
    packet.writeUInt16BE(0, 10);
    packet.writeUInt16BE(checksum(packet.subarray(0, 20)), 10);
    return packet.subarray(0, 28);
  }

  it('reach the UDP socket that is connected to that end, no other', () => {
    const bench = StackBench.configured();
    const sockets = [FAR, PEER].map((address) => {
      const socket = bench.stack.udp.bind({ address: 0, port: 0 }, { changed: () => {} });
      socket.connect({ address, port: 53 });
      return socket;
    });
    const [socket, other] = sockets;
    if (socket === undefined || other === undefined) throw new Error('no sockets');
    const about = (port: number, destination = FAR): Buffer =>
      ours(PROTOCOL.UDP, buildUdp(OWN, socket.local.port, destination, port, Buffer.alloc(0)), OWN, destination);
    const tell = (type: number, code: number, data: Buffer): void =>
      bench.icmp({ type, code, data }, { source: ROUTER });
    tell(3, 3, about(54));
    tell(3, 3, about(53, PEER));
    tell(3, 3, about(53).subarray(0, 24));
    tell(3, 3, about(53).subarray(0, 12));
    tell(3, 3, ours(PROTOCOL.UDP, buildUdp(PEER, socket.local.port, FAR, 53, Buffer.alloc(0)), PEER));
    tell(4, 0, about(53));
    tell(5, 0, about(53));
    expect(socket.queue.error).toBeNull();
    tell(3, 3, about(53));
    expect(() => socket.send(null, Buffer.alloc(0), bench.now)).toThrow('ECONNREFUSED');
    tell(3, 0, about(53));
    expect(socket.queue.takeError()).toBe('ENETUNREACH');
    tell(3, 13, about(53));
    expect(socket.queue.takeError()).toBe('EHOSTUNREACH');
    tell(11, 0, about(53));
    expect(socket.queue.takeError()).toBe('EHOSTUNREACH');
    expect(other.queue.error).toBeNull();
    expect(bench.take()).toEqual([]);
  });

  it('reach TCP with both ends and the sequence number', () => {
    const bench = StackBench.configured();
    const segment = Buffer.alloc(20);
    segment.writeUInt16BE(4000, 0);
    segment.writeUInt16BE(80, 2);
    segment.writeUInt32BE(0xfedc_ba98, 4);
    const codes = [
      [3, 0, 'net'],
      [3, 1, 'host'],
      [3, 2, 'protocol'],
      [3, 3, 'port'],
      [11, 0, 'host'],
      [12, 0, 'host'],
    ] as const;
    for (const [type, code] of codes) bench.icmp({ type, code, data: ours(PROTOCOL.TCP, segment) }, { source: ROUTER });
    expect(bench.tcp.errors.map(({ kind }) => kind)).toEqual(codes.map(([, , kind]) => kind));
    expect(bench.tcp.errors[0]).toEqual({
      kind: 'net',
      local: { address: OWN, port: 4000 },
      remote: { address: FAR, port: 80 },
      sequence: 0xfedc_ba98,
    });
  });
});

describe('raw sockets', () => {
  it('see every packet of their protocol, those of the stack, too', () => {
    const bench = StackBench.configured();
    const all = bench.stack.raw.open(PROTOCOL.ICMP, () => {});
    const far = bench.stack.raw.open(PROTOCOL.ICMP, () => {});
    far.connect(FAR);
    bench.icmp({ rest: 5 });
    bench.icmp({ type: 11, data: Buffer.alloc(28) }, { source: FAR, timeToLive: 3 });
    expect(all.receive()).toMatchObject({
      from: { address: PEER, port: 0 },
      to: { address: OWN, port: 0 },
      timeToLive: 64,
    });
    expect(all.receive()?.data).toEqual(buildIcmp({ type: 11, code: 0, rest: 0, data: Buffer.alloc(28) }));
    expect(far.receive()).toMatchObject({ timeToLive: 3 });
    expect(far.receive()).toBeUndefined();
    all.close();
    bench.icmp({});
    expect(all.receive()).toBeUndefined();
  });

  it('send packets with the options they have, and make a protocol somebody’s', () => {
    const bench = StackBench.configured();
    const socket = bench.stack.raw.open(89, () => {});
    socket.options.timeToLive = 3;
    socket.options.typeOfService = 0x10;
    socket.send({ address: PEER, port: 0 }, Buffer.from('ospf'), bench.now);
    expect(bench.take()).toMatchObject([
      { protocol: 89, timeToLive: 3, typeOfService: 0x10, payload: Buffer.from('ospf') },
    ]);
    bench.ipv4(89, Buffer.from('answer'));
    expect(bench.take()).toEqual([]);
    expect(socket.receive()?.data.toString()).toBe('answer');
    expect(() => socket.send(null, Buffer.alloc(1), bench.now)).toThrow('EDESTADDRREQ');
    expect(() => socket.send({ address: PEER, port: 0 }, Buffer.alloc(65_516), bench.now)).toThrow('EMSGSIZE');
    expect(() => socket.send({ address: NET_BROADCAST, port: 0 }, Buffer.alloc(1), bench.now)).toThrow('EACCES');
    expect(() => socket.send({ address: parseIpv4('224.0.0.1'), port: 0 }, Buffer.alloc(1), bench.now)).toThrow(
      'EOPNOTSUPP',
    );
    expect(() => socket.bind(PEER)).toThrow('EADDRNOTAVAIL');
    for (const protocol of [0, 6, 17, 256]) expect(() => bench.stack.raw.open(protocol, () => {})).toThrow(/E/);
  });

  it('are bounded in number and in what waits', () => {
    const bench = StackBench.configured();
    const socket = bench.stack.raw.open(PROTOCOL.ICMP, () => {});
    for (let count = 0; count < 1000; count++) bench.icmp({ type: 0, data: Buffer.alloc(1400) });
    expect(socket.queue.bytes).toBeLessThanOrEqual(socket.options.receiveBuffer);
    expect(socket.queue.drops).toBeGreaterThan(800);
    expect(() => {
      for (let count = 0; count < 100; count++) bench.stack.raw.open(1, () => {});
    }).toThrow('EMFILE');
  });
});
