/** A ring of small numbers with a fixed capacity: the FIFOs of the devices. */

export class Fifo {
  readonly #entries: Uint16Array;
  #first = 0;
  #length = 0;

  /** @param capacity how many entries fit; each is 0 to 0xffff */
  constructor(capacity: number) {
    this.#entries = new Uint16Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  get room(): number {
    return this.#entries.length - this.#length;
  }

  clear(): void {
    this.#first = 0;
    this.#length = 0;
  }

  /** Adds an entry; false, and nothing happens, when the FIFO is full. */
  push(entry: number): boolean {
    if (this.room === 0) return false;
    this.#entries[(this.#first + this.#length) % this.#entries.length] = entry;
    this.#length++;
    return true;
  }

  /** The oldest entry, or undefined. */
  peek(): number | undefined {
    return this.#length === 0 ? undefined : this.#entries[this.#first];
  }

  /** Takes out the oldest entry; undefined when there is none. */
  shift(): number | undefined {
    const entry = this.peek();
    if (entry === undefined) return undefined;
    this.#first = (this.#first + 1) % this.#entries.length;
    this.#length--;
    return entry;
  }

  /** Whether an entry has one of the bits of `mask`, apart from the `skipped` oldest ones. */
  some(mask: number, skipped: number): boolean {
    for (let index = skipped; index < this.#length; index++) {
      if (((this.#entries[(this.#first + index) % this.#entries.length] ?? 0) & mask) !== 0) return true;
    }
    return false;
  }
}
