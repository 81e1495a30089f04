/**
 * What the network stack is given from outside, and the few types that all of its layers share. Nothing below
 * services/netstack but main.ts and service/ knows processes, messages or clocks: time (`now`, milliseconds since
 * power-on), random numbers and effects come in as arguments.
 */
import type { Ipv4Address } from '../../wire/address.ts';
import type { Endpoint, Keeper } from './tcp/environment.ts';

export type { Endpoint, Keeper } from './tcp/environment.ts';

/** So many bytes that nobody can guess. */
export type RandomBytes = (count: number) => Uint8Array;

/**
 * Why a packet did not get where it should. `fragmentation`: it is too long for a link on its way and may not be
 * fragmented.
 */
export type UnreachableKind = 'net' | 'host' | 'protocol' | 'port' | 'fragmentation';

/** What the stack needs of TCP. */
export interface TcpInput {
  /** A segment to one of our unicast addresses, unchecked: a view of the frame. */
  input(source: Ipv4Address, destination: Ipv4Address, segment: Buffer, now: number): void;
  /**
   * An error about one of our segments, its ends and sequence number (RFC 5927: not to be trusted blindly). Of
   * `fragmentation`: `pathMtu` answers less from now on.
   */
  unreachable(kind: UnreachableKind, local: Endpoint, remote: Endpoint, sequence: number): void;
  /** Whether a segment between these ends with this sequence number is under way to the remote one. */
  isUnderWay(local: Endpoint, remote: Endpoint, sequence: number): boolean;
  /** Does what is due. */
  advance(now: number): void;
  /** When `advance` has something to do next; Infinity when never. */
  deadline(): number;
  /** An address is no longer ours. */
  addressGone(address: Ipv4Address, now: number): void;
}

/** What makes a stack. */
export interface StackEnvironment {
  readonly random: RandomBytes;
  readonly keeper: Keeper;
  readonly tcp: TcpInput;
  /**
   * Puts a frame of at least 60 bytes on the cable of an interface. It may be kept as it is: the stack does not touch
   * it any more.
   */
  transmit(interfaceName: string, frame: Buffer): void;
  /** Writes a line to the log: what an administrator should know, at most a few a minute. */
  log(text: string): void;
}
