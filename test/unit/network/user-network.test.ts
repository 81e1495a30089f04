import { describe, expect, it } from 'vitest';
import { parseIpv4 } from '../../../wire/address.ts';
import { ARP_REPLY, ARP_REQUEST } from '../../../wire/arp.ts';
import {
  BOOT_REQUEST,
  buildDhcp,
  DHCP,
  DHCP_OPTION,
  type DhcpMessage,
  option32,
  parseDhcp,
} from '../../../wire/dhcp.ts';
import { buildIcmp, parseIcmp } from '../../../wire/icmp.ts';
import { type Ipv4Packet, PROTOCOL } from '../../../wire/ipv4.ts';
import { Reassembly } from '../../../wire/reassembly.ts';
import { buildUdp, parseUdp } from '../../../wire/udp.ts';
import { Random } from '../../support/random.ts';
import { GATEWAY_LINK, GUEST, GUEST_LINK, UserBench } from './user-bench.ts';

const BOUNDS = { packets: 16, bytes: 1024 * 1024, lifetimeMs: 15_000 };

describe('ARP', () => {
  it('is answered for the router and the name server, for nobody else', () => {
    const bench = new UserBench();
    for (const target of ['10.0.2.2', '10.0.2.3', '10.0.2.4', '10.0.2.15']) bench.arp(ARP_REQUEST, GUEST, target);
    expect(bench.takeArp()).toMatchObject([
      { operation: ARP_REPLY, sender: parseIpv4('10.0.2.2'), target: parseIpv4(GUEST) },
      { operation: ARP_REPLY, sender: parseIpv4('10.0.2.3') },
    ]);
  });

  it('answers a probe, which has no sender', () => {
    const bench = new UserBench();
    bench.arp(ARP_REQUEST, '0.0.0.0', '10.0.2.2');
    expect(bench.takeArp()).toHaveLength(1);
    bench.arp(ARP_REQUEST, '224.0.0.1', '10.0.2.2');
    expect(bench.takeArp()).toHaveLength(0);
  });

  it('asks for a guest that has not been heard of, and lets its packets wait', () => {
    const bench = new UserBench();
    for (let count = 0; count < 20; count++) {
      bench.network.forwardDatagram(
        { address: GUEST, port: 7 },
        { address: '127.0.0.1', port: 9 },
        Buffer.from(`${count}`),
        () => {},
      );
    }
    expect(bench.takeArp()[0]).toMatchObject({ operation: ARP_REQUEST, target: parseIpv4(GUEST) });
    bench.introduce();
    // Only the last sixteen were kept.
    expect(bench.takeUdp().map((line) => line.split(' ')[2])).toEqual(
      Array.from({ length: 16 }, (_, index) => String(index + 4)),
    );
  });
});

describe('ICMP', () => {
  const echo = (data: Buffer): Buffer => buildIcmp({ type: 8, code: 0, rest: 0x0001_0007, data });

  it('echoes are answered by the router and the name server, in any size', () => {
    for (const size of [0, 56, 1472, 1473, 65_507]) {
      const bench = new UserBench();
      const data = new Random(size).bytes(size);
      bench.ipv4(PROTOCOL.ICMP, '10.0.2.2', echo(data));
      const reassembly = new Reassembly(BOUNDS);
      const packets = bench.take();
      expect(packets.length).toBe(Math.ceil((size + 8) / 1480));
      const whole = packets.map((packet) => reassembly.add(packet, 0)).at(-1);
      const reply = whole == null ? null : parseIcmp(whole.payload);
      expect(reply).toMatchObject({ type: 0, code: 0, rest: 0x0001_0007 });
      expect(reply?.data.equals(data)).toBe(true);
    }
    const bench = new UserBench();
    bench.ipv4(PROTOCOL.ICMP, '10.0.2.3', echo(Buffer.alloc(0)));
    expect(bench.takeIcmp()).toEqual(['10.0.2.3 0 0']);
  });

  it('echoes to others are refused with a reason', () => {
    const bench = new UserBench();
    bench.ipv4(PROTOCOL.ICMP, '10.0.2.9', echo(Buffer.alloc(0)));
    bench.ipv4(PROTOCOL.ICMP, '192.0.2.1', echo(Buffer.alloc(0)));
    expect(bench.takeIcmp()).toEqual(['10.0.2.2 3 1 about 1', '10.0.2.2 3 13 about 1']);
  });

  it('says that the time of a packet is over, but not for itself', () => {
    const bench = new UserBench();
    bench.ipv4(PROTOCOL.UDP, '192.0.2.1', buildUdp(parseIpv4(GUEST), 1, parseIpv4('192.0.2.1'), 2, Buffer.alloc(0)), {
      timeToLive: 1,
    });
    bench.ipv4(PROTOCOL.ICMP, '10.0.2.2', echo(Buffer.alloc(0)), { timeToLive: 1 });
    expect(bench.takeIcmp()).toEqual(['10.0.2.2 11 0 about 17', '10.0.2.2 0 0']);
  });

  it('says that a protocol is not known, and is silent about errors, groups and floods', () => {
    const bench = new UserBench();
    bench.ipv4(132, '192.0.2.1', Buffer.alloc(20));
    expect(bench.takeIcmp()).toEqual(['10.0.2.2 3 2 about 132']);
    bench.ipv4(PROTOCOL.ICMP, '192.0.2.1', buildIcmp({ type: 3, code: 1, rest: 0, data: Buffer.alloc(28) }), {
      timeToLive: 1,
    });
    bench.ipv4(132, '224.0.0.1', Buffer.alloc(20));
    bench.ipv4(PROTOCOL.ICMP, '10.0.2.255', echo(Buffer.alloc(0)));
    expect(bench.take()).toEqual([]);
    for (let count = 0; count < 500; count++) bench.ipv4(132, '192.0.2.1', Buffer.alloc(20));
    expect(bench.take()).toHaveLength(99);
  });
});

describe('frames', () => {
  it('for others, from others and of other kinds are ignored', () => {
    const bench = new UserBench();
    const echo = buildIcmp({ type: 8, code: 0, rest: 0, data: Buffer.alloc(0) });
    bench.ipv4(PROTOCOL.ICMP, '10.0.2.2', echo, { link: Buffer.from('020000000009', 'hex') });
    for (const source of ['10.0.2.2', '10.0.2.255', '192.0.2.7', '127.0.0.1', '0.0.0.0', '255.255.255.255']) {
      bench.ipv4(PROTOCOL.ICMP, '10.0.2.2', echo, { source });
    }
    bench.network.receive(Buffer.alloc(5));
    expect(bench.frames).toEqual([]);
  });
});

describe('DHCP', () => {
  const client = (link: string): Buffer => Buffer.from(link, 'hex');

  /** Sends a message of a client and returns the answer with its packet. */
  function ask(
    bench: UserBench,
    type: number,
    fields: {
      link?: Buffer;
      ciaddr?: string;
      broadcast?: boolean;
      options?: readonly (readonly [number, number])[];
    } = {},
  ): { packet: Ipv4Packet; message: DhcpMessage } | null {
    const options = new Map<number, Buffer>([[DHCP_OPTION.MESSAGE_TYPE, Buffer.from([type])]]);
    for (const [code, value] of fields.options ?? []) {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(value);
      options.set(code, bytes);
    }
    const source = fields.ciaddr ?? '0.0.0.0';
    const message = buildDhcp(
      {
        operation: BOOT_REQUEST,
        transaction: 7,
        broadcast: fields.broadcast ?? false,
        clientAddress: parseIpv4(source),
        yourAddress: 0,
        clientLink: fields.link ?? GUEST_LINK,
        options,
      },
      0,
    );
    const destination = fields.ciaddr === undefined ? '255.255.255.255' : '10.0.2.2';
    const bytes = buildUdp(parseIpv4(source), 68, parseIpv4(destination), 67, message);
    bench.ipv4(PROTOCOL.UDP, destination, bytes, { source, link: Buffer.alloc(6, 0xff) });
    const [packet] = bench.take();
    if (packet === undefined) return null;
    const datagram = parseUdp(packet.payload, packet.source, packet.destination);
    const answer = datagram === null ? null : parseDhcp(datagram.data);
    if (answer === null) throw new Error('an ill-formed answer');
    return { packet, message: answer };
  }

  const typeOf = (answer: { message: DhcpMessage } | null): number | undefined =>
    answer?.message.options.get(DHCP_OPTION.MESSAGE_TYPE)?.[0];

  it('gives the first guest 10.0.2.15, with router, name server and lease', () => {
    const bench = new UserBench();
    const offer = ask(bench, DHCP.DISCOVER);
    expect(typeOf(offer)).toBe(DHCP.OFFER);
    expect(offer?.packet).toMatchObject({ source: parseIpv4('10.0.2.2'), destination: parseIpv4(GUEST) });
    const options = [
      [DHCP_OPTION.REQUESTED_ADDRESS, parseIpv4(GUEST)] as const,
      [DHCP_OPTION.SERVER, 0x0a00_0202] as const,
    ];
    const acknowledged = ask(bench, DHCP.REQUEST, { options, broadcast: true });
    expect(typeOf(acknowledged)).toBe(DHCP.ACK);
    expect(acknowledged?.packet.destination).toBe(0xffff_ffff);
    const message = acknowledged?.message;
    expect(message?.yourAddress).toBe(parseIpv4(GUEST));
    const option = (code: number): number | undefined => message && option32(message, code);
    expect(
      [DHCP_OPTION.SUBNET_MASK, DHCP_OPTION.ROUTER, DHCP_OPTION.NAME_SERVER, DHCP_OPTION.SERVER].map(option),
    ).toEqual(['255.255.255.0', '10.0.2.2', '10.0.2.3', '10.0.2.2'].map(parseIpv4));
    expect([option(DHCP_OPTION.LEASE_SECONDS), option(DHCP_OPTION.RENEWAL_SECONDS)]).toEqual([86_400, 43_200]);
  });

  it('renews, also after it has been started anew', () => {
    const bench = new UserBench();
    expect(typeOf(ask(bench, DHCP.REQUEST, { ciaddr: '10.0.2.20' }))).toBe(DHCP.ACK);
    expect(typeOf(ask(bench, DHCP.REQUEST, { ciaddr: '10.0.2.20' }))).toBe(DHCP.ACK);
    expect(typeOf(ask(bench, DHCP.REQUEST, { ciaddr: '10.0.2.77' }))).toBe(DHCP.NAK);
  });

  it('gives sixteen guests their own, and the longest forgotten one to the seventeenth', () => {
    const bench = new UserBench();
    const addresses = Array.from({ length: 18 }, (_, index) => {
      const link = client(`0200000000${(0x10 + index).toString(16)}`);
      return ask(bench, DHCP.DISCOVER, { link })?.message.yourAddress;
    });
    const first = parseIpv4(GUEST);
    expect(addresses).toEqual([...Array.from({ length: 16 }, (_, index) => first + index), first, first + 1]);
  });

  it('does not give an address that somebody else has, or that was declined', () => {
    const bench = new UserBench();
    const wanted = [[DHCP_OPTION.REQUESTED_ADDRESS, parseIpv4(GUEST)] as const];
    ask(bench, DHCP.DISCOVER);
    const other = client('020000000099');
    expect(ask(bench, DHCP.DISCOVER, { link: other, options: wanted })?.message.yourAddress).toBe(
      parseIpv4('10.0.2.16'),
    );
    expect(typeOf(ask(bench, DHCP.REQUEST, { link: other, options: wanted }))).toBe(DHCP.NAK);
    expect(ask(bench, DHCP.DECLINE, { options: wanted })).toBeNull();
    expect(ask(bench, DHCP.DISCOVER)?.message.yourAddress).toBe(parseIpv4('10.0.2.17'));
    expect(ask(bench, DHCP.RELEASE)).toBeNull();
    expect(ask(bench, DHCP.DISCOVER, { link: client('020000000098') })?.message.yourAddress).toBe(
      parseIpv4('10.0.2.17'),
    );
  });

  it('tells who has an address what else there is, and keeps quiet when another server is meant', () => {
    const bench = new UserBench();
    const informed = ask(bench, DHCP.INFORM, { ciaddr: '10.0.2.40' });
    expect([typeOf(informed), informed?.message.yourAddress]).toEqual([DHCP.ACK, 0]);
    expect(ask(bench, DHCP.REQUEST, { options: [[DHCP_OPTION.SERVER, 0x0a00_0209]] })).toBeNull();
    expect(ask(bench, 77)).toBeNull();
    expect(ask(bench, DHCP.DISCOVER, { link: client('010000000001') })).toBeNull();
  });
});

describe('DNS', () => {
  const question = '0001 0000 0000 0000 03777777 03766f73 00 0001 0001'.replace(/ /g, '');
  const query = (identifier: number): Buffer =>
    Buffer.from(`${identifier.toString(16).padStart(4, '0')}0100${question}`, 'hex');
  const answer = (identifier: number): Buffer =>
    Buffer.from(`${identifier.toString(16).padStart(4, '0')}8180${question}`, 'hex');

  function ask(bench: UserBench, message: Buffer, port = 5000): void {
    bench.udp(port, '10.0.2.3', 53, message);
  }

  it("passes a query to the host's name server and its answer back", () => {
    const bench = new UserBench();
    ask(bench, query(7));
    ask(bench, query(7));
    const [socket, second] = bench.host.sockets;
    expect([socket?.to, second]).toEqual([{ address: '192.0.2.53', port: 53 }, undefined]);
    expect(socket?.sent).toEqual([query(7)]);
    socket?.handler.data(answer(8));
    socket?.handler.data(query(7));
    expect(bench.take()).toEqual([]);
    socket?.handler.data(answer(7));
    expect(bench.takeUdp()).toEqual([`10.0.2.3:53 10.0.2.15:5000 ${answer(7).toString('latin1')}`]);
    expect([socket?.closed, bench.network.nextTimeout]).toEqual([true, Infinity]);
  });

  it('asks the next one when one is silent or does not exist, and says at last that it does not know', () => {
    const bench = new UserBench();
    ask(bench, query(7));
    bench.wait(3000);
    expect(bench.host.sockets.map((socket) => socket.to.address)).toEqual(['192.0.2.53', '192.0.2.54']);
    bench.host.sockets[0]?.handler.data(answer(7));
    expect(bench.take()).toEqual([]);
    bench.host.sockets[1]?.handler.failed('ECONNREFUSED');
    expect(bench.takeUdp()[0]?.slice(-25, -21)).toBe('\0\x07\x81\x82');
    expect(bench.host.sockets.every((socket) => socket.closed)).toBe(true);
  });

  it('says so at once when the host has no name server, or the guest is to reach nobody', () => {
    for (const bench of [new UserBench(), new UserBench(true)]) {
      if (bench.host.servers.length > 0) bench.host.servers = [];
      ask(bench, query(7));
      expect(bench.takeUdp()[0]?.slice(-25, -21)).toBe('\0\x07\x81\x82');
    }
    const restricted = new UserBench(true);
    ask(restricted, query(7));
    expect([restricted.host.sockets, restricted.take()]).toMatchObject([[], [{ protocol: PROTOCOL.UDP }]]);
  });

  it('refuses what is no query', () => {
    const bench = new UserBench();
    ask(bench, query(7).subarray(0, 20));
    expect(bench.takeUdp()[0]?.slice(-12, -8)).toBe('\0\x07\x81\x81');
    ask(bench, answer(7));
    ask(bench, Buffer.alloc(5));
    expect(bench.take()).toEqual([]);
  });

  it('keeps 64 queries', () => {
    const bench = new UserBench();
    for (let identifier = 0; identifier < 100; identifier++) ask(bench, query(identifier));
    expect(bench.take()).toHaveLength(36);
    expect(bench.host.sockets.filter((socket) => !socket.closed)).toHaveLength(64);
    bench.network.close();
    expect(bench.host.sockets.filter((socket) => !socket.closed)).toHaveLength(0);
  });

  it('takes connections for the name server too', () => {
    const bench = new UserBench();
    bench.tcp('10.0.2.3', { destinationPort: 53, flags: 2 });
    expect(bench.host.streams[0]?.to).toEqual({ address: '192.0.2.53', port: 53 });
    bench.tcp('10.0.2.3', { destinationPort: 54, flags: 2 });
    expect([bench.host.streams.length, bench.takeTcp()[0]?.flags]).toEqual([1, 0x14]);
  });
});

describe('UDP', () => {
  it('goes to the world, and only answers come back', () => {
    const bench = new UserBench();
    bench.udp(5000, '192.0.2.1', 7, 'hello');
    bench.udp(5000, '192.0.2.1', 7, 'again');
    bench.udp(5000, '10.0.2.2', 7, 'host');
    const [world, host] = bench.host.sockets;
    expect([world?.to, host?.to]).toEqual([
      { address: '192.0.2.1', port: 7 },
      { address: '127.0.0.1', port: 7 },
    ]);
    expect(world?.sent.map(String)).toEqual(['hello', 'again']);
    world?.handler.data(Buffer.from('world'));
    host?.handler.data(Buffer.from('me'));
    expect(bench.takeUdp()).toEqual(['192.0.2.1:7 10.0.2.15:5000 world', '10.0.2.2:7 10.0.2.15:5000 me']);
  });

  it('carries the largest datagrams', () => {
    const bench = new UserBench();
    const data = new Random(1).bytes(65_507);
    bench.udp(5000, '192.0.2.1', 7, data);
    expect(bench.host.sockets[0]?.sent[0]?.equals(data)).toBe(true);
    bench.host.sockets[0]?.handler.data(data);
    expect(bench.take()).toHaveLength(45);
  });

  it('tells of what cannot be reached', () => {
    const bench = new UserBench();
    bench.udp(5000, '192.0.2.1', 7, 'x');
    for (const code of ['ECONNREFUSED', 'ENETUNREACH', 'EHOSTUNREACH', 'EPERM'])
      bench.host.sockets[0]?.handler.failed(code);
    bench.udp(5000, '10.0.2.77', 7, 'x');
    bench.udp(5000, '10.0.2.3', 7, 'x');
    bench.udp(5000, '192.0.2.1', 0, 'x');
    const told = [0, 1, 13, 1].map((code) => `10.0.2.2 3 ${code} about 17`);
    const [far, server] = ['192.0.2.1 3 3 about 17', '10.0.2.3 3 3 about 17'];
    expect(bench.takeIcmp()).toEqual([far, ...told, server, far]);
    bench.udp(5000, '224.0.0.251', 5353, 'x');
    bench.udp(5000, '10.0.2.255', 7, 'x');
    bench.udp(5000, '127.0.0.1', 7, 'x');
    expect([bench.take(), bench.host.sockets.length]).toEqual([[], 1]);
    const restricted = new UserBench(true);
    restricted.udp(5000, '10.0.2.2', 7, 'x');
    expect([restricted.takeIcmp(), restricted.host.sockets]).toEqual([['10.0.2.2 3 13 about 17'], []]);
  });

  it('ends flows that nobody uses, and keeps 256', () => {
    const bench = new UserBench();
    bench.udp(5000, '192.0.2.1', 7, 'x');
    bench.wait(100_000);
    bench.host.sockets[0]?.handler.data(Buffer.from('y'));
    bench.wait(100_000);
    expect(bench.host.sockets[0]?.closed).toBe(false);
    bench.wait(20_000);
    expect([bench.host.sockets[0]?.closed, bench.network.flows.udp]).toEqual([true, 0]);
    for (let port = 1; port <= 300; port++) bench.udp(port, '192.0.2.1', 7, 'x');
    expect(bench.network.flows.udp).toBe(256);
    expect(bench.host.sockets.filter((socket) => !socket.closed)).toHaveLength(256);
    bench.network.close();
    expect(bench.host.sockets.filter((socket) => !socket.closed)).toHaveLength(0);
  });

  it('comes in by a forwarded port, with an address for each sender to answer to', () => {
    const bench = new UserBench();
    bench.introduce();
    const answers: string[] = [];
    const come = (port: number, text: string): void =>
      bench.network.forwardDatagram(
        { address: GUEST, port: 53 },
        { address: '127.0.0.1', port },
        Buffer.from(text),
        (data) => answers.push(`${port} ${data}`),
      );
    come(1111, 'a');
    come(2222, 'b');
    come(1111, 'c');
    const arrived = bench.takeUdp();
    const [a, b, c] = arrived.map((line) => Number(/^10\.0\.2\.2:(\d+) 10\.0\.2\.15:53 /.exec(line)?.[1]));
    expect([a === c, a === b, arrived.map((line) => line.slice(-1))]).toEqual([true, false, ['a', 'b', 'c']]);
    bench.udp(53, '10.0.2.2', b ?? 0, 'to b');
    bench.udp(53, '10.0.2.2', a ?? 0, 'to a');
    expect([answers, bench.host.sockets]).toEqual([['2222 to b', '1111 to a'], []]);
    bench.wait(130_000);
    expect(bench.network.flows.udp).toBe(0);
    come(1111, 'd');
    expect(bench.takeUdp()).toHaveLength(1);
  });
});

describe('link addresses', () => {
  it('are not learnt from groups, for our own or for others', () => {
    const bench = new UserBench();
    bench.arp(ARP_REPLY, '10.0.2.2', '10.0.2.2', GATEWAY_LINK);
    bench.arp(ARP_REPLY, '192.0.2.1', '10.0.2.2', GATEWAY_LINK);
    bench.network.forwardDatagram(
      { address: '10.0.2.20', port: 1 },
      { address: '127.0.0.1', port: 1 },
      Buffer.alloc(1),
      () => {},
    );
    expect(bench.takeArp()).toHaveLength(1);
  });
});
