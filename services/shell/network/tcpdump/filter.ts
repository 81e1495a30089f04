/**
 * Filters of tcpdump: a part of the language of pcap-filter(7): `host`, `net`, `port`, each with `src` or `dst` in
 * front, protocols, `and`, `or`, `not` and parentheses.
 * `and` and `or` bind equally, from the left; `not` binds more.
 */
import { UsageError } from '../../errors.ts';
import { maskOf, parseNetwork } from '../addresses.ts';
import type { PacketView } from './packet.ts';

/** Whether a packet is wanted. */
export type Filter = (packet: PacketView) => boolean;

/** Depth of parentheses and `not`. */
const MAX_DEPTH = 64;

const TCP = 6;
const UDP = 17;
const ICMP = 1;

const protocols: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ['arp', (packet) => packet.arp !== null],
  ['ip', (packet) => packet.ip !== null],
  ['tcp', (packet) => packet.ip?.protocol === TCP],
  ['udp', (packet) => packet.ip?.protocol === UDP],
  ['icmp', (packet) => packet.ip?.protocol === ICMP],
]);

type Direction = 'src' | 'dst' | 'either';

function eitherOf<T>(direction: Direction, pair: readonly [T, T] | null, test: (value: T) => boolean): boolean {
  if (pair === null) return false;
  const [source, destination] = pair;
  return (direction !== 'dst' && test(source)) || (direction !== 'src' && test(destination));
}

function addressesOf({ ip, arp }: PacketView): readonly [number, number] | null {
  if (ip !== null) return [ip.source, ip.destination];
  return arp === null ? null : [arp.sender, arp.target];
}

/** Reads words into a filter. */
class FilterParser {
  private readonly tokens: readonly string[];
  private readonly resolve: (host: string) => readonly number[];
  private at = 0;
  private depth = 0;

  constructor(tokens: readonly string[], resolve: (host: string) => readonly number[]) {
    this.tokens = tokens;
    this.resolve = resolve;
  }

  whole(): Filter {
    const filter = this.expression();
    const rest = this.tokens[this.at];
    if (rest !== undefined) throw new UsageError(`filter: '${rest}' was not expected`);
    return filter;
  }

  private expression(): Filter {
    let left = this.term();
    for (;;) {
      const operator = this.tokens[this.at];
      const and = operator === 'and' || operator === '&&';
      if (!and && operator !== 'or' && operator !== '||') return left;
      this.at += 1;
      const [first, second] = [left, this.term()];
      left = and ? (packet) => first(packet) && second(packet) : (packet) => first(packet) || second(packet);
    }
  }

  private term(): Filter {
    this.depth += 1;
    if (this.depth > MAX_DEPTH) throw new UsageError('filter: it is nested too deeply');
    try {
      const token = this.next('a filter');
      if (token === 'not' || token === '!') {
        const inner = this.term();
        return (packet) => !inner(packet);
      }
      if (token === '(') {
        const inner = this.expression();
        if (this.next(')') !== ')') throw new UsageError("filter: ')' is missing");
        return inner;
      }
      return this.primitive(token);
    } finally {
      this.depth -= 1;
    }
  }

  private primitive(token: string): Filter {
    const protocol = protocols.get(token);
    if (protocol === undefined) return this.directed(token);
    const next = this.tokens[this.at];
    if (next === undefined || !['src', 'dst', 'host', 'net', 'port'].includes(next)) return protocol;
    const rest = this.directed(this.next('a filter'));
    return (packet) => protocol(packet) && rest(packet);
  }

  private directed(token: string): Filter {
    const direction: Direction = token === 'src' || token === 'dst' ? token : 'either';
    const kind = direction === 'either' ? token : this.next('host, net or port');
    if (kind === 'host') {
      const hosts = this.resolve(this.next('host: an address'));
      return (packet) => eitherOf(direction, addressesOf(packet), (address) => hosts.includes(address));
    }
    if (kind === 'net') {
      const { address, prefix } = parseNetwork(this.next('net: an address'), 'net', 32);
      const mask = maskOf(prefix);
      const wanted = (address & mask) >>> 0;
      return (packet) => eitherOf(direction, addressesOf(packet), (host) => (host & mask) >>> 0 === wanted);
    }
    if (kind === 'port') {
      const text = this.next('port: a number');
      const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
      if (!(port <= 65535)) throw new UsageError(`filter: '${text}' is no port`);
      return (packet) => eitherOf(direction, packet.ports, (end) => end === port);
    }
    throw new UsageError(`filter: '${kind}' is not known`);
  }

  private next(what: string): string {
    const token = this.tokens[this.at];
    if (token === undefined) throw new UsageError(`filter: ${what} is missing`);
    this.at += 1;
    return token;
  }
}

/** Reads a filter; without words everything is wanted. `resolve` answers the addresses of a host. Throws UsageError. */
export function parseFilter(words: readonly string[], resolve: (host: string) => readonly number[]): Filter {
  const tokens = words.join(' ').match(/[()!]|&&|\|\||[^\s()!&|]+|[&|]/g) ?? [];
  return tokens.length === 0 ? () => true : new FilterParser(tokens, resolve).whole();
}
