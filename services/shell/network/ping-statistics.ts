/** What ping counts, and how it tells of it: the lines of iputils. */

/** Sequence numbers have 16 bits. */
const SEQUENCES = 65536;

/** A time in milliseconds, with as many decimals as iputils gives it. */
export function roundTripText(milliseconds: number): string {
  if (milliseconds >= 99.95) return milliseconds.toFixed(0);
  if (milliseconds >= 9.995) return milliseconds.toFixed(1);
  return milliseconds.toFixed(milliseconds >= 0.9995 ? 2 : 3);
}

/** What an answer is: the first one, one more, or to nothing that was asked. */
export type AnswerKind = 'first' | 'duplicate' | 'unknown';

/** Counts. All times in milliseconds of one clock. */
export class PingStatistics {
  sent = 0;
  received = 0;
  duplicates = 0;
  errors = 0;
  private readonly sentAt = new Float64Array(SEQUENCES);
  private readonly answered = new Uint8Array(SEQUENCES);
  private least = Number.POSITIVE_INFINITY;
  private most = 0;
  private sum = 0;
  private squares = 0;
  private average = 0;
  private started = 0;
  private last = 0;
  private pipe = 0;

  /** A packet goes out. Answers its sequence number. */
  send(now: number): number {
    if (this.sent === 0) this.started = now;
    this.last = now;
    this.sent += 1;
    const sequence = this.sent % SEQUENCES;
    this.sentAt[sequence] = now;
    this.answered[sequence] = 0;
    return sequence;
  }

  /** Nothing went out after all. */
  unsent(): void {
    this.errors += 1;
  }

  /** An answer has come. Answers its round trip time and whether it is the first one. */
  receive(sequence: number, now: number): { readonly time: number; readonly kind: AnswerKind } {
    const at = this.sentAt[sequence] ?? 0;
    if (this.sent < SEQUENCES && (sequence === 0 || sequence > this.sent)) return { time: 0, kind: 'unknown' };
    const time = Math.max(0, now - at);
    this.last = now;
    if (this.answered[sequence] !== 0) {
      this.duplicates += 1;
      return { time, kind: 'duplicate' };
    }
    this.answered[sequence] = 1;
    this.received += 1;
    this.pipe = Math.max(this.pipe, ((this.sent - sequence) & (SEQUENCES - 1)) + 1);
    this.least = Math.min(this.least, time);
    this.most = Math.max(this.most, time);
    this.sum += time;
    this.squares += time * time;
    this.average = this.received === 1 ? time : this.average + (time - this.average) / 8;
    return { time, kind: 'first' };
  }

  /** An error has come from a router, for a packet of ours. False: it has been answered already. */
  error(sequence: number, now: number): boolean {
    if (this.answered[sequence] !== 0) return false;
    this.answered[sequence] = 1;
    this.errors += 1;
    this.last = now;
    return true;
  }

  /** The longest round trip so far; 0 without an answer. */
  get longest(): number {
    return this.most;
  }

  private get loss(): number {
    return this.sent === 0 ? 0 : ((this.sent - this.received) * 100) / this.sent;
  }

  /** The last lines. */
  summary(host: string): string[] {
    const lines = ['', `--- ${host} ping statistics ---`];
    let counts = `${this.sent} packets transmitted, ${this.received} received`;
    if (this.duplicates > 0) counts += `, +${this.duplicates} duplicates`;
    if (this.errors > 0) counts += `, +${this.errors} errors`;
    if (this.sent > 0) {
      const time = Math.round(this.last - this.started);
      counts += `, ${Number(this.loss.toPrecision(6))}% packet loss, time ${time}ms`;
    }
    lines.push(counts);
    const figures: string[] = [];
    if (this.received > 0) {
      const mean = this.sum / this.received;
      const deviation = Math.sqrt(Math.max(0, this.squares / this.received - mean * mean));
      const times = [this.least, mean, this.most, deviation].map((time) => time.toFixed(3));
      figures.push(`rtt min/avg/max/mdev = ${times.join('/')} ms`);
    }
    if (this.pipe > 1) figures.push(`pipe ${this.pipe}`);
    lines.push(figures.join(', '));
    return lines;
  }

  /** The line for the quit key. */
  shortSummary(): string {
    const counts = `${this.received}/${this.sent} packets, ${Math.trunc(this.loss)}% loss`;
    if (this.received === 0) return counts;
    const times = [this.least, this.sum / this.received, this.average, this.most].map((time) => time.toFixed(3));
    return `${counts}, min/avg/ewma/max = ${times.join('/')} ms`;
  }
}
