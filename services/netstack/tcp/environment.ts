/**
 * What the TCP of the network stack is given, and what it gives back. It knows no processes, no clock and no
 * interfaces: time is an argument (`now`, milliseconds since power-on), and its effects are the two calls `output` and
 * those of the keeper, in the order in which they have to happen.
 */
import type { Ipv4Address } from '../../../wire/address.ts';

/** One end of a connection. As the local end of a listener, address 0 stands for every address of this machine. */
export interface Endpoint {
  readonly address: Ipv4Address;
  readonly port: number;
}

/** The recovery store. What is put is there before any later output reaches the wire. Values are those of msgpack. */
export interface Keeper {
  put(key: string, value: unknown): void;
  delete(key: string): void;
  get(key: string): unknown;
  keys(): string[];
}

/**
 * Free bytes in front of the segment in `TcpOutput.packet`: an Ethernet header (14) and an IPv4 header without options
 * (20).
 */
export const TCP_HEADROOM_BYTES = 34;

/** A segment to be sent. */
export interface TcpOutput {
  readonly source: Ipv4Address;
  readonly destination: Ipv4Address;
  readonly timeToLive: number;
  readonly typeOfService: number;
  readonly dontFragment: boolean;
  /** The segment with its check sum: a view of `packet` behind its first TCP_HEADROOM_BYTES. */
  readonly payload: Buffer;
  /**
   * A buffer of nobody else: TCP_HEADROOM_BYTES that the stack may write the headers of IPv4 and Ethernet into, so that
   * nothing has to be copied, then the segment. It is not used again here, so it may be kept.
   */
  readonly packet: Buffer;
}

/** See the head of this file. */
export interface TcpEnvironment {
  output(packet: TcpOutput): void;
  /**
   * Whether the way out has room for what one connection may send at once. While it has not, connections keep what they
   * have to say, and `deadline` does not ask for them.
   */
  mayOutput(): boolean;
  /** Our address for packets to `destination`, and the MTU of that way's first hop. Null: there is no route. */
  sourceFor(destination: Ipv4Address): { readonly address: Ipv4Address; readonly mtu: number } | null;
  /** Bytes that nobody can guess. */
  random(bytes: number): Uint8Array;
  readonly keeper: Keeper;
  /** Bytes of the largest packet that reaches `destination` in one piece, as far as known (RFC 1191). */
  pathMtu(destination: Ipv4Address): number;
}
