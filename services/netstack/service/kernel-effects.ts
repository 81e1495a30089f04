/** What the network service needs of the world, from the kernel. */
import { MAX_STORE_BYTES, MAX_STORE_KEYS, MAX_TIMEOUT_MILLISECONDS } from '../../../protocol/bounds.ts';
import {
  asynchronousClient,
  findPortLater,
  type Handle,
  ipcMint,
  ipcRelease,
  isTaskAlive,
  log,
  net,
  post,
  random,
  releaseRights,
  storeDeletePosted,
  storeGet,
  storeKeys,
  storePutPosted,
  time,
  turnUptime,
} from '../../lib/index.ts';
import type { OpenCard } from './link.ts';
import type { ServiceEffects } from './service.ts';

/** Size of the recovery store in MiB, as in the manifest (services.json). */
const STORE_MEBIBYTES = 160;

/** A driver that hangs is restarted long before this. */
const TRANSMIT_TIMEOUT_MS = 60_000;
const OPEN_TIMEOUT_MS = 60_000;

const ALARM = 1;

/** Effects through the port of the service, which `port` answers once it is there. */
export function kernelEffects(port: () => Handle): ServiceEffects {
  let last = 0;
  return {
    // What a turn is about may have waited longer than what the last one was about: time does not go back for that.
    uptime: () => {
      last = Math.max(last, turnUptime());
      return last;
    },
    time,
    random,
    log,
    alarm: (milliseconds) => post('alarm', { alarm: ALARM, milliseconds }, port()),
    store: { keys: storeKeys, get: storeGet, put: storePutPosted, delete: storeDeletePosted },
    storeBytes: STORE_MEBIBYTES * MAX_STORE_BYTES,
    storeKeys: STORE_MEBIBYTES * MAX_STORE_KEYS,
    mint: (badge) => ipcMint(port(), badge),
    release: ipcRelease,
    isAlive: isTaskAlive,
    findDriver: (done) => findPortLater('ne2000', port(), MAX_TIMEOUT_MILLISECONDS, done),
    openCard: (driver, done) => {
      asynchronousClient(net, driver, port(), OPEN_TIMEOUT_MS).open(undefined, (opened) => {
        releaseRights([driver]);
        if (!opened.ok) done(opened);
        else {
          const { card, description } = opened.value;
          done({ ok: true, value: { card: openCard(card, port()), description } });
        }
      });
    },
  };
}

function openCard(card: Handle, own: Handle): OpenCard {
  const waiting = asynchronousClient(net, card, own, MAX_TIMEOUT_MILLISECONDS);
  const prompt = asynchronousClient(net, card, own, TRANSMIT_TIMEOUT_MS);
  return {
    receive: (done) => waiting.receive(undefined, done),
    transmit: (frames, done) => prompt.transmit(frames, done),
    setFilter: (filter, done) => prompt.set_filter(filter, done),
    close: () => releaseRights([card]),
  };
}
