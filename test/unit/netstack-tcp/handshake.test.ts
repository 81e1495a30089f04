/** Beginning and end of connections, segment by segment: RFC 9293, 3.5, 3.6 and 3.10. */
import { describe, expect, it } from 'vitest';
import type { TcpOutput } from '../../../services/netstack/tcp/environment.ts';
import { TcpLayer } from '../../../services/netstack/tcp/layer.ts';
import { MemoryKeeper } from '../../support/memory-keeper.ts';
import { Random } from '../../support/random.ts';
import { PEER, PORT, Script, US } from './script.ts';

/** TCP of a host whose packets go to a list. */
function newLayer(address: number, travelling: TcpOutput[]): TcpLayer {
  const random = new Random(address);
  return new TcpLayer({
    output: (packet) => void travelling.push(packet),
    mayOutput: () => true,
    sourceFor: () => ({ address, mtu: 1500 }),
    random: (count) => random.bytes(count),
    keeper: new MemoryKeeper(),
    pathMtu: () => 1500,
  });
}

describe('a passive open', () => {
  it('answers a SYN with the options that it offers', () => {
    const script = Script.listening();
    script.peer({ flags: 'S', at: -1, segmentSize: 1460, windowShift: 7, selectivePermitted: true, timestamp: 77 });
    const [answer] = script.seen();
    expect(answer).toMatchObject({ flags: 'SA', at: -1, ack: 0, segmentSize: 1460, windowShift: 3, timestampEcho: 77 });
    expect(answer?.selectivePermitted).toBe(true);
    expect(answer?.output).toMatchObject({ source: US, destination: PEER, timeToLive: 64, dontFragment: true });
    expect(answer?.output.packet.length).toBe((answer?.output.payload.length ?? 0) + 34);
  });

  it('offers nothing that the SYN does not', () => {
    const script = Script.listening();
    script.peer({ flags: 'S', at: -1 });
    const [answer] = script.seen();
    expect(answer?.segmentSize).toBe(1460);
    expect([answer?.windowShift, answer?.selectivePermitted, answer?.timestamp]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    script.peer({ at: 0, ack: 0 });
    script.connection = script.listener?.accept();
    script.write(2000);
    expect(script.brief()).toEqual(['A 0+536 ack 0', 'A 536+536 ack 0', 'A 1072+536 ack 0']);
  });

  it('answers the SYN again when it comes again, and by itself', () => {
    const script = Script.listening();
    script.peer({ flags: 'S', at: -1 });
    expect(script.brief()).toEqual(['SA -1+0 ack 0']);
    script.peer({ flags: 'S', at: -1 });
    expect(script.brief()).toEqual(['SA -1+0 ack 0']);
    script.wait(3100);
    expect(script.brief()).toEqual(['SA -1+0 ack 0', 'SA -1+0 ack 0']);
    script.wait(120_000);
    expect(script.layer.list().map(({ state }) => state)).toEqual(['listen']);
  });

  it('ends with a reset of the peer, and refuses a wrong acknowledgement', () => {
    const script = Script.listening();
    script.peer({ flags: 'S', at: -1 });
    script.seen();
    script.peer({ at: 0, ack: 5 });
    expect(script.seen()).toMatchObject([{ flags: 'R', at: 5 }]);
    script.peer({ flags: 'R', at: 0 });
    expect(script.layer.list()).toHaveLength(1);
  });

  it('keeps as many as the backlog has, and forgets who is reset while it waits', () => {
    const script = Script.listening(2);
    for (const port of [1001, 1002, 1003]) {
      script.peer({ flags: 'S', at: -1, port });
      const [answer] = script.seen();
      if (port === 1003) expect(answer).toBeUndefined();
      else script.peer({ at: 0, ack: 0, port });
    }
    expect(script.listener?.waiting).toHaveLength(2);
    script.peer({ flags: 'R', at: 0, port: 1001 });
    expect(script.listener?.waiting).toHaveLength(1);
    expect(script.listener?.accept()?.remote.port).toBe(1002);
  });

  it('lets the peer wait when the queue has become full during the handshake', () => {
    const script = Script.listening(1);
    script.peer({ flags: 'S', at: -1, port: 1001 }, true);
    script.peer({ flags: 'S', at: -1, port: 1002 });
    const [first, second] = script.seen();
    expect([first?.flags, second?.flags]).toEqual(['SA', 'SA']);
    script.peer({ at: 0, ack: 0, port: 1002 });
    expect(script.listener?.waiting).toHaveLength(1);
    script.initial = first === undefined ? 0 : first.output.payload.readUInt32BE(4) >>> 0;
    script.peer({ at: 0, ack: 0, port: 1001 });
    expect(script.listener?.waiting).toHaveLength(1);
    script.listener?.accept();
    script.peer({ at: 0, ack: 0, port: 1001 });
    expect(script.listener?.waiting).toHaveLength(1);
  });

  it('resets what belongs to nothing', () => {
    const script = new Script();
    script.peer({ flags: 'S', at: -1 });
    expect(script.seen()).toMatchObject([{ flags: 'RA', ack: 0 }]);
    script.peer({ flags: 'A', at: 10, ack: 20 });
    expect(script.seen()).toMatchObject([{ flags: 'R', at: 20 }]);
    script.peer({ flags: 'R', at: 10 });
    script.peer({ flags: 'S', at: -1, from: 0xe000_0001 });
    expect(script.seen()).toEqual([]);
  });
});

describe('an active open', () => {
  it('offers everything, and takes what the peer agrees to', () => {
    const script = Script.connecting().turn();
    expect(script.seen()).toMatchObject([
      { flags: 'S', at: -1, window: 65_535, segmentSize: 1460, windowShift: 3, selectivePermitted: true },
    ]);
    script.peer({ flags: 'SA', at: -1, ack: 0, segmentSize: 1000, windowShift: 2, window: 100 });
    expect(script.brief()).toEqual(['A 0+0 ack 0']);
    expect(script.our.state).toBe('established');
    // The window of a SYN is not scaled.
    script.write(500);
    expect(script.brief()).toEqual(['A 0+100 ack 0']);
    script.peer({ at: 0, ack: 100, window: 100 });
    expect(script.brief()).toEqual(['PA 100+400 ack 0']);
  });

  it('is refused, by a reset that acknowledges the SYN only', () => {
    const script = Script.connecting().turn();
    script.seen();
    script.peer({ flags: 'R', at: 0 });
    script.peer({ flags: 'RA', at: 0, ack: 7 });
    expect(script.our.state).toBe('syn-sent');
    script.peer({ flags: 'A', at: 0, ack: 9 });
    expect(script.seen()).toMatchObject([{ flags: 'R', at: 9 }]);
    script.peer({ flags: 'RA', at: 0, ack: 0 });
    expect([script.our.state, script.our.error]).toEqual(['closed', 'ECONNREFUSED']);
  });

  it('gives up after three minutes, each SYN twice as late as the one before', () => {
    const script = Script.connecting().turn();
    const times: number[] = [];
    const begin = script.now;
    while (script.our.state === 'syn-sent') {
      script.wait(100);
      for (const { flags } of script.seen()) if (flags === 'S') times.push(Math.round((script.now - begin) / 1000));
    }
    expect(times).toEqual([0, 1, 3, 7, 15, 31, 63, 123]);
    expect(script.our.error).toBe('ETIMEDOUT');
  });

  it('believes ICMP errors about its SYN, and later none', () => {
    const ends = (script: Script) => [script.our.local, script.our.remote] as const;
    for (const [kind, error] of [
      ['port', 'ECONNREFUSED'],
      ['net', 'ENETUNREACH'],
      ['host', 'EHOSTUNREACH'],
    ] as const) {
      const script = Script.connecting().turn();
      script.seen();
      script.layer.unreachable(kind, ...ends(script), (script.initial + 1000) >>> 0);
      expect(script.our.state).toBe('syn-sent');
      script.layer.unreachable(kind, ...ends(script), script.initial);
      expect(script.our.error).toBe(error);
    }
    const script = Script.established();
    script.write(10);
    script.layer.unreachable('host', ...ends(script), (script.initial + 1) >>> 0);
    expect(script.our.state).toBe('established');
    script.wait(400_000);
    expect([script.our.state, script.our.error]).toEqual(['closed', 'EHOSTUNREACH']);
  });

  it('meets another that comes from the peer at the same time', () => {
    const script = Script.connecting().turn();
    script.seen();
    script.peer({ flags: 'S', at: -1, segmentSize: 1460 });
    expect(script.our.state).toBe('syn-received');
    expect(script.brief()).toEqual(['SA -1+0 ack 0']);
    script.peer({ flags: 'S', at: -1, segmentSize: 1460 });
    expect(script.our.state).toBe('syn-received');
    expect(script.brief()).toEqual(['SA -1+0 ack 0']);
    script.peer({ flags: 'SA', at: -1, ack: 0, window: 1000 });
    expect(script.our.state).toBe('established');
    // The peer may not have seen our answer to its SYN.
    expect(script.brief()).toEqual(['A 0+0 ack 0']);
    script.peer({ flags: 'A', at: 0, ack: 0, data: 'hello' });
    expect(script.read(0)).toEqual(Buffer.from('hello'));
  });

  it('meets another of the same kind, or itself, and is established with a few segments', () => {
    for (const [one, other] of [
      [US, PEER],
      [US, US],
    ] as const) {
      const travelling: TcpOutput[] = [];
      const layers = new Map<number, TcpLayer>();
      for (const address of [one, other]) layers.set(address, newLayer(address, travelling));
      const ends = [...new Set([one, other])].map((address) => ({ address, port: 5000 }));
      const connections = ends.map((local) =>
        layers.get(local.address)?.connect(local, { address: local.address === one ? other : one, port: 5000 }, 1000),
      );
      for (const layer of layers.values()) layer.advance(1000);
      let segments = 0;
      for (let packet = travelling.shift(); packet !== undefined && segments < 100; packet = travelling.shift()) {
        segments++;
        const layer = layers.get(packet.destination);
        layer?.input(packet.source, packet.destination, packet.payload, 1001);
        if (travelling.length === 0) for (const each of layers.values()) each.advance(1001);
      }
      expect(connections.map((connection) => connection?.state)).toEqual(connections.map(() => 'established'));
      expect(segments).toBeLessThan(10);
    }
  });

  it('fails without a way or with ends in use', () => {
    const script = Script.connecting();
    expect(() => script.layer.connect({ address: US, port: 0 }, { address: 1, port: 1 }, 0)).toThrow('ENETUNREACH');
    const { local, remote } = script.our;
    expect(() => script.layer.connect(local, remote, 0)).toThrow('EADDRINUSE');
    expect(script.layer.isPortFree(local)).toBe(false);
    expect(script.layer.isPortFree(local, true)).toBe(true);
    script.layer.listen({ address: 0, port: 99 }, 1);
    expect(script.layer.isPortFree({ address: US, port: 99 }, true)).toBe(false);
    expect(() => script.layer.listen({ address: 0, port: 99 }, 1)).toThrow('EADDRINUSE');
  });
});

describe('closing', () => {
  it('by us first: FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT', () => {
    const script = Script.established();
    script.write('bye');
    script.our.closeSend();
    script.turn();
    expect(script.brief()).toEqual(['PA 0+3 ack 0', 'FA 3+0 ack 0']);
    expect(script.our.state).toBe('fin-wait-1');
    script.peer({ ack: 4 });
    expect(script.our.state).toBe('fin-wait-2');
    script.peer({ at: 0, ack: 4, data: 'more' });
    expect(script.read(0)).toEqual(Buffer.from('more'));
    script.peer({ flags: 'FA', at: 4, ack: 4 });
    expect(script.our.state).toBe('time-wait');
    expect(script.brief().at(-1)).toBe('A 4+0 ack 5');
    expect(script.read(4)).toBe('end');
    script.peer({ flags: 'FA', at: 4, ack: 4 });
    expect(script.brief()).toEqual(['A 4+0 ack 5']);
    script.wait(61_000);
    expect(script.our.state).toBe('closed');
    expect(script.our.error).toBeNull();
  });

  it('by the peer first: CLOSE-WAIT, LAST-ACK', () => {
    const script = Script.established();
    script.peer({ flags: 'FA', at: 0, ack: 0, data: 'all' });
    expect(script.our.state).toBe('close-wait');
    expect(script.read(0)).toEqual(Buffer.from('all'));
    expect(script.brief()).toEqual(['A 0+0 ack 4']);
    expect(script.read(3)).toBe('end');
    script.write('answer');
    expect(script.brief()).toEqual(['PA 0+6 ack 4']);
    script.our.close(null, script.now);
    script.turn();
    // No Nagle for a FIN: nothing more will come.
    expect(script.brief()).toEqual(['FA 6+0 ack 4']);
    script.peer({ at: 4, ack: 7 });
    expect(script.our.state).toBe('closed');
    expect([...script.keeper.values.keys()]).toEqual(['tcp.secret']);
  });

  it('by both at once: CLOSING', () => {
    const script = Script.established();
    script.our.closeSend();
    script.turn();
    script.peer({ flags: 'FA', at: 0, ack: 0 });
    expect(script.our.state).toBe('closing');
    script.peer({ at: 1, ack: 1 });
    expect(script.our.state).toBe('time-wait');
  });

  it('does not lose a FIN that comes before its data', () => {
    const script = Script.established();
    script.peer({ flags: 'FA', at: 3, ack: 0, data: 'def' });
    expect(script.our.state).toBe('established');
    script.peer({ flags: 'A', at: 0, ack: 0, data: 'abc' });
    expect(script.our.state).toBe('close-wait');
    expect(script.read(0)).toEqual(Buffer.from('abcdef'));
    expect(script.read(6)).toBe('end');
  });

  it('without reading what has come resets; so does what comes after it', () => {
    const script = Script.established();
    script.peer({ at: 0, ack: 0, data: 'unread' });
    script.seen();
    script.our.close(null, script.now);
    expect(script.seen()).toMatchObject([{ flags: 'RA' }]);
    const late = Script.established();
    late.our.close(null, late.now);
    late.turn().peer({ at: 0, ack: 1 });
    expect(late.our.state).toBe('fin-wait-2');
    late.seen();
    late.peer({ at: 0, ack: 1, data: 'too late' });
    expect(late.seen()).toMatchObject([{ flags: 'RA' }]);
    expect(late.layer.list()).toHaveLength(1);
  });

  it('in the background ends after a time', () => {
    const script = Script.established();
    script.write(5000);
    script.our.close(null, script.now);
    script.wait(200_000);
    expect(script.layer.list()).toHaveLength(1);
    expect([...script.keeper.values.keys()]).toEqual(['tcp.secret']);
    const waiting = Script.established();
    waiting.our.close(null, waiting.now);
    waiting.turn().peer({ ack: 1 });
    waiting.wait(59_000);
    expect(waiting.layer.list()).toHaveLength(2);
    waiting.wait(2000);
    expect(waiting.layer.list()).toHaveLength(1);
  });

  it('begins TIME-WAIT anew when the peer repeats its FIN', () => {
    const script = Script.established();
    script.our.closeSend();
    script.turn().peer({ flags: 'FA', at: 0, ack: 1 });
    for (let count = 0; count < 4; count++) {
      script.wait(40_000).seen();
      script.peer({ flags: 'FA', at: 0, ack: 1 });
      expect(script.brief()).toEqual(['A 1+0 ack 1']);
    }
    script.wait(61_000);
    expect(script.our.state).toBe('closed');
  });

  it('with linger 0 and by abort resets', () => {
    for (const end of [
      (script: Script) => script.our.close(0, script.now),
      (script: Script) => script.our.abort(script.now),
    ]) {
      const script = Script.established();
      script.write('x');
      script.seen();
      end(script);
      expect(script.seen()).toMatchObject([{ flags: 'RA', at: 1 }]);
      expect([...script.keeper.values.keys()]).toEqual(['tcp.secret']);
    }
  });

  it('lets a newer SYN follow in TIME-WAIT, and no older one', () => {
    const script = Script.established();
    script.our.closeSend();
    script.turn().peer({ flags: 'FA', at: 0, ack: 1 });
    expect(script.our.state).toBe('time-wait');
    script.seen();
    script.peer({ flags: 'S', at: -1 });
    expect(script.brief()).toEqual(['A 1+0 ack 1']);
    const before = script.initial;
    script.peer({ flags: 'S', at: 5000 });
    const [answer] = script.seen();
    expect(answer).toMatchObject({ flags: 'SA', ack: 5001 });
    expect((script.initial - before) | 0).toBeGreaterThan(0);
    expect(script.layer.list().map(({ state }) => state)).toEqual(['listen', 'syn-received']);
  });

  it('keeps a bounded number in TIME-WAIT', () => {
    const script = Script.listening(128);
    for (let port = 1; port <= 1200; port++) {
      script.peer({ flags: 'S', at: -1, port });
      script.seen();
      script.peer({ at: 0, ack: 0, port });
      const connection = script.listener?.accept();
      connection?.close(null, script.now);
      script.turn();
      script.peer({ flags: 'FA', at: 0, ack: 1, port });
      expect(connection?.state).toBe('time-wait');
    }
    expect(script.layer.list()).toHaveLength(1025);
    expect(script.layer.isPortFree({ address: US, port: PORT })).toBe(false);
    script.wait(61_000);
    expect(script.layer.list()).toHaveLength(1);
    expect([...script.keeper.values.keys()]).toEqual(['tcp.secret']);
  });
});
