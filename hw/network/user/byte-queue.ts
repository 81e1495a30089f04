/** Bytes in the order they came, in one buffer that is used round and round. */

const FIRST_CAPACITY = 4096;

export class ByteQueue {
  #buffer = Buffer.alloc(0);
  #start = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(bytes: Uint8Array): void {
    this.#reserve(this.#length + bytes.length);
    const end = (this.#start + this.#length) % Math.max(1, this.#buffer.length);
    const first = Math.min(bytes.length, this.#buffer.length - end);
    this.#buffer.set(bytes.subarray(0, first), end);
    this.#buffer.set(bytes.subarray(first), 0);
    this.#length += bytes.length;
  }

  /** A copy of `length` bytes from the `offset`th on. Throws a RangeError when there are not as many. */
  copy(offset: number, length: number): Buffer {
    if (offset < 0 || length < 0 || offset + length > this.#length) {
      throw new RangeError(`${length} bytes from ${offset} of a queue of ${this.#length}`);
    }
    const bytes = Buffer.allocUnsafe(length);
    if (length === 0) return bytes;
    const at = (this.#start + offset) % this.#buffer.length;
    const first = this.#buffer.copy(bytes, 0, at, Math.min(this.#buffer.length, at + length));
    this.#buffer.copy(bytes, first, 0, length - first);
    return bytes;
  }

  /** Removes bytes from the front. An empty queue holds no memory. */
  drop(count: number): void {
    const dropped = Math.min(count, this.#length);
    this.#length -= dropped;
    if (this.#length === 0) {
      this.#buffer = Buffer.alloc(0);
      this.#start = 0;
    } else {
      this.#start = (this.#start + dropped) % this.#buffer.length;
    }
  }

  #reserve(size: number): void {
    if (size <= this.#buffer.length) return;
    let capacity = Math.max(FIRST_CAPACITY, this.#buffer.length);
    while (capacity < size) capacity *= 2;
    const larger = Buffer.allocUnsafe(capacity);
    this.copy(0, this.#length).copy(larger);
    this.#buffer = larger;
    this.#start = 0;
  }
}
