/** Peers that mean harm: what they can take is bounded, and others are served. */
import { describe, expect, it } from 'vitest';
import { buildTcp, FLAG } from '../../../wire/tcp.ts';
import { Random } from '../../support/random.ts';
import { PEER, PORT, Script, US } from './script.ts';

/** Serves one honest connection to its end. */
function serve(script: Script, port = 7777): void {
  script.seen();
  script.peer({ flags: 'S', at: -1, segmentSize: 1460, port, from: 0x0a000063 });
  expect(script.seen()).toMatchObject([{ flags: 'SA' }]);
  script.peer({ at: 0, ack: 0, port, from: 0x0a000063, data: 'honest' });
  const connection = script.listener?.accept();
  expect(connection?.read(0, 100, script.now)).toEqual(Buffer.from('honest'));
  connection?.abort(script.now);
}

describe('a flood of SYNs', () => {
  it('of 10,000 is bounded, keeps nothing, and others get through', () => {
    const script = Script.listening(16);
    const begin = process.cpuUsage();
    for (let count = 0; count < 10_000; count++) {
      script.peer({ flags: 'S', at: -1, port: 1024 + (count % 60_000), from: 0x0b000000 + count }, count % 16 !== 0);
    }
    const { user, system } = process.cpuUsage(begin);
    expect(script.layer.list().length).toBeLessThanOrEqual(257);
    expect([...script.keeper.values.keys()]).toEqual(['tcp.secret']);
    script.turn().seen();
    serve(script);
    script.wait(300_000);
    expect(script.layer.list()).toHaveLength(1);
    expect((user + system) / 10_000).toBeLessThan(1000);
  });

  it('that finishes the handshake is bounded by the backlog', () => {
    const script = Script.listening(8);
    for (let port = 1; port <= 500; port++) {
      script.peer({ flags: 'S', at: -1, port });
      if (script.seen().length > 0) script.peer({ at: 0, ack: 0, port });
    }
    expect(script.listener?.waiting).toHaveLength(8);
    for (let connection = script.listener?.accept(); connection; connection = script.listener?.accept()) {
      connection.abort(script.now);
    }
    serve(script);
  });

  it('of connections that stay: there is a limit, and room again when some end', () => {
    const script = Script.listening(128);
    const held = [];
    for (let port = 1; port <= 600; port++) {
      script.peer({ flags: 'S', at: -1, port });
      if (script.seen().length === 0) continue;
      script.peer({ at: 0, ack: 0, port });
      const connection = script.listener?.accept();
      if (connection !== undefined) held.push(connection);
    }
    expect(held).toHaveLength(512);
    expect(() => script.layer.connect({ address: US, port: 0 }, { address: PEER, port: 1 }, script.now)).toThrow(
      'EAGAIN',
    );
    held[0]?.abort(script.now);
    serve(script);
  });
});

describe('a hostile peer', () => {
  it('with tiny windows and a tiny segment size costs little', () => {
    const script = Script.established({ segmentSize: 1, window: 1 });
    script.write(60_000);
    let segments = 0;
    for (let ack = 1; ack < 300; ack++) {
      script.peer({ ack: Math.min(ack, 60_000), window: 1 }).wait(10);
      segments += script.seen().length;
    }
    expect(segments).toBeLessThan(700);
    script.peer({ ack: 299, window: 65_535 });
    const seen = script.seen();
    expect(Math.max(...seen.map(({ length }) => length))).toBe(64);
    expect(seen.length).toBeLessThanOrEqual(1024);
  });

  it('that storms with acknowledgements gets few answers', () => {
    const script = Script.established();
    for (let count = 0; count < 10_000; count++) {
      script.peer({ at: -5, ack: 0 });
      script.peer({ ack: 70_000 });
    }
    expect(script.seen().length).toBeLessThan(30);
    // Duplicates alone do not make us send anything.
    for (let count = 0; count < 10_000; count++) script.peer({ ack: 0 });
    expect(script.seen()).toHaveLength(0);
  });

  it('that acknowledges what has not come yet gains nothing', () => {
    const script = Script.established();
    script.write(60_000);
    script.seen();
    for (let ack = 20_000; ack < 60_000; ack += 100) script.peer({ ack });
    expect(script.our.sendQueue).toBe(60_000);
    expect(script.seen().every(({ length }) => length === 0)).toBe(true);
  });

  it('that leaves gaps everywhere takes no more than the buffer', () => {
    const script = Script.established();
    for (let at = 1; at < 65_000; at += 2) script.peer({ at, data: 'g' }, at % 101 !== 0);
    expect(script.our.receiveQueue).toBe(0);
    script.peer({ at: 0, data: 65_000 });
    expect(script.our.receiveQueue).toBe(65_000);
  });

  it('cannot crash it with mutated segments', () => {
    const random = new Random();
    const script = Script.established({ windowShift: 2, selectivePermitted: true, timestamp: 5 });
    script.write(5000);
    try {
      for (let round = 0; round < 20_000; round++) {
        const segment = buildTcp(PEER, US, {
          sourcePort: random.pick([4000, 4000, 4000, 9]),
          destinationPort: random.pick([PORT, PORT, 81]),
          sequence: (0xffff_f001 + random.pick([0, -1, 1, 100, 70_000, random.below(2 ** 32)])) >>> 0,
          acknowledgment: (script.initial + 1 + random.pick([0, 1, 5000, 5001, random.below(2 ** 32)])) >>> 0,
          flags: random.pick([FLAG.ACK, FLAG.ACK, FLAG.SYN, FLAG.FIN | FLAG.ACK, random.below(64) & ~FLAG.RST]),
          window: random.pick([0, 1, 65_535]),
          segmentSize: random.pick([undefined, undefined, 0, 65_535]),
          windowShift: random.pick([undefined, undefined, 14]),
          timestamp: random.pick([6, 6, undefined, random.below(2 ** 32)]),
          timestampEcho: random.below(2 ** 32),
          blocks: random.pick([undefined, [{ start: random.below(2 ** 32), end: random.below(2 ** 32) }]]),
          data: random.bytes(random.pick([0, 0, 1, 30])),
        });
        if (random.next() < 0.1) segment[random.below(segment.length)] = random.below(256);
        script.layer.input(PEER, US, segment, script.now);
        if (random.next() < 0.3) script.turn();
        if (random.next() < 0.01) script.wait(random.below(3000));
        script.seen();
      }
    } catch (error) {
      throw new Error(`seed ${random.seed}`, { cause: error });
    }
    expect(script.layer.list().length).toBeLessThanOrEqual(260);
  });
});
