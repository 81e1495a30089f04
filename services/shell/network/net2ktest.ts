/** net2ktest: whether the driver of the network card keeps what protocol/net.ts promises, errors included. */
import type { Client } from '../../../protocol/interface.ts';
import { batchOf, placedFrames } from '../../../protocol/net.ts';
import { LINK_ADDRESS_BYTES, LINK_BROADCAST } from '../../../wire/address.ts';
import { ARP_REPLY, ARP_REQUEST, buildArp, parseArp } from '../../../wire/arp.ts';
import { buildEthernet, ETHERTYPE, parseEthernet } from '../../../wire/ethernet.ts';
import { client, type Handle, ipcRelease, kill, net, SystemError, taskList, uptime } from '../../lib/index.ts';
import { Checks, equalBytes, expect, expectError } from '../checks.ts';
import { type CommandContext, expectWords, type Run } from '../command.ts';
import { formatMilliseconds } from '../table.ts';
import { CARD_SERVICE } from './netdrv.ts';

type Driver = Client<typeof net.methods>;

/** The router of the network `user`. */
const ROUTER = 0x0a00_0202;
const ANSWER_MS = 1000;
/** EtherType for experiments (IEEE 802, 9.2.4). */
const EXPERIMENT = 0x88b5;
const LENGTHS = [14, 15, 59, 60, 61, 127, 1513, 1514];
const LONGEST = 1514;
const BATCH = 64;
const BATCHES = 20;
const NO_FILTER = { promiscuous: false, allMulticast: false, multicast: [] };

/** What can be checked without having the card. */
function checkWithoutRight(checks: Checks, driver: Driver): void {
  checks.run('information', () => {
    const { name, model, address, mtu, link } = driver.information();
    expect(address.length === 6 && ((address[0] ?? 1) & 1) === 0, 'that is no station address');
    expect(mtu === 1500, `an MTU of ${mtu}`);
    return `${name}: ${model}, ${link ? 'link' : 'no link'}`;
  });
  checks.run('receiving, sending and the filter without a right', () => {
    expectError('EBADF', () => driver.receive());
    expectError('EBADF', () => driver.transmit(batchOf([new Uint8Array(60)])));
    return expectError('EBADF', () => driver.set_filter(NO_FILTER));
  });
  checks.run('malformed requests', () => {
    expectError('EINVAL', () => driver.transmit(batchOf([new Uint8Array(LONGEST + 1)])));
    return expectError('EINVAL', () =>
      driver.transmit(batchOf(Array.from({ length: BATCH + 1 }, () => new Uint8Array(60)))),
    );
  });
  checks.run('a second owner', () => expectError('EBUSY', () => driver.open()));
}

/** A frame to nobody, from the card. */
function frameOf(length: number, source: Uint8Array): Buffer {
  return buildEthernet(source, source, EXPERIMENT, Buffer.alloc(length)).subarray(0, length);
}

function checkSending(checks: Checks, driver: Driver, card: Driver, address: Uint8Array): void {
  checks.run('sending', () => {
    const before = driver.statistics();
    card.transmit(batchOf(LENGTHS.map((length) => frameOf(length, address))));
    card.transmit(batchOf([]));
    const after = driver.statistics();
    expect(after.framesSent - before.framesSent === LENGTHS.length, 'the frames were not counted');
    expect(after.transmitErrors === before.transmitErrors, 'there were errors');
    expectError('EINVAL', () => card.transmit(batchOf([new Uint8Array(13)])));
    return `${LENGTHS.length} frames of ${LENGTHS[0]} to ${LONGEST} bytes; one of 13 EINVAL`;
  });
  checks.run('speed of sending', () => {
    const batch = batchOf(Array.from({ length: BATCH }, () => frameOf(LONGEST, address)));
    const start = uptime();
    for (let count = 0; count < BATCHES; count++) card.transmit(batch);
    const seconds = (uptime() - start) / 1000;
    return `${((BATCH * BATCHES * LONGEST) / seconds / 1e6).toFixed(1)} MB/s`;
  });
}

/** Asks the router for its address and waits for the answer; undefined: there is none. */
function askRouter(card: Driver, address: Uint8Array): number | undefined {
  const payload = buildArp({
    ...{ operation: ARP_REQUEST, senderLink: address, sender: 0 },
    ...{ targetLink: new Uint8Array(LINK_ADDRESS_BYTES), target: ROUTER },
  });
  const start = uptime();
  card.transmit(batchOf([buildEthernet(LINK_BROADCAST, address, ETHERTYPE.ARP, payload)]));
  while (uptime() - start < ANSWER_MS) {
    for (const bytes of framesWithin(card)) {
      const frame = parseEthernet(Buffer.from(bytes));
      if (frame === null || frame.type !== ETHERTYPE.ARP || !equalBytes(frame.destination, address)) continue;
      const arp = parseArp(frame.payload);
      if (arp?.operation === ARP_REPLY && arp.sender === ROUTER) return uptime() - start;
    }
  }
  return undefined;
}

function framesWithin(card: Driver): Uint8Array[] {
  try {
    return placedFrames(card.receive());
  } catch (error) {
    if (error instanceof SystemError && error.code === 'ETIMEDOUT') return [];
    throw error;
  }
}

function checkRouter(checks: Checks, card: Driver, address: Uint8Array, when: string): void {
  checks.run(`a question to 10.0.2.2${when}`, () => {
    const time = askRouter(card, address);
    return time === undefined ? 'no answer: the cable leads elsewhere' : `answered after ${formatMilliseconds(time)}`;
  });
}

function checkFilter(checks: Checks, card: Driver): void {
  checks.run('the filter', () => {
    const multicast = [Uint8Array.of(0x01, 0, 0x5e, 0, 0, 0xfb)];
    for (const filter of [{ multicast }, { allMulticast: true }, { promiscuous: true }, {}])
      card.set_filter({ ...NO_FILTER, ...filter });
    return expectError('EINVAL', () => card.set_filter({ ...NO_FILTER, multicast: [Uint8Array.of(2, 0, 0, 0, 0, 1)] }));
  });
}

function checkRecovery(checks: Checks, driver: Driver, card: Driver, address: Uint8Array): void {
  checks.run('reset', () => {
    const before = driver.statistics().resets;
    driver.reset();
    expect(driver.statistics().resets === before + 1, 'it was not counted');
    card.transmit(batchOf([frameOf(60, address)]));
    return 'the right is still good';
  });
  checks.run('killing the driver', () => {
    const victim = taskList().find(({ name, state }) => name === CARD_SERVICE && state !== 'ZOMBIE');
    expect(victim !== undefined, 'it is not there');
    const start = uptime();
    kill(victim.pid, 'KILL');
    card.transmit(batchOf([frameOf(60, address)]));
    const time = uptime() - start;
    expectError('EBUSY', () => driver.open());
    return `pid ${victim.pid}; the next frame was sent after ${formatMilliseconds(time)}, with the same right`;
  });
}

function opened(driver: Driver): Handle | null {
  try {
    return driver.open().card;
  } catch (error) {
    if (error instanceof SystemError && error.code === 'EBUSY') return null;
    throw error;
  }
}

function checkCard(context: CommandContext, checks: Checks, driver: Driver, right: Handle): void {
  const { address } = driver.information();
  const card = client(net, right, ANSWER_MS * 10);
  const impatient = client(net, right, ANSWER_MS);
  checkSending(checks, driver, card, address);
  checkRouter(checks, impatient, address, '');
  checkFilter(checks, card);
  checkRecovery(checks, driver, card, address);
  checkRouter(checks, impatient, address, ' afterwards');
  ipcRelease(right);
  checks.run('giving the card back', () => {
    const again = context.services.client(net, CARD_SERVICE).open().card;
    ipcRelease(again);
    return 'it can be opened again';
  });
}

export const net2ktest: Run = (context) => {
  expectWords(context.words, 0, 0);
  const driver = context.services.client(net, CARD_SERVICE);
  const right = opened(driver);
  const checks = new Checks(context);
  checkWithoutRight(checks, driver);
  if (right !== null) checkCard(context, checks, driver, right);
  else context.lines('somebody has the card: `service stop netstack` first, to test more');
  checks.run('statistics', () => {
    const { framesReceived, framesSent, interrupts, overflows } = driver.statistics();
    return `${framesReceived} received, ${framesSent} sent, ${interrupts} interrupts, ${overflows} overflows`;
  });
  return checks.finish();
};
