/** nettools: jobs of commands that use the network. */
import type { Run } from '../command.ts';
import type { NetworkToolName } from '../commands/network-catalogue.ts';
import { runOrder } from '../order.ts';
import { arp } from './arp.ts';
import { httpd } from './httpd.ts';
import { ifconfig } from './ifconfig.ts';
import { nc } from './nc.ts';
import { net2ktest } from './net2ktest.ts';
import { netdrv } from './netdrv.ts';
import { netstacktest } from './netstacktest.ts';
import { netstat } from './netstat.ts';
import { nettest } from './nettest.ts';
import { nslookup } from './nslookup.ts';
import { ping } from './ping.ts';
import { route } from './route.ts';
import { tcpdump } from './tcpdump.ts';
import { traceroute } from './traceroute.ts';
import { wget } from './wget.ts';

const networkRuns: Readonly<Record<NetworkToolName, Run>> = {
  ...{ ifconfig, route, arp, netstat, nslookup },
  ...{ ping, nc, wget, httpd, traceroute, tcpdump },
  ...{ nettest, netstacktest },
  ...{ netdrv, net2ktest },
};

runOrder(networkRuns);
