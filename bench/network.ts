/** A machine on a TAP device in a network namespace, with the services that move data, for the rows of the network. */
import { LinuxNamespace, reasonAgainst } from '../test/support/network/namespace.ts';
import { BenchMachine, standardManifest } from './machine.ts';
import type { Bench, RowResult } from './row.ts';

/** Addresses of Linux and of the machine on the cable. */
export const LINUX = '10.0.3.1';
export const MACHINE = '10.0.3.2';
/** Ports of the service `traffic`. */
export const port = { echo: 7, sink: 9, source: 19 } as const;

const traffic = {
  name: 'traffic',
  entry: 'test/services/traffic',
  serves: ['traffic'],
  looksUp: ['netstack'],
  dependsOn: ['netstack'],
};
const setup = {
  name: 'network-setup',
  entry: 'bench/services/network-setup',
  looksUp: ['netstack'],
  dependsOn: ['netstack'],
};

/** A machine and Linux on one cable. */
export interface BenchNetwork {
  readonly linux: LinuxNamespace;
  readonly machine: BenchMachine;
  /** Host process ids by name of task, as last reported; the kernel's under `kernel`. */
  hosts(): Readonly<Record<string, number>>;
}

/**
 * Runs something with a machine on a TAP device, which is gone afterwards. `watch`: whether `hosts` is to know the
 * processes that come later.
 */
export async function withNetwork<T>(
  bench: Bench,
  use: (network: BenchNetwork) => Promise<T>,
  watch = false,
): Promise<T> {
  const linux = await LinuxNamespace.create();
  try {
    await linux.run(`ip tuntap add dev vros0 mode tap; ip addr add ${LINUX}/24 dev vros0; ip link set vros0 up`);
    const machine = new BenchMachine(bench.folder, {
      services: [...['init', 'ne2000', 'netstack'].map(standardManifest), traffic, setup],
      order: { watch },
      options: ['--no-disk', '--netdev', 'tap,ifname=vros0'],
      launcher: linux.entrance,
    });
    const hosts = (): Readonly<Record<string, number>> => ({
      ...machine.results<Record<string, number>>().at(-1),
      kernel: machine.process.pid ?? 0,
    });
    try {
      await machine.logged(/^serving/);
      await machine.logged(/^RESULT .*"traffic"/);
      return await use({ linux, machine, hosts });
    } finally {
      await machine.stop();
    }
  } finally {
    await linux.close();
  }
}

/** Why rows with a namespace cannot be measured here, as a row of its own; null if they can. */
export function networkLeftOut(name: string, title: string, ...programs: readonly string[]): RowResult[] | null {
  const reason = reasonAgainst(['perl', 'ip', 'unshare', 'nsenter', ...programs]);
  return reason === '' ? null : [{ name, title, unit: '', lines: [], notes: [`left out: ${reason}`] }];
}
