/**
 * The data port of a drive: a window on a buffer that the host reads or fills by accesses of 16 or 32 bits.
 *
 * Read: ATA/ATAPI-6, chapter 7 (data register).
 */

/** The data port. It is open while DRQ is set. */
export class DataPort {
  readonly #done: () => void;
  #buffer: Buffer = Buffer.alloc(0);
  #position = 0;
  #end = 0;
  #direction: 'in' | 'out' | null = null;

  /** @param done called when the last byte of a window has gone through; the port is closed again by then */
  constructor(done: () => void) {
    this.#done = done;
  }

  /** Lets the bytes `start` to `end` of `buffer` through: `in` to the host, `out` from the host. */
  open(buffer: Buffer, direction: 'in' | 'out', start: number, end: number): void {
    this.#buffer = buffer;
    this.#direction = direction;
    this.#position = start;
    this.#end = end;
  }

  /** Lets nothing through. */
  close(): void {
    this.#direction = null;
  }

  /** A read of 2 or 4 bytes; 0 where the host may not read. */
  read(width: 2 | 4): number {
    const position = this.#position;
    if (this.#direction !== 'in' || position + width > this.#end) return 0;
    const value = width === 2 ? this.#buffer.readUInt16LE(position) : this.#buffer.readUInt32LE(position);
    this.#advance(width);
    return value;
  }

  /** A write of 2 or 4 bytes; ignored where the host may not write. */
  write(width: 2 | 4, value: number): void {
    const position = this.#position;
    if (this.#direction !== 'out' || position + width > this.#end) return;
    if (width === 2) this.#buffer.writeUInt16LE(value & 0xffff, position);
    else this.#buffer.writeUInt32LE(value >>> 0, position);
    this.#advance(width);
  }

  /** Reads that fill `target`; they go on into the next window when `done` opens one. */
  readRun(width: 2 | 4, target: Buffer): void {
    let at = 0;
    while (this.#direction === 'in') {
      const bytes = this.#run(width, target.length - at);
      if (bytes === 0) break;
      this.#buffer.copy(target, at, this.#position, this.#position + bytes);
      at += bytes;
      this.#advance(bytes);
    }
    target.fill(0, at);
  }

  /** Writes of all of `source`; they go on into the next window when `done` opens one. */
  writeRun(width: 2 | 4, source: Buffer): void {
    let at = 0;
    while (this.#direction === 'out') {
      const bytes = this.#run(width, source.length - at);
      if (bytes === 0) break;
      source.copy(this.#buffer, this.#position, at, at + bytes);
      at += bytes;
      this.#advance(bytes);
    }
  }

  /** Bytes of this window that accesses of `width` bytes can move, at most `limit`. */
  #run(width: number, limit: number): number {
    const bytes = Math.min(limit, this.#end - this.#position);
    return bytes - (bytes % width);
  }

  #advance(bytes: number): void {
    this.#position += bytes;
    if (this.#position < this.#end) return;
    this.#direction = null;
    this.#done();
  }
}
