/** SHA-256. Read FIPS 180-4, Secure Hash Standard, sections 4.1.2, 4.2.2, 5.1.1, 5.3.3 and 6.2. */

const BLOCK_BYTES = 64;
const LENGTH_BYTES = 8;

/** The first `count` primes. */
function primes(count: number): number[] {
  const found: number[] = [];
  for (let candidate = 2; found.length < count; candidate += 1)
    if (found.every((prime) => candidate % prime !== 0)) found.push(candidate);
  return found;
}

/** The first 32 bits of the fractional part of the root (2 or 3) of a prime, exactly. */
function rootBits(prime: number, root: 2 | 3): number {
  const shifted = BigInt(prime) << BigInt(32 * root);
  let low = 0n;
  let high = 1n << 40n;
  while (high - low > 1n) {
    const middle = (low + high) >> 1n;
    if (middle ** BigInt(root) <= shifted) low = middle;
    else high = middle;
  }
  return Number(low & 0xffffffffn) | 0;
}

const constants = Int32Array.from(primes(64), (prime) => rootBits(prime, 3));
const initial = primes(8).map((prime) => rootBits(prime, 2));

/** Computes the digest of bytes that come in pieces. */
export class Sha256 {
  private readonly state = Int32Array.from(initial);
  private readonly schedule = new Int32Array(64);
  private readonly rest = new Uint8Array(BLOCK_BYTES);
  private restBytes = 0;
  private bytes = 0;

  /** Takes the next bytes. */
  update(data: Uint8Array): void {
    this.bytes += data.length;
    let at = 0;
    if (this.restBytes > 0) {
      at = Math.min(BLOCK_BYTES - this.restBytes, data.length);
      this.rest.set(data.subarray(0, at), this.restBytes);
      this.restBytes += at;
      if (this.restBytes < BLOCK_BYTES) return;
      this.blocks(this.rest, 0, BLOCK_BYTES);
    }
    const end = at + Math.floor((data.length - at) / BLOCK_BYTES) * BLOCK_BYTES;
    this.blocks(data, at, end);
    this.rest.set(data.subarray(end));
    this.restBytes = data.length - end;
  }

  /** The digest in hexadecimal. Nothing may be added afterwards. */
  hex(): string {
    const bits = BigInt(this.bytes) * 8n;
    const zeros = (2 * BLOCK_BYTES - 1 - LENGTH_BYTES - this.restBytes) % BLOCK_BYTES;
    const padding = Buffer.alloc(1 + zeros + LENGTH_BYTES);
    padding[0] = 0x80;
    padding.writeBigUInt64BE(bits, 1 + zeros);
    this.update(padding);
    return Array.from(this.state, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
  }

  private blocks(data: Uint8Array, start: number, end: number): void {
    const { state, schedule: w } = this;
    const k = constants;
    let [h0 = 0, h1 = 0, h2 = 0, h3 = 0, h4 = 0, h5 = 0, h6 = 0, h7 = 0] = state;
    for (let block = start; block < end; block += BLOCK_BYTES) {
      for (let t = 0; t < 16; t += 1) {
        const at = block + 4 * t;
        w[t] = ((data[at] ?? 0) << 24) | ((data[at + 1] ?? 0) << 16) | ((data[at + 2] ?? 0) << 8) | (data[at + 3] ?? 0);
      }
      for (let t = 16; t < 64; t += 1) {
        const x = w[t - 15] ?? 0;
        const y = w[t - 2] ?? 0;
        const small0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
        const small1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
        w[t] = (small0 + small1 + (w[t - 16] ?? 0) + (w[t - 7] ?? 0)) | 0;
      }
      let a = h0;
      let b = h1;
      let c = h2;
      let d = h3;
      let e = h4;
      let f = h5;
      let g = h6;
      let h = h7;
      for (let t = 0; t < 64; t += 1) {
        const big1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
        const first = (h + big1 + ((e & f) ^ (~e & g)) + (k[t] ?? 0) + (w[t] ?? 0)) | 0;
        const big0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
        const second = (big0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
        h = g;
        g = f;
        f = e;
        e = (d + first) | 0;
        d = c;
        c = b;
        b = a;
        a = (first + second) | 0;
      }
      h0 = (h0 + a) | 0;
      h1 = (h1 + b) | 0;
      h2 = (h2 + c) | 0;
      h3 = (h3 + d) | 0;
      h4 = (h4 + e) | 0;
      h5 = (h5 + f) | 0;
      h6 = (h6 + g) | 0;
      h7 = (h7 + h) | 0;
    }
    state.set([h0, h1, h2, h3, h4, h5, h6, h7]);
  }
}
