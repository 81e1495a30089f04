import { describe, expect, it } from 'vitest';
import { frameCheckSequence, shiftRegister } from '../../../hw/ne2000/checksum.ts';
import { Random } from '../../support/random.ts';
import { CardBench, STATION } from './ne2000-host.ts';

const OTHER = '525400123457';
const BROADCAST = 'ffffffffffff';
const GROUP = '01005e000001';

describe('the network card after a reset', () => {
  it('is stopped, with its registers as in the data sheet', () => {
    const bench = new CardBench();
    bench.setUp();
    bench.out(0x0e, 0x4c);
    bench.out(0x0f, 0x3f);
    bench.receive(64);
    bench.out(0x0d, 0x06);
    expect(bench.line.level).toBe(true);
    bench.in(0x1f);
    expect(bench.line.level).toBe(false);
    expect([bench.in(0x00), bench.in(0x07)]).toEqual([0x21, 0x80]);
    expect([bench.in2(0x0f), bench.in2(0x0d), bench.in2(0x0e)]).toEqual([0, 0, 0x48]);
  });

  it('loses frames until it is started, and keeps its ring', () => {
    const bench = new CardBench();
    bench.setUp();
    bench.in(0x1f);
    bench.receive(64);
    expect(bench.in1(0x07)).toBe(0x47);
    bench.receive(64);
    expect(bench.in1(0x07)).toBe(0x48);
  });

  it('has nothing in its memory after power-on', () => {
    const bench = new CardBench();
    bench.setUp();
    bench.writeMemory(0x4000, Buffer.alloc(16, 1));
    bench.card.reset();
    bench.out(0x00, 0x22);
    expect(bench.readMemory(0x4000, 16)).toEqual(Buffer.alloc(16));
    expect([bench.in2(0x01), bench.in2(0x02), bench.in1(0x07)]).toEqual([0, 0, 0]);
  });

  it('says in its status that it is stopped, and that it has been started', () => {
    const bench = new CardBench();
    bench.setUp();
    expect(bench.in(0x07)).toBe(0);
    bench.out(0x00, 0x21);
    expect(bench.in(0x07)).toBe(0x80);
    bench.out(0x00, 0x22);
    expect(bench.in(0x07)).toBe(0);
  });
});

describe('the address PROM', () => {
  it('has each byte twice, and the mark of a 16-bit card', () => {
    const bench = new CardBench([2, 1, 3, 5, 7, 9]);
    bench.out(0x00, 0x22);
    const prom = bench.readMemory(0, 32);
    expect(prom.subarray(0, 12).toString('hex')).toBe('020201010303050507070909');
    expect(prom.subarray(28).toString('hex')).toBe('57575757');
  });

  it('cannot be written', () => {
    const bench = new CardBench();
    bench.out(0x00, 0x22);
    bench.writeMemory(0, Buffer.alloc(32));
    expect(bench.readMemory(0, 2).toString('hex')).toBe('5252');
  });

  it('needs an address of six bytes', () => {
    expect(() => new CardBench([1, 2, 3])).toThrow(RangeError);
  });
});

describe('remote DMA', () => {
  it('reads on and takes nothing when no bytes are left', () => {
    const bench = new CardBench();
    bench.setUp();
    bench.writeMemory(0x4000, Buffer.from([1, 2, 3, 4]));
    bench.out(0x08, 0x00);
    bench.out(0x09, 0x40);
    bench.out(0x10, 9);
    expect([bench.in(0x08), bench.in(0x07)]).toEqual([0, 0]);
    expect([bench.in(0x10), bench.in(0x10), bench.in(0x08), bench.in(0x07)]).toEqual([1, 2, 2, 0x40]);
    expect(bench.readMemory(0x4000, 4)).toEqual(Buffer.from([1, 2, 3, 4]));
  });

  it('waits where it is when it is aborted', () => {
    const bench = new CardBench();
    bench.setUp();
    bench.writeMemory(0x4000, Buffer.from([1, 2, 3, 4]));
    bench.out(0x0a, 2);
    bench.out(0x08, 0x00);
    bench.out(0x09, 0x40);
    bench.out(0x00, 0x0a);
    bench.in(0x10);
    bench.out(0x00, 0x22);
    expect([bench.in(0x08), bench.in(0x07)]).toEqual([1, 0]);
    expect([bench.in(0x10), bench.in(0x07)]).toEqual([2, 0x40]);
  });

  it('moves four bytes at once from even addresses', () => {
    const bench = new CardBench();
    bench.setUp();
    bench.writeMemory(0x4000, Buffer.from([1, 2, 3, 4, 5, 6, 7, 8]));
    bench.out(0x0a, 8);
    bench.out(0x08, 0x01);
    bench.out(0x09, 0x40);
    bench.out(0x00, 0x0a);
    expect([bench.in(0x10, 4), bench.in(0x08)]).toEqual([0x0403_0201, 5]);
  });

  it('moves blocks as single accesses do, in both modes, over the end of the ring', () => {
    const random = new Random();
    for (let round = 0; round < 300; round++) {
      const one = new CardBench();
      const other = new CardBench();
      const width = random.pick([1, 2, 4] as const);
      const settings = { data: random.pick([0x48, 0x49]), start: 0x46, stop: 0x48 };
      const address = random.pick([0x4600, 0x4701, 0x47f0, 0x47f1, 0x7ff0, 0x3ff8, 0x10, 0xfffc]) + random.below(8);
      const count = random.below(40);
      const bytes = random.bytes(width * random.below(24));
      const results = [one, other].map((bench, index) => {
        bench.setUp(settings);
        bench.out(0x0a, count);
        bench.out(0x08, address & 0xff);
        bench.out(0x09, (address >>> 8) & 0xff);
        bench.out(0x00, 0x12);
        if (index === 0) bench.card.writeBlock(0x310, width, bytes);
        else
          for (let at = 0; at < bytes.length; at += width) bench.card.write(0x310, width, bytes.readUIntLE(at, width));
        const state = [bench.in(0x07), bench.in(0x08), bench.in(0x09)];
        bench.out(0x0a, count);
        bench.out(0x08, address & 0xff);
        bench.out(0x09, (address >>> 8) & 0xff);
        bench.out(0x00, 0x0a);
        const read = Buffer.alloc(bytes.length);
        if (index === 0) bench.card.readBlock(0x310, width, read);
        else for (let at = 0; at < read.length; at += width) read.writeUIntLE(bench.card.read(0x310, width), at, width);
        return [...state, read.toString('hex'), bench.in(0x07), bench.in(0x08), bench.in(0x09)];
      });
      expect(results[0], `seed ${random.seed}, round ${round}`).toEqual(results[1]);
    }
  });

  it('reads the packet at the boundary by itself and frees it', () => {
    const bench = new CardBench();
    bench.setUp({ boundary: 0x47 });
    const frame = bench.receive(300);
    bench.receive(64);
    bench.out(0x00, 0x1a);
    const bytes = Buffer.alloc(304);
    bench.card.readBlock(0x310, 1, bytes);
    expect([...bytes.subarray(0, 4)]).toEqual([0x01, 0x49, 0x30, 0x01]);
    expect(bytes.subarray(4)).toEqual(frame);
    expect([bench.in(0x03), bench.in(0x07) & 0x40]).toEqual([0x49, 0x40]);
    bench.out(0x07, 0x40);
    bench.out(0x00, 0x1a);
    expect([bench.in(0x08), bench.in(0x09)]).toEqual([0x00, 0x49]);
  });
});

describe('receiving', () => {
  it('accepts by the address registers, not by the PROM', () => {
    const bench = new CardBench();
    bench.setUp();
    bench.out(0x00, 0x62);
    bench.out(0x06, 0x57);
    bench.out(0x00, 0x22);
    bench.receive(64, STATION);
    expect(bench.in(0x07)).toBe(0);
    bench.receive(64, OTHER);
    expect(bench.in(0x07)).toBe(1);
  });

  it('lets in every station with PRO, but groups only by their own bits', () => {
    const bench = new CardBench();
    bench.setUp({ receive: 0x10 });
    bench.receive(64, BROADCAST);
    bench.receive(64, GROUP);
    expect(bench.in(0x07)).toBe(0);
    bench.receive(64, OTHER);
    expect(bench.in(0x07)).toBe(1);
  });

  it('only counts in monitor mode', () => {
    const bench = new CardBench();
    bench.setUp({ receive: 0x24 });
    for (let round = 0; round < 3; round++) bench.receive(64);
    bench.receive(64, OTHER);
    bench.receive(64, BROADCAST);
    expect([bench.in(0x07), bench.in1(0x07), bench.in(0x0c)]).toEqual([0, 0x47, 0x70]);
    expect([bench.in(0x0f), bench.in(0x0f)]).toEqual([4, 0]);
  });

  it('aborts a frame that meets the boundary, and says so', () => {
    const bench = new CardBench();
    bench.setUp({ start: 0x46, stop: 0x50 });
    bench.receive(1514);
    bench.out(0x07, 0x01);
    bench.receive(800);
    expect([bench.in(0x07), bench.in(0x0c), bench.in1(0x07), bench.in(0x0f)]).toEqual([0x10, 0x10, 0x4d, 1]);
    // A smaller one still fits, up to the boundary; then nothing does, although CURR and BNRY are equal as in an empty
    // ring.
    bench.receive(700);
    expect([bench.in1(0x07), bench.in(0x03)]).toEqual([0x46, 0x46]);
    bench.receive(64);
    expect(bench.in1(0x07)).toBe(0x46);
    bench.out(0x03, 0x4c);
    bench.receive(64);
    expect(bench.in1(0x07)).toBe(0x47);
  });

  it('raises a line for an overflow that the mask lets through', () => {
    const bench = new CardBench();
    bench.setUp({ start: 0x46, stop: 0x48 });
    bench.out(0x0f, 0x10);
    bench.receive(1514);
    expect(bench.line.take()).toBe(1);
    bench.out(0x07, 0x10);
    expect(bench.line.level).toBe(false);
  });

  it('asks to be read before a tally counter is full, which then stays', () => {
    const bench = new CardBench();
    bench.setUp({ start: 0x46, stop: 0x46 });
    for (let count = 0; count < 127; count++) bench.receive(64);
    expect(bench.in(0x07) & 0x20).toBe(0);
    bench.receive(64);
    expect(bench.in(0x07) & 0x20).toBe(0x20);
    for (let count = 0; count < 200; count++) bench.receive(64);
    expect([bench.in(0x0f), bench.in(0x0f)]).toEqual([192, 0]);
  });

  it('never writes outside of its ring, whatever the registers say and the frames are', () => {
    const random = new Random();
    for (let round = 0; round < 500; round++) {
      const bench = new CardBench();
      const page = (): number => (random.below(4) === 0 ? random.below(256) : 0x40 + random.below(0x41));
      const [start, stop] = [page(), page()];
      bench.setUp({ start, stop, boundary: page(), current: page() });
      for (let frame = 0; frame < 20; frame++) {
        bench.receive(14 + random.below(random.pick([64, 1500, 20_000])));
        if (random.below(3) === 0) bench.out(0x03, page());
      }
      // Without a ring the DMA reads straight on.
      bench.out(0x02, 0);
      const memory = bench.readMemory(0x4000, 0x4000);
      if (stop > start) memory.subarray(Math.max(0, start * 256 - 0x4000), Math.max(0, stop * 256 - 0x4000)).fill(0);
      expect(memory.equals(Buffer.alloc(0x4000)), `seed ${random.seed}, round ${round}`).toBe(true);
    }
  });

  it('tells the cable when to wait and when to go on', () => {
    const bench = new CardBench();
    expect(bench.card.ready()).toBe(true);
    bench.setUp({ start: 0x46, stop: 0x54 });
    expect(bench.card.ready()).toBe(true);
    bench.receive(1514);
    expect(bench.card.ready()).toBe(true);
    bench.receive(64);
    bench.receive(64);
    bench.receive(64);
    expect([bench.card.ready(), bench.readyCalls]).toEqual([false, 0]);
    bench.out(0x03, 0x4b);
    bench.out(0x03, 0x4c);
    expect([bench.readyCalls, bench.card.ready()]).toEqual([1, true]);
    // A small ring, and a stopped card, must not keep a cable waiting for ever.
    bench.setUp({ start: 0x46, stop: 0x49 });
    expect(bench.card.ready()).toBe(true);
    bench.receive(64);
    expect(bench.card.ready()).toBe(false);
    bench.out(0x00, 0x21);
    expect(bench.readyCalls).toBe(2);
  });
});

describe('transmitting', () => {
  it('misses the carrier when nobody is at the other end', () => {
    const bench = new CardBench();
    bench.setUp();
    bench.transmit(0x40, 60);
    expect(bench.in(0x04)).toBe(0x01);
    bench.linked = false;
    bench.transmit(0x40, 60);
    expect([bench.in(0x04), bench.in(0x07), bench.sent.length]).toEqual([0x11, 0x02, 2]);
  });

  it('sends what the memory gives where there is none, and nothing for no bytes', () => {
    const bench = new CardBench();
    bench.setUp();
    bench.transmit(0x7f, 300);
    bench.transmit(0x40, 0);
    expect(bench.sent).toEqual([Buffer.concat([Buffer.alloc(256), Buffer.alloc(44, 0xff)])]);
  });
});

describe('the frame check sequence', () => {
  it('is that of Ethernet', () => {
    // CRC-32 of "123456789" is cbf43926, sent lowest byte first.
    expect(frameCheckSequence(Buffer.from('123456789')).toString('hex')).toBe('2639f4cb');
    expect(shiftRegister(Buffer.from(GROUP, 'hex')) >>> 26).toBe(31);
  });
});

describe('loopback', () => {
  const packet = Buffer.from(`${STATION}02000000000188b5${'ab'.repeat(46)}`, 'hex');

  function loop(bench: CardBench, configuration: number, bytes: Buffer): number[] {
    bench.setUp();
    bench.out(0x0d, configuration);
    bench.writeMemory(0x4000, bytes);
    bench.transmit(0x40, bytes.length);
    return [bench.in(0x04), bench.in(0x0c), bench.in(0x07)];
  }

  it('gives the status of the application note for each mode', () => {
    const bench = new CardBench();
    expect(loop(bench, 0x02, packet)).toEqual([0x51, 0x02, 0x06]);
    expect(bench.in(0x0e)).toBe(1);
    expect(loop(bench, 0x04, packet)).toEqual([0x41, 0x02, 0x06]);
    expect(bench.sent).toEqual([]);
    expect(loop(bench, 0x06, packet)).toEqual([0x01, 0x02, 0x06]);
    expect(bench.sent).toEqual([packet]);
  });

  it('tests the address recognition', () => {
    const bench = new CardBench();
    const other = Buffer.from(packet);
    other.write(OTHER, 'hex');
    expect(loop(bench, 0x02, other)).toEqual([0x51, 0x01, 0x02]);
  });

  it('tests the check sequence when the transmitter leaves it to the driver', () => {
    const bench = new CardBench();
    const good = Buffer.concat([packet, frameCheckSequence(packet)]);
    expect(loop(bench, 0x03, good)).toEqual([0x51, 0x01, 0x02]);
    good[20] = 0;
    expect(loop(bench, 0x03, good)).toEqual([0x51, 0x02, 0x06]);
    expect(loop(bench, 0x03, Buffer.alloc(2))).toEqual([0x51, 0x01, 0x02]);
  });

  it('leaves length, last byte and check sequence in the FIFO', () => {
    const bench = new CardBench();
    loop(bench, 0x02, packet);
    const fifo = Buffer.from(Array.from({ length: 8 }, () => bench.in(0x06)));
    expect(fifo.toString('hex')).toBe(`400000ab${frameCheckSequence(packet).toString('hex')}`);
    bench.out(0x0d, 0x00);
    expect(bench.in(0x06)).toBe(0);
  });

  it('uses every other byte in word mode', () => {
    const bench = new CardBench();
    const doubled = Buffer.from([...packet].flatMap((byte) => [0xee, byte]));
    bench.setUp({ data: 0x49 });
    bench.out(0x0d, 0x02);
    bench.out(0x0e, 0x48);
    bench.writeMemory(0x4000, doubled);
    bench.out(0x0e, 0x49);
    bench.transmit(0x40, doubled.length);
    expect([bench.in(0x04), bench.in(0x0c)]).toEqual([0x51, 0x02]);
    for (let skip = 0; skip < 3; skip++) bench.in(0x06);
    expect(bench.in(0x06)).toBe(0xab);
  });

  it('keeps the cable out', () => {
    const bench = new CardBench();
    bench.setUp();
    bench.out(0x0d, 0x02);
    bench.receive(64);
    expect([bench.in(0x07), bench.card.ready()]).toEqual([0, true]);
  });
});
