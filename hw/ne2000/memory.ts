/**
 * The memory on an NE2000 board, as the controller's DMA channels see it: the PROM with the station address from 0, and
 * 16 KiB of packet memory from 0x4000. Elsewhere reads give all ones and writes are lost.
 *
 * Read: DP8390D data sheet, chapter 6 (direct memory access); Novell NE2000 hardware, as QEMU describes it: the PROM
 * has 16 bytes, each of which appears twice, and ends with 0x57 twice, the mark of a 16-bit card.
 */

export const ADDRESS_BYTES = 6;
/** Packet memory: its first address and the one after its last. */
export const RAM_START = 0x4000;
export const RAM_END = 0x8000;

const PROM_BYTES = 32;
const PROM_MARK = 0x57;
const ADDRESS_MASK = 0xffff;

/** The engine looks a method of a byte string up at every call. */
const { set } = Uint8Array.prototype;

/** A 16-bit address space of bytes. */
export class CardMemory {
  readonly #prom = Buffer.alloc(PROM_BYTES);
  readonly #ram = Buffer.alloc(RAM_END - RAM_START);

  /** @param address the station address */
  constructor(address: Uint8Array) {
    for (let index = 0; index < PROM_BYTES / 2; index++) {
      const value = index < ADDRESS_BYTES ? (address[index] ?? 0) : index < 14 ? 0 : PROM_MARK;
      this.#prom.fill(value, index * 2, index * 2 + 2);
    }
  }

  readByte(address: number): number {
    const at = address & ADDRESS_MASK;
    if (at >= RAM_START && at < RAM_END) return this.#ram[at - RAM_START] ?? 0;
    return at < PROM_BYTES ? (this.#prom[at] ?? 0) : 0xff;
  }

  writeByte(address: number, value: number): void {
    const at = address & ADDRESS_MASK;
    if (at >= RAM_START && at < RAM_END) this.#ram[at - RAM_START] = value;
  }

  /** Whether `length` bytes from `address` are all in the packet memory. */
  isRam(address: number, length: number): boolean {
    return address >= RAM_START && address + length <= RAM_END;
  }

  /** A view of packet memory; what is asked for has to be all in it. */
  ram(address: number, length: number): Buffer {
    return this.#ram.subarray(address - RAM_START, address - RAM_START + length);
  }

  /** `length` bytes from `address`: a view where they are all in the packet memory, else a copy. */
  read(address: number, length: number): Buffer {
    if (this.isRam(address, length)) return this.ram(address, length);
    const bytes = Buffer.allocUnsafe(length);
    for (let index = 0; index < length; index++) bytes[index] = this.readByte(address + index);
    return bytes;
  }

  write(address: number, bytes: Uint8Array): void {
    if (this.isRam(address, bytes.length)) {
      set.call(this.#ram, bytes, address - RAM_START);
      return;
    }
    for (let index = 0; index < bytes.length; index++) this.writeByte(address + index, bytes[index] ?? 0);
  }

  /** Power-on: the packet memory is empty. */
  clear(): void {
    this.#ram.fill(0);
  }
}
