/** A driver's hands for tests of the network card: registers by name, remote DMA, the ring. */

import type { Width } from '../../../hw/device.ts';
import { Ne2000 } from '../../../hw/ne2000/card.ts';
import { type Cable, NO_CABLE } from '../../../hw/network/cable.ts';
import { TestLine } from './line.ts';

const BASE = 0x300;
export const STATION = '525400123456';

/** The card on a bench, with a cable that keeps what is sent. */
export class CardBench {
  readonly line = new TestLine();
  readonly sent: Buffer[] = [];
  readonly card: Ne2000;
  linked = true;
  /** How often the card has said that there is room again. */
  readyCalls = 0;

  constructor(address?: readonly number[]) {
    const bench = this;
    const cable: Cable = {
      ...NO_CABLE,
      get linked() {
        return bench.linked;
      },
      send: (frame) => this.sent.push(Buffer.from(frame)),
      receiveReady: () => this.readyCalls++,
    };
    this.card = new Ne2000({ base: BASE, line: this.line, cable, ...(address !== undefined && { address }) });
  }

  in(offset: number, width: Width = 1): number {
    return this.card.read(BASE + offset, width);
  }

  out(offset: number, ...values: readonly number[]): void {
    for (const value of values) this.card.write(BASE + offset, 1, value);
  }

  /** A register of page 1, with the controller left on page 0 and running. */
  in1(offset: number): number {
    this.out(0, 0x62);
    const value = this.in(offset);
    this.out(0, 0x22);
    return value;
  }

  in2(offset: number): number {
    this.out(0, 0xa2);
    const value = this.in(offset);
    this.out(0, 0x22);
    return value;
  }

  /** What a driver does first: a ring from page `start` to `stop`, the card's own address, started. */
  setUp(
    settings: {
      start?: number;
      stop?: number;
      boundary?: number;
      current?: number;
      receive?: number;
      data?: number;
    } = {},
  ): void {
    const { start = 0x46, stop = 0x80, receive = 0x04, data = 0x48 } = settings;
    this.in(0x1f);
    this.out(0, 0x21);
    this.out(0x0e, data);
    this.out(0x0a, 0);
    this.out(0x0b, 0);
    this.out(0x0c, receive);
    this.out(0x01, start);
    this.out(0x02, stop);
    this.out(0x03, settings.boundary ?? start);
    this.out(0x07, 0xff);
    this.out(0, 0x61);
    for (const [index, byte] of Buffer.from(STATION, 'hex').entries()) this.out(1 + index, byte);
    this.out(0x07, settings.current ?? start + 1);
    this.out(0, 0x22);
  }

  #startDma(address: number, count: number, command: number): void {
    this.out(0x0a, count & 0xff);
    this.out(0x0b, count >>> 8);
    this.out(0x08, address & 0xff);
    this.out(0x09, address >>> 8);
    this.out(0, command);
  }

  readMemory(address: number, count: number): Buffer {
    this.#startDma(address, count, 0x0a);
    const bytes = Buffer.alloc(count);
    this.card.readBlock(BASE + 0x10, 1, bytes);
    this.out(0x07, 0x40);
    return bytes;
  }

  writeMemory(address: number, bytes: Buffer): void {
    this.#startDma(address, bytes.length, 0x12);
    this.card.writeBlock(BASE + 0x10, 1, bytes);
    this.out(0x07, 0x40);
  }

  /** Sends what lies at a page. */
  transmit(page: number, count: number): void {
    this.out(0x04, page);
    this.out(0x05, count & 0xff);
    this.out(0x06, count >>> 8);
    this.out(0, 0x26);
  }

  receive(length: number, destination = STATION): Buffer {
    const frame = Buffer.alloc(length, 0xa5);
    frame.write(`${destination}02000000000188b5`, 'hex');
    this.card.receive(frame);
    return frame;
  }
}
