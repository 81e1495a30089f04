/**
 * nettest: looks at the network from end to end: interface, neighbour, ping, name server, datagrams and connections.
 */
import { formatIpv4 } from '../../../wire/address.ts';
import { DNS_PORT } from '../../../wire/dns.ts';
import { buildIcmp, ICMP, parseIcmp } from '../../../wire/icmp.ts';
import { type Datagram, ICMP_PROTOCOL, type Network, random, SystemError, uptime } from '../../lib/index.ts';
import { Checks, equalBytes, expect, median } from '../checks.ts';
import { type CommandContext, expectWords } from '../command.ts';
import { formatBytes, formatMilliseconds } from '../table.ts';
import { formatHardware } from './addresses.ts';
import { LOOPBACK, pairOf, transfer, WAIT_MS } from './loopback.ts';
import { networkOf } from './stack.ts';

/** 192.0.2.1 is nobody's (RFC 5737); nothing is sent there. */
const DOCUMENTATION_ADDRESS = 0xc0000201;

const PINGS = 5;
const PING_BYTES = 56;
const TRANSFER_BYTES = 8 * 1024 * 1024;
const ROUND_TRIPS = 200;
/** Sizes of datagrams: none, around one frame, fragments, the largest. */
const DATAGRAM_BYTES = [0, 1, 1472, 1473, 9000, 65507];

const viewOf = ({ data }: Datagram): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

/** Round trip times of some pings in milliseconds. */
function pingTimes(network: Network, address: number, count: number): number[] {
  const socket = network.raw(ICMP_PROTOCOL);
  const identifier = Buffer.from(random(2)).readUInt16BE(0);
  const payload = Buffer.from(random(PING_BYTES));
  try {
    return Array.from({ length: count }, (_, sequence) => {
      const rest = identifier * 65536 + sequence;
      const before = uptime();
      socket.sendTo(buildIcmp({ type: ICMP.ECHO_REQUEST, code: 0, rest, data: payload }), { address, port: 0 });
      for (;;) {
        const left = Math.ceil(before + WAIT_MS - uptime());
        expect(left > 0, `no answer to ping ${sequence + 1}`);
        const answer = socket.receiveFrom(left);
        const message = parseIcmp(viewOf(answer));
        if (message?.type !== ICMP.ECHO_REPLY || message.rest !== rest) continue;
        expect(equalBytes(message.data, payload), 'the answer has other data');
        return uptime() - before;
      }
    });
  } finally {
    socket.close();
  }
}

/**
 * Right after the boot the stack lets what needs an address wait for it; where there is none, the check of the
 * interface says so.
 */
function awaitAddress(network: Network): void {
  const socket = network.datagram();
  try {
    socket.connect({ address: DOCUMENTATION_ADDRESS, port: DNS_PORT });
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
  } finally {
    socket.close();
  }
}

function checkInterface(network: Network): string {
  awaitAddress(network);
  const rows = network.stack.interfaces().filter(({ loopback }) => !loopback);
  const [row] = rows;
  expect(row !== undefined, 'there is no interface but the loopback');
  expect(row.up, `${row.name} is down`);
  expect(row.link, `${row.name} has no link`);
  expect(row.address !== null, `${row.name} has no address`);
  const hardware = row.hardware === null ? '' : `, ${formatHardware(row.hardware)}`;
  return `${row.name} ${formatIpv4(row.address)}/${row.prefix} (${row.origin})${hardware}`;
}

function gatewayOf(network: Network): number {
  const found = network.stack.routes().find(({ prefix, gateway }) => prefix === 0 && gateway !== null);
  expect(found?.gateway != null, 'there is no default route');
  return found.gateway;
}

function checkPing(network: Network, address: number): string {
  const times = pingTimes(network, address, PINGS);
  const worst = formatMilliseconds(Math.max(...times));
  return `${formatIpv4(address)}, ${PINGS} answers, median ${formatMilliseconds(median(times))}, worst ${worst}`;
}

function checkNeighbour(network: Network): string {
  const gateway = gatewayOf(network);
  pingTimes(network, gateway, 1);
  const row = network.stack.neighbours().find(({ address }) => address === gateway);
  expect(row?.hardware != null, `the hardware address of ${formatIpv4(gateway)} is not known`);
  return `${formatIpv4(gateway)} is at ${formatHardware(row.hardware)}, ${row.state}`;
}

/** A query for the address of a name (RFC 1035, 4.1). */
function dnsQuery(identifier: number, name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.from(`${String.fromCharCode(label.length)}${label}`, 'latin1'));
  const query = Buffer.concat([Buffer.alloc(12), ...labels, Buffer.from([0, 0, 1, 0, 1])]);
  query.writeUInt16BE(identifier, 0);
  query.writeUInt16BE(0x0100, 2);
  query.writeUInt16BE(1, 4);
  return query;
}

/** Whatever the answer says: it is one if it has our number. */
function checkNameServer(network: Network): string {
  const [server] = network.stack.configuration().nameServers;
  expect(server !== undefined, 'there is no name server');
  const socket = network.datagram();
  try {
    const identifier = Buffer.from(random(2)).readUInt16BE(0);
    const before = uptime();
    socket.connect({ address: server, port: DNS_PORT });
    socket.sendTo(dnsQuery(identifier, 'localhost'));
    const answer = viewOf(socket.receiveFrom(WAIT_MS));
    const took = uptime() - before;
    expect(answer.length >= 12 && answer.readUInt16BE(0) === identifier, 'the answer belongs to no question');
    expect((answer.readUInt16BE(2) & 0x8000) !== 0, 'the answer is a question');
    return `${formatIpv4(server)} answers after ${formatMilliseconds(took)}`;
  } finally {
    socket.close();
  }
}

function checkDatagrams(network: Network): string {
  const [client, server] = [network.datagram(), network.datagram()];
  try {
    server.bind({ address: LOOPBACK, port: 0 });
    client.connect(server.names().local);
    for (const bytes of DATAGRAM_BYTES) {
      const data = Buffer.alloc(bytes, random(1));
      client.sendTo(data);
      const there = server.receiveFrom(WAIT_MS);
      expect(equalBytes(there.data, data), `${bytes} bytes came as others`);
      server.sendTo(there.data, there.from);
      expect(equalBytes(client.receiveFrom(WAIT_MS).data, data), `${bytes} bytes came back as others`);
    }
    return `${DATAGRAM_BYTES.join(', ')} bytes there and back`;
  } finally {
    client.close();
    server.close();
  }
}

function checkRoundTrips(network: Network): string {
  const { client, server, close } = pairOf(network);
  try {
    client.setOption('no-delay', 1);
    server.setOption('no-delay', 1);
    const data = new Uint8Array(1);
    const times = Array.from({ length: ROUND_TRIPS }, () => {
      const before = uptime();
      client.send(data);
      server.send(server.receive(1, WAIT_MS));
      expect(client.receive(1, WAIT_MS).length === 1, 'the connection has ended');
      return uptime() - before;
    });
    return `${ROUND_TRIPS} of one byte, median ${formatMilliseconds(median(times))}`;
  } finally {
    close();
  }
}

function checkTransfer(network: Network): string {
  const { client, server, close } = pairOf(network);
  try {
    const took = transfer([[client, server]], TRANSFER_BYTES);
    const rate = TRANSFER_BYTES / 1e6 / (took / 1000);
    return `${formatBytes(TRANSFER_BYTES)} in ${formatMilliseconds(took)}, ${rate.toFixed(1)} MB/s, the hash is right`;
  } finally {
    close();
  }
}

export function nettest(context: CommandContext): number {
  expectWords(context.words, 0, 0);
  const network = networkOf(context);
  const checks = new Checks(context);
  if (checks.run('interface', () => checkInterface(network))) {
    checks.run('neighbour', () => checkNeighbour(network));
    checks.run('ping of the gateway', () => checkPing(network, gatewayOf(network)));
    checks.run('name server', () => checkNameServer(network));
  }
  checks.run('ping of the loopback', () => checkPing(network, LOOPBACK));
  checks.run('datagrams', () => checkDatagrams(network));
  checks.run('round trips of a connection', () => checkRoundTrips(network));
  checks.run('transfer', () => checkTransfer(network));
  return checks.finish();
}
