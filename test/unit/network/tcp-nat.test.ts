import { describe, expect, it } from 'vitest';
import { FLAG } from '../../../wire/tcp.ts';
import { FakeStream, GUEST, UserBench } from './user-bench.ts';

const { ACK, FIN, RST, SYN } = FLAG;
const REMOTE = '192.0.2.1';

describe('a connection that the guest opens', () => {
  it('is answered when the host is connected, not before', () => {
    const bench = new UserBench();
    bench.tcp(REMOTE, { flags: SYN, sequence: 100 });
    bench.tcp(REMOTE, { flags: SYN, sequence: 100 });
    expect(bench.host.streams.map((stream) => stream.to)).toEqual([{ address: REMOTE, port: 80 }]);
    expect(bench.take()).toEqual([]);
    bench.host.streams[0]?.handler.connected();
    expect(bench.takeTcp()).toMatchObject([
      { flags: SYN | ACK, acknowledgment: 101, sourcePort: 80, destinationPort: 4000 },
    ]);
    expect(bench.host.streams[0]?.paused).toBe(true);
    bench.tcp(REMOTE, { flags: ACK, sequence: 101, acknowledgment: 2 });
    expect(bench.host.streams[0]?.paused).toBe(false);
  });

  it('to the router is one to the host itself', () => {
    const bench = new UserBench();
    bench.tcp('10.0.2.2', { flags: SYN });
    expect(bench.host.streams[0]?.to).toEqual({ address: '127.0.0.1', port: 80 });
  });

  it('is refused as the host refuses it', () => {
    const bench = new UserBench();
    const fail = (code: string): void => {
      bench.tcp(REMOTE, { flags: SYN, sequence: 100 });
      bench.host.streams.at(-1)?.handler.failed(code);
    };
    fail('ECONNREFUSED');
    expect(bench.takeTcp()).toMatchObject([{ flags: RST | ACK, sequence: 0, acknowledgment: 101 }]);
    for (const code of ['EHOSTUNREACH', 'ETIMEDOUT', 'ENETUNREACH', 'EACCES']) fail(code);
    expect(bench.takeIcmp()).toEqual([1, 1, 0, 13].map((code) => `10.0.2.2 3 ${code} about 6`));
    expect(bench.network.flows.tcp).toBe(0);
  });

  it('to where nobody can be is refused at once', () => {
    for (const [bench, to] of [
      [new UserBench(), '10.0.2.77'],
      [new UserBench(true), REMOTE],
      [new UserBench(true), '10.0.2.2'],
    ] as const) {
      bench.tcp(to, { flags: SYN });
      expect(bench.takeTcp()).toMatchObject([{ flags: RST | ACK }]);
      expect(bench.host.streams).toEqual([]);
    }
    const bench = new UserBench();
    for (const to of ['127.0.0.1', '224.0.0.1', '255.255.255.255', '10.0.2.255']) bench.tcp(to, { flags: SYN });
    expect([bench.take(), bench.host.streams]).toEqual([[], []]);
  });

  it('given up by the guest while the host connects is given up', () => {
    const bench = new UserBench();
    bench.tcp(REMOTE, { flags: SYN, sequence: 100 });
    bench.host.streams[0]?.handler.connected();
    bench.tcp(REMOTE, { flags: RST, sequence: 101 });
    expect([bench.host.streams[0]?.destroyed, bench.network.flows.tcp]).toEqual([true, 0]);
  });
});

describe('data', () => {
  it('goes both ways', () => {
    const bench = new UserBench();
    const { stream, sequence } = bench.connect();
    bench.tcp(REMOTE, { flags: ACK, sequence: 101, acknowledgment: sequence, data: Buffer.from('GET /') });
    expect(stream.text).toBe('GET /');
    stream.handler.data(Buffer.from('200 OK'));
    expect(bench.takeTcp()).toMatchObject([{ acknowledgment: 106, data: Buffer.from('200 OK') }]);
  });

  it('waits in the socket of the host while the guest does not take it', () => {
    const bench = new UserBench();
    const { stream, sequence } = bench.connect();
    stream.handler.data(Buffer.alloc(40_000));
    expect(stream.paused).toBe(false);
    stream.handler.data(Buffer.alloc(40_000));
    expect(stream.paused).toBe(true);
    let acknowledged = 0;
    while (acknowledged < 80_000) {
      for (const segment of bench.takeTcp()) acknowledged += segment.data.length;
      bench.tcp(REMOTE, { flags: ACK, sequence: 101, acknowledgment: sequence + acknowledged });
      expect(stream.paused).toBe(80_000 - acknowledged > 32 * 1024);
    }
  });

  it('waits in the guest while the host does not take it', () => {
    const bench = new UserBench();
    const { stream, sequence } = bench.connect();
    let at = 101;
    let window = 65_535;
    while (window > 0) {
      const data = Buffer.alloc(Math.min(1460, window));
      bench.tcp(REMOTE, { flags: ACK, sequence: at, acknowledgment: sequence, data });
      at += data.length;
      bench.wait(10);
      window = bench.takeTcp().at(-1)?.window ?? window;
    }
    expect([at - 101, stream.pending]).toEqual([65_535, 65_535]);
    stream.drain(1000);
    expect(bench.take()).toEqual([]);
    stream.drain(10_000);
    expect(bench.takeTcp()).toMatchObject([{ flags: ACK, window: 11_000 }]);
  });
});

describe('an end', () => {
  it('of the guest reaches the host, which may go on sending', () => {
    const bench = new UserBench();
    const { stream, sequence } = bench.connect();
    bench.tcp(REMOTE, { flags: ACK | FIN, sequence: 101, acknowledgment: sequence, data: Buffer.from('bye') });
    expect([stream.text, stream.hasEnded]).toEqual(['bye', true]);
    bench.take();
    stream.handler.data(Buffer.from('still here'));
    stream.handler.ended();
    const [data, fin] = bench.takeTcp();
    expect([data?.data.toString(), (fin?.flags ?? 0) & FIN]).toEqual(['still here', FIN]);
    stream.handler.closed();
    expect(bench.network.flows.tcp).toBe(1);
    bench.tcp(REMOTE, { flags: ACK, sequence: 105, acknowledgment: sequence + 11 });
    expect([bench.network.flows.tcp, stream.destroyed]).toEqual([0, false]);
  });

  it('of the host reaches the guest, which may go on sending', () => {
    const bench = new UserBench();
    const { stream, sequence } = bench.connect();
    stream.handler.ended();
    expect(bench.takeTcp()).toMatchObject([{ flags: ACK | FIN }]);
    bench.tcp(REMOTE, { flags: ACK, sequence: 101, acknowledgment: sequence + 1, data: Buffer.from('more') });
    bench.tcp(REMOTE, { flags: ACK | FIN, sequence: 105, acknowledgment: sequence + 1 });
    expect([stream.text, stream.hasEnded]).toEqual(['more', true]);
    stream.handler.closed();
    expect(bench.network.flows.tcp).toBe(1);
    bench.wait(30_000);
    expect(bench.network.flows.tcp).toBe(0);
  });

  it('of the host by force is a reset for the guest', () => {
    const bench = new UserBench();
    const { stream } = bench.connect();
    bench.take();
    stream.handler.failed('ECONNRESET');
    expect(bench.takeTcp()).toMatchObject([{ flags: RST | ACK }]);
    expect(bench.network.flows.tcp).toBe(0);
  });

  it('of the guest by force is a reset for the host', () => {
    const bench = new UserBench();
    const { stream } = bench.connect();
    bench.tcp(REMOTE, { flags: RST, sequence: 101 });
    expect([stream.destroyed, bench.network.flows.tcp]).toEqual([true, 0]);
  });

  it('leaves room for the next connection with the same ports', () => {
    const bench = new UserBench();
    const { stream, sequence } = bench.connect();
    stream.handler.ended();
    bench.tcp(REMOTE, { flags: ACK | FIN, sequence: 101, acknowledgment: sequence + 1 });
    bench.take();
    bench.tcp(REMOTE, { flags: SYN, sequence: 5000 });
    expect(bench.host.streams).toHaveLength(2);
    bench.host.streams[1]?.handler.connected();
    expect(bench.takeTcp()).toMatchObject([{ flags: SYN | ACK, acknowledgment: 5001 }]);
  });

  it('of the guest before the host has taken everything lets it take the rest', () => {
    const bench = new UserBench();
    const { stream, sequence } = bench.connect();
    bench.tcp(REMOTE, { flags: ACK | FIN, sequence: 101, acknowledgment: sequence, data: Buffer.from('rest') });
    stream.handler.ended();
    bench.tcp(REMOTE, { flags: ACK, sequence: 106, acknowledgment: sequence + 1 });
    expect([stream.destroyed, bench.network.flows.tcp]).toEqual([false, 1]);
    stream.handler.closed();
    expect(bench.network.flows.tcp).toBe(0);
  });
});

describe('segments of no connection', () => {
  it('are answered with a reset, resets are not', () => {
    const bench = new UserBench();
    bench.tcp(REMOTE, { flags: ACK, sequence: 7, acknowledgment: 99, data: Buffer.from('x') });
    bench.tcp(REMOTE, { flags: FIN, sequence: 7 });
    bench.tcp(REMOTE, { flags: RST, sequence: 7 });
    bench.tcp(REMOTE, { flags: RST | SYN, sequence: 7 });
    expect(bench.takeTcp()).toMatchObject([
      { flags: RST, sequence: 99 },
      { flags: RST | ACK, sequence: 0, acknowledgment: 8 },
    ]);
  });
});

describe('the number of connections', () => {
  it('is limited; those that are over make room first', () => {
    const bench = new UserBench();
    const { stream: old, sequence } = bench.connect(REMOTE, 1);
    old.handler.ended();
    bench.tcp(REMOTE, { sourcePort: 1, flags: ACK | FIN, sequence: 101, acknowledgment: sequence + 1 });
    for (let port = 2; port <= 512; port++) bench.connect(REMOTE, port);
    bench.take();
    expect(bench.network.flows.tcp).toBe(512);
    bench.connect(REMOTE, 513);
    expect([bench.network.flows.tcp, old.destroyed]).toEqual([512, true]);
    bench.take();
    bench.tcp(REMOTE, { sourcePort: 514, flags: SYN });
    expect(bench.takeTcp()).toMatchObject([{ flags: RST | ACK, destinationPort: 514 }]);
    expect(bench.host.streams).toHaveLength(513);
    bench.network.close();
    expect([bench.network.flows.tcp, bench.network.nextTimeout]).toEqual([0, Infinity]);
    expect(bench.host.streams.every((stream) => stream.destroyed)).toBe(true);
  });
});

describe('a forwarded port', () => {
  function come(bench: UserBench): FakeStream {
    let stream: FakeStream | null = null;
    bench.network.forwardStream({ address: GUEST, port: 80 }, (handler) => {
      stream = new FakeStream(null, handler);
      return stream;
    });
    if (stream === null) throw new Error('the connection was not taken');
    return stream;
  }

  it('opens a connection to the guest', () => {
    const bench = new UserBench();
    bench.introduce();
    const stream = come(bench);
    expect(stream.paused).toBe(true);
    const [syn] = bench.takeTcp();
    expect(syn).toMatchObject({ flags: SYN, destinationPort: 80 });
    const fields = { sourcePort: 80, destinationPort: syn?.sourcePort ?? 0, acknowledgment: (syn?.sequence ?? 0) + 1 };
    bench.tcp('10.0.2.2', { ...fields, flags: SYN | ACK, sequence: 900 });
    expect(stream.paused).toBe(false);
    bench.tcp('10.0.2.2', { ...fields, flags: ACK, sequence: 901, data: Buffer.from('hello') });
    expect(stream.text).toBe('hello');
  });

  it('gives each connection a port of its own', () => {
    const bench = new UserBench();
    bench.introduce();
    for (let count = 0; count < 600; count++) come(bench);
    const ports = new Set(bench.takeTcp().map((segment) => segment.sourcePort));
    expect([ports.size, bench.network.flows.tcp]).toEqual([512, 512]);
  });

  it('is a reset for the caller when the guest refuses or does not answer', () => {
    const bench = new UserBench();
    bench.introduce();
    const refused = come(bench);
    const [syn] = bench.takeTcp();
    const fields = { sourcePort: 80, destinationPort: syn?.sourcePort ?? 0, acknowledgment: (syn?.sequence ?? 0) + 1 };
    bench.tcp('10.0.2.2', { ...fields, flags: RST | ACK });
    expect(refused.destroyed).toBe(true);
    const silent = come(bench);
    bench.wait(64_000);
    expect([silent.destroyed, bench.network.flows.tcp]).toEqual([true, 0]);
  });

  it('ends when the caller goes away before the guest has answered', () => {
    const bench = new UserBench();
    bench.introduce();
    come(bench).handler.failed('ECONNRESET');
    expect(bench.network.flows.tcp).toBe(0);
  });
});
