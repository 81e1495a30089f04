/**
 * Input that nobody has read yet: whole lines in canonical mode, plain bytes otherwise. Read POSIX, 11.1.5 to 11.1.7.
 */

/** Bytes of unread input in either mode, the line being typed included. */
export const MAX_INPUT_BYTES = 65536;

const NEWLINE = 0x0a;
const RETURN = 0x0d;

/** Unread input. Only one of lines and bytes is in use at a time. */
export class InputQueue {
  private lines: Uint8Array[] = [];
  private ring: Uint8Array | null = null;
  private first = 0;
  private count = 0;
  private charge = 0;

  /** Bytes of the ring, or of the lines. */
  get byteCount(): number {
    return this.lines.length > 0 ? this.lines.reduce((sum, line) => sum + line.length, 0) : this.count;
  }

  /** What counts against MAX_INPUT_BYTES: an empty line, which stands for an end of the input, counts one. */
  get charged(): number {
    return this.charge + this.count;
  }

  get isEmpty(): boolean {
    return this.lines.length === 0 && this.count === 0;
  }

  /** Adds a line; an empty one is an end of the input. The caller has checked the room. */
  pushLine(line: Uint8Array): void {
    this.lines.push(line);
    this.charge += Math.max(1, line.length);
  }

  /** Adds a byte of raw input; false when there is no room. */
  pushByte(byte: number): boolean {
    if (this.count === MAX_INPUT_BYTES) return false;
    this.ring ??= new Uint8Array(MAX_INPUT_BYTES);
    this.ring[(this.first + this.count) % MAX_INPUT_BYTES] = byte;
    this.count += 1;
    return true;
  }

  /** At most `maxBytes` of the first line; what is left of it comes next time. Only for a queue that has lines. */
  readLine(maxBytes: number): Uint8Array {
    const line = this.lines.shift() ?? new Uint8Array(0);
    this.charge -= Math.max(1, line.length);
    if (line.length <= maxBytes) return line;
    const rest = line.slice(maxBytes);
    this.lines.unshift(rest);
    this.charge += rest.length;
    return line.slice(0, maxBytes);
  }

  /** At most `maxBytes` of raw input, with `toReturn` none behind the first return or newline. */
  readBytes(maxBytes: number, toReturn = false): Uint8Array {
    const most = Math.min(maxBytes, this.count);
    const taken = new Uint8Array(toReturn ? this.lengthToReturn(most) : most);
    if (this.ring !== null) {
      const upToEnd = Math.min(taken.length, MAX_INPUT_BYTES - this.first);
      taken.set(this.ring.subarray(this.first, this.first + upToEnd));
      taken.set(this.ring.subarray(0, taken.length - upToEnd), upToEnd);
    }
    this.first = (this.first + taken.length) % MAX_INPUT_BYTES;
    this.count -= taken.length;
    return taken;
  }

  private lengthToReturn(most: number): number {
    for (let length = 1; length <= most; length++) {
      const byte = this.ring?.[(this.first + length - 1) % MAX_INPUT_BYTES];
      if (byte === RETURN || byte === NEWLINE) return length;
    }
    return most;
  }

  /** Whether a line is complete. */
  get hasLine(): boolean {
    return this.lines.length > 0;
  }

  /** Forgets everything. */
  clear(): void {
    this.lines = [];
    this.charge = 0;
    this.first = 0;
    this.count = 0;
  }

  /** Turns lines into plain bytes; ends of the input among them are lost. */
  linesToBytes(): void {
    const lines = this.lines;
    this.clear();
    for (const line of lines) for (const byte of line) this.pushByte(byte);
  }

  /** Turns plain bytes into one line. */
  bytesToLine(): void {
    if (this.count > 0) this.pushLine(this.readBytes(this.count));
  }

  /** Copies of the lines and of the raw bytes, in order. */
  snapshot(): { lines: Uint8Array[]; raw: Uint8Array } {
    const raw = new Uint8Array(this.count);
    for (let index = 0; index < raw.length; index += 1) {
      raw[index] = this.ring?.[(this.first + index) % MAX_INPUT_BYTES] ?? 0;
    }
    return { lines: this.lines.map((line) => line.slice()), raw };
  }
}
