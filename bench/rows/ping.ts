/**
 * Ping from Linux through a TAP device: to the machine, and to a program in C that answers with one read and one write.
 */
import { alternate } from '../alternate.ts';
import { MACHINE, networkLeftOut, withNetwork } from '../network.ts';
import { peerLine, plainLine, type Row } from '../row.ts';
import { VROS } from './calls.ts';

const ROUNDS = 5;
const PINGS = 300;
const GREATEST_RATIO = 6;
const PEER = 'C program on the TAP device';
const PEER_ADDRESS = '10.0.4.2';
const TITLE = 'ping from Linux over TAP';

/** Round-trip times in the output of ping, in milliseconds. */
function times(output: string): number[] {
  return [...output.matchAll(/time=([\d.]+) ms/g)].map(([, time]) => Number(time));
}

export const pingRow: Row = {
  name: 'ping',
  async run(bench) {
    const leftOut = networkLeftOut('ping', TITLE, 'ping');
    if (leftOut !== null) return leftOut;
    return await withNetwork(bench, async ({ linux }) => {
      const inC = bench.compiler.missing === '';
      await linux.run('ip tuntap add dev echo0 mode tap; ip addr add 10.0.4.1/24 dev echo0; ip link set echo0 up');
      if (inC) linux.start(`exec ${bench.compiler.program('tap-echo')} echo0`);
      const pings = (address: string) => async () => ({
        time: times(await linux.run(`ping -n -c ${PINGS} -i 0.002 -W 1 ${address}`)),
      });
      // The first pings find neighbours and warm up.
      await linux.run(`ping -n -q -c 2000 -i 0.001 ${MACHINE}`, 60_000);
      const all = await alternate(bench.rounds(ROUNDS), [
        { name: VROS, sample: pings(MACHINE) },
        ...(inC ? [{ name: PEER, sample: pings(PEER_ADDRESS) }] : []),
      ]);
      const ours = plainLine(VROS, all.get(VROS)?.time ?? []);
      const peers = inC ? [peerLine(PEER, all.get(PEER)?.time ?? [], ours, GREATEST_RATIO)] : [];
      const notes = inC ? [] : [`the program in C was left out: ${bench.compiler.missing}`];
      return [{ name: 'ping', title: TITLE, unit: 'ms', lines: [ours, ...peers], notes }];
    });
  },
};
