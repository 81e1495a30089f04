/**
 * Interface `network` (14): the network stack, on the port `netstack`: sockets, names, and what `ifconfig`, `route`,
 * `arp`, `netstat` and `tcpdump` show and set. IPv4 addresses are numbers, as in protocol/socket.ts.
 */
import { defineInterface, method } from './interface.ts';
import { hardwareAddress } from './net.ts';
import {
  bool,
  bytes,
  list,
  nameText,
  nothing,
  nullable,
  oneOf,
  real,
  record,
  right,
  text,
  u8,
  u16,
  u32,
  u53,
} from './schema.ts';
import { endpoint, socketState, socketType } from './socket.ts';

/** Packets that one `capture.receive` answers at most, and bytes of each. */
export const MAX_CAPTURED_PACKETS = 64;
export const MAX_CAPTURED_BYTES = 1600;

/** Addresses that one name may have. */
export const MAX_RESOLVED_ADDRESSES = 16;

/** Bytes of the longest domain name in text (RFC 1035, 2.3.4). */
export const MAX_DOMAIN_NAME_BYTES = 253;

/**
 * An interface: `lo`, `ne0`. `address` and `prefix` are null while it has none; `origin`: how it got it.
 * `receiveErrors` and `receiveDrops` count what was malformed, and what found no room or no taker.
 */
export const networkInterface = record({
  name: nameText,
  up: bool,
  link: bool,
  loopback: bool,
  hardware: nullable(hardwareAddress),
  mtu: u16,
  address: nullable(u32),
  prefix: u8,
  origin: oneOf('none', 'fixed', 'dhcp'),
  framesReceived: u53,
  bytesReceived: u53,
  receiveErrors: u53,
  receiveDrops: u53,
  framesSent: u53,
  bytesSent: u53,
  sendErrors: u53,
  sendDrops: u53,
});

/** A route: to `destination`/`prefix`, through `gateway` or, when that is null, on the interface itself. */
export const route = record({
  destination: u32,
  prefix: u8,
  gateway: nullable(u32),
  interface: nameText,
  metric: u16,
  origin: oneOf('connected', 'fixed', 'dhcp'),
});

/** A neighbour. `incomplete`: asked for and not answered yet. `age`: milliseconds since it was heard of last. */
export const neighbour = record({
  address: u32,
  hardware: nullable(hardwareAddress),
  interface: nameText,
  state: oneOf('incomplete', 'reachable', 'stale', 'failed', 'permanent'),
  age: real,
});

/** A socket. `pid`: who made it. Queues in bytes; of a listening socket connections that wait, and how many may. */
export const socketRow = record({
  type: socketType,
  protocol: u8,
  state: socketState,
  local: endpoint,
  remote: endpoint,
  receiveQueue: u32,
  sendQueue: u32,
  pid: u32,
});

/** What the stack knows of the net around it. Times in milliseconds since power-on, null: for ever, or none. */
export const networkConfiguration = record({
  hostName: text(64),
  domain: text(MAX_DOMAIN_NAME_BYTES),
  nameServers: list(u32, 8),
  dhcp: oneOf('off', 'selecting', 'requesting', 'bound', 'renewing', 'rebinding', 'failed'),
  dhcpServer: nullable(u32),
  leaseEnds: nullable(real),
});

export const capture = defineInterface('capture', 15, {
  /**
   * The packets that have gone by, as soon as there are some. `time`: milliseconds since 1970. `dropped`: how many
   * found no room since the last answer.
   */
  receive: method(
    1,
    record({ timeout: u32 }),
    record({
      dropped: u32,
      packets: list(
        record({ time: real, sent: bool, length: u16, data: bytes(MAX_CAPTURED_BYTES) }),
        MAX_CAPTURED_PACKETS,
      ),
    }),
  ),
});

export const network = defineInterface('network', 14, {
  /**
   * A socket (interface `socket`). `protocol`: of IP, 0 for the usual one (6, 17); for `raw` it has to be given.
   * EMFILE: too many. EOPNOTSUPP.
   */
  socket: method(1, record({ type: socketType, protocol: u8 }), right),
  interfaces: method(2, nothing, list(networkInterface, 16)),
  /**
   * Sets what is not null. An address ends DHCP; `dhcp` begins it anew. Right after the boot it waits for the card.
   * ENODEV: no such interface; EINVAL: no address for a host.
   */
  configure: method(
    3,
    record({
      interface: nameText,
      up: nullable(bool),
      address: nullable(record({ address: u32, prefix: u8 })),
      dhcp: bool,
    }),
    nothing,
  ),
  routes: method(4, nothing, list(route, 64)),
  /** ENODEV; ENETUNREACH: the gateway is on no interface; EEXIST; ENOSPC: 64 are there. */
  add_route: method(
    5,
    record({ destination: u32, prefix: u8, gateway: nullable(u32), interface: nullable(nameText), metric: u16 }),
    nothing,
  ),
  /** ESRCH: no such route. */
  remove_route: method(6, record({ destination: u32, prefix: u8, gateway: nullable(u32) }), nothing),
  neighbours: method(7, nothing, list(neighbour, 512)),
  /** Sets a neighbour for good. ENETUNREACH: on no interface. */
  set_neighbour: method(8, record({ address: u32, hardware: hardwareAddress }), nothing),
  /** ESRCH. */
  remove_neighbour: method(9, u32, nothing),
  sockets: method(10, nothing, list(socketRow, 2048)),
  /**
   * Addresses of a name, from the cache or a name server. ENOENT: there is no such name, or it has no address;
   * ETIMEDOUT: no server answers; ENETUNREACH: there is none; EAGAIN: those that answer cannot tell now, or too many
   * names are being looked for; EINVAL.
   */
  resolve: method(
    11,
    record({ name: text(MAX_DOMAIN_NAME_BYTES + 1), timeout: u32 }),
    list(u32, MAX_RESOLVED_ADDRESSES),
  ),
  /** Counters of the protocols, by names such as `tcp.segmentsSent`. */
  statistics: method(12, nothing, list(record({ name: text(64), value: u53 }), 256)),
  configuration: method(13, nothing, networkConfiguration),
  /**
   * A right to see what goes by (interface `capture`), up to `length` bytes of each packet. `interface` null: all.
   * ENODEV; EMFILE: four at most.
   */
  capture: method(14, record({ interface: nullable(nameText), length: u16 }), right),
  /** Fixes the name servers; none: those of DHCP again. */
  set_name_servers: method(15, list(u32, 8), nothing),
});
