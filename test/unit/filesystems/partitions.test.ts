/**
 * Partition tables: what the driver reads out of good ones, and that nothing a hostile one says leads outside of the
 * disk or round in circles.
 */
import { describe, expect, it } from 'vitest';
import { MAX_PARTITION, type PartitionTable, readPartitionTable } from '../../../filesystems/partitions.ts';
import { randomFrom, setEntry } from '../ata-driver/machine.ts';

/** A disk given by some of its sectors; the others are zeros. Counts what is read of it. */
class Sectors {
  readonly warnings: string[] = [];
  reads = 0;
  readonly #sectors = new Map<number, Buffer>();

  record(sector: number): Buffer {
    const record = this.#sectors.get(sector) ?? Buffer.alloc(512);
    this.#sectors.set(sector, record);
    return record;
  }

  table(sectors: number): PartitionTable {
    const read = (sector: number): Buffer => {
      if (sector < 0 || sector >= sectors) throw new Error(`sector ${sector} is not on the disk`);
      this.reads++;
      return this.#sectors.get(sector) ?? Buffer.alloc(512);
    };
    return readPartitionTable(sectors, read, (text) => this.warnings.push(text));
  }
}

function partition(number: number, type: number, firstSector: number, sectors: number) {
  return { number, type, firstSector, sectors };
}

describe('primary partitions', () => {
  it('are numbered by their place', () => {
    const disk = new Sectors();
    setEntry(disk.record(0), 1, 0x83, 63, 1000);
    setEntry(disk.record(0), 3, 0x0c, 1063, 937);
    const { partitions, tableSectors } = disk.table(2000);
    expect(partitions).toEqual([partition(2, 0x83, 63, 1000), partition(4, 0x0c, 1063, 937)]);
    expect(tableSectors).toEqual([0]);
    expect(disk.warnings).toEqual([]);
  });

  it('need the signature, and boot indicators that are ones', () => {
    const unsigned = new Sectors();
    setEntry(unsigned.record(0), 0, 0x83, 63, 100);
    unsigned.record(0).writeUInt16LE(0, 510);
    expect(unsigned.table(2000).partitions).toEqual([]);
    const fileSystem = new Sectors();
    setEntry(fileSystem.record(0), 0, 0x83, 63, 100);
    fileSystem.record(0).writeUInt8(0x6e, 446 + 32);
    expect(fileSystem.table(2000).partitions).toEqual([]);
  });

  it('outside of the disk, without sectors or over the table are left out with a line each', () => {
    const disk = new Sectors();
    setEntry(disk.record(0), 0, 0x83, 1000, 1001);
    setEntry(disk.record(0), 1, 0x83, 63, 0);
    setEntry(disk.record(0), 2, 0x83, 0, 100);
    setEntry(disk.record(0), 3, 0x83, 0xffffffff, 0xffffffff);
    expect(disk.table(2000).partitions).toEqual([]);
    expect(disk.warnings).toHaveLength(4);
  });

  it('may end with the disk', () => {
    const disk = new Sectors();
    setEntry(disk.record(0), 0, 0x83, 1, 1999);
    expect(disk.table(2000).partitions).toEqual([partition(1, 0x83, 1, 1999)]);
  });

  it('are none on a disk that cannot be read', () => {
    const table = readPartitionTable(
      100,
      () => undefined,
      () => {},
    );
    expect(table).toEqual({ partitions: [], tableSectors: [0] });
  });
});

describe('logical partitions', () => {
  /** A disk with an extended partition from 100 to 1099 and three records in it, at 100, 300 and 600. */
  function chain(): Sectors {
    const disk = new Sectors();
    setEntry(disk.record(0), 0, 0x83, 1, 99);
    setEntry(disk.record(0), 1, 0x05, 100, 1000);
    setEntry(disk.record(100), 0, 0x83, 1, 199);
    setEntry(disk.record(100), 1, 0x05, 200, 300);
    setEntry(disk.record(300), 0, 0x82, 10, 100);
    setEntry(disk.record(300), 1, 0x05, 500, 500);
    setEntry(disk.record(600), 0, 0x0c, 1, 499);
    return disk;
  }

  it('are numbered from 5 on in the order of the chain', () => {
    const disk = chain();
    const { partitions, tableSectors } = disk.table(2000);
    expect(partitions).toEqual([
      partition(1, 0x83, 1, 99),
      partition(2, 0x05, 100, 1000),
      partition(5, 0x83, 101, 199),
      partition(6, 0x82, 310, 100),
      partition(7, 0x0c, 601, 499),
    ]);
    expect(tableSectors).toEqual([0, 100, 300, 600]);
    expect(disk.warnings).toEqual([]);
  });

  it('end where the chain comes back', () => {
    for (const target of [0, 200, 500]) {
      const disk = chain();
      setEntry(disk.record(600), 1, 0x05, target, 100);
      expect(disk.table(2000).partitions.map(({ number }) => number)).toEqual([1, 2, 5, 6, 7]);
      expect(disk.reads).toBe(4);
      expect(disk.warnings).toHaveLength(1);
    }
  });

  it('end where the chain leaves the extended partition or finds no record', () => {
    for (const target of [1000, 0xffffffff, 700]) {
      const disk = chain();
      setEntry(disk.record(600), 1, 0x05, target, 100);
      expect(disk.table(2000).partitions.map(({ number }) => number)).toEqual([1, 2, 5, 6, 7]);
      expect(disk.warnings).toHaveLength(1);
    }
  });

  it('outside of the extended partition are left out and the chain goes on', () => {
    const disk = chain();
    setEntry(disk.record(300), 0, 0x82, 10, 800);
    expect(disk.table(2000).partitions.slice(2)).toEqual([partition(5, 0x83, 101, 199), partition(6, 0x0c, 601, 499)]);
    expect(disk.warnings).toHaveLength(1);
  });

  it('do not have to be there yet', () => {
    const disk = new Sectors();
    setEntry(disk.record(0), 0, 0x0f, 100, 1000);
    expect(disk.table(2000).partitions).toEqual([partition(1, 0x0f, 100, 1000)]);
    expect(disk.warnings).toEqual([]);
  });

  it('are at most 59', () => {
    const disk = new Sectors();
    setEntry(disk.record(0), 0, 0x05, 100, 10000);
    for (let index = 0; index < 200; index++) {
      setEntry(disk.record(100 + 10 * index), 0, 0x83, 1, 5);
      setEntry(disk.record(100 + 10 * index), 1, 0x05, 10 * (index + 1), 10);
    }
    const { partitions } = disk.table(20000);
    expect(partitions).toHaveLength(1 + 59);
    expect(Math.max(...partitions.map(({ number }) => number))).toBe(MAX_PARTITION);
    expect(disk.warnings).toHaveLength(1);
    expect(disk.reads).toBeLessThanOrEqual(64);
  });

  it('in a second extended partition are left out', () => {
    const disk = chain();
    setEntry(disk.record(0), 2, 0x0f, 1200, 500);
    expect(disk.table(2000).partitions.map(({ number }) => number)).toEqual([1, 2, 3, 5, 6, 7]);
    expect(disk.warnings).toHaveLength(1);
  });
});

describe('random tables', () => {
  const seed = Number(process.env.VROS_TEST_SEED ?? 99);

  it(`never lead off the disk, and end (seed ${seed})`, () => {
    const random = randomFrom(seed);
    for (let round = 0; round < 3000; round++) {
      const sectors = 1 + random(300);
      const disk = new Sectors();
      for (let sector = 0; sector < sectors; sector += 1 + random(4)) {
        const record = disk.record(sector);
        for (let index = 0; index < 4; index++) {
          const type = [0, 0x05, 0x0f, 0x83, random(256)][random(5)] ?? 0;
          setEntry(
            record,
            index,
            type,
            random(random(8) === 0 ? 2 ** 32 : 300),
            random(random(8) === 0 ? 2 ** 32 : 200),
          );
        }
      }
      const { partitions, tableSectors } = disk.table(sectors);
      const numbers = partitions.map(({ number }) => number);
      const sound = partitions.every(
        ({ number, firstSector, sectors: count }) =>
          number >= 1 && number <= MAX_PARTITION && firstSector > 0 && count > 0 && firstSector + count <= sectors,
      );
      expect({ seed, round, sound, unique: new Set(numbers).size === numbers.length }).toEqual({
        seed,
        round,
        sound: true,
        unique: true,
      });
      expect(disk.reads).toBeLessThanOrEqual(MAX_PARTITION + 1);
      expect(new Set(tableSectors).size).toBe(tableSectors.length);
    }
  });

  it(`of random bytes do no harm (seed ${seed})`, () => {
    const random = randomFrom(seed + 1);
    for (let round = 0; round < 300; round++) {
      const sector = Buffer.from(Array.from({ length: 512 }, () => random(256)));
      sector.writeUInt16LE(0xaa55, 510);
      for (let at = 446; at < 510; at += 16) sector.writeUInt8(random(2) * 0x80, at);
      const { partitions } = readPartitionTable(
        1_000_000,
        () => sector,
        () => {},
      );
      expect(partitions.every((each) => each.firstSector + each.sectors <= 1_000_000)).toBe(true);
    }
  });
});
