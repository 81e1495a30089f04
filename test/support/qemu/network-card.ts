/**
 * Scenarios for the network card: remote DMA, sending, receiving into rings of all sizes and positions, interrupts.
 *
 * Left out is where QEMU and the data sheet of the controller disagree: what stopping and the reset port do besides
 * stopping, monitor mode, the send packet command, physical addresses other than the PROM's, group addresses that only
 * the promiscuous bit lets in, overflow, tally counters, local DMA addresses, loopback, the end of the PROM, and memory
 * beyond 16 KiB.
 */
import type { Random } from '../random.ts';
import { chance, type Generator, Script, weighted } from './script.ts';

const BASE = 0x300;
const DATA = 0x310;
const OWN_ADDRESS = '52:54:00:12:34:56';
const MULTICAST: readonly [string, ...string[]] = ['01:00:5e:00:00:01', '33:33:00:00:00:01', '01:80:c2:00:00:0e'];
/** In real milliseconds, until a frame on the cable has reached the card. */
const ON_THE_WAY_MS = 8;

class Card {
  readonly script = new Script();
  readonly #random: Random;
  #start = 0x46;
  #stop = 0x80;
  #word = false;
  #group = false;

  constructor(random: Random) {
    this.#random = random;
    this.reset();
  }

  /** The reset port, then all registers as a driver sets them. */
  reset(): void {
    const { script } = this;
    const random = this.#random;
    script.in(BASE + 0x1f, 'mask=0x00');
    script.in(BASE + 0x07, 'mask=0x80');
    script.out(BASE + 0x1f, 0x00);
    script.out(BASE, 0x21);
    this.#dataConfiguration();
    this.#remote(0, 0);
    script.out(BASE + 0x0c, 0x20);
    script.out(BASE + 0x0d, 0x00);
    const pages = random.pick([0x3a, 0x40, 7 + random.below(0x30)]);
    this.#start = 0x40 + random.below(0x41 - pages);
    this.#stop = this.#start + pages;
    script.out(BASE + 0x01, this.#start);
    script.out(BASE + 0x02, this.#stop);
    this.boundary(this.#start);
    script.out(BASE + 0x07, 0xff);
    script.out(BASE + 0x0f, random.pick([0x00, 0x7f, 0x41, random.below(256)]));
    script.out(BASE, 0x61);
    for (const [index, text] of OWN_ADDRESS.split(':').entries())
      script.out(BASE + 1 + index, Number.parseInt(text, 16));
    for (let index = 0; index < 8; index++) script.out(BASE + 8 + index, random.pick([0, 0xff, random.below(256)]));
    script.out(BASE + 0x07, this.#start + random.pick([0, 1, 1]));
    script.out(BASE, 0x22);
    this.filter();
  }

  filter(): void {
    const value = this.#random.pick([0x00, 0x04, 0x08, 0x0c, 0x0c, 0x10]);
    this.#group = value !== 0x10;
    this.script.out(BASE + 0x0c, value);
  }

  boundary(page: number): void {
    this.script.out(BASE + 0x03, page);
  }

  moveBoundary(): void {
    this.boundary(this.#start + this.#random.below(this.#stop - this.#start));
  }

  moveCurrent(): void {
    this.script.out(BASE, 0x62);
    this.script.out(BASE + 0x07, this.#start + this.#random.below(this.#stop - this.#start));
    this.script.out(BASE, 0x22);
  }

  #dataConfiguration(): void {
    this.#word = chance(this.#random, 0.5);
    this.script.out(BASE + 0x0e, this.#word ? 0x49 : 0x48);
  }

  #remote(address: number, count: number): void {
    this.script.out(BASE + 0x08, address & 0xff);
    this.script.out(BASE + 0x09, address >> 8);
    this.script.out(BASE + 0x0a, count & 0xff);
    this.script.out(BASE + 0x0b, count >> 8);
  }

  /** An address that something is at, most of the time. */
  #address(): number {
    const random = this.#random;
    return random.pick([
      0x4000 + random.below(0x3e00),
      (this.#start << 8) + 4 * random.below((this.#stop - this.#start) << 6),
      (this.#stop << 8) - 4 * (1 + random.below(16)),
      0x100 + random.below(0x3000),
      0xc000 + random.below(0x3000),
    ]);
  }

  /** A remote DMA, whole, in part, or longer than it is. */
  transfer(write: boolean): void {
    const random = this.#random;
    const count = random.pick([2, 4, 16, 62, 1 + random.below(300)]);
    const address = write ? 0x4000 + random.below(0x3e00) : this.#address();
    this.#remote(address, count);
    this.script.out(BASE, write ? 0x12 : 0x0a);
    const width = random.pick(['b', 'w', this.#word ? 'w' : 'b', 'l']);
    const bytes = width === 'l' ? 4 : this.#word ? 2 : 1;
    const whole = Math.ceil(count / bytes);
    const accesses = chance(random, 0.2) ? 1 + random.below(whole + 3) : whole;
    if (write) this.#writeData(width, accesses);
    else this.script.line(`in${width} 0x${DATA.toString(16)} *${accesses}`);
    if (chance(random, 0.7)) this.status();
    if (chance(random, 0.3)) {
      this.script.in(BASE + 0x08);
      this.script.in(BASE + 0x09);
    }
    if (chance(random, 0.6)) this.script.out(BASE, 0x22);
    if (chance(random, 0.6)) this.script.out(BASE + 0x07, 0x40);
  }

  #writeData(width: string, accesses: number): void {
    if (width !== 'l')
      this.script.line(`out${width} 0x${DATA.toString(16)} fill=${this.#random.below(256)} *${accesses}`);
    else this.script.line(`outl 0x${DATA.toString(16)} hex=${this.#random.bytes(accesses * 4).toString('hex')}`);
  }

  /** The PROM, as far as it has the station address. */
  readProm(): void {
    this.#remote(2 * this.#random.below(3), 6);
    this.script.out(BASE, 0x0a);
    this.script.line(`in${this.#word ? 'w' : 'b'} 0x${DATA.toString(16)} *${this.#word ? 3 : 6}`);
  }

  /** The data port without a command. */
  stray(): void {
    this.#remote(0x4000 + this.#random.below(0x3e00), this.#random.below(4));
    this.script.line(`in${this.#random.pick(['b', 'w', 'l'])} 0x${DATA.toString(16)} *${1 + this.#random.below(3)}`);
    this.status();
  }

  zeroTransfer(): void {
    this.#remote(this.#address(), 0);
    this.script.out(BASE, this.#random.pick([0x0a, 0x12]));
    this.status();
  }

  /** A packet into memory, and off. */
  send(): void {
    const random = this.#random;
    const length = random.pick([14, 60, 64, 1 + random.below(300), 1514, 1500 + random.below(200)]);
    const page = 0x40 + random.below(0x38);
    if (chance(random, 0.7)) {
      this.#remote(page << 8, length + (length & 1));
      this.script.out(BASE, 0x12);
      const accesses = this.#word ? (length + 1) >> 1 : length + (length & 1);
      this.#writeData(this.#word ? 'w' : 'b', accesses);
    }
    this.script.out(BASE + 0x04, page);
    this.script.out(BASE + 0x05, length & 0xff);
    this.script.out(BASE + 0x06, length >> 8);
    this.script.out(BASE, 0x26);
    this.script.line('frame-out');
    this.status();
    this.script.in(BASE + 0x04);
    this.script.in(BASE);
  }

  receive(): void {
    const random = this.#random;
    for (let count = random.pick([1, 1, 2, 4]); count > 0; count--) {
      const length = random.pick([14, 42, 59, 60, 61, 64, 244, 248, 249, 252, 256, 1514, 60 + random.below(1455)]);
      this.script.line(`frame-in dst=${this.#destination()} len=${length} seed=${random.below(256)}`);
    }
    this.script.line(`pause ${ON_THE_WAY_MS}`);
    this.status();
    this.script.in(BASE + 0x0c);
    this.current();
  }

  #destination(): string {
    const random = this.#random;
    const single = random.pick([OWN_ADDRESS, OWN_ADDRESS, OWN_ADDRESS, '52:54:00:12:34:57', '02:00:00:00:00:09']);
    return this.#group && chance(random, 0.4) ? random.pick(['ff:ff:ff:ff:ff:ff', ...MULTICAST]) : single;
  }

  current(): void {
    this.script.out(BASE, 0x62);
    this.script.in(BASE + 0x07);
    this.script.out(BASE, 0x22);
  }

  /** Some of the ring. */
  readRing(): void {
    const count = 4 + this.#random.below(600);
    this.#remote((this.#start + this.#random.below(this.#stop - this.#start)) << 8, count);
    this.script.out(BASE, 0x0a);
    this.script.line(`in${this.#word ? 'w' : 'b'} 0x${DATA.toString(16)} *${this.#word ? (count + 1) >> 1 : count}`);
    this.script.out(BASE + 0x07, 0x40);
  }

  status(): void {
    this.script.in(BASE + 0x07, 'mask=0xef');
    this.script.irq(9);
  }

  acknowledge(): void {
    this.script.out(BASE + 0x07, this.#random.pick([0xff, 0x7f, 0x01, 0x40, 0x02, this.#random.below(256)]));
    this.status();
  }

  mask(): void {
    this.script.out(BASE + 0x0f, this.#random.pick([0x00, 0x7f, 0xff, 0x40, 0x03, this.#random.below(256)]) & 0xef);
    this.status();
  }

  registers(): void {
    const random = this.#random;
    this.script.in(BASE + random.pick([0x00, 0x03, 0x04, 0x05, 0x0a, 0x0b]));
    this.script.out(BASE, 0x62);
    for (let count = 0; count < 3; count++) this.script.in(BASE + random.pick([1, 2, 6, 7, 8, 15]));
    this.script.out(BASE, 0xa2);
    this.script.in(BASE + 1 + random.below(2));
    if (chance(random, 0.3)) {
      this.script.out(BASE, 0xe2);
      this.script.in(BASE + random.pick([3, 4, 5, 6]));
    }
    this.script.out(BASE, 0x22);
    this.script.in(BASE + random.pick([0x11, 0x12, 0x18, 0x1e]));
  }

  stopAndStart(): void {
    this.script.out(BASE, 0x21);
    if (chance(this.#random, 0.5)) this.script.line(`frame-in dst=${OWN_ADDRESS} len=64 seed=9`);
    this.script.line(`pause ${ON_THE_WAY_MS}`);
    this.script.in(BASE + 0x07, 'mask=0x6f');
    this.script.irq(9);
    this.script.out(BASE, this.#random.pick([0x22, 0x02, 0x20]));
    this.status();
    this.current();
  }
}

export const networkCard: Generator = (random) => {
  const card = new Card(random);
  for (let turn = 8 + random.below(25); turn > 0; turn--) {
    weighted(random, [
      [1, () => card.reset()],
      [6, () => card.transfer(false)],
      [4, () => card.transfer(true)],
      [1, () => card.readProm()],
      [1, () => card.stray()],
      [1, () => card.zeroTransfer()],
      [3, () => card.send()],
      [8, () => card.receive()],
      [3, () => card.readRing()],
      [3, () => card.moveBoundary()],
      [1, () => card.moveCurrent()],
      [3, () => card.acknowledge()],
      [3, () => card.mask()],
      [2, () => card.filter()],
      [2, () => card.registers()],
      [1, () => card.stopAndStart()],
    ]);
  }
  return card.script.lines;
};
