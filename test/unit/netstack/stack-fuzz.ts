/** Frames that no honest host sends, into the whole stack; it stays within its bounds and serves others afterwards. */
import { expect } from 'vitest';
import { parseIpv4 } from '../../../wire/address.ts';
import { buildArp } from '../../../wire/arp.ts';
import { addWords, checksum, finishChecksum } from '../../../wire/checksum.ts';
import { BOOT_REPLY, buildDhcp, DHCP, DHCP_OPTION } from '../../../wire/dhcp.ts';
import { buildEthernet, ETHERTYPE } from '../../../wire/ethernet.ts';
import { buildIcmp } from '../../../wire/icmp.ts';
import { buildIpv4 } from '../../../wire/ipv4.ts';
import { buildUdp } from '../../../wire/udp.ts';
import type { Random } from '../../support/random.ts';
import { BROADCAST_LINK, OWN, OWN_LINK, PEER, StackBench } from './stack-bench.ts';

const HEAP_ALLOWED_BYTES = 128 * 1024 * 1024;
const ADDRESSES = [
  '10.0.2.7',
  '10.0.2.2',
  '10.0.2.15',
  '10.0.2.255',
  '255.255.255.255',
  '192.0.2.1',
  '127.0.0.1',
  '224.0.0.1',
  '0.0.0.0',
] as const;

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function payloadOf(random: Random, source: number): { protocol: number; payload: Buffer } {
  const data = random.bytes(random.below(random.pick([4, 50, 100, 1400, 3000])));
  switch (random.below(6)) {
    case 0:
      return {
        protocol: 1,
        payload: buildIcmp({
          type: random.pick([0, 3, 5, 8, 11, 12, random.below(256)]),
          code: random.below(16),
          rest: random.below(2000),
          data,
        }),
      };
    case 1: {
      const [quoted = data] = buildIpv4(
        { source: OWN, destination: PEER, protocol: random.pick([6, 17]), timeToLive: 1, identification: 0 },
        buildUdp(OWN, 5000, PEER, 53, data),
        70_000,
      );
      return {
        protocol: 1,
        payload: buildIcmp({ type: 3, code: random.below(16), rest: random.below(2000), data: quoted.subarray(0, 28) }),
      };
    }
    case 2: {
      const options = new Map([
        [DHCP_OPTION.MESSAGE_TYPE, Buffer.from([random.pick([DHCP.OFFER, DHCP.ACK, DHCP.NAK])])],
        [DHCP_OPTION.SERVER, word(PEER)],
        [DHCP_OPTION.LEASE_SECONDS, word(random.below(2 ** 32))],
        [random.below(256), random.bytes(random.below(20))],
      ]);
      const message = buildDhcp(
        {
          operation: BOOT_REPLY,
          transaction: random.below(9),
          broadcast: false,
          clientAddress: 0,
          yourAddress: OWN,
          clientLink: OWN_LINK,
          options,
        },
        0,
      );
      return { protocol: 17, payload: buildUdp(source, 67, OWN, 68, message) };
    }
    case 3:
      return { protocol: random.pick([2, 6, 89, 132, 255]), payload: data };
    default:
      return {
        protocol: 17,
        payload: buildUdp(
          source,
          random.pick([53, 67, 1]),
          OWN,
          random.pick([5000, 5001, 68, random.below(65_536)]),
          data,
        ),
      };
  }
}

/** One well-formed frame, or more where it takes fragments. */
function honest(random: Random): Buffer[] {
  const source = parseIpv4(random.pick(ADDRESSES));
  const destination = random.below(2) === 0 ? OWN : parseIpv4(random.pick(ADDRESSES));
  const link = Buffer.from([2, 0, 0, 0, random.below(256), random.below(256)]);
  const to = random.pick([OWN_LINK, OWN_LINK, BROADCAST_LINK]);
  if (random.below(5) === 0) {
    const packet = {
      operation: 1 + random.below(2),
      senderLink: link,
      sender: (source & ~0xff) + random.below(256),
      targetLink: OWN_LINK,
      target: destination,
    };
    return [buildEthernet(to, link, ETHERTYPE.ARP, buildArp({ ...packet, sender: packet.sender >>> 0 }))];
  }
  const { protocol, payload } = payloadOf(random, source);
  const header = { source, destination, protocol, timeToLive: random.below(256), identification: random.below(300) };
  return buildIpv4(header, payload, random.pick([1500, 1500, 576, 68])).map((packet) =>
    buildEthernet(to, link, ETHERTYPE.IPV4, packet),
  );
}

/**
 * Changes, cuts or lengthens a frame. Half of the time the check sums are made right again, so that it gets further.
 */
function spoil(frame: Buffer, random: Random): Buffer {
  const spoilt = Buffer.concat([frame, random.bytes(random.below(2) * random.below(40))]);
  for (let count = random.below(5); count > 0; count--) spoilt[random.below(spoilt.length)] = random.below(256);
  const cut = random.below(4) === 0 ? spoilt.subarray(0, random.below(spoilt.length)) : spoilt;
  if (random.below(2) === 0) mend(cut);
  return cut;
}

function mend(frame: Buffer): void {
  const headerBytes = ((frame[14] ?? 0) & 0x0f) * 4;
  const packet = frame.subarray(14);
  if (packet.length < headerBytes || headerBytes < 20) return;
  packet.writeUInt16BE(0, 10);
  packet.writeUInt16BE(checksum(packet.subarray(0, headerBytes)), 10);
  const payload = packet.subarray(headerBytes, Math.max(headerBytes, packet.readUInt16BE(2)));
  const offset = { 1: 2, 17: 6 }[packet[9] ?? 0];
  if (offset === undefined || payload.length < offset + 2) return;
  payload.writeUInt16BE(0, offset);
  const pseudo = packet[9] === 1 ? 0 : addWords((packet[9] ?? 0) + payload.length, packet.subarray(12, 20));
  payload.writeUInt16BE(finishChecksum(addWords(pseudo, payload)), offset);
}

/** What programs do meanwhile. */
function use(bench: StackBench, random: Random): void {
  if (random.below(4) === 0) bench.stack.resolve(`host${random.below(20)}.example`, 1000, bench.now, () => {});
  if (random.below(50) === 0)
    bench.stack.configure({ interface: 'ne0', up: null, address: null, dhcp: true }, bench.now);
  if (random.below(20) === 0) {
    bench.stack.configure(
      { interface: 'ne0', up: null, address: { address: OWN, prefix: 24 }, dhcp: false },
      bench.now,
    );
  }
}

/** See the head of this file. */
export function fuzzStack(random: Random, count: number): void {
  const bench = StackBench.configured();
  bench.stack.setNameServers([PEER]);
  const socket = bench.stack.udp.bind({ address: 0, port: 5000 }, { changed: () => {} });
  const raw = bench.stack.raw.open(1, () => {});
  const label = `seed ${random.seed}`;
  const heapBefore = process.memoryUsage().heapUsed;
  for (let done = 0; done < count; ) {
    for (const frame of honest(random)) {
      const input = random.below(8) === 0 ? frame : spoil(frame, random);
      try {
        bench.frame(input);
        if (bench.stack.deadline() <= bench.now) bench.settle();
      } catch (error) {
        expect.fail(`${label}, frame ${done} ${input.toString('hex')}: ${error}`);
      }
      done++;
    }
    if (random.below(30) === 0) use(bench, random);
    if (random.below(100) === 0) bench.wait(random.below(2000));
    if (bench.frames.length > 10_000) expect.fail(`${label}: ${bench.frames.length} frames at once`);
    for (const sent of bench.frames.splice(0)) expect(sent.length, label).toBeLessThanOrEqual(1514);
    bench.tcp.segments.length = 0;
    bench.tcp.errors.length = 0;
    bench.tcp.gone.length = 0;
  }
  expect(bench.stack.neighbours(bench.now).length, label).toBeLessThanOrEqual(512);
  expect(bench.stack.routes().length, label).toBeLessThanOrEqual(64);
  expect([...bench.stack.udp].length, label).toBeLessThanOrEqual(1 + 64);
  expect(socket.queue.length, label).toBeLessThanOrEqual(256);
  expect(raw.queue.bytes, label).toBeLessThanOrEqual(raw.options.receiveBuffer);
  expect(bench.keeper.keys().length, label).toBeLessThanOrEqual(6);
  expect(bench.keeper.bytes, label).toBeLessThan(10_000);
  expect(process.memoryUsage().heapUsed - heapBefore, label).toBeLessThan(HEAP_ALLOWED_BYTES);

  // An honest peer is served all the same.
  bench.stack.configure({ interface: 'ne0', up: true, address: { address: OWN, prefix: 24 }, dhcp: false }, bench.now);
  bench.wait(60_000);
  while (socket.receive() !== undefined);
  bench.frames.length = 0;
  bench.introduce(PEER, Buffer.from('020000000001', 'hex'));
  bench.udp(9, 5000, 'hello');
  expect(socket.receive()?.data.toString(), label).toBe('hello');
  bench.frames.length = 0;
  bench.icmp({ rest: 77 });
  expect(bench.takeIcmp(), label).toMatchObject([{ type: 0, rest: 77, destination: PEER }]);
}
