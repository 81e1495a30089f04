import { describe, expect, it } from 'vitest';
import { buildIpv4, type Ipv4Packet, parseIpv4Packet } from '../../../wire/ipv4.ts';
import { Reassembly } from '../../../wire/reassembly.ts';
import { Random } from '../../support/random.ts';

const BOUNDS = { packets: 16, bytes: 1024 * 1024, lifetimeMs: 15_000 };

function fragmentsOf(payload: Buffer, identification: number, mtu: number): Ipv4Packet[] {
  const fields = { source: 1, destination: 2, protocol: 17, timeToLive: 64, identification };
  return buildIpv4(fields, payload, mtu).flatMap((bytes) => parseIpv4Packet(bytes) ?? []);
}

function shuffled<T>(values: readonly T[], random: Random): T[] {
  const rest = [...values];
  return Array.from(values, () => rest.splice(random.below(rest.length), 1)).flat();
}

describe('reassembly', () => {
  it('puts fragments together in any order, twice or not', () => {
    const random = new Random();
    for (let round = 0; round < 200; round++) {
      const reassembly = new Reassembly(BOUNDS);
      const payload = random.bytes(100 + random.below(5000));
      const fragments = fragmentsOf(payload, round, random.pick([68, 576, 1500]));
      const whole: Buffer[] = [];
      for (const fragment of shuffled([...fragments.slice(0, -1), ...fragments], random)) {
        const packet = reassembly.add(fragment, 0);
        if (packet !== null) whole.push(packet.payload);
      }
      expect(whole.length, `seed ${random.seed}`).toBeGreaterThan(0);
      expect(whole[0]).toEqual(payload);
    }
  });

  it('lets whole packets through', () => {
    const [packet] = fragmentsOf(Buffer.from('abc'), 1, 1500);
    expect(packet && new Reassembly(BOUNDS).add(packet, 0)).toBe(packet);
  });

  it('takes up to the largest packet, and nothing beyond', () => {
    const reassembly = new Reassembly(BOUNDS);
    const payload = new Random(1).bytes(65_515);
    const results = fragmentsOf(payload, 1, 68).map((fragment) => reassembly.add(fragment, 0));
    expect(results.at(-1)?.payload.equals(payload)).toBe(true);
    const [first] = fragmentsOf(Buffer.alloc(2000), 2, 1500);
    if (first === undefined) throw new Error('no fragment');
    expect(reassembly.add({ ...first, fragmentOffset: 65_528 }, 0)).toBeNull();
    expect(reassembly.drops).toBe(1);
  });

  it('drops packets whose fragments contradict one another', () => {
    const [first, second, last] = fragmentsOf(Buffer.alloc(4000), 1, 1500);
    if (first === undefined || second === undefined || last === undefined) throw new Error('no fragments');
    const drops = (...fragments: Ipv4Packet[]): number => {
      const reassembly = new Reassembly(BOUNDS);
      for (const fragment of fragments) expect(reassembly.add(fragment, 0)).toBeNull();
      return reassembly.drops;
    };
    expect(drops(first, { ...second, fragmentOffset: 1472 })).toBe(1);
    expect(drops(second, { ...first, payload: Buffer.alloc(1488) })).toBe(1);
    expect(drops(first, { ...first, payload: Buffer.alloc(1480, 1) })).toBe(1);
    expect(drops(last, { ...last, fragmentOffset: 3200 })).toBe(1);
    expect(drops(last, { ...second, fragmentOffset: 4800 })).toBe(1);
    expect(drops(second, { ...last, fragmentOffset: 800 })).toBe(1);
    expect(drops({ ...first, payload: Buffer.alloc(1479) })).toBe(1);
    expect(drops({ ...first, payload: Buffer.alloc(0) })).toBe(1);
    expect(drops(first, last)).toBe(0);
  });

  it('gives up what is too old or too much', () => {
    const reassembly = new Reassembly(BOUNDS);
    const [fragment] = fragmentsOf(Buffer.alloc(2000), 1, 1500);
    if (fragment === undefined) throw new Error('no fragment');
    expect(reassembly.nextTimeout).toBe(Infinity);
    for (let count = 0; count < 100; count++) reassembly.add({ ...fragment, source: count }, count);
    expect(reassembly.drops).toBe(84);
    expect(reassembly.nextTimeout).toBe(84 + 15_000);
    reassembly.advance(90 + 15_000);
    expect(reassembly.drops).toBe(91);
    reassembly.advance(1e9);
    expect([reassembly.drops, reassembly.nextTimeout]).toEqual([100, Infinity]);
  });

  it('leaves room for others when one sender takes all it can get', () => {
    const reassembly = new Reassembly(BOUNDS);
    const honest = fragmentsOf(Buffer.alloc(2000), 1, 1500);
    const [first, last] = honest;
    if (first === undefined || last === undefined) throw new Error('no fragments');
    expect(reassembly.add(first, 0)).toBeNull();
    for (let count = 0; count < 100; count++) reassembly.add({ ...first, source: 7, identification: count }, 0);
    expect(reassembly.drops).toBe(92);
    expect(reassembly.add(last, 0)?.payload).toHaveLength(2000);
  });

  it('is bounded in bytes', () => {
    const bytes = 100_000;
    const reassembly = new Reassembly({ ...BOUNDS, bytes });
    const [first] = fragmentsOf(Buffer.alloc(40_000), 1, 30_000);
    if (first === undefined) throw new Error('no fragment');
    for (let count = 0; count < 10; count++) {
      reassembly.add({ ...first, source: count }, 0);
      expect(reassembly.bytes).toBeLessThanOrEqual(bytes);
    }
    expect(reassembly.drops).toBe(7);
    reassembly.advance(1e9);
    expect(reassembly.bytes).toBe(0);
  });

  it('tells of packets that have expired, if their first fragment had come', () => {
    const told: Buffer[] = [];
    const reassembly = new Reassembly(BOUNDS, (quoted) => told.push(quoted));
    const [first, last] = fragmentsOf(Buffer.alloc(2000), 1, 1500);
    if (first === undefined || last === undefined) throw new Error('no fragments');
    reassembly.add(first, 0);
    reassembly.add({ ...last, identification: 2 }, 0);
    reassembly.advance(15_000);
    expect(told).toEqual([first.bytes.subarray(0, 28)]);
  });
});
