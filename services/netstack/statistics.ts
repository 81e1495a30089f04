/** The counters of the layers below TCP, with the names under which `network.statistics` shows them. */
import type { Resolver } from './dns/resolver.ts';
import type { Icmp } from './icmp/icmp.ts';
import type { Ipv4 } from './ip/ipv4.ts';
import type { Link } from './link.ts';
import type { UdpTable } from './udp/table.ts';

/** One of them. */
export interface Counter {
  name: string;
  value: number;
}

/** What has counters. */
export interface Layers {
  readonly ip: Ipv4;
  readonly icmp: Icmp;
  readonly udp: UdpTable;
  readonly resolver: Resolver;
  readonly links: readonly Link[];
}

export function countersOf({ ip, icmp, udp, resolver, links }: Layers): Counter[] {
  const ofLinks = links.map(({ ethernet, dhcp }) => ({
    arp: { ...ethernet.arpCounters, ...ethernet.neighbours.counters, conflicts: ethernet.claim.conflicts },
    dhcp: dhcp.counters,
  }));
  return [
    ...named('ip', ip.counters),
    ...named('ip', { reassemblyDrops: ip.reassembly.drops }),
    ...named('icmp', icmp.counters),
    ...named('icmp', { errorsHeldBack: icmp.limit.refused }),
    ...named('udp', udp.counters),
    ...named('arp', sum(ofLinks.map(({ arp }) => arp))),
    ...named('dhcp', sum(ofLinks.map(({ dhcp }) => dhcp))),
    ...named('dns', resolver.counters),
  ];
}

function named(layer: string, counters: Readonly<Record<string, number>>): Counter[] {
  return Object.entries(counters).map(([name, value]) => ({ name: `${layer}.${name}`, value }));
}

function sum(all: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const counters of all) {
    for (const [name, value] of Object.entries(counters)) total[name] = (total[name] ?? 0) + value;
  }
  return total;
}
