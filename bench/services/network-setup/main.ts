/**
 * Gives the network card a fixed address, then says which processes of the host the tasks are; with the order `watch`
 * again each time that one has a new process.
 */
import { bootArguments, connect, log, network, sleep, taskList } from '../../../services/lib/index.ts';

/** 10.0.3.2/24. */
const ADDRESS = { address: 0x0a000302, prefix: 24 };
/** So often that a kill a second is seen in time, and so rarely that it takes no time. */
const LOOK_MILLISECONDS = 200;
const LONG_MILLISECONDS = 1_000_000;
const { watch } = JSON.parse(bootArguments().exec ?? '{}') as { watch?: boolean };

connect(network, 'netstack').configure({ interface: 'ne0', up: true, address: ADDRESS, dhcp: false });
let last = '';
for (;;) {
  const living = taskList().filter(({ host, state }) => host !== 0 && state !== 'ZOMBIE' && state !== 'STARTING');
  const text = JSON.stringify(Object.fromEntries(living.map(({ name, host }) => [name, host])));
  if (text !== last) log(`RESULT ${text}`);
  last = text;
  sleep(watch || !text.includes('"traffic"') ? LOOK_MILLISECONDS : LONG_MILLISECONDS);
}
