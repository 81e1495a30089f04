import { describe, expect, it } from 'vitest';
import { Pic } from '../../../hw/pic.ts';

const MASTER = 0x20;
const SLAVE = 0xa0;

/** A pair after the usual initialisation: vectors 0x20 and 0x28, everything unmasked. */
function initialised(icw4 = 0x01, slaveIcw4 = 0x01): Pic {
  const pic = new Pic();
  for (const [base, vector, cascade, last] of [
    [MASTER, 0x20, 0x04, icw4],
    [SLAVE, 0x28, 0x02, slaveIcw4],
  ] as const) {
    pic.write(base, 1, 0x11);
    for (const value of [vector, cascade, last, 0x00]) pic.write(base + 1, 1, value);
  }
  return pic;
}

/** Reads a controller after an operation command word that says what is to be read. */
function readAfter(pic: Pic, base: number, command: number): number {
  pic.write(base, 1, command);
  return pic.read(base, 1);
}

const requests = (pic: Pic, base: number): number => readAfter(pic, base, 0x0a);
const inService = (pic: Pic, base: number): number => readAfter(pic, base, 0x0b);
const poll = (pic: Pic, base: number): number => readAfter(pic, base, 0x0c);
const endOfInterrupt = (pic: Pic, base: number): void => pic.write(base, 1, 0x20);

describe('the interrupt controllers', () => {
  it('gives each line to one device, and never the cascade', () => {
    const pic = new Pic();
    pic.line(4);
    expect(() => pic.line(4)).toThrow('taken');
    expect(() => pic.line(2)).toThrow('taken');
    expect(() => pic.line(16)).toThrow(RangeError);
    expect(() => pic.line(-1)).toThrow(RangeError);
  });

  it('raises INT for an edge, once, and acknowledges with its vector', () => {
    const pic = initialised();
    const output: boolean[] = [];
    pic.onOutput((level) => output.push(level));
    const line = pic.line(4);
    line.set(true);
    expect(output).toEqual([true]);
    expect(pic.acknowledge()).toBe(0x24);
    expect(output).toEqual([true, false]);
    endOfInterrupt(pic, MASTER);
    expect(requests(pic, MASTER)).toBe(0);
    line.set(true);
    expect(output).toEqual([true, false]);
    line.set(false);
    line.set(true);
    expect(output).toEqual([true, false, true]);
  });

  it('reports each change of a line, and nothing else', () => {
    const pic = initialised();
    const seen: [number, boolean][] = [];
    pic.onLine((irq, level) => seen.push([irq, level]));
    const line = pic.line(9);
    for (const level of [false, true, true, false]) line.set(level);
    expect(seen).toEqual([
      [9, true],
      [9, false],
    ]);
  });

  it('serves by priority, nested, the higher one first', () => {
    const pic = initialised();
    const [timer, keyboard, serial] = [pic.line(0), pic.line(1), pic.line(4)];
    serial.set(true);
    keyboard.set(true);
    expect(pic.acknowledge()).toBe(0x21);
    timer.set(true);
    expect(pic.acknowledge()).toBe(0x20);
    expect(inService(pic, MASTER)).toBe(0x03);
    expect(poll(pic, MASTER)).toBe(0);
    endOfInterrupt(pic, MASTER);
    expect(inService(pic, MASTER)).toBe(0x02);
    endOfInterrupt(pic, MASTER);
    expect(poll(pic, MASTER)).toBe(0x84);
  });

  it('passes the requests of the slave on through line 2', () => {
    const pic = initialised();
    const [disk, other] = [pic.line(14), pic.line(15)];
    disk.set(true);
    other.set(true);
    expect(requests(pic, MASTER)).toBe(0x04);
    expect(pic.acknowledge()).toBe(0x2e);
    expect([inService(pic, MASTER), inService(pic, SLAVE)]).toEqual([0x04, 0x40]);
    endOfInterrupt(pic, SLAVE);
    endOfInterrupt(pic, MASTER);
    expect(pic.acknowledge()).toBe(0x2f);
  });

  it('keeps a masked request until it is unmasked', () => {
    const pic = initialised();
    pic.write(MASTER + 1, 1, 0xff);
    const line = pic.line(3);
    line.set(true);
    expect(pic.isMasked(3)).toBe(true);
    expect(pic.acknowledge()).toBe(0x27); // spurious
    pic.write(MASTER + 1, 1, 0xf7);
    expect(pic.isMasked(3)).toBe(false);
    expect(pic.acknowledge()).toBe(0x23);
  });

  it('masks the slave as a whole at the master', () => {
    const pic = initialised();
    pic.write(SLAVE + 1, 1, 0xbf);
    expect([pic.isMasked(14), pic.isMasked(15)]).toEqual([false, true]);
    pic.write(MASTER + 1, 1, 0x04);
    expect(pic.isMasked(14)).toBe(true);
  });

  it('answers 7 or 15 to an acknowledge for a request that is gone', () => {
    const pic = initialised();
    pic.write(0x4d1, 1, 0x08); // line 11 by level
    const line = pic.line(11);
    expect(pic.acknowledge()).toBe(0x27);
    expect(inService(pic, MASTER)).toBe(0);
    line.set(true);
    line.set(false);
    // The slave has dropped its request; the master has seen the edge of its output.
    expect(pic.acknowledge()).toBe(0x2f);
    expect([inService(pic, MASTER), inService(pic, SLAVE)]).toEqual([0x04, 0]);
  });

  it('asks again for a level that stays, after its end of interrupt', () => {
    const pic = initialised();
    pic.write(0x4d0, 1, 0xff);
    expect(pic.read(0x4d0, 1)).toBe(0xf8);
    const line = pic.line(5);
    line.set(true);
    expect(pic.acknowledge()).toBe(0x25);
    expect(poll(pic, MASTER)).toBe(0);
    endOfInterrupt(pic, MASTER);
    expect(pic.acknowledge()).toBe(0x25);
    line.set(false);
    endOfInterrupt(pic, MASTER);
    expect(pic.acknowledge()).toBe(0x27);
  });

  it('keeps a request when its line turns from edge to level, until the line changes', () => {
    const pic = initialised();
    const line = pic.line(5);
    line.set(true);
    line.set(false);
    pic.write(0x4d0, 1, 0x20);
    expect(requests(pic, MASTER)).toBe(0x20);
    line.set(true);
    expect(pic.acknowledge()).toBe(0x25);
    expect(requests(pic, MASTER)).toBe(0x20);
    line.set(false);
    expect(requests(pic, MASTER)).toBe(0);
  });

  it('ends interrupts by number, and rotates priorities', () => {
    const pic = initialised();
    const [low, high] = [pic.line(6), pic.line(1)];
    high.set(true);
    expect(poll(pic, MASTER)).toBe(0x81);
    pic.write(MASTER, 1, 0xa0); // rotate on a non-specific end: 1 becomes the lowest
    high.set(false);
    high.set(true);
    low.set(true);
    expect(poll(pic, MASTER)).toBe(0x86);
    pic.write(MASTER, 1, 0x66); // end of 6 by number
    expect(inService(pic, MASTER)).toBe(0);
    pic.write(MASTER, 1, 0xc5); // 5 lowest, so 6 highest
    low.set(false);
    low.set(true);
    expect(poll(pic, MASTER)).toBe(0x86);
    pic.write(MASTER, 1, 0xe6); // end of 6, and it becomes the lowest
    expect(inService(pic, MASTER)).toBe(0);
    expect(poll(pic, MASTER)).toBe(0x81);
  });

  it('serves without end of interrupt in automatic mode, rotating when told', () => {
    const pic = initialised(0x03);
    const [first, second] = [pic.line(0), pic.line(1)];
    pic.write(MASTER, 1, 0x80);
    first.set(true);
    expect(pic.acknowledge()).toBe(0x20);
    expect(inService(pic, MASTER)).toBe(0);
    first.set(false);
    first.set(true);
    second.set(true);
    expect(pic.acknowledge()).toBe(0x21);
    expect(pic.acknowledge()).toBe(0x20);
    pic.write(MASTER, 1, 0x00);
    for (const line of [first, second]) {
      line.set(false);
      line.set(true);
    }
    expect(pic.acknowledge()).toBe(0x21);
  });

  it('lets a slave in automatic mode ask for each of its requests', () => {
    const pic = initialised(0x03, 0x03);
    const [disk, other] = [pic.line(14), pic.line(15)];
    disk.set(true);
    other.set(true);
    expect([pic.acknowledge(), pic.acknowledge(), pic.acknowledge()]).toEqual([0x2e, 0x2f, 0x27]);
  });

  it('lets lower requests through in special mask mode', () => {
    const pic = initialised();
    const [high, low] = [pic.line(1), pic.line(6)];
    high.set(true);
    expect(poll(pic, MASTER)).toBe(0x81);
    low.set(true);
    expect(poll(pic, MASTER)).toBe(0);
    pic.write(MASTER + 1, 1, 0x02);
    pic.write(MASTER, 1, 0x68);
    expect(poll(pic, MASTER)).toBe(0x86);
    pic.write(MASTER, 1, 0x48);
    expect(inService(pic, MASTER)).toBe(0x42);
  });

  it('nests within the slave in special fully nested mode', () => {
    const pic = initialised(0x11);
    const [disk, clock] = [pic.line(14), pic.line(8)];
    disk.set(true);
    expect(pic.acknowledge()).toBe(0x2e);
    clock.set(true);
    expect(pic.acknowledge()).toBe(0x28);
    const plain = initialised(0x01);
    const [plainDisk, plainClock] = [plain.line(14), plain.line(8)];
    plainDisk.set(true);
    expect(plain.acknowledge()).toBe(0x2e);
    plainClock.set(true);
    expect(plain.acknowledge()).toBe(0x27);
  });

  it('begins anew with ICW1, for which a line that is high is no edge', () => {
    const pic = initialised();
    const line = pic.line(4);
    line.set(true);
    pic.acknowledge();
    pic.write(MASTER, 1, 0x13); // single, ICW4 follows: no ICW3
    pic.write(MASTER + 1, 1, 0x47);
    pic.write(MASTER + 1, 1, 0x01);
    pic.write(MASTER + 1, 1, 0xee);
    expect([pic.read(MASTER + 1, 1), inService(pic, MASTER), requests(pic, MASTER)]).toEqual([0xee, 0, 0]);
    line.set(false);
    line.set(true);
    expect(pic.acknowledge()).toBe(0x44);
  });

  it('brings the devices behind the lines up to date before it is read', () => {
    const times: number[] = [];
    const pic = new Pic((now) => times.push(now));
    pic.advance(17);
    expect(times).toEqual([17]);
  });

  it('forgets everything but the levels of its lines at a reset', () => {
    const pic = initialised();
    const line = pic.line(4);
    line.set(true);
    pic.write(0x4d0, 1, 0x20);
    pic.reset();
    expect([requests(pic, MASTER), pic.read(0x4d0, 1), pic.read(MASTER + 1, 1)]).toEqual([0, 0, 0]);
  });
});
