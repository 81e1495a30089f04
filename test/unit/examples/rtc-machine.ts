/** A clock chip whose time moves on with each access, and vectors of port accesses run on it. */
import type { Rtc } from '../../../hw/rtc.ts';
import { vectorOperation as op } from '../../../protocol/vector.ts';

/** What the interface `clock` answers. */
export interface ClockReading {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly incarnation: number;
}

/** Nanoseconds an access takes: slow, so that an update can begin within a vector. */
const ACCESS_NS = 20_000;

/** See the head of this file. */
export class Machine {
  /** Nanoseconds since power-on. */
  now = 0;
  private readonly rtc: Rtc;

  /** `mode` is written to status register B. */
  constructor(rtc: Rtc, mode: number) {
    this.rtc = rtc;
    rtc.write(0x70, 1, 0x0b);
    rtc.write(0x71, 1, mode);
  }

  /** Runs a vector of WRITE8, READ8 and POLL8. */
  run(operations: readonly unknown[]): { ended: number; results: unknown[] } {
    const words = operations.map(Number);
    const results: number[] = [];
    for (let at = 0, index = 0; at < words.length; index++) {
      const [code = 0, port = 0, second = 0, third = 0, fourth = 0] = words.slice(at, at + 5);
      if (code === op.WRITE8) {
        this.tick();
        this.rtc.write(port, 1, second);
        at += 3;
      } else if (code === op.READ8) {
        results.push(this.read(port));
        at += 2;
      } else if (code === op.POLL8) {
        const deadline = this.now + fourth * 1000;
        let value = this.read(port);
        while ((value & second) !== third && this.now < deadline) value = this.read(port);
        results.push(value);
        if ((value & second) !== third) return { ended: index, results };
        at += 5;
      } else throw new Error(`operation ${code}`);
    }
    return { ended: -1, results };
  }

  private read(port: number): number {
    this.tick();
    return this.rtc.read(port, 1);
  }

  private tick(): void {
    this.now += ACCESS_NS;
    this.rtc.advance(this.now);
  }
}
