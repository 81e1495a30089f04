/**
 * SipHash-2-4 with a result of 64 bits, of which the lower 32 are answered. Read "SipHash: a fast short-input PRF"
 * (Aumasson, Bernstein, 2012). Numbers of 64 bits are pairs of halves.
 */

/** The four words of the state, low and high halves in turn. */
type State = Int32Array;

function addTo(state: State, a: number, b: number): void {
  const low = ((state[a] ?? 0) >>> 0) + ((state[b] ?? 0) >>> 0);
  state[a] = low;
  state[a + 1] = (state[a + 1] ?? 0) + (state[b + 1] ?? 0) + (low > 0xffff_ffff ? 1 : 0);
}

/** word[b] = rotate(word[b], bits) ^ word[a], for less than 32 bits. */
function rotateAndXor(state: State, b: number, bits: number, a: number): void {
  const low = state[b] ?? 0;
  const high = state[b + 1] ?? 0;
  state[b] = ((low << bits) | (high >>> (32 - bits))) ^ (state[a] ?? 0);
  state[b + 1] = ((high << bits) | (low >>> (32 - bits))) ^ (state[a + 1] ?? 0);
}

function swapHalves(state: State, word: number): void {
  const low = state[word] ?? 0;
  state[word] = state[word + 1] ?? 0;
  state[word + 1] = low;
}

function round(state: State): void {
  addTo(state, 0, 2);
  rotateAndXor(state, 2, 13, 0);
  swapHalves(state, 0);
  addTo(state, 4, 6);
  rotateAndXor(state, 6, 16, 4);
  addTo(state, 0, 6);
  rotateAndXor(state, 6, 21, 0);
  addTo(state, 4, 2);
  rotateAndXor(state, 2, 17, 4);
  swapHalves(state, 4);
}

function absorb(state: State, low: number, high: number): void {
  state[6] = (state[6] ?? 0) ^ low;
  state[7] = (state[7] ?? 0) ^ high;
  round(state);
  round(state);
  state[0] = (state[0] ?? 0) ^ low;
  state[1] = (state[1] ?? 0) ^ high;
}

/** The hash of some bytes under a key of 16 bytes, both halves. */
export function sipHash(key: Buffer, bytes: Buffer): { readonly low: number; readonly high: number } {
  const k = [key.readInt32LE(0), key.readInt32LE(4), key.readInt32LE(8), key.readInt32LE(12)] as const;
  const state = Int32Array.of(
    k[0] ^ 0x70736575,
    k[1] ^ 0x736f6d65,
    k[2] ^ 0x6e646f6d,
    k[3] ^ 0x646f7261,
    k[0] ^ 0x6e657261,
    k[1] ^ 0x6c796765,
    k[2] ^ 0x79746573,
    k[3] ^ 0x74656462,
  );
  const whole = bytes.length & ~7;
  for (let at = 0; at < whole; at += 8) absorb(state, bytes.readInt32LE(at), bytes.readInt32LE(at + 4));
  const last = Buffer.alloc(8);
  last.set(bytes.subarray(whole));
  last[7] = bytes.length;
  absorb(state, last.readInt32LE(0), last.readInt32LE(4));
  state[4] = (state[4] ?? 0) ^ 0xff;
  for (let count = 0; count < 4; count++) round(state);
  const [a0 = 0, a1 = 0, b0 = 0, b1 = 0, c0 = 0, c1 = 0, d0 = 0, d1 = 0] = state;
  return { low: (a0 ^ b0 ^ c0 ^ d0) >>> 0, high: (a1 ^ b1 ^ c1 ^ d1) >>> 0 };
}
