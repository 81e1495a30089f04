/** The stack and the network `user` on one cable, both as they are: what a machine does with the default options. */
import { describe, expect, it } from 'vitest';
import { UserNetwork } from '../../../hw/network/user/network.ts';
import { parseIpv4 } from '../../../wire/address.ts';
import { buildIcmp, parseIcmp } from '../../../wire/icmp.ts';
import type { MemoryKeeper } from '../../support/memory-keeper.ts';
import { Random } from '../../support/random.ts';
import { FakeHost } from '../network/user-bench.ts';
import { FAR, ROUTER, StackBench } from './stack-bench.ts';

class Cabled extends StackBench {
  readonly host = new FakeHost();
  readonly network: UserNetwork;
  readonly #toStack: Buffer[] = [];
  #random = 1;

  constructor(keeper?: MemoryKeeper, network?: UserNetwork) {
    super(keeper);
    this.network =
      network ??
      new UserNetwork({
        host: this.host,
        restricted: false,
        clock: () => this.now,
        random32: () => this.#random++,
        transmit: (frame) => this.#toStack.push(Buffer.from(frame)),
      });
    this.deliver = (frame) => this.network.receive(frame);
    this.plug();
  }

  /** Lets both sides run for some milliseconds. */
  override wait(milliseconds: number): void {
    const end = this.now + milliseconds;
    for (let turns = 0; turns < 10_000; turns++) {
      for (const frame of this.#toStack.splice(0)) this.frame(frame);
      const due = Math.min(this.stack.deadline(), this.network.nextTimeout);
      if (due > end && this.#toStack.length === 0) break;
      if (due <= end) this.now = Math.max(this.now, due);
      this.stack.advance(this.now);
      this.network.advance();
    }
    this.now = end;
  }
}

describe('the stack at the network `user`', () => {
  it('gets its address, router and name server within a second', () => {
    const bench = new Cabled();
    bench.wait(1000);
    expect(bench.stack.configuration()).toMatchObject({
      dhcp: 'bound',
      dhcpServer: ROUTER,
      nameServers: [parseIpv4('10.0.2.3')],
    });
    expect(bench.stack.interfaces()).toMatchObject([
      { name: 'lo', address: parseIpv4('127.0.0.1') },
      { name: 'ne0', address: parseIpv4('10.0.2.15'), prefix: 24, origin: 'dhcp' },
    ]);
    expect(bench.stack.routes()).toMatchObject([
      { destination: parseIpv4('10.0.2.0'), prefix: 24, gateway: null, origin: 'connected' },
      { destination: 0, prefix: 0, gateway: ROUTER, origin: 'dhcp' },
    ]);
  });

  it('pings the router with up to 65,507 bytes', () => {
    const bench = new Cabled();
    bench.wait(1000);
    const socket = bench.stack.raw.open(1, () => {});
    for (const size of [0, 56, 1472, 1473, 65_507]) {
      const data = new Random(size).bytes(size);
      socket.send({ address: ROUTER, port: 0 }, buildIcmp({ type: 8, code: 0, rest: 7, data }), bench.now);
      bench.wait(10);
      const reply = socket.receive();
      expect(reply?.from.address).toBe(ROUTER);
      const message = reply === undefined ? null : parseIcmp(reply.data);
      expect(message).toMatchObject({ type: 0, rest: 7 });
      expect(message?.data.equals(data)).toBe(true);
    }
  });

  it('exchanges datagrams with the world', () => {
    const bench = new Cabled();
    bench.wait(1000);
    const socket = bench.stack.udp.bind({ address: 0, port: 0 }, { changed: () => {} });
    socket.send({ address: FAR, port: 7 }, Buffer.from('ping'), bench.now);
    bench.wait(10);
    const outside = bench.host.sockets.at(-1);
    expect(outside?.to).toEqual({ address: '192.0.2.1', port: 7 });
    expect(outside?.sent.map(String)).toEqual(['ping']);
    outside?.handler.data(Buffer.from('pong'));
    bench.wait(10);
    expect(socket.receive()).toMatchObject({ from: { address: FAR, port: 7 }, data: Buffer.from('pong') });
  });

  it('finds a name through the router’s name server', () => {
    const bench = new Cabled();
    bench.wait(1000);
    const results: unknown[] = [];
    bench.stack.resolve('www.example.org', 10_000, bench.now, (resolution) => results.push(resolution));
    bench.wait(10);
    const server = bench.host.sockets.at(-1);
    const query = server?.sent[0];
    if (server === undefined || query === undefined) throw new Error('the host’s name server was not asked');
    expect(server.to).toEqual({ address: '192.0.2.53', port: 53 });
    const answer = Buffer.concat([query, Buffer.from('c00c00010001000000090004c0000207', 'hex')]);
    answer.writeUInt16BE(0x8180, 2);
    answer.writeUInt16BE(1, 6);
    server.handler.data(answer);
    bench.wait(10);
    expect(results).toEqual([{ addresses: [parseIpv4('192.0.2.7')] }]);
  });

  it('goes on after a restart with its lease and its neighbours', () => {
    const bench = new Cabled();
    bench.wait(1000);
    const data = Buffer.alloc(0);
    bench.stack.raw
      .open(1, () => {})
      .send({ address: ROUTER, port: 0 }, buildIcmp({ type: 8, code: 0, rest: 7, data }), bench.now);
    bench.wait(10_000);
    const again = new Cabled(bench.keeper, bench.network);
    expect(again.stack.configuration()).toEqual(bench.stack.configuration());
    expect(again.stack.neighbours(again.now)).toMatchObject([{ address: ROUTER }]);
  });
});
