/** ARP: RFC 826, RFC 1122, 2.3.2, RFC 5227. */
import { describe, expect, it } from 'vitest';
import { parseIpv4 } from '../../../wire/address.ts';
import { ARP_REPLY, ARP_REQUEST } from '../../../wire/arp.ts';
import { BROADCAST_LINK, OWN, OWN_LINK, PEER, PEER_LINK, StackBench } from './stack-bench.ts';

const STRANGER = parseIpv4('10.0.2.99');
const STRANGER_LINK = Buffer.from('020000000063', 'hex');

function stateOf(bench: StackBench, address: number): string | undefined {
  return bench.stack.neighbours(bench.now).find((each) => each.address === address)?.state;
}

/** Sends a datagram; answers the name of the error, or ''. */
function send(bench: StackBench, address: number, text = 'x'): string {
  const socket = bench.stack.udp.bind({ address: 0, port: 0 }, { changed: () => {} });
  try {
    socket.send({ address, port: 9 }, Buffer.from(text), bench.now);
    return '';
  } catch (error) {
    return (error as { code: string }).code;
  } finally {
    socket.close();
  }
}

describe('ARP', () => {
  it('answers questions for our address, and probes; no others', () => {
    const bench = StackBench.configured();
    bench.arp({ operation: ARP_REQUEST });
    expect(bench.takeArp()).toEqual([
      { operation: ARP_REPLY, senderLink: OWN_LINK, sender: OWN, targetLink: PEER_LINK, target: PEER, to: PEER_LINK },
    ]);
    bench.arp({ sender: 0, senderLink: STRANGER_LINK });
    expect(bench.takeArp()).toMatchObject([{ operation: ARP_REPLY, target: 0, to: STRANGER_LINK }]);
    bench.arp({ target: STRANGER });
    bench.arp({ sender: parseIpv4('224.0.0.1') });
    bench.arp({ senderLink: BROADCAST_LINK });
    bench.arp({ senderLink: OWN_LINK });
    bench.arp({ operation: 3 });
    expect(bench.takeArp()).toEqual([]);
  });

  it('learns from a question to us and answers without asking', () => {
    const bench = StackBench.configured();
    bench.arp({ sender: STRANGER, senderLink: STRANGER_LINK });
    bench.takeArp();
    expect(send(bench, STRANGER)).toBe('');
    expect(bench.frames.map((frame) => frame.subarray(0, 6))).toEqual([STRANGER_LINK]);
  });

  it('does not remember who speaks to others, or is on another network', () => {
    const bench = StackBench.configured();
    bench.arp({ sender: STRANGER, target: PEER });
    bench.arp({ sender: STRANGER, target: STRANGER });
    bench.arp({ sender: parseIpv4('10.0.3.1') });
    bench.arp({ sender: parseIpv4('10.0.2.255') });
    expect(bench.stack.neighbours(bench.now)).toHaveLength(2);
  });

  it('asks once a second, three times, then refuses for five seconds and tells sockets', () => {
    const bench = StackBench.configured();
    const socket = bench.stack.udp.bind({ address: 0, port: 0 }, { changed: () => {} });
    socket.connect({ address: STRANGER, port: 9 });
    for (let count = 0; count < 3; count++) socket.send(null, Buffer.from('x'), bench.now);
    expect(bench.takeArp()).toMatchObject([
      { operation: ARP_REQUEST, sender: OWN, target: STRANGER, to: BROADCAST_LINK },
    ]);
    expect(stateOf(bench, STRANGER)).toBe('incomplete');
    bench.wait(2999);
    expect(bench.takeArp()).toHaveLength(2);
    bench.wait(1);
    expect(stateOf(bench, STRANGER)).toBe('failed');
    expect(socket.queue.error).toBe('EHOSTUNREACH');
    expect(send(bench, STRANGER)).toBe('EHOSTUNREACH');
    expect(bench.frames).toEqual([]);
    bench.wait(5000);
    expect(send(bench, STRANGER)).toBe('');
    expect(bench.takeArp()).toHaveLength(1);
  });

  it('tells TCP whose segment got nowhere', () => {
    const bench = StackBench.configured();
    const buffer = Buffer.alloc(60);
    buffer.writeUInt16BE(4000, 34);
    buffer.writeUInt16BE(80, 36);
    buffer.writeUInt32BE(77, 38);
    const packet = { source: OWN, destination: STRANGER, protocol: 6, timeToLive: 64, typeOfService: 0 };
    expect(bench.stack.send({ ...packet, dontFragment: true, buffer, payloadBytes: 20 }, bench.now)).toBeNull();
    bench.wait(3000);
    expect(bench.tcp.errors).toEqual([
      { kind: 'host', local: { address: OWN, port: 4000 }, remote: { address: STRANGER, port: 80 }, sequence: 77 },
    ]);
  });

  it('sends what has waited, in order and not more than was kept', () => {
    const bench = StackBench.configured();
    for (let count = 0; count < 80; count++) send(bench, STRANGER, `${count}`);
    bench.takeArp();
    bench.arp({ operation: ARP_REPLY, sender: STRANGER, senderLink: STRANGER_LINK, targetLink: OWN_LINK }, OWN_LINK);
    const texts = bench.takeUdp().map(({ data }) => data.toString());
    expect(texts).toEqual(Array.from({ length: 64 }, (_, index) => String(index + 16)));
    expect(stateOf(bench, STRANGER)).toBe('reachable');
  });

  it('asks whoever is used again before long, first him alone, and notices when he has moved', () => {
    const bench = StackBench.configured();
    bench.arp({ operation: ARP_REPLY, targetLink: OWN_LINK }, OWN_LINK);
    send(bench, PEER);
    bench.wait(59_000);
    send(bench, PEER);
    expect(bench.takeArp()).toEqual([]);
    bench.wait(2000);
    expect(stateOf(bench, PEER)).toBe('stale');
    send(bench, PEER);
    expect(bench.takeArp()).toMatchObject([{ operation: ARP_REQUEST, target: PEER, to: PEER_LINK }]);
    // Packets go on meanwhile.
    send(bench, PEER);
    expect(bench.take()).toHaveLength(1);
    bench.wait(2999);
    send(bench, PEER);
    bench.takeArp();
    bench.wait(1);
    expect(bench.takeArp()).toMatchObject([{ to: BROADCAST_LINK, target: PEER }]);
    send(bench, PEER, 'waits');
    expect(bench.take()).toEqual([]);
    bench.arp({ operation: ARP_REPLY, senderLink: STRANGER_LINK, targetLink: OWN_LINK }, OWN_LINK);
    expect(bench.frames[0]?.subarray(0, 6)).toEqual(STRANGER_LINK);
    expect(bench.takeUdp().map(({ data }) => data.toString())).toEqual(['waits']);
  });

  it('forgets whoever is not used and not heard of', () => {
    const bench = StackBench.configured();
    expect(bench.stack.neighbours(bench.now)).toHaveLength(2);
    bench.wait(12 * 60_000);
    expect(bench.stack.neighbours(bench.now)).toEqual([]);
    expect(bench.stack.deadline()).toBe(Infinity);
  });

  it('bears a flood: the cache is bounded, and those that are used stay', () => {
    const bench = StackBench.configured();
    send(bench, PEER);
    bench.frames.length = 0;
    for (let count = 0; count < 10_000; count++) {
      const senderLink = Buffer.from([2, 1, 0, 0, count >>> 8, count & 0xff]);
      bench.arp({ sender: parseIpv4('10.0.2.0') + (count % 250) + 1, senderLink });
      bench.frames.length = 0;
    }
    expect(bench.stack.neighbours(bench.now).length).toBeLessThanOrEqual(512);
    expect(stateOf(bench, PEER)).toBeDefined();
    // Our own questions are limited, whatever makes us ask.
    bench.stack.configure({ interface: 'ne0', up: null, address: { address: OWN, prefix: 8 }, dhcp: false }, bench.now);
    bench.wait(5000);
    bench.takeArp();
    for (let count = 0; count < 10_000; count++) send(bench, parseIpv4('10.1.0.0') + count);
    expect(bench.takeArp().length).toBeLessThanOrEqual(100);
    expect(bench.stack.neighbours(bench.now).length).toBeLessThanOrEqual(512);
    bench.wait(60_000);
    expect(bench.stack.neighbours(bench.now).filter(({ state }) => state === 'incomplete')).toEqual([]);
    bench.introduce(PEER, PEER_LINK);
    bench.take();
    expect(send(bench, PEER)).toBe('');
    expect(bench.take()).toHaveLength(1);
  });

  it('keeps what was set for good over everything, until it is removed', () => {
    const bench = StackBench.configured();
    bench.stack.setNeighbour(STRANGER, STRANGER_LINK, bench.now);
    bench.arp({ sender: STRANGER, senderLink: PEER_LINK });
    bench.takeArp();
    bench.wait(20 * 60_000);
    expect(send(bench, STRANGER)).toBe('');
    expect(bench.frames[0]?.subarray(0, 6)).toEqual(STRANGER_LINK);
    expect(bench.frames).toHaveLength(1);
    const again = StackBench.configured(bench.keeper);
    expect(stateOf(again, STRANGER)).toBe('permanent');
    again.stack.removeNeighbour(STRANGER);
    expect(stateOf(again, STRANGER)).toBeUndefined();
    expect(() => again.stack.removeNeighbour(STRANGER)).toThrow('ESRCH');
    expect(() => again.stack.setNeighbour(parseIpv4('192.0.2.1'), STRANGER_LINK, 0)).toThrow('ENETUNREACH');
    expect(() => again.stack.setNeighbour(STRANGER, BROADCAST_LINK, 0)).toThrow('EINVAL');
    expect(() => again.stack.setNeighbour(OWN, STRANGER_LINK, 0)).toThrow('EINVAL');
    expect(stateOf(StackBench.configured(bench.keeper), STRANGER)).toBeUndefined();
  });

  it('knows its neighbours after a restart, and asks for them when they are used', () => {
    const bench = StackBench.configured();
    bench.wait(10_000);
    const again = new StackBench(bench.keeper);
    again.now = bench.now;
    again.plug();
    expect(again.stack.interfaces()[1]).toMatchObject({ address: OWN, prefix: 24, origin: 'fixed' });
    expect(again.stack.routes()).toHaveLength(2);
    again.frames.length = 0;
    expect(send(again, PEER)).toBe('');
    expect(again.frames.map((frame) => frame.subarray(0, 6))).toEqual([PEER_LINK, PEER_LINK]);
    expect(again.take()).toHaveLength(1);
  });
});

describe('an address of ours', () => {
  it('is announced twice', () => {
    const bench = new StackBench();
    bench.plug();
    bench.frames.length = 0;
    bench.stack.configure(
      { interface: 'ne0', up: null, address: { address: OWN, prefix: 24 }, dhcp: false },
      bench.now,
    );
    const announcement = { operation: ARP_REQUEST, sender: OWN, target: OWN, senderLink: OWN_LINK, to: BROADCAST_LINK };
    expect(bench.takeArp()).toMatchObject([announcement]);
    bench.wait(2000);
    expect(bench.takeArp()).toMatchObject([announcement]);
    bench.wait(60_000);
    expect(bench.takeArp()).toEqual([]);
  });

  it('that was set is defended, every ten seconds at most, and kept', () => {
    const bench = StackBench.configured();
    for (let count = 0; count < 5; count++) bench.arp({ sender: OWN, senderLink: STRANGER_LINK, target: PEER });
    expect(bench.takeArp()).toMatchObject([{ operation: ARP_REQUEST, sender: OWN, target: OWN }]);
    expect(bench.log).toContain('ne0: 10.0.2.15 is also used by 02:00:00:00:00:63');
    bench.wait(10_000);
    bench.arp({ operation: ARP_REPLY, sender: OWN, senderLink: STRANGER_LINK, targetLink: OWN_LINK }, OWN_LINK);
    expect(bench.takeArp()).toHaveLength(1);
    expect(bench.stack.isOwn(OWN)).toBe(true);
    for (let count = 0; count < 1000; count++) bench.arp({ sender: OWN, senderLink: STRANGER_LINK });
    expect(bench.log.length).toBeLessThanOrEqual(6);
  });
});
