import { describe, expect, it } from 'vitest';
import { Reassembly } from '../../../hw/network/user/reassembly.ts';
import { buildIpv4, type Ipv4Packet, parseIpv4Packet } from '../../../wire/ipv4.ts';
import { Random } from '../../support/random.ts';

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
      const reassembly = new Reassembly();
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
    expect(packet && new Reassembly().add(packet, 0)).toBe(packet);
  });

  it('takes up to the largest packet, and nothing beyond', () => {
    const reassembly = new Reassembly();
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
      const reassembly = new Reassembly();
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
    const reassembly = new Reassembly();
    const [fragment] = fragmentsOf(Buffer.alloc(2000), 1, 1500);
    if (fragment === undefined) throw new Error('no fragment');
    expect(reassembly.nextTimeout).toBe(Infinity);
    for (let count = 0; count < 100; count++) reassembly.add({ ...fragment, identification: count }, count);
    expect(reassembly.drops).toBe(84);
    expect(reassembly.nextTimeout).toBe(84 + 15_000);
    reassembly.advance(90 + 15_000);
    expect(reassembly.drops).toBe(91);
    reassembly.advance(1e9);
    expect([reassembly.drops, reassembly.nextTimeout]).toEqual([100, Infinity]);
  });
});
