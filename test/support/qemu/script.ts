/** Writing a scenario down: its lines, in the words of `test/conformance/scenario.ts`. */
import type { Random } from '../random.ts';

/** Makes a scenario for one device. */
export type Generator = (random: Random) => string[];

const hex = (value: number): string => `0x${value.toString(16)}`;

/** The lines of a scenario under way. */
export class Script {
  readonly lines: string[] = [];

  line(text: string): void {
    this.lines.push(text);
  }

  out(port: number, ...values: number[]): void {
    this.line(`outb ${hex(port)} ${values.map(hex).join(' ')}`);
  }

  /** @param options `mask=…` and so on */
  in(port: number, options = ''): void {
    this.line(`inb ${hex(port)} ${options}`.trimEnd());
  }

  step(ns: number): void {
    this.line(`step ${Math.floor(ns)}`);
  }

  /** Level and rising edges of an interrupt line. */
  irq(line: number): void {
    this.line(`irq ${line}`);
  }

  poll(port: number, mask: number, value: number, max = 5000): void {
    this.line(`poll ${hex(port)} mask=${hex(mask)} value=${hex(value)} max=${max}`);
  }
}

/** One of some actions, each as likely as its weight says. */
export function weighted(random: Random, choices: readonly (readonly [weight: number, act: () => void])[]): void {
  let at = random.below(choices.reduce((sum, [weight]) => sum + weight, 0));
  for (const [weight, act] of choices) {
    at -= weight;
    if (at >= 0) continue;
    act();
    return;
  }
}

export function chance(random: Random, probability: number): boolean {
  return random.next() < probability;
}
