/**
 * What a DHCP server grants, read from its message and kept over restarts.
 *
 * Read: RFC 2131, 4.3.1 and 4.4.5 (times); RFC 2132, 3 and 9.
 */
import * as schema from '../../../protocol/schema.ts';
import { type Ipv4Address, isUnicast } from '../../../wire/address.ts';
import { DHCP_OPTION, type DhcpMessage, option32, optionAddresses } from '../../../wire/dhcp.ts';
import { inNetwork, isHostAddress } from '../ip/interface.ts';

const NAME_SERVER_LIMIT = 8;
const NAME_LIMIT = 253;
const HOST_NAME_LIMIT = 64;
/** A lease of less could not be renewed. */
const LEAST_SECONDS = 5;
const FOR_EVER_SECONDS = 0xffff_ffff;

const { nullable, real, record, text, u8, u32 } = schema;

/** How a lease is kept. Times are milliseconds since power-on; null: for ever. */
export const leaseSchema = record({
  address: u32,
  prefix: u8,
  server: u32,
  router: nullable(u32),
  nameServers: schema.list(u32, NAME_SERVER_LIMIT),
  domain: text(NAME_LIMIT),
  hostName: text(HOST_NAME_LIMIT),
  renewAt: nullable(real),
  rebindAt: nullable(real),
  expiresAt: nullable(real),
});

export type Lease = schema.Infer<typeof leaseSchema>;

/**
 * Reads what an offer or acknowledgment grants. Null when it is not something that a host could use.
 *
 * @param from when the message was asked for that it answers: the times count from then
 */
export function readLease(message: DhcpMessage, from: number): Lease | null {
  const address = message.yourAddress;
  const server = option32(message, DHCP_OPTION.SERVER);
  const seconds = option32(message, DHCP_OPTION.LEASE_SECONDS);
  const prefix = prefixOf(option32(message, DHCP_OPTION.SUBNET_MASK), address);
  if (server === undefined || seconds === undefined || seconds < LEAST_SECONDS || prefix === null) return null;
  if (!isUnicast(address) || !isHostAddress({ address, prefix })) return null;
  const router = optionAddresses(message, DHCP_OPTION.ROUTER).find(
    (each) => isUnicast(each) && each !== address && inNetwork(each, address, prefix),
  );
  return {
    address,
    prefix,
    server,
    router: router ?? null,
    nameServers: optionAddresses(message, DHCP_OPTION.NAME_SERVER).filter(isUnicast).slice(0, NAME_SERVER_LIMIT),
    domain: nameOf(message.options.get(DHCP_OPTION.DOMAIN_NAME), NAME_LIMIT),
    hostName: nameOf(message.options.get(DHCP_OPTION.HOST_NAME), HOST_NAME_LIMIT),
    ...timesOf(message, seconds, from),
  };
}

/**
 * When to renew and to rebind: as the server says if that makes sense, else after 1/2 and 7/8 of the lease (RFC 2131,
 * 4.4.5).
 */
function timesOf(
  message: DhcpMessage,
  seconds: number,
  from: number,
): Pick<Lease, 'renewAt' | 'rebindAt' | 'expiresAt'> {
  if (seconds === FOR_EVER_SECONDS) return { renewAt: null, rebindAt: null, expiresAt: null };
  let renew = option32(message, DHCP_OPTION.RENEWAL_SECONDS) ?? seconds / 2;
  let rebind = option32(message, DHCP_OPTION.REBINDING_SECONDS) ?? (seconds * 7) / 8;
  if (renew === 0 || renew >= rebind || rebind >= seconds) {
    renew = seconds / 2;
    rebind = (seconds * 7) / 8;
  }
  return { renewAt: from + renew * 1000, rebindAt: from + rebind * 1000, expiresAt: from + seconds * 1000 };
}

/**
 * The length of a mask of ones and then zeros, null for another; without one that of the address's class (RFC 791,
 * 3.2).
 */
function prefixOf(mask: number | undefined, address: Ipv4Address): number | null {
  if (mask === undefined) return address >>> 31 === 0 ? 8 : address >>> 30 === 2 ? 16 : 24;
  const prefix = Math.clz32(~mask);
  return mask !== 0 && (prefix === 32 || mask << prefix === 0) ? prefix : null;
}

/** A name of letters, digits, dots and hyphens; '' for anything else. */
function nameOf(bytes: Buffer | undefined, limit: number): string {
  const name = (bytes ?? Buffer.alloc(0)).toString('latin1').replace(/[\0.]+$/, '');
  return name.length <= limit && /^[A-Za-z0-9._-]*$/.test(name) ? name : '';
}
