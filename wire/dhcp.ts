/**
 * DHCP messages.
 *
 * Read: RFC 2131, 2; RFC 2132 (options).
 */

import { type Ipv4Address, LINK_ADDRESS_BYTES } from './address.ts';

export const DHCP_SERVER_PORT = 67;
export const DHCP_CLIENT_PORT = 68;

const SERVER_NAME_OFFSET = 44;
const FILE_OFFSET = 108;
const FIXED_BYTES = 236;
const MAGIC = 0x6382_5363;
const OPTIONS_OFFSET = FIXED_BYTES + 4;
/** BOOTP's size, which some clients insist on. */
const MINIMUM_BYTES = 300;
const HARDWARE_ETHERNET = 1;
const BROADCAST_FLAG = 0x8000;
const PAD = 0;
const END = 255;

export const BOOT_REQUEST = 1;
export const BOOT_REPLY = 2;

/** Values of the option "message type". */
export const DHCP = { DISCOVER: 1, OFFER: 2, REQUEST: 3, DECLINE: 4, ACK: 5, NAK: 6, RELEASE: 7, INFORM: 8 } as const;

/** Option codes. */
export const DHCP_OPTION = {
  SUBNET_MASK: 1,
  ROUTER: 3,
  NAME_SERVER: 6,
  HOST_NAME: 12,
  DOMAIN_NAME: 15,
  BROADCAST: 28,
  REQUESTED_ADDRESS: 50,
  LEASE_SECONDS: 51,
  OVERLOAD: 52,
  MESSAGE_TYPE: 53,
  SERVER: 54,
  PARAMETERS: 55,
  LARGEST_MESSAGE: 57,
  RENEWAL_SECONDS: 58,
  REBINDING_SECONDS: 59,
  CLIENT: 61,
} as const;

export interface DhcpMessage {
  readonly operation: number;
  readonly transaction: number;
  readonly broadcast: boolean;
  /** ciaddr: the address the client has; yiaddr: the one it gets. */
  readonly clientAddress: Ipv4Address;
  readonly yourAddress: Ipv4Address;
  readonly clientLink: Buffer;
  readonly options: ReadonlyMap<number, Buffer>;
}

/** Takes a message of an Ethernet client or server apart. Null when a length is wrong. */
export function parseDhcp(bytes: Buffer): DhcpMessage | null {
  if (bytes.length < OPTIONS_OFFSET || bytes.readUInt32BE(FIXED_BYTES) !== MAGIC) return null;
  if (bytes.readUInt8(1) !== HARDWARE_ETHERNET || bytes.readUInt8(2) !== LINK_ADDRESS_BYTES) return null;
  const options = new Map<number, Buffer>();
  if (!parseOptions(bytes.subarray(OPTIONS_OFFSET), options) || !parseOverloaded(bytes, options)) return null;
  return {
    operation: bytes.readUInt8(0),
    transaction: bytes.readUInt32BE(4),
    broadcast: (bytes.readUInt16BE(10) & BROADCAST_FLAG) !== 0,
    clientAddress: bytes.readUInt32BE(12),
    yourAddress: bytes.readUInt32BE(16),
    clientLink: bytes.subarray(28, 28 + LINK_ADDRESS_BYTES),
    options,
  };
}

/** An option that is there twice goes on where it left off (RFC 3396). False: a length is wrong. */
function parseOptions(bytes: Buffer, options: Map<number, Buffer>): boolean {
  for (let at = 0; at < bytes.length; ) {
    const code = bytes.readUInt8(at);
    if (code === END) break;
    if (code === PAD) {
      at++;
      continue;
    }
    const length = bytes[at + 1];
    if (length === undefined || at + 2 + length > bytes.length) return false;
    const value = bytes.subarray(at + 2, at + 2 + length);
    const before = options.get(code);
    options.set(code, before === undefined ? value : Buffer.concat([before, value]));
    at += 2 + length;
  }
  return true;
}

/** Options may go on in the fields `file` and `sname`, in this order (RFC 2131, 4.1; RFC 2132, 9.3). */
function parseOverloaded(bytes: Buffer, options: Map<number, Buffer>): boolean {
  const overload = options.get(DHCP_OPTION.OVERLOAD)?.[0] ?? 0;
  if ((overload & 1) !== 0 && !parseOptions(bytes.subarray(FILE_OFFSET, FIXED_BYTES), options)) return false;
  return (overload & 2) === 0 || parseOptions(bytes.subarray(SERVER_NAME_OFFSET, FILE_OFFSET), options);
}

/** Puts a message together. `server`: next server to boot from, 0 of a client. */
export function buildDhcp(message: DhcpMessage, server: Ipv4Address): Buffer {
  const options = [...message.options].flatMap(([code, value]) => [code, value.length, ...value]);
  const bytes = Buffer.alloc(Math.max(MINIMUM_BYTES, OPTIONS_OFFSET + options.length + 1));
  bytes.writeUInt8(message.operation, 0);
  bytes.writeUInt8(HARDWARE_ETHERNET, 1);
  bytes.writeUInt8(LINK_ADDRESS_BYTES, 2);
  bytes.writeUInt32BE(message.transaction, 4);
  bytes.writeUInt16BE(message.broadcast ? BROADCAST_FLAG : 0, 10);
  bytes.writeUInt32BE(message.clientAddress, 12);
  bytes.writeUInt32BE(message.yourAddress, 16);
  bytes.writeUInt32BE(server, 20);
  bytes.set(message.clientLink, 28);
  bytes.writeUInt32BE(MAGIC, FIXED_BYTES);
  bytes.set([...options, END], OPTIONS_OFFSET);
  return bytes;
}

/** The value of an option that is one address or one 32-bit number; undefined when it is not there or not that long. */
export function option32(message: DhcpMessage, code: number): number | undefined {
  const value = message.options.get(code);
  return value?.length === 4 ? value.readUInt32BE(0) : undefined;
}

/**
 * The addresses of an option that is a list of them; none when it is not there or its length is no multiple of four.
 */
export function optionAddresses(message: DhcpMessage, code: number): Ipv4Address[] {
  const value = message.options.get(code);
  if (value === undefined || value.length % 4 !== 0) return [];
  return Array.from({ length: value.length / 4 }, (_, index) => value.readUInt32BE(index * 4));
}
