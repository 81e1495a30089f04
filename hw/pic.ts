/**
 * The two cascaded interrupt controllers of a PC, and the edge/level registers of its chip set.
 *
 * Read: Intel 8259A data sheet (231468); Intel 82371 (PIIX) data sheet, ELCR1 and ELCR2. The slave's output is line 2
 * of the master. As in every chip set with edge/level registers, they decide on edge or level, and LTIM in ICW1 does
 * not. Where they leave a choice it is made as in QEMU 7.2: an edge stays requested although its line has fallen, and a
 * line that turns from edge to level or back keeps its request as it is until it changes.
 */

import type { Device, InterruptLine, Width } from './device.ts';

const MASTER_PORT = 0x20;
const SLAVE_PORT = 0xa0;
const EDGE_LEVEL_PORT = 0x4d0;
const CASCADE = 2;
const CASCADE_BIT = 1 << CASCADE;
const SPURIOUS = 7;
const NOBODY = 8;

/**
 * Lines that may be level triggered: not the timer, the keyboard and the cascade, not the clock and the coprocessor.
 */
const MASTER_LEVEL_LINES = 0xf8;
const SLAVE_LEVEL_LINES = 0xde;

/** What the next write to the odd port is, while ICW1 has begun an initialisation. */
type Expected = 'OCW1' | 'ICW2' | 'ICW3' | 'ICW4';

/** One 8259A. */
class Controller {
  readonly #output: (level: boolean) => void;
  readonly #isMaster: boolean;
  readonly #levelCapable: number;
  /** Levels at the inputs, bit n = IRn. */
  #levels = 0;
  /** The interrupt request register: edges not yet acknowledged, and level-triggered lines that are high. */
  #requests = 0;
  #edgeLevel = 0;
  #mask = 0;
  #inService = 0;
  #vectorBase = 0;
  /** The input with the highest priority; the others follow in ascending order, wrapping around. */
  #highest = 0;
  #readInService = false;
  #poll = false;
  #specialMask = false;
  #automaticEoi = false;
  #rotateOnAutomaticEoi = false;
  #specialFullyNested = false;
  #expected: Expected = 'OCW1';
  #icw4Follows = false;
  #single = false;
  #outputLevel = false;

  constructor(isMaster: boolean, output: (level: boolean) => void) {
    this.#isMaster = isMaster;
    this.#levelCapable = isMaster ? MASTER_LEVEL_LINES : SLAVE_LEVEL_LINES;
    this.#output = output;
  }

  get mask(): number {
    return this.#mask;
  }

  get edgeLevel(): number {
    return this.#edgeLevel;
  }

  set edgeLevel(value: number) {
    this.#edgeLevel = value & this.#levelCapable;
  }

  /** Power-on. The levels at the inputs belong to the devices and stay. */
  reset(): void {
    this.#edgeLevel = 0;
    this.#initialise();
  }

  setInput(input: number, level: boolean): void {
    const bit = 1 << input;
    const levelTriggered = (this.#edgeLevel & bit) !== 0;
    if (level) {
      if (levelTriggered || (this.#levels & bit) === 0) this.#requests |= bit;
      this.#levels |= bit;
    } else {
      if (levelTriggered) this.#requests &= ~bit;
      this.#levels &= ~bit;
    }
    this.#update();
  }

  /** How far `input` bits are from the highest priority: 0 to 7, or 8 when there is none. */
  #priority(inputs: number): number {
    for (let priority = 0; priority < NOBODY; priority++) {
      if ((inputs & (1 << ((this.#highest + priority) & 7))) !== 0) return priority;
    }
    return NOBODY;
  }

  /** The input to be served next, or -1 when nothing requests or what is in service goes first. */
  pending(): number {
    const requested = this.#priority(this.#requests & ~this.#mask);
    if (requested === NOBODY) return -1;
    let blocking = this.#inService;
    if (this.#specialMask) blocking &= ~this.#mask;
    // Special fully nested: a higher line of the slave may interrupt the slave's handler.
    if (this.#specialFullyNested && this.#isMaster) blocking &= ~CASCADE_BIT;
    return requested < this.#priority(blocking) ? (this.#highest + requested) & 7 : -1;
  }

  /** What INTA does to the registers for an input that is pending, and, as in QEMU 7.2, all that a poll does. */
  serve(input: number): void {
    const bit = 1 << input;
    this.#requests &= ~bit | this.#edgeLevel;
    if (!this.#automaticEoi) this.#inService |= bit;
    else if (this.#rotateOnAutomaticEoi) this.#highest = (input + 1) & 7;
    this.#update();
  }

  /** Takes INT down until the registers change. */
  dropOutput(): void {
    this.#setOutput(false);
  }

  vector(input: number): number {
    return this.#vectorBase + input;
  }

  /** A read after the poll command is an INTA cycle, at either port. */
  read(odd: boolean): number {
    if (this.#poll) {
      this.#poll = false;
      const input = this.pending();
      if (input < 0) return 0;
      this.serve(input);
      return 0x80 | input;
    }
    if (odd) return this.#mask;
    return this.#readInService ? this.#inService : this.#requests;
  }

  write(odd: boolean, value: number): void {
    if (odd) this.#writeOdd(value);
    else if ((value & 0x10) !== 0) this.#writeIcw1(value);
    else if ((value & 0x08) !== 0) this.#writeOcw3(value);
    else this.#writeOcw2(value);
    this.#update();
  }

  #writeIcw1(value: number): void {
    this.#initialise();
    this.#expected = 'ICW2';
    this.#icw4Follows = (value & 0x01) !== 0;
    this.#single = (value & 0x02) !== 0;
  }

  /** What ICW1 does by itself; a line that is high has to fall and rise before it is an edge again. */
  #initialise(): void {
    this.#requests &= this.#edgeLevel;
    this.#mask = 0;
    this.#inService = 0;
    this.#vectorBase = 0;
    this.#highest = 0;
    this.#readInService = false;
    this.#poll = false;
    this.#specialMask = false;
    this.#automaticEoi = false;
    this.#rotateOnAutomaticEoi = false;
    this.#specialFullyNested = false;
    this.#expected = 'OCW1';
    this.#update();
  }

  #writeOdd(value: number): void {
    switch (this.#expected) {
      case 'OCW1':
        this.#mask = value;
        break;
      case 'ICW2':
        this.#vectorBase = value & 0xf8;
        if (!this.#single) this.#expected = 'ICW3';
        else this.#expected = this.#icw4Follows ? 'ICW4' : 'OCW1';
        break;
      case 'ICW3': // Which line has a slave, or whose slave it is: soldered on a PC.
        this.#expected = this.#icw4Follows ? 'ICW4' : 'OCW1';
        break;
      case 'ICW4':
        this.#specialFullyNested = (value & 0x10) !== 0;
        this.#automaticEoi = (value & 0x02) !== 0;
        this.#expected = 'OCW1';
        break;
    }
  }

  /** End of interrupt and rotation: R, SL and EOI in bits 7 to 5, a level in bits 2 to 0. */
  #writeOcw2(value: number): void {
    const level = value & 7;
    switch (value >> 5) {
      case 0b000:
        this.#rotateOnAutomaticEoi = false;
        break;
      case 0b100:
        this.#rotateOnAutomaticEoi = true;
        break;
      case 0b001:
      case 0b101: {
        const priority = this.#priority(this.#inService);
        if (priority === NOBODY) break;
        const input = (this.#highest + priority) & 7;
        this.#inService &= ~(1 << input);
        if ((value & 0x80) !== 0) this.#highest = (input + 1) & 7;
        break;
      }
      case 0b011:
        this.#inService &= ~(1 << level);
        break;
      case 0b111:
        this.#inService &= ~(1 << level);
        this.#highest = (level + 1) & 7;
        break;
      case 0b110:
        this.#highest = (level + 1) & 7;
        break;
      default: // 010: no operation
        break;
    }
  }

  #writeOcw3(value: number): void {
    if ((value & 0x04) !== 0) this.#poll = true;
    if ((value & 0x02) !== 0) this.#readInService = (value & 0x01) !== 0;
    if ((value & 0x40) !== 0) this.#specialMask = (value & 0x20) !== 0;
  }

  #update(): void {
    this.#setOutput(this.pending() >= 0);
  }

  #setOutput(level: boolean): void {
    if (level === this.#outputLevel) return;
    this.#outputLevel = level;
    this.#output(level);
  }
}

/** The pair of interrupt controllers with the sixteen lines of a PC. */
export class Pic implements Device {
  readonly name = 'pic';
  readonly ports = [
    { first: MASTER_PORT, last: MASTER_PORT + 1 },
    { first: SLAVE_PORT, last: SLAVE_PORT + 1 },
    { first: EDGE_LEVEL_PORT, last: EDGE_LEVEL_PORT + 1 },
  ];
  readonly #advanceSources: (now: number) => void;
  readonly #outputListeners: ((level: boolean) => void)[] = [];
  readonly #lineListeners: ((irq: number, level: boolean) => void)[] = [];
  readonly #taken = new Set<number>([CASCADE]);
  readonly #master = new Controller(true, (level) => {
    for (const listener of this.#outputListeners) listener(level);
  });
  readonly #slave = new Controller(false, (level) => this.#master.setInput(CASCADE, level));

  /**
   * @param advanceSources brings the devices behind the lines up to a time in nanoseconds: the request registers have
   * to show what their clocks have done, although nobody has touched their ports
   */
  constructor(advanceSources: (now: number) => void = () => {}) {
    this.#advanceSources = advanceSources;
  }

  /**
   * Interrupt line `irq`, 0 to 15, for one device: lines are not shared. Throws a RangeError for a number that is none
   * and an Error for a line that is taken (2 is, by the cascade).
   */
  line(irq: number): InterruptLine {
    if (!Number.isInteger(irq) || irq < 0 || irq > 15) throw new RangeError(`there is no interrupt line ${irq}`);
    if (this.#taken.has(irq)) throw new Error(`interrupt line ${irq} is taken`);
    this.#taken.add(irq);
    const controller = irq < 8 ? this.#master : this.#slave;
    let current = false;
    return {
      set: (level) => {
        if (level === current) return;
        current = level;
        controller.setInput(irq & 7, level);
        for (const listener of this.#lineListeners) listener(irq, level);
      },
    };
  }

  /** Calls `listener` whenever INT, the output to the CPU, changes. */
  onOutput(listener: (level: boolean) => void): void {
    this.#outputListeners.push(listener);
  }

  /** Calls `listener` whenever the level of a line changes. */
  onLine(listener: (irq: number, level: boolean) => void): void {
    this.#lineListeners.push(listener);
  }

  /** Whether a mask register keeps requests of a line from the CPU. */
  isMasked(irq: number): boolean {
    if (irq < 8) return (this.#master.mask & (1 << irq)) !== 0;
    return ((this.#slave.mask & (1 << (irq - 8))) | (this.#master.mask & CASCADE_BIT)) !== 0;
  }

  /**
   * The interrupt acknowledge cycle of the CPU: the vector of the request that goes first. Without any, because it was
   * taken back or masked after INT rose, it is the spurious one, input 7, which is never in service.
   */
  acknowledge(): number {
    const input = this.#master.pending();
    if (input < 0) return this.#master.vector(SPURIOUS);
    this.#master.serve(input);
    if (input !== CASCADE) return this.#master.vector(input);
    const slaveInput = this.#slave.pending();
    if (slaveInput < 0) return this.#slave.vector(SPURIOUS);
    // INT drops in between, so that the master sees a new edge when its slave has another request.
    this.#slave.dropOutput();
    this.#slave.serve(slaveInput);
    return this.#slave.vector(slaveInput);
  }

  read(port: number, width: Width): number {
    if (width !== 1) return width === 2 ? 0xffff : 0xffff_ffff;
    switch (port & ~1) {
      case MASTER_PORT:
        return this.#master.read((port & 1) === 1);
      case SLAVE_PORT:
        return this.#slave.read((port & 1) === 1);
      default:
        return port === EDGE_LEVEL_PORT ? this.#master.edgeLevel : this.#slave.edgeLevel;
    }
  }

  write(port: number, width: Width, value: number): void {
    if (width !== 1) return;
    switch (port & ~1) {
      case MASTER_PORT:
        this.#master.write((port & 1) === 1, value);
        break;
      case SLAVE_PORT:
        this.#slave.write((port & 1) === 1, value);
        break;
      default:
        if (port === EDGE_LEVEL_PORT) this.#master.edgeLevel = value;
        else this.#slave.edgeLevel = value;
    }
  }

  advance(now: number): void {
    this.#advanceSources(now);
  }

  reset(): void {
    this.#slave.reset();
    this.#master.reset();
  }
}
