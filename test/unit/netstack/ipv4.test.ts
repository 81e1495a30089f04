/** IPv4: RFC 791, RFC 1122, 3.2 and 3.3, RFC 1191. */
import { describe, expect, it } from 'vitest';
import { Ipv4 } from '../../../services/netstack/ip/ipv4.ts';
import { PathMtu } from '../../../services/netstack/ip/path-mtu.ts';
import { RouteTable } from '../../../services/netstack/ip/routes.ts';
import { RandomNumbers } from '../../../services/netstack/random.ts';
import { parseIpv4 } from '../../../wire/address.ts';
import { checksum } from '../../../wire/checksum.ts';
import { buildEthernet, ETHERTYPE } from '../../../wire/ethernet.ts';
import { buildIcmp } from '../../../wire/icmp.ts';
import { buildIpv4, PROTOCOL } from '../../../wire/ipv4.ts';
import { Reassembly } from '../../../wire/reassembly.ts';
import { buildUdp } from '../../../wire/udp.ts';
import { Random } from '../../support/random.ts';
import { BROADCAST_LINK, FAR, OWN, OWN_LINK, PEER, PEER_LINK, ROUTER, StackBench } from './stack-bench.ts';

const NET_BROADCAST = parseIpv4('10.0.2.255');
const LOOPBACK = parseIpv4('127.0.0.1');

describe('routes', () => {
  const route = { gateway: null, interface: 'ne0', metric: 0, origin: 'fixed' } as const;

  it('the longest prefix wins, then the least metric, of those that can be used', () => {
    const table = new RouteTable();
    const add = (text: string, prefix: number, name: string, metric = 0): void =>
      table.add({ ...route, destination: parseIpv4(text), prefix, interface: name, metric });
    add('0.0.0.0', 0, 'default');
    add('10.0.0.0', 8, 'eight');
    add('10.1.0.0', 16, 'worse', 20);
    add('10.1.0.0', 16, 'better', 10);
    add('10.1.2.3', 32, 'host');
    const find = (text: string, but = ''): string | undefined =>
      table.find(parseIpv4(text), (each) => each.interface !== but)?.interface;
    expect(find('10.1.2.3')).toBe('host');
    expect(find('10.1.2.4')).toBe('better');
    expect(find('10.1.2.4', 'better')).toBe('worse');
    expect(find('10.2.0.0')).toBe('eight');
    expect(find('255.1.2.3')).toBe('default');
    expect(() => add('10.1.0.0', 16, 'better', 5)).toThrow('EEXIST');
    expect(() => add('10.1.0.1', 16, 'bits')).toThrow('EINVAL');
    expect(table.remove(({ prefix }) => prefix === 16)).toBe(2);
    expect(find('10.1.2.4')).toBe('eight');
    expect(() => {
      for (let count = 0; count < 100; count++) add(`1.2.${count}.0`, 24, 'many');
    }).toThrow('ENOSPC');
    expect(table.all).toHaveLength(48);
  });

  it('lead to the router or to a neighbour, and are of no use while the interface is down', () => {
    const bench = StackBench.configured();
    const socket = bench.stack.udp.bind({ address: 0, port: 5000 }, { changed: () => {} });
    socket.send({ address: FAR, port: 1 }, Buffer.alloc(0), bench.now);
    socket.send({ address: PEER, port: 1 }, Buffer.alloc(0), bench.now);
    expect(bench.frames.map((frame) => frame.toString('hex', 0, 6))).toEqual(['020000000002', '020000000001']);
    bench.stack.configure({ interface: 'ne0', up: false, address: null, dhcp: false }, bench.now);
    expect(() => socket.send({ address: FAR, port: 1 }, Buffer.alloc(0), bench.now)).toThrow('ENETUNREACH');
    expect(bench.stack.sourceFor(FAR)).toBeNull();
    bench.stack.configure({ interface: 'ne0', up: true, address: null, dhcp: false }, bench.now);
    expect(bench.stack.sourceFor(FAR)).toEqual({ address: OWN, mtu: 1500 });
    bench.stack.removeRoute({ destination: 0, prefix: 0, gateway: ROUTER });
    expect(bench.stack.sourceFor(FAR)).toBeNull();
    expect(bench.stack.sourceFor(PEER)).not.toBeNull();
  });

  it('are set and removed with clear errors', () => {
    const { stack } = StackBench.configured();
    const row = { destination: parseIpv4('192.0.2.0'), prefix: 24, gateway: ROUTER, interface: null, metric: 1 };
    expect(() => stack.addRoute({ ...row, gateway: parseIpv4('10.9.9.9') })).toThrow('ENETUNREACH');
    expect(() => stack.addRoute({ ...row, gateway: OWN })).toThrow('ENETUNREACH');
    expect(() => stack.addRoute({ ...row, interface: 'ne7' })).toThrow('ENODEV');
    expect(() => stack.addRoute({ ...row, gateway: null })).toThrow('EINVAL');
    expect(() => stack.removeRoute(row)).toThrow('ESRCH');
    stack.addRoute(row);
    expect(() => stack.addRoute(row)).toThrow('EEXIST');
    stack.removeRoute(row);
    expect(stack.routes()).toHaveLength(2);
  });
});

describe('input of IPv4', () => {
  const datagram = (source: number, destination: number): Buffer =>
    buildUdp(source, 1, destination, 5000, Buffer.from('x'));

  /** Whether a datagram from and to these addresses reaches a socket. */
  function arrives(source: number, destination: number, to: Buffer = OWN_LINK): boolean {
    const bench = StackBench.configured();
    const socket = bench.stack.udp.bind({ address: 0, port: 5000 }, { changed: () => {} });
    bench.ipv4(PROTOCOL.UDP, datagram(source, destination), { source, destination, to });
    expect(bench.take()).toEqual([]);
    return socket.receive() !== undefined;
  }

  it('takes what is for us or for all, and from a host', () => {
    expect(arrives(PEER, OWN)).toBe(true);
    expect(arrives(FAR, OWN)).toBe(true);
    expect(arrives(PEER, NET_BROADCAST, BROADCAST_LINK)).toBe(true);
    expect(arrives(PEER, 0xffff_ffff, BROADCAST_LINK)).toBe(true);
  });

  it('drops martians and what is for others', () => {
    const strange = ['0.0.0.0', '10.0.2.15', '10.0.2.255', '127.0.0.1', '224.0.0.1', '240.0.0.1', '255.255.255.255'];
    for (const source of strange) expect(arrives(parseIpv4(source), OWN), source).toBe(false);
    for (const to of ['10.0.2.16', '127.0.0.1', '224.0.0.1', '192.0.2.9']) {
      expect(arrives(PEER, parseIpv4(to)), to).toBe(false);
    }
    // To one host, but on the link to all.
    expect(arrives(PEER, OWN, BROADCAST_LINK)).toBe(false);
    expect(arrives(PEER, OWN, Buffer.from('0200000000aa', 'hex'))).toBe(false);
  });

  it('skips options, and drops what has a wrong length or check sum', () => {
    const bench = StackBench.configured();
    const socket = bench.stack.udp.bind({ address: 0, port: 5000 }, { changed: () => {} });
    const [plain] = buildIpv4(
      { source: PEER, destination: OWN, protocol: 17, timeToLive: 1, identification: 0 },
      datagram(PEER, OWN),
      1500,
    );
    if (plain === undefined) throw new Error('no packet');
    const optional = Buffer.concat([plain.subarray(0, 20), Buffer.from([7, 4, 4, 0]), plain.subarray(20)]);
    optional[0] = 0x46;
    optional.writeUInt16BE(optional.length, 2);
    optional.writeUInt16BE(0, 10);
    optional.writeUInt16BE(checksum(optional.subarray(0, 24)), 10);
    const put = (packet: Buffer): void => bench.frame(buildEthernet(OWN_LINK, PEER_LINK, ETHERTYPE.IPV4, packet));
    put(optional);
    expect(socket.receive()?.data.toString()).toBe('x');
    for (const at of [0, 2, 3, 8, 12, 19]) {
      const spoilt = Buffer.from(plain);
      spoilt[at] = (spoilt[at] ?? 0) ^ 0x41;
      put(spoilt);
    }
    put(plain.subarray(0, 19));
    put(Buffer.alloc(0));
    bench.frame(Buffer.alloc(13));
    expect(socket.receive()).toBeUndefined();
    expect(bench.stack.interfaces()[1]?.receiveErrors).toBeGreaterThanOrEqual(7);
  });

  it('puts fragments together, and refuses bombs made of them', () => {
    const bench = StackBench.configured();
    const socket = bench.stack.udp.bind({ address: 0, port: 5000 }, { changed: () => {} });
    const data = new Random(2).bytes(65_507);
    bench.ipv4(PROTOCOL.UDP, buildUdp(PEER, 1, OWN, 5000, data));
    expect(socket.receive()?.data.equals(data)).toBe(true);
    const [first] = buildIpv4(
      { source: PEER, destination: OWN, protocol: 17, timeToLive: 64, identification: 7 },
      Buffer.alloc(1480),
      1500,
    );
    if (first === undefined) throw new Error('no packet');
    const fragment = (identification: number, units: number, more: boolean): void => {
      const bytes = Buffer.from(first);
      bytes.writeUInt16BE(identification, 4);
      bytes.writeUInt16BE((more ? 0x2000 : 0) | units, 6);
      bytes.writeUInt16BE(0, 10);
      bytes.writeUInt16BE(checksum(bytes.subarray(0, 20)), 10);
      bench.frame(buildEthernet(OWN_LINK, PEER_LINK, ETHERTYPE.IPV4, bytes));
    };
    // Beyond the largest packet (ping of death), overlapping (teardrop).
    fragment(1, 0x1fff, false);
    fragment(2, 0, true);
    fragment(2, 100, false);
    for (let count = 0; count < 20_000; count++) fragment(count & 0xffff, 1 + (count % 40) * 185, true);
    const drops = bench.stack.statistics().find(({ name }) => name === 'ip.reassemblyDrops')?.value ?? 0;
    expect(drops).toBeGreaterThan(19_000);
    expect(socket.receive()).toBeUndefined();
    // Others are served meanwhile: whole datagrams, and ones in fragments.
    bench.udp(1, 5000, 'whole');
    bench.ipv4(PROTOCOL.UDP, buildUdp(ROUTER, 1, OWN, 5000, data), { source: ROUTER });
    expect(socket.receive()?.data.toString()).toBe('whole');
    expect(socket.receive()?.data.equals(data)).toBe(true);
    bench.wait(30_000);
    expect(bench.stack.deadline()).toBeGreaterThan(bench.now);
  });
});

describe('output of IPv4', () => {
  it('cuts what is too long into fragments, unless it must not', () => {
    const bench = StackBench.configured();
    const socket = bench.stack.udp.bind({ address: 0, port: 5000 }, { changed: () => {} });
    const data = new Random(3).bytes(5000);
    socket.send({ address: PEER, port: 9 }, data, bench.now);
    const packets = bench.take();
    expect(packets.map(({ payload }) => payload.length)).toEqual([1480, 1480, 1480, 568]);
    const bounds = { packets: 1, bytes: 100_000, lifetimeMs: 1 };
    const reassembly = new Reassembly(bounds);
    expect(
      packets
        .map((packet) => reassembly.add(packet, 0))
        .at(-1)
        ?.payload.subarray(8),
    ).toEqual(data);
    socket.options.dontFragment = true;
    expect(() => socket.send({ address: PEER, port: 9 }, data, bench.now)).toThrow('EMSGSIZE');
    socket.send({ address: PEER, port: 9 }, data.subarray(0, 1472), bench.now);
    expect(bench.take()).toMatchObject([{ dontFragment: true }]);
  });

  it('numbers packets so that nobody can guess and none meet', () => {
    const bench = StackBench.configured();
    const socket = bench.stack.udp.bind({ address: 0, port: 5000 }, { changed: () => {} });
    const numbers = (address: number): number[] =>
      Array.from({ length: 100 }, () => {
        socket.send({ address, port: 9 }, Buffer.alloc(0), bench.now);
        return bench.take()[0]?.identification ?? -1;
      });
    const [one, other] = [numbers(PEER), numbers(FAR)];
    expect(new Set(one).size).toBe(100);
    expect(Math.abs((one[0] ?? 0) - (other[0] ?? 0))).toBeGreaterThan(1);
  });

  it('never sends from addresses that are not ours, or of the loopback', () => {
    const bench = StackBench.configured();
    const packet = { destination: PEER, protocol: 99, timeToLive: 64, typeOfService: 0, dontFragment: false };
    const send = (source: number): string | null =>
      bench.stack.send({ ...packet, source, buffer: Buffer.alloc(60), payloadBytes: 1 }, bench.now);
    expect(send(FAR)).toBe('EADDRNOTAVAIL');
    expect(send(LOOPBACK)).toBe('ENETUNREACH');
    expect(bench.frames).toEqual([]);
    expect(send(OWN)).toBeNull();
  });

  it('reaches ourselves without the cable', () => {
    const bench = StackBench.configured();
    const socket = bench.stack.udp.bind({ address: 0, port: 5000 }, { changed: () => {} });
    for (const address of [LOOPBACK, OWN, parseIpv4('127.1.2.3')]) {
      socket.send({ address, port: 5000 }, Buffer.from('me'), bench.now);
      expect(bench.stack.deadline()).toBe(0);
      bench.settle();
      expect(socket.receive()).toMatchObject({ to: { address, port: 5000 }, data: Buffer.from('me') });
    }
    const big = new Random(4).bytes(65_507);
    socket.send({ address: LOOPBACK, port: 5000 }, big, bench.now);
    bench.settle();
    expect(socket.receive()?.data.equals(big)).toBe(true);
    expect(bench.frames).toEqual([]);
  });

  it('bounds what waits on the loopback', () => {
    const bench = StackBench.configured();
    const socket = bench.stack.udp.bind({ address: 0, port: 5000 }, { changed: () => {} });
    for (let count = 0; count < 2000; count++)
      socket.send({ address: LOOPBACK, port: 5000 }, Buffer.alloc(10), bench.now);
    expect(bench.stack.interfaces()[0]?.sendDrops).toBe(2000 - 1024);
    bench.settle();
    expect(socket.queue.length).toBeLessThanOrEqual(256);
  });
});

describe('the size that a way allows', () => {
  const tooLong = (bench: StackBench, mtu: number, sent: Buffer): void =>
    bench.icmp({ type: 3, code: 4, rest: mtu, data: sent.subarray(0, 28) }, { source: ROUTER });

  it('is learnt from routers, holds ten minutes, and never becomes tiny', () => {
    const bench = StackBench.configured();
    const socket = bench.stack.udp.bind({ address: 0, port: 5000 }, { changed: () => {} });
    socket.options.dontFragment = true;
    socket.connect({ address: FAR, port: 9 });
    socket.send(null, Buffer.alloc(1472), bench.now);
    const [packet] = bench.take();
    if (packet === undefined) throw new Error('no packet');
    tooLong(bench, 1400, packet.bytes);
    expect(bench.stack.pathMtu(FAR)).toBe(1400);
    expect(socket.queue.error).toBe('EMSGSIZE');
    socket.queue.takeError();
    expect(() => socket.send(null, Buffer.alloc(1473 - 100), bench.now)).toThrow('EMSGSIZE');
    socket.send(null, Buffer.alloc(1472 - 100), bench.now);
    // Larger again, not about us, about another's packet: not believed.
    tooLong(bench, 1450, packet.bytes);
    const foreign = Buffer.from(packet.bytes);
    foreign.writeUInt32BE(ROUTER, 12);
    tooLong(bench, 600, foreign);
    expect(bench.stack.pathMtu(FAR)).toBe(1400);
    tooLong(bench, 68, packet.bytes);
    expect(bench.stack.pathMtu(FAR)).toBe(552);
    expect(bench.stack.pathMtu(PEER)).toBe(1500);
    bench.wait(10 * 60_000);
    expect(bench.stack.pathMtu(FAR)).toBe(1500);
  });

  it('is not learnt from a word about a packet that nobody can have sent', () => {
    const bench = StackBench.configured();
    const about = (protocol: number): number => {
      const quoted = buildIpv4(
        { source: OWN, destination: FAR, protocol, timeToLive: 9, identification: 1 },
        Buffer.from([0x13, 0x88, 0, 9, 0, 0, 0, 0]),
        1500,
      )[0] as Buffer;
      quoted.writeUInt16BE(1500, 2);
      tooLong(bench, 1000, quoted);
      return bench.stack.pathMtu(FAR);
    };
    bench.tcp.hasSent = false;
    expect([PROTOCOL.TCP, PROTOCOL.UDP, PROTOCOL.ICMP].map(about)).toEqual([1500, 1500, 1500]);
    bench.stack.udp.bind({ address: 0, port: 5000 }, { changed: () => {} }).connect({ address: PEER, port: 9 });
    expect(about(PROTOCOL.UDP)).toBe(1500);
    bench.stack.raw.open(PROTOCOL.ICMP, () => {});
    expect(about(PROTOCOL.ICMP)).toBe(1000);
  });

  it('is guessed where a router does not say it', () => {
    const cache = new PathMtu();
    expect(cache.reduce(FAR, 0, 1500, 1500, 0)).toBe(1492);
    expect(cache.reduce(FAR, 0, 1492, 1492, 0)).toBe(1006);
    expect(cache.reduce(FAR, 9000, 1006, 1006, 0)).toBe(552);
    expect(cache.reduce(FAR, 0, 552, 552, 0)).toBeNull();
    for (let count = 0; count < 1000; count++) cache.reduce(count, 1000, 1500, 1500, 0);
    expect(cache.size).toBe(256);
  });
});

it('IPv4 without any interface has no way to anywhere', () => {
  const ip = new Ipv4(
    { deliver: () => {}, bootstrap: () => false, reassemblyExpired: () => {} },
    new RandomNumbers((count) => new Random(1).bytes(count)),
  );
  const message = buildIcmp({ type: 8, code: 0, rest: 0, data: Buffer.alloc(0) });
  const buffer = Buffer.concat([Buffer.alloc(34), message, Buffer.alloc(60)]);
  const packet = { source: 0, destination: FAR, protocol: 1, timeToLive: 1, typeOfService: 0, dontFragment: false };
  expect(ip.send({ ...packet, buffer, payloadBytes: 8 }, 0)).toBe('ENETUNREACH');
  expect(ip.sourceFor(LOOPBACK)).toBeNull();
});
