/** Commands that use the network: what they are. How they are run is in the program `nettools` (network/). */
import { network } from '../../lib/index.ts';
import type { Command } from '../command.ts';
import { NETWORK_PROGRAM } from '../launch.ts';
import { commandsOf, type Descriptions } from './catalogue.ts';

const interfaceNames: Command['complete'] = (_words, services) =>
  services
    .client(network, 'netstack')
    .interfaces()
    .map(({ name }) => name);

const tools = {
  ifconfig: {
    usage: '[-a] [INTERFACE [up | down | dhcp | ADDRESS[/PREFIX] [netmask MASK] …]]',
    about: 'Shows or sets the addresses of the interfaces',
    details: [
      'Shows those that are up, with -a all. An address ends DHCP; dhcp begins it anew. Without a prefix or mask it goes by the class of the address.',
    ],
    complete: (words, services, shell) =>
      words.length === 1 ? (interfaceNames?.(words, services, shell) ?? []) : ['up', 'down', 'dhcp', 'netmask'],
    operands: 'none',
  },
  route: {
    usage: '[-n] | add DESTINATION [gw ADDRESS] [dev INTERFACE] [metric N] | del DESTINATION [gw ADDRESS]',
    about: 'Shows, adds or removes routes',
    details: [
      'DESTINATION: default, NETWORK/PREFIX or ADDRESS. -n: numbers only. Flags: U usable, G through a gateway, H to one host, D from DHCP.',
    ],
    complete: (words) => (words.length === 1 ? ['add', 'del'] : ['default', 'gw', 'dev', 'metric']),
    operands: 'none',
  },
  arp: {
    usage: '[-n] [ADDRESS] | -s ADDRESS HARDWARE | -d ADDRESS',
    about: 'Shows, sets or removes hardware addresses of neighbours',
    details: ['-s: for good. Age: time since the neighbour was heard of last.'],
    operands: 'none',
  },
  netstat: {
    usage: '[-tuwlanp] | -r [-n] | -i | -s',
    about: 'Shows sockets, routes, interfaces or counters',
    details: [
      '-t, -u, -w: TCP, UDP, raw; all unless some are named. -l: only what listens. -a: also what listens. -n: numbers only.',
      '-r: routes. -i: interfaces. -s: counters of the protocols.',
    ],
    operands: 'none',
  },
  nslookup: {
    usage: 'NAME …',
    about: 'Asks the name servers for the addresses of names',
    operands: 'none',
  },
} as const satisfies Descriptions;

export type NetworkToolName = keyof typeof tools;

export const networkCommands: readonly Command[] = commandsOf(tools, NETWORK_PROGRAM);
