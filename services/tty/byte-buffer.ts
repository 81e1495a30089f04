/** A growing row of bytes, for output that is made byte by byte. */

/** Collects bytes; `take` hands them over and starts anew. */
export class ByteBuffer {
  private bytes = new Uint8Array(64);
  private count = 0;

  /** Bytes collected so far. */
  get length(): number {
    return this.count;
  }

  /** Appends one byte. */
  push(byte: number): void {
    if (this.count === this.bytes.length) {
      const larger = new Uint8Array(this.bytes.length * 2);
      larger.set(this.bytes);
      this.bytes = larger;
    }
    this.bytes[this.count++] = byte;
  }

  /** The bytes collected, which the buffer then forgets. */
  take(): Uint8Array {
    const taken = this.bytes.slice(0, this.count);
    this.count = 0;
    return taken;
  }
}
