/**
 * The I/O permission bitmap of a task: a bit for each of the 65,536 ports, as in the x86 task state segment (Intel SDM
 * volume 1, "I/O Permission Bit Map"). An access is allowed when the bit of every byte of it is set; here a set bit
 * allows.
 */

/** One task's permissions. */
export class PermissionBitmap {
  private readonly bits = new Uint8Array(65536 / 8);

  /** Allows or forbids the ports first to last. */
  set(first: number, last: number, allowed: boolean): void {
    for (let port = first; port <= last; port++) {
      const mask = 1 << (port & 7);
      const byte = this.bits[port >> 3] ?? 0;
      this.bits[port >> 3] = allowed ? byte | mask : byte & ~mask;
    }
  }

  /** Whether an access of `width` bytes is allowed. One that would go past port 0xffff is not. */
  allows(port: number, width: number): boolean {
    if (port + width > 65536) return false;
    for (let at = port; at < port + width; at++) {
      if (((this.bits[at >> 3] ?? 0) & (1 << (at & 7))) === 0) return false;
    }
    return true;
  }
}
