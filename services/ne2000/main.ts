/**
 * The driver of the network card: serves an NE2000 as interface `net`.
 *
 * Read: protocol/net.ts; DP8390D data sheet; docs/network.md for what a restart loses.
 */
import {
  type Handle,
  ioVector,
  ipcMint,
  ipcRelease,
  LATER,
  log,
  net,
  offer,
  type Program,
  runRehearsed,
  sleep,
  storeGet,
  storePutPosted,
} from '../lib/index.ts';
import { NetworkDriver } from './driver.ts';
import { IO_PORTS, IRQ } from './registers.ts';
import { CardRehearsal } from './rehearsal.ts';

runRehearsed(program, () => new CardRehearsal());

function program(): Program {
  let port = 0 as Handle;
  const driver = new NetworkDriver({
    vector: ioVector,
    pause: sleep,
    save: storePutPosted,
    load: storeGet,
    mint: ipcMint,
    release: ipcRelease,
    log,
  });
  return {
    port: 'ne2000',
    ioPorts: IO_PORTS,
    start: () => driver.start(),
    ready: (handle) => {
      port = handle;
    },
    settled: () => driver.settled(port),
    offers: [offer(net, driver.handlers())],
    interrupts: {
      [IRQ]: (vector) => {
        driver.interrupt(vector);
        return LATER;
      },
    },
    notices: { no_senders: ({ badge }) => driver.noSenders(badge) },
  };
}
