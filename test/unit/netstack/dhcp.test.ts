/** DHCP: RFC 2131, the client's side, against a scripted server. */
import { describe, expect, it } from 'vitest';
import { readLease } from '../../../services/netstack/dhcp/lease.ts';
import { parseIpv4 } from '../../../wire/address.ts';
import { ARP_REPLY } from '../../../wire/arp.ts';
import { BOOT_REPLY, buildDhcp, DHCP, DHCP_OPTION, type DhcpMessage, option32, parseDhcp } from '../../../wire/dhcp.ts';
import { buildEthernet, ETHERTYPE } from '../../../wire/ethernet.ts';
import { buildIpv4, PROTOCOL } from '../../../wire/ipv4.ts';
import { buildUdp } from '../../../wire/udp.ts';
import type { MemoryKeeper } from '../../support/memory-keeper.ts';
import { BROADCAST_LINK, OWN, OWN_LINK, PEER, PEER_LINK, ROUTER, StackBench } from './stack-bench.ts';

const NAME_SERVER = parseIpv4('10.0.2.3');
const MASK = 0xffff_ff00;
const LEASE = 3600;

type Options = readonly (readonly [number, number | string | Buffer])[];

const GRANT: Options = [
  [DHCP_OPTION.SERVER, ROUTER],
  [DHCP_OPTION.SUBNET_MASK, MASK],
  [DHCP_OPTION.ROUTER, ROUTER],
  [DHCP_OPTION.NAME_SERVER, NAME_SERVER],
  [DHCP_OPTION.LEASE_SECONDS, LEASE],
  [DHCP_OPTION.DOMAIN_NAME, 'example.org'],
  [DHCP_OPTION.HOST_NAME, 'guest'],
];

function optionsOf(type: number, options: Options): Map<number, Buffer> {
  const bytes = options.map(([code, value]) => {
    if (typeof value !== 'number') return [code, Buffer.from(value)] as const;
    const word = Buffer.alloc(4);
    word.writeUInt32BE(value);
    return [code, word] as const;
  });
  return new Map([[DHCP_OPTION.MESSAGE_TYPE, Buffer.from([type])] as const, ...bytes]);
}

function typeOf(message: DhcpMessage | undefined): number | undefined {
  return message?.options.get(DHCP_OPTION.MESSAGE_TYPE)?.[0];
}

interface Sent {
  readonly source: number;
  readonly destination: number;
  readonly message: DhcpMessage;
}

class DhcpBench extends StackBench {
  constructor(keeper?: MemoryKeeper, now = 1000) {
    super(keeper);
    this.now = now;
    this.plug();
  }

  /** The client's messages since the last call. */
  takeDhcp(): Sent[] {
    return this.takeUdp().map(({ source, destination, sourcePort, destinationPort, data }) => {
      const message = parseDhcp(data);
      expect([sourcePort, destinationPort]).toEqual([68, 67]);
      if (message === null) throw new Error('an ill-formed message');
      return { source, destination, message };
    });
  }

  answer(
    to: DhcpMessage,
    type: number,
    address: number,
    options: Options = GRANT,
    fields: Partial<DhcpMessage> = {},
  ): void {
    const { transaction, clientLink } = to;
    const message = buildDhcp(
      {
        operation: BOOT_REPLY,
        transaction,
        broadcast: false,
        clientAddress: 0,
        yourAddress: address,
        clientLink,
        options: optionsOf(type, options),
        ...fields,
      },
      0,
    );
    this.udp(67, 68, message, { source: ROUTER, destination: 0xffff_ffff, to: BROADCAST_LINK });
  }

  /** Goes through the whole course to the address 10.0.2.15. */
  bind(options: Options = GRANT): void {
    const [discover] = this.takeDhcp();
    if (discover === undefined) throw new Error('no DISCOVER');
    this.answer(discover.message, DHCP.OFFER, OWN, options);
    const [request] = this.takeDhcp();
    if (request === undefined) throw new Error('no REQUEST');
    this.answer(request.message, DHCP.ACK, OWN, options);
    this.wait(1000);
    expect(this.state).toBe('bound');
    this.wait(4000);
    this.frames.length = 0;
  }

  get state(): string {
    return this.stack.configuration().dhcp;
  }

  get address(): number | null {
    return this.stack.interfaces()[1]?.address ?? null;
  }
}

describe('DHCP', () => {
  it('discovers, requests, checks the address, and uses it', () => {
    const bench = new DhcpBench();
    const [discover] = bench.takeDhcp();
    expect(discover).toMatchObject({ source: 0, destination: 0xffff_ffff });
    expect(typeOf(discover?.message)).toBe(DHCP.DISCOVER);
    expect([...(discover?.message.options.get(DHCP_OPTION.PARAMETERS) ?? [])]).toEqual(
      expect.arrayContaining([1, 3, 6, 12, 15, 58, 59]),
    );
    expect(bench.state).toBe('selecting');
    if (discover === undefined) throw new Error('no DISCOVER');
    bench.answer(discover.message, DHCP.OFFER, OWN);
    const [request] = bench.takeDhcp();
    expect(typeOf(request?.message)).toBe(DHCP.REQUEST);
    if (request === undefined) throw new Error('no REQUEST');
    expect(request.message).toMatchObject({ transaction: discover.message.transaction, clientAddress: 0 });
    expect(option32(request.message, DHCP_OPTION.REQUESTED_ADDRESS)).toBe(OWN);
    expect(option32(request.message, DHCP_OPTION.SERVER)).toBe(ROUTER);
    expect(bench.state).toBe('requesting');
    bench.answer(request.message, DHCP.ACK, OWN);
    expect(bench.address).toBeNull();
    bench.wait(1000);
    const probes = bench.takeArp();
    expect(probes.map(({ sender, target }) => [sender, target])).toEqual([
      [0, OWN],
      [0, OWN],
      [0, OWN],
      [OWN, OWN],
    ]);
    expect(bench.address).toBe(OWN);
    expect(bench.stack.configuration()).toEqual({
      hostName: 'guest',
      domain: 'example.org',
      nameServers: [NAME_SERVER],
      dhcp: 'bound',
      dhcpServer: ROUTER,
      leaseEnds: 1000 + LEASE * 1000,
    });
    expect(bench.stack.routes().map(({ prefix, origin }) => [prefix, origin])).toEqual([
      [24, 'connected'],
      [0, 'dhcp'],
    ]);
  });

  it('asks again ever more slowly, says that it fails, and goes on', () => {
    const bench = new DhcpBench();
    const pauses: number[] = [];
    let last = bench.now;
    bench.takeDhcp();
    while (pauses.length < 10) {
      bench.now = bench.stack.deadline();
      bench.stack.advance(bench.now);
      const sent = bench.takeDhcp();
      if (sent.length === 0) continue;
      expect(typeOf(sent[0]?.message)).toBe(DHCP.DISCOVER);
      pauses.push(bench.now - last);
      last = bench.now;
    }
    const nominal = [4, 8, 16, 32, 64, 64, 64, 64, 64, 64].map((seconds) => seconds * 1000);
    for (const [index, pause] of pauses.entries())
      expect(Math.abs(pause - (nominal[index] ?? 0))).toBeLessThanOrEqual(1000);
    expect(new Set(pauses).size).toBeGreaterThan(5);
    expect(bench.state).toBe('failed');
    bench.wait(bench.stack.deadline() - bench.now);
    bench.bind();
  });

  it('gives a request up after four messages, and takes only what answers it', () => {
    const bench = new DhcpBench();
    const [discover] = bench.takeDhcp();
    if (discover === undefined) throw new Error('no DISCOVER');
    const { message } = discover;
    bench.answer(message, DHCP.OFFER, OWN, GRANT, { transaction: (message.transaction ^ 1) >>> 0 });
    bench.answer(message, DHCP.OFFER, OWN, GRANT, { clientLink: PEER_LINK });
    bench.answer(message, DHCP.OFFER, OWN, GRANT, { operation: 1 });
    bench.answer(
      message,
      DHCP.OFFER,
      OWN,
      GRANT.filter(([code]) => code !== DHCP_OPTION.SERVER),
    );
    bench.answer(message, DHCP.OFFER, parseIpv4('10.0.2.255'));
    bench.answer(message, DHCP.OFFER, parseIpv4('127.0.0.1'));
    bench.answer(message, DHCP.OFFER, OWN, [...GRANT, [DHCP_OPTION.LEASE_SECONDS, 1]]);
    bench.answer(message, DHCP.OFFER, OWN, [...GRANT, [DHCP_OPTION.SUBNET_MASK, 0xff00_ff00]]);
    bench.answer(message, DHCP.ACK, OWN);
    expect(bench.takeDhcp()).toEqual([]);
    expect(bench.state).toBe('selecting');
    bench.answer(message, DHCP.OFFER, OWN);
    const request = bench.takeDhcp()[0]?.message;
    if (request === undefined) throw new Error('no REQUEST');
    bench.answer(request, DHCP.ACK, PEER);
    bench.answer(request, DHCP.NAK, 0, [[DHCP_OPTION.SERVER, PEER]]);
    expect(bench.state).toBe('requesting');
    bench.wait(55_000);
    expect(bench.takeDhcp().map(({ message: each }) => typeOf(each))).toEqual([
      DHCP.REQUEST,
      DHCP.REQUEST,
      DHCP.REQUEST,
    ]);
    bench.wait(10_000);
    expect(typeOf(bench.takeDhcp()[0]?.message)).toBe(DHCP.DISCOVER);
  });

  it('begins anew when the server refuses, more slowly each time', () => {
    const bench = new DhcpBench();
    const pauses: number[] = [];
    for (let round = 0; round < 9; round++) {
      const [discover] = bench.takeDhcp();
      if (discover === undefined) throw new Error('no DISCOVER');
      bench.answer(discover.message, DHCP.OFFER, OWN);
      const [request] = bench.takeDhcp();
      if (request === undefined) throw new Error('no REQUEST');
      bench.answer(request.message, DHCP.NAK, 0, [[DHCP_OPTION.SERVER, ROUTER]]);
      const before = bench.now;
      bench.wait(bench.stack.deadline() - bench.now);
      pauses.push(bench.now - before);
    }
    expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 64, 64, 64].map((seconds) => seconds * 1000));
  });

  it('declines an address that somebody has, and asks for another', () => {
    const bench = new DhcpBench();
    const [discover] = bench.takeDhcp();
    if (discover === undefined) throw new Error('no DISCOVER');
    bench.answer(discover.message, DHCP.OFFER, OWN);
    const [request] = bench.takeDhcp();
    if (request === undefined) throw new Error('no REQUEST');
    bench.answer(request.message, DHCP.ACK, OWN);
    bench.wait(100);
    bench.frames.length = 0;
    bench.arp({ operation: ARP_REPLY, sender: OWN, targetLink: OWN_LINK, target: 0 }, OWN_LINK);
    const [decline] = bench.takeDhcp();
    expect(typeOf(decline?.message)).toBe(DHCP.DECLINE);
    expect(decline && option32(decline.message, DHCP_OPTION.REQUESTED_ADDRESS)).toBe(OWN);
    expect(bench.log).toEqual(['ne0: 10.0.2.15 is also used by 02:00:00:00:00:01']);
    bench.wait(9999);
    expect(bench.takeDhcp()).toEqual([]);
    bench.wait(1);
    expect(bench.takeDhcp()).toHaveLength(1);
    expect(bench.address).toBeNull();
  });

  it('two that probe the same address at once both give it up', () => {
    const bench = new DhcpBench();
    const [discover] = bench.takeDhcp();
    if (discover === undefined) throw new Error('no DISCOVER');
    bench.answer(discover.message, DHCP.OFFER, OWN);
    bench.answer(bench.takeDhcp()[0]?.message ?? discover.message, DHCP.ACK, OWN);
    bench.wait(100);
    bench.frames.length = 0;
    bench.arp({ sender: 0, target: OWN });
    expect(typeOf(bench.takeDhcp()[0]?.message)).toBe(DHCP.DECLINE);
  });

  it('gives up an address that it uses when somebody else insists on it', () => {
    const bench = new DhcpBench();
    bench.bind();
    bench.arp({ sender: OWN, target: PEER });
    expect(bench.address).toBe(OWN);
    bench.frames.length = 0;
    bench.arp({ sender: OWN, target: PEER });
    expect(bench.address).toBeNull();
    expect(bench.tcp.gone).toEqual([OWN]);
    expect(typeOf(bench.takeDhcp()[0]?.message)).toBe(DHCP.DECLINE);
    expect(bench.stack.routes()).toEqual([]);
    bench.wait(10_000);
    bench.bind();
  });

  it('renews at half of the time with the server, then rebinds with any, then gives up', () => {
    const bench = new DhcpBench();
    bench.bind();
    bench.arp({ operation: ARP_REPLY, sender: ROUTER, senderLink: PEER_LINK, targetLink: OWN_LINK }, OWN_LINK);
    bench.arp({ sender: ROUTER });
    const bound = 1000;
    bench.frames.length = 0;
    bench.wait(bound + 1800_000 - bench.now - 1);
    expect(bench.takeDhcp()).toEqual([]);
    bench.wait(1);
    bench.arp({ operation: ARP_REPLY, sender: ROUTER, senderLink: PEER_LINK, targetLink: OWN_LINK }, OWN_LINK);
    const [renewal] = bench.takeDhcp();
    expect(renewal).toMatchObject({ source: OWN, destination: ROUTER, message: { clientAddress: OWN } });
    expect(renewal && option32(renewal.message, DHCP_OPTION.SERVER)).toBeUndefined();
    expect(bench.state).toBe('renewing');
    const rebindAt = bound + 3150_000;
    for (let guard = 0; bench.now < rebindAt - 1 && guard < 10_000; guard++) {
      bench.wait(Math.min(1000, rebindAt - 1 - bench.now));
      bench.arp({ operation: ARP_REPLY, sender: ROUTER, senderLink: PEER_LINK, targetLink: OWN_LINK }, OWN_LINK);
    }
    const renewals = bench.takeDhcp();
    expect(renewals.length).toBeGreaterThan(2);
    expect(renewals.length).toBeLessThan(10);
    bench.wait(1);
    expect(bench.state).toBe('rebinding');
    expect(bench.takeDhcp()).toMatchObject([
      { source: OWN, destination: 0xffff_ffff, message: { clientAddress: OWN } },
    ]);
    bench.wait(bound + 3600_000 - bench.now - 1);
    expect(bench.address).toBe(OWN);
    bench.takeDhcp();
    bench.wait(1);
    expect(bench.address).toBeNull();
    expect(bench.tcp.gone).toEqual([OWN]);
    expect(bench.takeDhcp().map(({ message }) => typeOf(message))).toEqual([DHCP.DISCOVER]);
  });

  it('goes on with a lease that was renewed, without telling anybody', () => {
    const bench = new DhcpBench();
    bench.bind();
    bench.wait(1000 + 1800_000 - bench.now);
    const rebind = parseIpv4('10.0.2.9');
    bench.arp({ operation: ARP_REPLY, sender: ROUTER, senderLink: PEER_LINK, targetLink: OWN_LINK }, OWN_LINK);
    const renewal = bench.takeDhcp().at(-1);
    if (renewal === undefined) throw new Error('no renewal');
    bench.answer(renewal.message, DHCP.ACK, rebind);
    expect(bench.state).toBe('renewing');
    bench.answer(renewal.message, DHCP.ACK, OWN, [...GRANT, [DHCP_OPTION.NAME_SERVER, PEER]]);
    expect(bench.state).toBe('bound');
    expect(bench.stack.configuration().nameServers).toEqual([PEER]);
    expect(bench.tcp.gone).toEqual([]);
    expect(bench.frames).toEqual([]);
    expect(bench.stack.configuration().leaseEnds).toBeGreaterThan(1000 + LEASE * 1000);
  });

  it('loses the address when a renewal is refused', () => {
    const bench = new DhcpBench();
    bench.bind();
    bench.wait(1000 + 1800_000 - bench.now);
    bench.arp({ operation: ARP_REPLY, sender: ROUTER, senderLink: PEER_LINK, targetLink: OWN_LINK }, OWN_LINK);
    const renewal = bench.takeDhcp().at(-1);
    if (renewal === undefined) throw new Error('no renewal');
    bench.answer(renewal.message, DHCP.NAK, 0, [[DHCP_OPTION.SERVER, ROUTER]]);
    expect(bench.address).toBeNull();
    bench.wait(1000);
    bench.bind();
  });

  it('goes on after a restart as if nothing had been', () => {
    const bench = new DhcpBench();
    bench.bind();
    const again = new DhcpBench(bench.keeper, bench.now);
    expect(again.address).toBe(OWN);
    expect(again.stack.configuration()).toEqual(bench.stack.configuration());
    expect(again.stack.routes()).toEqual(bench.stack.routes());
    expect(again.takeDhcp()).toEqual([]);
    // Later than when it should have been renewed: it is, at once.
    const late = new DhcpBench(bench.keeper, 2000_000);
    late.settle();
    expect(late.address).toBe(OWN);
    expect(late.state).toBe('renewing');
    const tooLate = new DhcpBench(bench.keeper, 4000_000);
    expect(tooLate.address).toBeNull();
    expect(typeOf(tooLate.takeDhcp()[0]?.message)).toBe(DHCP.DISCOVER);
  });

  it('asks whether the address still holds when the cable comes back, and uses it meanwhile', () => {
    const bench = new DhcpBench();
    bench.bind();
    bench.stack.setLink('ne0', false, bench.now);
    bench.stack.setLink('ne0', true, bench.now);
    const [request] = bench.takeDhcp();
    expect(request).toMatchObject({ source: 0, destination: 0xffff_ffff, message: { clientAddress: 0 } });
    expect(request && option32(request.message, DHCP_OPTION.REQUESTED_ADDRESS)).toBe(OWN);
    expect([bench.state, bench.address]).toEqual(['bound', OWN]);
    // Nobody answers: it holds.
    bench.wait(20_000);
    expect([bench.state, bench.address]).toEqual(['bound', OWN]);
    bench.takeDhcp();
    bench.stack.setLink('ne0', false, bench.now);
    bench.stack.setLink('ne0', true, bench.now);
    bench.answer(bench.takeDhcp()[0]?.message ?? ({} as DhcpMessage), DHCP.NAK, 0);
    expect(bench.address).toBeNull();
  });

  it('ends with an address that is set, and begins anew when it is told to', () => {
    const bench = new DhcpBench();
    bench.bind();
    const set = (address: { address: number; prefix: number } | null, dhcp: boolean, up: boolean | null = null): void =>
      bench.stack.configure({ interface: 'ne0', up, address, dhcp }, bench.now);
    set({ address: PEER, prefix: 16 }, false);
    expect([bench.state, bench.address]).toEqual(['off', PEER]);
    expect(bench.stack.routes()).toMatchObject([{ destination: parseIpv4('10.0.0.0'), prefix: 16 }]);
    expect(bench.tcp.gone).toEqual([OWN]);
    expect(new DhcpBench(bench.keeper, bench.now).address).toBe(PEER);
    bench.wait(60_000);
    expect(bench.takeDhcp()).toEqual([]);
    set(null, true);
    expect([bench.state, bench.address]).toEqual(['selecting', null]);
    bench.bind();
    expect(bench.tcp.gone).toEqual([OWN, PEER]);
    // Down and up again: the lease holds.
    set(null, false, false);
    expect(bench.stack.interfaces()[1]?.up).toBe(false);
    bench.wait(1000_000);
    set(null, false, true);
    expect([bench.state, bench.address]).toEqual(['bound', OWN]);
    for (const address of ['10.0.2.0', '10.0.2.255', '0.0.0.0', '127.0.0.1', '224.0.0.1']) {
      expect(() => set({ address: parseIpv4(address), prefix: 24 }, false), address).toThrow('EINVAL');
    }
    expect(() => set({ address: OWN, prefix: 33 }, false)).toThrow('EINVAL');
    expect(() => set({ address: OWN, prefix: 24 }, true)).toThrow('EINVAL');
    expect(() => bench.stack.configure({ interface: 'ne9', up: true, address: null, dhcp: false }, 0)).toThrow(
      'ENODEV',
    );
    expect(bench.address).toBe(OWN);
  });

  it('takes an answer that is sent to the address it is about to have', () => {
    const bench = new DhcpBench();
    const [discover] = bench.takeDhcp();
    if (discover === undefined) throw new Error('no DISCOVER');
    const message = buildDhcp(
      { ...discover.message, operation: BOOT_REPLY, yourAddress: OWN, options: optionsOf(DHCP.OFFER, GRANT) },
      0,
    );
    const header = { source: ROUTER, destination: OWN, protocol: PROTOCOL.UDP, timeToLive: 64, identification: 1 };
    const [packet] = buildIpv4(header, buildUdp(ROUTER, 67, OWN, 68, message), 1500);
    if (packet === undefined) throw new Error('no packet');
    bench.frame(buildEthernet(OWN_LINK, PEER_LINK, ETHERTYPE.IPV4, packet));
    expect(bench.state).toBe('requesting');
  });
});

describe('a lease', () => {
  const message = (options: Options, address = OWN): DhcpMessage => ({
    operation: BOOT_REPLY,
    transaction: 0,
    broadcast: false,
    clientAddress: 0,
    yourAddress: address,
    clientLink: OWN_LINK,
    options: optionsOf(DHCP.ACK, [...GRANT, ...options]),
  });

  it('has the times of the server if they make sense', () => {
    const times = (renew: number, rebind: number, lease = LEASE): (number | null | undefined)[] => {
      const read = readLease(
        message([
          [DHCP_OPTION.RENEWAL_SECONDS, renew],
          [DHCP_OPTION.REBINDING_SECONDS, rebind],
          [DHCP_OPTION.LEASE_SECONDS, lease],
        ]),
        0,
      );
      return [read?.renewAt, read?.rebindAt, read?.expiresAt];
    };
    expect(times(10, 20)).toEqual([10_000, 20_000, 3600_000]);
    for (const [renew, rebind] of [
      [0, 20],
      [20, 10],
      [10, 3600],
      [4000, 5000],
    ] as const) {
      expect(times(renew, rebind)).toEqual([1800_000, 3150_000, 3600_000]);
    }
    expect(times(1, 2, 0xffff_ffff)).toEqual([null, null, null]);
  });

  it('has only what a host can use', () => {
    const read = (options: Options, address?: number) => readLease(message(options, address), 0);
    expect(read([[DHCP_OPTION.ROUTER, parseIpv4('192.0.2.1')]])?.router).toBeNull();
    expect(read([[DHCP_OPTION.ROUTER, Buffer.alloc(5)]])?.router).toBeNull();
    expect(read([[DHCP_OPTION.NAME_SERVER, Buffer.alloc(400, 8)]])?.nameServers).toHaveLength(8);
    expect(read([[DHCP_OPTION.DOMAIN_NAME, 'a b']])?.domain).toBe('');
    expect(read([[DHCP_OPTION.DOMAIN_NAME, 'example.com.\0']])?.domain).toBe('example.com');
    expect(read([[DHCP_OPTION.SUBNET_MASK, 0]])).toBeNull();
    expect(read([[DHCP_OPTION.SUBNET_MASK, 0xffff_ffff]])?.prefix).toBe(32);
    expect(read([[DHCP_OPTION.SUBNET_MASK, Buffer.alloc(3)]], parseIpv4('172.16.0.1'))?.prefix).toBe(16);
  });
});
