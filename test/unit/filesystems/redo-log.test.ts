import { describe, expect, it } from 'vitest';
import { BlockCache } from '../../../filesystems/block-cache.ts';
import { RedoLog } from '../../../filesystems/redo-log.ts';
import { SystemError } from '../../../protocol/errno.ts';
import { MemoryDevice } from '../../support/memory-device.ts';
import { Death, MemoryKeeper } from '../../support/memory-keeper.ts';
import { Random } from '../../support/random.ts';

const BLOCKS = 64;
const BLOCK_BYTES = 1024;

interface Machine {
  readonly device: MemoryDevice;
  readonly keeper: MemoryKeeper | null;
  readonly cache: BlockCache;
  readonly log: RedoLog;
}

function start(
  device = new MemoryDevice(BLOCKS * 2),
  keeper: MemoryKeeper | null = new MemoryKeeper(),
  volume = 'one',
): Machine {
  const cache = new BlockCache(device, BLOCK_BYTES, 16);
  return { device, keeper, cache, log: new RedoLog({ device, cache, keeper, volume }) };
}

/** The next incarnation on the same disk and store. */
function restart({ device, keeper }: Machine): Machine {
  if (keeper !== null) keeper.lives = Number.POSITIVE_INFINITY;
  device.lives = Number.POSITIVE_INFINITY;
  return start(device, keeper === null ? null : new MemoryKeeper(keeper.values));
}

function fill({ cache }: Machine, blocks: readonly number[], value: number): void {
  cache.operation(() => {
    for (const block of blocks) cache.change(block).fill(value);
  });
}

const firstBytes = (device: MemoryDevice): number[] =>
  Array.from({ length: BLOCKS }, (_, block) => device.bytes[block * BLOCK_BYTES] ?? -1);

const request = { sender: 5, sequence: 9 };

function codeOf(action: () => unknown): string {
  try {
    action();
    return 'none';
  } catch (error) {
    if (error instanceof SystemError) return error.code;
    throw error;
  }
}

describe('redo log', () => {
  it('writes in place what was changed, joined, and remembers requests over a restart', () => {
    const machine = start();
    fill(machine, [3, 4, 5, 9], 7);
    machine.log.note(request, [1, 2]);
    expect(machine.log.pendingBytes).toBe(4 * BLOCK_BYTES);
    expect(machine.log.completed(request)).toBeUndefined();
    machine.log.commit();
    expect(machine.device.writes).toBe(2);
    expect(machine.log.completed(request)).toEqual([1, 2]);
    expect(machine.log.pendingBytes).toBe(0);
    expect(machine.cache.pinned.size).toBe(0);
    const again = restart(machine);
    expect(again.log.resumed).toBe(true);
    expect(again.log.completed(request)).toEqual([1, 2]);
    expect(again.device.writes).toBe(2);
  });

  it('keeps values with the commit, and takes them back with the operation', () => {
    const machine = start();
    const { cache, log } = machine;
    cache.operation(() => log.keep('a', [1, 'x']));
    cache.operation(() => log.keep('b', 2));
    expect(() =>
      cache.operation(() => {
        log.keep('a', undefined);
        log.keep('c', 3);
        throw new SystemError('ENOSPC');
      }),
    ).toThrow('ENOSPC');
    log.commit();
    expect([...log.keptValues()]).toEqual([
      ['a', [1, 'x']],
      ['b', 2],
    ]);
    const again = restart(machine);
    expect(again.log.kept('a')).toEqual([1, 'x']);
    again.cache.operation(() => again.log.keep('a', undefined));
    again.log.commit();
    expect(again.log.kept('a')).toBeUndefined();
    expect([...restart(again).log.keptValues()]).toEqual([['b', 2]]);
  });

  it('works without a store', () => {
    const machine = start(undefined, null);
    fill(machine, [1], 7);
    machine.cache.operation(() => machine.log.keep('a', 1));
    machine.log.note(request, []);
    machine.log.commit();
    expect(firstBytes(machine.device)[1]).toBe(7);
    expect(machine.log.kept('a')).toBe(1);
    expect(machine.log.completed(request)).toEqual([]);
    expect(restart(machine).log.resumed).toBe(false);
  });

  it('writes in the order it is told, a block several times if need be', () => {
    const machine = start();
    fill(machine, [1, 2, 8], 7);
    const seen: [number, number][] = [];
    machine.device.observe = (sector, data) => seen.push([sector, data?.[0] ?? -1]);
    machine.log.commit((changed) => [[2, Buffer.alloc(BLOCK_BYTES, 99)], ...[...changed].reverse()]);
    expect(seen).toEqual([
      [4, 99],
      [16, 7],
      [4, 7],
      [2, 7],
    ]);
  });

  it('remembers the newest 64 requests', () => {
    const machine = start();
    for (let sequence = 0; sequence < 70; sequence++) {
      machine.log.note({ sender: 1, sequence }, [sequence]);
      machine.log.commit();
    }
    const { log } = restart(machine);
    expect(log.completed({ sender: 1, sequence: 5 })).toBeUndefined();
    expect(log.completed({ sender: 2, sequence: 6 })).toBeUndefined();
    for (let sequence = 6; sequence < 70; sequence++)
      expect(log.completed({ sender: 1, sequence })).toEqual([sequence]);
  });

  it('does not take up the record of another file system, nor one that was closed', () => {
    const machine = start();
    fill(machine, [1], 7);
    machine.log.note(request, []);
    machine.log.commit();
    const other = start(machine.device, new MemoryKeeper(machine.keeper?.values), 'two');
    expect(other.log.resumed).toBe(false);
    expect(other.log.completed(request)).toBeUndefined();
    machine.cache.operation(() => machine.log.keep('a', 1));
    machine.log.commit();
    machine.log.close();
    expect(machine.keeper?.keys()).toEqual([]);
    expect(restart(machine).log.resumed).toBe(false);
  });

  it('is all or nothing wherever the process dies, and wherever it dies again while it recovers', () => {
    const random = new Random();
    let deaths = 0;
    for (let round = 0; round < 60; round++) {
      let machine = start();
      let committed = 0;
      for (let step = 1; step <= 12; step++) {
        // Large enough for parts now and then.
        const blocks = Array.from({ length: 1 + random.below(BLOCKS) }, () => random.below(BLOCKS));
        const before = firstBytes(machine.device);
        const after = before.map((value, block) => (blocks.includes(block) ? step : value));
        if (machine.keeper !== null) machine.keeper.lives = random.pick([Number.POSITIVE_INFINITY, random.below(6)]);
        machine.device.lives = random.pick([Number.POSITIVE_INFINITY, random.below(130)]);
        try {
          fill(machine, blocks, step);
          machine.cache.operation(() => machine.log.keep('step', step));
          machine.log.note({ sender: 1, sequence: step }, [step]);
          machine.log.commit();
          committed = step;
        } catch (error) {
          if (!(error instanceof Death)) throw error;
          for (let again = 0; ; again++) {
            deaths++;
            const keeper = new MemoryKeeper(machine.keeper?.values);
            if (again < 3) keeper.lives = random.below(4);
            machine.device.lives = again < 3 ? random.below(130) : Number.POSITIVE_INFINITY;
            machine = { ...machine, keeper };
            try {
              machine = start(machine.device, keeper);
              break;
            } catch (second) {
              if (!(second instanceof Death)) throw second;
            }
          }
          if (machine.log.completed({ sender: 1, sequence: step }) !== undefined) committed = step;
        }
        const message = `seed ${random.seed}, round ${round}, step ${step}`;
        expect(firstBytes(machine.device), message).toEqual(committed === step ? after : before);
        expect(machine.log.kept('step') ?? 0, message).toBe(committed);
        if (committed > 0)
          expect(machine.log.completed({ sender: 1, sequence: committed }), message).toEqual([committed]);
      }
    }
    expect(deaths).toBeGreaterThan(100);
  });

  it('takes everything back when the store is full, and goes on', () => {
    const machine = start();
    fill(machine, [1], 1);
    machine.log.commit();
    fill(machine, [1, 2], 2);
    machine.log.note(request, []);
    machine.cache.operation(() => machine.log.keep('a', 1));
    if (machine.keeper !== null) machine.keeper.capacity = machine.keeper.bytes + 100;
    expect(codeOf(() => machine.log.commit())).toBe('ENOSPC');
    expect(machine.cache.read(1)[0]).toBe(1);
    expect(machine.log.completed(request)).toBeUndefined();
    expect(machine.log.failed).toBe(false);
    if (machine.keeper !== null) machine.keeper.capacity = Number.POSITIVE_INFINITY;
    machine.log.commit();
    fill(machine, [2], 3);
    machine.log.commit();
    expect(firstBytes(machine.device).slice(0, 4)).toEqual([0, 1, 3, 0]);
    expect([...machine.log.keptValues()]).toEqual([]);
  });

  it('puts values into further records while there is no room for them under keys of their own', () => {
    const machine = start();
    const { keeper } = machine;
    if (keeper === null) throw new Error('no store');
    const put = keeper.put.bind(keeper);
    let full = true;
    keeper.put = (key, value) => {
      if (full && key.startsWith('redo.value.')) throw new SystemError('ENOSPC');
      put(key, value);
    };
    machine.cache.operation(() => machine.log.keep('a', 1));
    machine.log.commit();
    machine.cache.operation(() => machine.log.keep('b', 2));
    machine.log.commit();
    full = false;
    expect([...restart(machine).log.keptValues().keys()].sort()).toEqual(['a', 'b']);
  });

  it('takes everything back, in place too, when the disk refuses', () => {
    const machine = start();
    fill(machine, [1, 3, 5], 1);
    machine.log.commit();
    fill(machine, [1, 3, 5], 2);
    machine.log.note(request, []);
    let armed = true;
    machine.device.refuses = (kind, sector) => {
      const refused = kind === 'write' && sector === 6 && armed;
      if (refused) armed = false;
      return refused;
    };
    expect(codeOf(() => machine.log.commit())).toBe('EIO');
    expect(machine.log.failed).toBe(true);
    expect(machine.cache.read(3)[0]).toBe(1);
    expect(firstBytes(machine.device).slice(0, 6)).toEqual([0, 1, 0, 1, 0, 1]);
    fill(machine, [1], 3);
    expect(codeOf(() => machine.log.commit())).toBe('EIO');
    expect(machine.cache.read(1)[0]).toBe(1);
    const again = restart(machine);
    expect(again.log.completed(request)).toBeUndefined();
    expect(firstBytes(again.device).slice(0, 6)).toEqual([0, 1, 0, 1, 0, 1]);
  });

  it('shows the true content while the disk refuses for good, and brings it back later', () => {
    const machine = start();
    fill(machine, [1, 3, 5], 1);
    machine.log.commit();
    fill(machine, [1, 3, 5], 2);
    let writes = 0;
    machine.device.refuses = (kind) => kind === 'write' && ++writes > 1;
    expect(codeOf(() => machine.log.commit())).toBe('EIO');
    expect(firstBytes(machine.device).slice(0, 6)).toEqual([0, 2, 0, 1, 0, 1]);
    for (let block = 0; block < BLOCKS; block++)
      expect(machine.cache.read(block)[0]).toBe([1, 3, 5].includes(block) ? 1 : 0);
    expect(codeOf(() => restart(machine))).toBe('EIO');
    machine.device.refuses = () => false;
    restart(machine);
    expect(firstBytes(machine.device).slice(0, 6)).toEqual([0, 1, 0, 1, 0, 1]);
  });
});
