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

const filterWords = ['host', 'net', 'port', 'src', 'dst', 'tcp', 'udp', 'icmp', 'arp', 'and', 'or', 'not'];

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
    usage:
      '[-n] | add [-net | -host] DESTINATION [netmask MASK] [gw ADDRESS] [dev INTERFACE] [metric N] | del DESTINATION [gw ADDRESS]',
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
  ping: {
    usage: '[-Dnq] [-c COUNT] [-i SECONDS] [-s BYTES] [-W SECONDS] [-w SECONDS] [-t TTL] HOST',
    about: 'Sends echo requests and shows what comes back',
    details: [
      '-c: so many. -i: seconds between them, 1 unless given. -s: bytes of data, 56 unless given. -W: how long to wait for answers at the end. -w: ends after this',
      'time in any case. -t: time to live. -q: only the sums. -D: with the time of day. ^C ends it with the sums, ^\\ shows them.',
      'Status 0: answers came, 1: none, or fewer than -c within -w, 2: something else went wrong.',
    ],
    operands: 'none',
  },
  nc: {
    usage:
      '[-Nnuv] [-p PORT] [-s ADDRESS] [-w SECONDS] HOST PORT | -l [-kNuv] [ADDRESS] PORT | -z [-uv] [-w SECONDS] HOST PORT[-PORT]',
    about: 'Connects its input and output with a socket',
    details: [
      '-l: waits for a connection. -k: for one after the other. -u: UDP. -z: only tries which ports are open. -N: ends its direction with the input.',
      '-p, -s: the port and the address to connect from. -w: ends after so many seconds without anything, and gives up connecting. -v: tells of connections.',
    ],
    operands: 'none',
  },
  wget: {
    usage: '[-cq] [-O FILE] [-T SECONDS] URL',
    about: 'Fetches a file by HTTP',
    details: [
      '-O: to this file, - for the output; otherwise to a new file with the name in the URL. -c: goes on where the file ends. -q: silent. -T: how long it waits when',
      'nothing comes, 60 unless given. URL: http only; https is refused, as there is no TLS.',
    ],
  },
  httpd: {
    usage: '[-v] [-p PORT] [-a ADDRESS] [DIRECTORY]',
    about: 'Serves a directory by HTTP until it is ended',
    details: [
      'DIRECTORY: /mnt/www unless given. -p: port, 80 unless given. -a: only on this address. -v: a line for each request. A file that changes is seen after a second',
      'at the latest. With & it runs in the background; ^C or kill ends it.',
    ],
    operands: 'directories',
  },
  traceroute: {
    usage: '[-n] [-m HOPS] [-q PROBES] [-w SECONDS] HOST [BYTES]',
    about: 'Shows the routers on the way to a host',
    details: [
      '-m: at most so many, 30 unless given. -q: datagrams to each, 3 unless given. -w: how long to wait for each of them, 5 unless given. * stands for no answer, !H for',
      'a host that is unreachable, !N for a network, !X for what is prohibited.',
    ],
    operands: 'none',
  },
  tcpdump: {
    usage: '[-nv] [-i INTERFACE] [-c COUNT] [-w FILE | -r FILE] [FILTER …]',
    about: 'Shows the packets that go by, or records them',
    details: [
      '-i: only on this interface. -c: so many. -n: ports as numbers. -v: more of each. -w: records them for -r, or for tshark. -r: shows what was recorded.',
      'FILTER: [src | dst] host ADDRESS, net NETWORK/PREFIX, port N; tcp, udp, icmp, arp, ip; joined by and, or, not, ( and ), which the shell wants quoted.',
    ],
    complete: (words, services, shell) =>
      words.at(-1) === '-i' ? (interfaceNames?.(words, services, shell) ?? []) : filterWords,
    operands: 'paths',
  },
  nettest: {
    usage: '',
    about: 'Tests the network: interface, neighbour, ping, name server, datagrams, connections',
    operands: 'none',
  },
  netstacktest: {
    usage: '',
    about: 'Tests sockets over the loopback interface',
    operands: 'none',
  },
  netdrv: {
    usage: '[reset]',
    about: 'Shows the network card, its driver and their counters',
    details: ['reset: stops the card and starts it anew. What is in its memory is lost.'],
    complete: (words) => (words.length === 1 ? ['reset'] : []),
    operands: 'none',
  },
  net2ktest: {
    usage: '',
    about: 'Tests the driver of the network card',
    details: [
      'All of it only while nobody else has the card: after `service stop netstack`. It kills the driver once.',
    ],
    operands: 'none',
  },
} as const satisfies Descriptions;

export type NetworkToolName = keyof typeof tools;

export const networkCommands: readonly Command[] = commandsOf(tools, NETWORK_PROGRAM);
