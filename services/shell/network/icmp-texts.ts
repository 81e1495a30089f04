/** ICMP errors in words, as ping of iputils has them. Read RFC 792 and RFC 1812, 5.2.7. */

import { formatIpv4 } from '../../../wire/address.ts';
import { ICMP, type IcmpMessage } from '../../../wire/icmp.ts';

const SOURCE_QUENCH = 4;
const REDIRECT = 5;
const PARAMETER_PROBLEM = 12;
const FRAGMENTATION_NEEDED = 4;

/** Codes of "destination unreachable". */
const unreachableTexts: readonly string[] = [
  'Destination Net Unreachable',
  'Destination Host Unreachable',
  'Destination Protocol Unreachable',
  'Destination Port Unreachable',
  'Frag needed and DF set',
  'Source Route Failed',
  'Destination Net Unknown',
  'Destination Host Unknown',
  'Source Host Isolated',
  'Destination Net Prohibited',
  'Destination Host Prohibited',
  'Destination Net Unreachable for Type of Service',
  'Destination Host Unreachable for Type of Service',
  'Packet filtered',
  'Precedence Violation',
  'Precedence Cutoff',
];

/** What an error says. Null for messages that are none. */
export function icmpErrorText({ type, code, rest }: Pick<IcmpMessage, 'type' | 'code' | 'rest'>): string | null {
  switch (type) {
    case ICMP.UNREACHABLE: {
      const text = unreachableTexts[code] ?? `Dest Unreachable, Bad Code: ${code}`;
      return code === FRAGMENTATION_NEEDED ? `${text} (mtu = ${rest & 0xffff})` : text;
    }
    case ICMP.TIME_EXCEEDED:
      return code === 0 ? 'Time to live exceeded' : 'Frag reassembly time exceeded';
    case SOURCE_QUENCH:
      return 'Source Quench';
    case REDIRECT:
      return `Redirect (New nexthop: ${formatIpv4(rest)})`;
    case PARAMETER_PROBLEM:
      return `Parameter problem: pointer = ${rest >>> 24}`;
    default:
      return null;
  }
}

/** How traceroute marks an unreachable destination; nothing for the port, which is what it hopes for. */
export function unreachableMark(code: number): string {
  const marks = ['!N', '!H', '!P', '', '!F', '!S'];
  return marks[code] ?? (code === 9 || code === 10 || code === 13 ? '!X' : `!${code}`);
}
