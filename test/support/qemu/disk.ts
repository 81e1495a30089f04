/**
 * Scenarios for the disk: its commands with good and bad parameters, transfers whole and broken off, resets.
 *
 * Left out are the DSC bit, IDNF as opposed to ABRT, words of IDENTIFY about nothing but the model, address registers
 * after a transfer; and where QEMU does not do what the standard says: READ VERIFY beyond the end, CHECK POWER MODE in
 * standby, INITIALIZE DEVICE PARAMETERS without sectors, and the optional commands that only QEMU has (SMART, DMA).
 */
import type { Random } from '../random.ts';
import { chance, type Generator, Script, weighted } from './script.ts';

const BASE = 0x1f0;
const CONTROL = 0x3f6;
const SIZES: readonly [number, ...number[]] = [32_768, 32_768, 4096, 20_000, 70_001];
const WORDS = 256;

const READS = [0x20, 0x21, 0x24, 0xc4, 0x29] as const;
const WRITES = [0x30, 0x31, 0x34, 0x3c, 0xc5, 0x39] as const;
const VERIFIES = [0x40, 0x41, 0x42] as const;
const EXTENDED: ReadonlySet<number> = new Set([0x24, 0x29, 0x34, 0x39, 0x42, 0x27, 0xea]);
const MULTIPLES: ReadonlySet<number> = new Set([0xc4, 0x29, 0xc5, 0x39]);
const SIMPLE = [0x10, 0x70, 0x94, 0x95, 0x96, 0x97, 0x99, 0xe0, 0xe1, 0xe2, 0xe3, 0xe6, 0xe7, 0xea, 0xf5] as const;
const UNKNOWN = [
  0x00, 0x08, 0x12, 0x22, 0x50, 0x87, 0xa0, 0xa1, 0xc0, 0xcd, 0xda, 0xed, 0xf1, 0xf2, 0xf6, 0xf9,
] as const;
/** Words of IDENTIFY that are about geometry and capacity. */
const IDENTIFY_WORDS = '1,3,6,60,61,100,101,102,103';

class Disk {
  readonly script = new Script();
  readonly #random: Random;
  readonly #sectors: number;
  #multiple = 16;
  #heads = 16;
  #perTrack = 63;

  constructor(random: Random) {
    this.#random = random;
    this.#sectors = random.pick(SIZES);
    this.script.line(`disk-size ${this.#sectors}`);
    // From now on QEMU answers IDENTIFY with what it is now, whatever geometry the host sets.
    this.identify();
  }

  /** Status, error and interrupt once the drive is not busy. */
  settle(refused = false): void {
    this.script.poll(CONTROL, 0x80, 0x00);
    this.script.irq(14);
    if (chance(this.#random, 0.3)) this.script.in(CONTROL, 'mask=0xef');
    this.script.in(BASE + 7, 'mask=0xef');
    // Which of the two bits says that an address is out of range is open.
    if (refused) this.script.in(BASE + 1);
    else this.error();
    if (chance(this.#random, 0.3)) this.script.irq(14);
  }

  error(): void {
    this.script.in(BASE + 1, 'mask=0xeb');
    this.script.in(BASE + 1, 'any=0x14');
  }

  /** A first sector near which something may happen, or any. */
  #firstSector(): number {
    const random = this.#random;
    return random.pick([
      0,
      random.below(this.#sectors),
      random.below(this.#sectors),
      this.#sectors - 1 - random.below(4),
      this.#sectors,
      this.#sectors + random.below(1000),
    ]);
  }

  /** Count and address registers, as the command wants them. */
  #address(sector: number, count: number, extended: boolean): void {
    const { script } = this;
    const random = this.#random;
    const cylinder = Math.floor(sector / (this.#heads * this.#perTrack));
    if (!extended && chance(random, 0.3) && cylinder < 65_536) {
      script.out(BASE + 6, 0xa0 | (Math.floor(sector / this.#perTrack) % this.#heads));
      script.out(BASE + 2, count & 0xff);
      script.out(BASE + 3, (sector % this.#perTrack) + 1);
      script.out(BASE + 4, cylinder & 0xff);
      script.out(BASE + 5, cylinder >> 8);
      return;
    }
    script.out(BASE + 6, extended ? 0x40 : 0xe0 | ((sector >> 24) & 15));
    if (extended) {
      script.out(BASE + 2, count >> 8);
      script.out(BASE + 3, sector >>> 24);
      script.out(BASE + 4, 0);
      script.out(BASE + 5, 0);
    }
    script.out(BASE + 2, count & 0xff);
    script.out(BASE + 3, sector & 0xff);
    script.out(BASE + 4, (sector >> 8) & 0xff);
    script.out(BASE + 5, (sector >> 16) & 0xff);
  }

  read(): void {
    const random = this.#random;
    const command = random.pick(READS);
    const count = random.pick([1, 1, 2, 3, 5, 16, 17, 33]);
    this.#address(this.#firstSector(), count, EXTENDED.has(command));
    this.script.out(BASE + 7, command);
    const block = this.#blockWords(command);
    const words = chance(random, 0.75) ? count * WORDS : random.below(count * WORDS);
    this.#move(words, block, (width, accesses) => this.script.line(`in${width} 0x1f0 *${accesses}`));
    if (words === count * WORDS) {
      this.settle();
      this.script.in(BASE + 2);
    } else {
      this.breakOff();
    }
  }

  write(): void {
    const random = this.#random;
    const command = random.pick(WRITES);
    const count = random.pick([1, 1, 2, 3, 5, 16, 17]);
    const first = this.#firstSector();
    this.#address(first, count, EXTENDED.has(command));
    this.script.out(BASE + 7, command);
    const words = chance(random, 0.75) ? count * WORDS : random.below(count * WORDS);
    this.#move(words, this.#blockWords(command), (width, accesses) => {
      if (width === 'l') this.script.line(`outl 0x1f0 hex=${random.bytes(accesses * 4).toString('hex')}`);
      else this.script.line(`outw 0x1f0 fill=${random.below(65_536)} *${accesses}`);
    });
    if (words === count * WORDS) {
      this.settle();
      this.script.in(BASE + 2);
    } else {
      this.breakOff();
    }
    this.script.out(BASE + 7, 0xe7);
    this.settle();
    const shown = Math.max(0, Math.min(count, this.#sectors - first));
    if (shown > 0) this.script.line(`disk ${first} *${shown}`);
  }

  #blockWords(command: number): number {
    return (MULTIPLES.has(command) ? Math.max(1, this.#multiple) : 1) * WORDS;
  }

  /** `words` words through the data port, in pieces that end where a block does, and looks at the drive in between. */
  #move(words: number, block: number, access: (width: string, accesses: number) => void): void {
    const random = this.#random;
    for (let at = 0; at < words; ) {
      this.script.poll(CONTROL, 0x80, 0x00);
      if (chance(random, 0.2)) this.script.irq(14);
      if (chance(random, 0.2)) this.script.in(random.pick([CONTROL, BASE + 7]), 'mask=0xef');
      const left = Math.min(words, at - (at % block) + block) - at;
      const piece = chance(random, 0.8) ? left : 1 + random.below(left);
      const wide = piece % 2 === 0 && chance(random, 0.3);
      access(wide ? 'l' : 'w', wide ? piece / 2 : piece);
      at += piece;
    }
  }

  /** What a host may do in the middle of a transfer. */
  breakOff(): void {
    const random = this.#random;
    this.script.poll(CONTROL, 0x80, 0x00);
    if (chance(random, 0.5)) this.script.out(BASE + 7, random.pick([0xec, 0x20, 0x10, 0x90, 0x00]));
    if (chance(random, 0.5)) this.script.out(BASE + 2 + random.below(4), random.below(256));
    this.script.in(CONTROL, 'mask=0xef');
    if (chance(random, 0.3)) this.script.line(`${random.pick(['inb', 'inw', 'inl'])} 0x1f0`);
    this.softwareReset();
  }

  softwareReset(): void {
    const random = this.#random;
    const disabled = chance(random, 0.3) ? 0x02 : 0x00;
    this.script.out(CONTROL, 0x04 | disabled);
    this.script.poll(CONTROL, 0x80, 0x00);
    if (chance(random, 0.8)) this.script.out(CONTROL, disabled);
    this.script.out(BASE + 6, 0xa0);
    this.#multiple = 16;
    this.settle();
    for (const offset of [2, 3, 4, 5]) this.script.in(BASE + offset);
    if (disabled !== 0) this.script.out(CONTROL, 0x00);
  }

  simple(): void {
    this.script.out(BASE + 7, this.#random.pick(SIMPLE));
    this.settle(true);
  }

  unknown(): void {
    this.script.out(BASE + 7, this.#random.pick(UNKNOWN));
    this.settle(true);
  }

  verify(): void {
    const command = this.#random.pick(VERIFIES);
    const count = this.#random.pick([1, 5, 256]);
    this.#address(this.#random.below(this.#sectors - count), count, EXTENDED.has(command));
    this.script.out(BASE + 7, command);
    this.settle(true);
  }

  setMultiple(): void {
    const count = this.#random.pick([0, 1, 2, 4, 8, 16, 3, 32, 128, 255]);
    this.script.out(BASE + 2, count);
    this.script.out(BASE + 7, 0xc6);
    if (count <= 16 && (count & (count - 1)) === 0) this.#multiple = count;
    this.settle(true);
  }

  setFeatures(): void {
    const random = this.#random;
    this.script.out(
      BASE + 1,
      random.pick([0x02, 0x82, 0x55, 0xaa, 0x66, 0xcc, 0x03, 0x03, 0x05, 0x42, 0x00, 0x77, 0x5d]),
    );
    this.script.out(BASE + 2, random.pick([0x00, 0x01, 0x08, 0x0c, 0x12, 0x22, 0x44, 0x80, 0xff]));
    this.script.out(BASE + 7, 0xef);
    this.settle(true);
  }

  initializeParameters(): void {
    const random = this.#random;
    this.#heads = random.pick([16, 16, 1, 8, 15]);
    this.#perTrack = random.pick([63, 63, 17, 32, 255]);
    this.script.out(BASE + 6, 0xa0 | (this.#heads - 1));
    this.script.out(BASE + 2, this.#perTrack);
    this.script.out(BASE + 7, 0x91);
    this.settle(true);
  }

  nativeMaximum(): void {
    const extended = chance(this.#random, 0.5);
    this.script.out(BASE + 6, 0x40 | (chance(this.#random, 0.5) ? 0xa0 : 0));
    this.script.out(BASE + 7, extended ? 0x27 : 0xf8);
    this.settle(true);
    for (const offset of [3, 4, 5, 6]) this.script.in(BASE + offset);
    if (!extended) return;
    this.script.out(CONTROL, 0x80);
    for (const offset of [3, 4, 5]) this.script.in(BASE + offset);
    this.script.out(CONTROL, 0x00);
  }

  checkPowerMode(): void {
    this.script.out(BASE + 7, 0xe1);
    this.settle(true);
    this.script.out(BASE + 7, this.#random.pick([0xe5, 0x98]));
    this.settle(true);
    this.script.in(BASE + 2);
  }

  identify(): void {
    this.script.out(BASE + 7, 0xec);
    this.script.poll(CONTROL, 0x80, 0x00);
    this.script.irq(14);
    this.script.line(`inw 0x1f0 *256 only=${IDENTIFY_WORDS}`);
    this.settle(true);
  }

  diagnostic(): void {
    this.script.out(BASE + 7, 0x90);
    this.settle();
    for (let offset = 1; offset < 7; offset++) this.script.in(BASE + offset);
  }

  /** Device 1, which is not there. */
  otherDevice(): void {
    const random = this.#random;
    this.script.out(BASE + 6, 0xb0 | random.below(16));
    this.script.in(BASE + 7, 'mask=0xef');
    this.script.in(BASE + 1);
    if (chance(random, 0.5)) this.script.out(BASE + 7, random.pick([0xec, 0x20, 0x90, 0x10, 0x00]));
    if (chance(random, 0.3)) this.script.line(`${random.pick(['inb', 'inw', 'inl'])} 0x1f0`);
    this.script.in(CONTROL, 'mask=0xef');
    this.script.irq(14);
    this.registers();
    this.script.out(BASE + 6, 0xa0);
    this.script.in(BASE + 7, 'mask=0xef');
  }

  /** All registers written, some twice, and read with and without the bit for the older ones. */
  registers(): void {
    const random = this.#random;
    for (const offset of [1, 2, 3, 4, 5, 2, 4]) this.script.out(BASE + offset, random.below(256));
    if (chance(random, 0.5)) this.script.out(CONTROL, 0x80);
    for (const offset of [2, 3, 4, 5]) this.script.in(BASE + offset);
    if (chance(random, 0.3)) this.script.line(`inw 0x${(BASE + 2 + random.below(3)).toString(16)}`);
    this.script.out(CONTROL, 0x00);
  }

  interruptsOff(): void {
    this.script.out(CONTROL, 0x02);
    this.simple();
    this.script.out(CONTROL, 0x00);
    this.script.irq(14);
  }

  idlePort(): void {
    const random = this.#random;
    if (chance(random, 0.5)) this.script.line(`${random.pick(['inb', 'inw', 'inl'])} 0x1f0`);
    else this.script.line(`${random.pick(['outb', 'outw', 'outl'])} 0x1f0 0x1234`);
    this.script.in(CONTROL, 'mask=0xef');
  }
}

export const disk: Generator = (random) => {
  const disk = new Disk(random);
  for (let turn = 6 + random.below(20); turn > 0; turn--) {
    weighted(random, [
      [8, () => disk.read()],
      [6, () => disk.write()],
      [2, () => disk.softwareReset()],
      [3, () => disk.simple()],
      [2, () => disk.unknown()],
      [1, () => disk.verify()],
      [3, () => disk.setMultiple()],
      [3, () => disk.setFeatures()],
      [2, () => disk.initializeParameters()],
      [2, () => disk.nativeMaximum()],
      [1, () => disk.checkPowerMode()],
      [2, () => disk.identify()],
      [2, () => disk.diagnostic()],
      [2, () => disk.otherDevice()],
      [2, () => disk.registers()],
      [2, () => disk.interruptsOff()],
      [1, () => disk.idlePort()],
    ]);
  }
  return disk.script.lines;
};
