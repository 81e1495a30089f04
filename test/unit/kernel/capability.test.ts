/** A task's table of capabilities: handles, generations, reuse. */
import { describe, expect, it } from 'vitest';
import { CapabilityTable } from '../../../kernel/ipc/capability.ts';
import type { Capability } from '../../../kernel/objects.ts';
import { MAX_CAPABILITIES } from '../../../protocol/bounds.ts';
import { Random } from '../../support/random.ts';

const line = (irq: number): Capability => ({ kind: 'irq', references: 0, irq });

describe('CapabilityTable', () => {
  it('answers the capability of a handle, by kind if asked, and counts itself as holder', () => {
    const table = new CapabilityTable();
    const capability = line(3);
    const handle = table.insert(capability);
    expect([table.get(handle), table.of(handle, 'irq'), table.of(handle, 'send')]).toEqual([
      capability,
      capability,
      null,
    ]);
    expect([capability.references, table.size]).toEqual([1, 1]);
    expect(table.take(handle)).toBe(capability);
    expect([table.get(handle), table.take(handle), table.size]).toEqual([null, null, 0]);
  });

  it('never takes a stale handle for its successor, until all generations of the entry are used up', () => {
    const table = new CapabilityTable();
    const seen = new Set<number>();
    for (let round = 0; round < 0xffff; round++) {
      const handle = table.insert(line(round));
      seen.add(handle);
      table.take(handle);
    }
    expect([seen.size, [...seen].every((handle) => (handle & 0xffff) === 1)]).toEqual([0xffff, true]);
    expect(table.insert(line(0))).toBe(0x10001);
  });

  it('refuses 0, handles that were never given out, and numbers that are none', () => {
    const table = new CapabilityTable();
    const handle = table.insert(line(1));
    for (const wrong of [0, 1, 2, 0xffff, 0x10000, 0x10002, handle + 0x10000, 0xffffffff, -1, 0.5]) {
      expect([table.get(wrong), table.take(wrong)], String(wrong)).toEqual([null, null]);
    }
    expect(table.size).toBe(1);
  });

  it('behaves like a map under random use', () => {
    const random = new Random();
    const table = new CapabilityTable();
    const model = new Map<number, Capability>();
    const gone: number[] = [0];
    for (let step = 0; step < 5000; step++) {
      if (random.below(5) < 3) {
        const capability = line(step);
        const handle = table.insert(capability);
        expect(model.has(handle), `seed ${random.seed} step ${step}`).toBe(false);
        model.set(handle, capability);
      } else {
        const handles = [...model.keys()];
        const handle = handles[random.below(handles.length)] ?? 0;
        expect(table.take(handle), `seed ${random.seed} step ${step}`).toBe(model.get(handle) ?? null);
        model.delete(handle);
        gone.push(handle);
      }
      const stale = gone[random.below(gone.length)] ?? 0;
      if (!model.has(stale)) expect(table.get(stale), `seed ${random.seed} step ${step}`).toBeNull();
    }
    expect(new Map(table.list())).toEqual(model);
    expect(table.takeAll().length).toBe(model.size);
    expect([table.size, [...table.list()]]).toEqual([0, []]);
  });

  it('has room up to the bound', () => {
    const table = new CapabilityTable();
    for (let count = 0; count < MAX_CAPABILITIES - 2; count++) table.insert(line(0));
    expect([table.hasRoom(2), table.hasRoom(3)]).toEqual([true, false]);
  });
});
