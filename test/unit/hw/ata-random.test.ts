/**
 * Random commands at random addresses, with data in random pieces and completions at random moments, against a model
 * that is an array of sectors. ATA_SEED=NUMBER repeats a run.
 */
import { expect, it } from 'vitest';
import { MemoryDisk } from '../../../hw/disk/memory.ts';
import {
  AtaHost,
  BSY,
  CONTROL,
  DATA,
  DRQ,
  ERR,
  ERROR,
  IDNF,
  Later,
  pattern,
  READY,
  randomNumbers,
  STATUS,
  sameBytes,
} from './ata-host.ts';

const SECTORS = 3000;
const COMMANDS = 1500;
const HEADS = 16;
const TRACK = 63;

interface Command {
  readonly lba: number;
  readonly count: number;
  readonly write: boolean;
  readonly multiple: boolean;
}

/** Gives the command in one of the three ways to address sectors. */
function give(host: AtaHost, way: 'lba28' | 'lba48' | 'chs', { lba, count, write, multiple }: Command): void {
  if (way === 'lba48') {
    const code = write ? (multiple ? 0x39 : 0x34) : multiple ? 0x29 : 0x24;
    host.lba48(code, lba, count);
    return;
  }
  const code = write ? (multiple ? 0xc5 : 0x30) : multiple ? 0xc4 : 0x20;
  if (way === 'lba28') host.lba28(code, lba, count);
  else {
    const track = Math.floor(lba / TRACK);
    host.chs(code, Math.floor(track / HEADS), track % HEADS, (lba % TRACK) + 1, count);
  }
}

const seed = Number(process.env.ATA_SEED ?? Math.floor(Math.random() * 2 ** 31));

it(`does what an array of sectors would (seed ${seed})`, () => {
  const random = randomNumbers(seed);
  const later = new Later();
  const disk = new MemoryDisk(pattern(0, SECTORS), { defer: later.defer });
  const host = new AtaHost(disk);
  const model = pattern(0, SECTORS);
  let blockSectors = 16;

  /** Polls as a driver does, while completions come in one by one. */
  const settle = (): number => {
    for (let turn = 0; turn < 10_000; turn++) {
      const status = host.in(CONTROL);
      if ((status & BSY) === 0) return status;
      later.one();
    }
    throw new Error(`seed ${seed}: the drive stays busy`);
  };

  /** Moves a block through the data port in pieces of random size and width. */
  const move = (write: boolean, block: Buffer): void => {
    let at = 0;
    while (at < block.length) {
      const width = at % 4 === 0 && random(2) === 0 ? 4 : 2;
      const piece = Math.min(block.length - at, width * (1 + random(400)));
      const bytes = block.subarray(at, at + piece);
      if (random(20) === 0) {
        if (write) host.channel.write(DATA, 2, block.readUInt16LE(at));
        else block.writeUInt16LE(host.channel.read(DATA, 2), at);
        at += 2;
      } else {
        if (write) host.channel.writeBlock(DATA, width, bytes);
        else host.channel.readBlock(DATA, width, bytes);
        at += piece - (piece % width);
      }
    }
  };

  const transfer = (turn: number): void => {
    const where = `seed ${seed}, command ${turn}`;
    const way = (['lba28', 'lba48', 'chs'] as const)[random(3)] ?? 'lba28';
    const large = way === 'lba48' ? 700 : 256;
    const count = random(4) === 0 ? 1 + random(large) : 1 + random(20);
    const lba = random(8) === 0 ? SECTORS - 1 - random(40) : random(SECTORS);
    const command: Command = { lba, count, write: random(2) === 0, multiple: random(2) === 0 };
    const perBlock = command.multiple ? blockSectors : 1;
    const data = pattern(lba, count, turn);
    give(host, way, command);
    let done = 0;
    for (;;) {
      const status = settle();
      if (status === (READY | ERR) || status === READY) break;
      expect(status, where).toBe(READY | DRQ);
      if (random(2) === 0) host.in(STATUS);
      const sectors = Math.min(perBlock, count - done);
      expect(sectors, where).toBeGreaterThan(0);
      const at = lba + done;
      if (command.write) {
        const block = data.subarray(done * 512, (done + sectors) * 512);
        move(true, block);
        if (at + sectors <= SECTORS) block.copy(model, at * 512);
      } else {
        const block = Buffer.alloc(sectors * 512);
        move(false, block);
        sameBytes(block, model.subarray(at * 512, (at + sectors) * 512));
      }
      done += sectors;
      if (random(300) === 0) {
        host.out(CONTROL, 0x04, 0x00);
        settle();
        expect(host.in(STATUS), where).toBe(READY);
        blockSectors = 16;
        return;
      }
    }
    const good = lba + count <= SECTORS;
    expect(host.in(STATUS), where).toBe(good ? READY : READY | ERR);
    expect(host.in(ERROR), where).toBe(good ? 0 : IDNF);
    if (good) expect(done, where).toBe(count);
    expect(later.waiting.length, where).toBe(0);
  };

  for (let turn = 0; turn < COMMANDS; turn++) {
    if (random(30) === 0) {
      blockSectors = 1 << random(5);
      host.lba28(0xc6, 0, blockSectors);
      expect(host.in(STATUS)).toBe(READY);
    }
    transfer(turn);
  }
  sameBytes(disk.bytes, model);
});
