/** Names: RFC 1035, RFC 2308, RFC 5452. */
import { describe, expect, it } from 'vitest';
import { Resolver } from '../../../services/netstack/dns/resolver.ts';
import { RandomNumbers } from '../../../services/netstack/random.ts';
import type { Resolution } from '../../../services/netstack/stack.ts';
import { formatIpv4, parseIpv4 } from '../../../wire/address.ts';
import { buildDnsQuery, normalName, parseDnsResponse } from '../../../wire/dns.ts';
import { Random } from '../../support/random.ts';
import { FAR, PEER, ROUTER, StackBench } from './stack-bench.ts';

const A = 1;
const CNAME = 5;
const SOA = 6;

function wireName(name: string): Buffer {
  return Buffer.concat([
    ...name.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)])),
    Buffer.alloc(1),
  ]);
}

function record(name: string, type: number, seconds: number, data: Buffer): Buffer {
  const head = Buffer.alloc(10);
  head.writeUInt16BE(type, 0);
  head.writeUInt16BE(1, 2);
  head.writeUInt32BE(seconds, 4);
  head.writeUInt16BE(data.length, 8);
  return Buffer.concat([wireName(name), head, data]);
}

function address(text: string): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(parseIpv4(text));
  return bytes;
}

function authority(seconds: number): Buffer {
  const numbers = Buffer.alloc(20);
  numbers.writeUInt32BE(seconds, 16);
  return record('example.org', SOA, 1000, Buffer.concat([wireName('a'), wireName('b'), numbers]));
}

/** A response to a query: its own question, answers, and records of authority. */
function response(query: Buffer, code: number, answers: Buffer[], authorities: Buffer[] = [], flags = 0x8180): Buffer {
  const head = Buffer.from(query);
  head.writeUInt16BE(flags | code, 2);
  head.writeUInt16BE(answers.length, 6);
  head.writeUInt16BE(authorities.length, 8);
  return Buffer.concat([head, ...answers, ...authorities]);
}

interface Query {
  readonly server: number;
  readonly port: number;
  readonly data: Buffer;
  readonly name: string;
}

class DnsBench {
  readonly bench = StackBench.configured();
  readonly results: string[] = [];

  constructor(servers: number[] = [PEER, ROUTER]) {
    this.bench.stack.setNameServers(servers);
  }

  ask(name: string, timeout = 60_000): () => void {
    const done = (resolution: Resolution): void => {
      this.results.push('error' in resolution ? resolution.error.code : resolution.addresses.map(formatIpv4).join(' '));
    };
    return this.bench.stack.resolve(name, timeout, this.bench.now, done);
  }

  /** The one query since the last call. */
  query(): Query {
    const [query, ...others] = this.queries();
    expect(others).toEqual([]);
    if (query === undefined) throw new Error('no query');
    return query;
  }

  queries(): Query[] {
    return this.bench.takeUdp().map(({ destination, sourcePort, destinationPort, data }) => {
      expect(destinationPort).toBe(53);
      const asked = parseDnsResponse(response(data, 0, []));
      return { server: destination, port: sourcePort, data, name: asked?.question.name ?? '' };
    });
  }

  answer({ server, port }: Query, message: Buffer, from: { source?: number; sourcePort?: number } = {}): void {
    this.bench.udp(from.sourcePort ?? 53, port, message, { source: from.source ?? server });
    this.bench.settle();
  }
}

describe('the resolver', () => {
  it('asks a server, and remembers the answer for as long as it holds', () => {
    const dns = new DnsBench();
    dns.ask('WWW.Example.org.');
    const query = dns.query();
    expect([query.server, query.name]).toEqual([PEER, 'www.example.org']);
    const records = ['192.0.2.7', '192.0.2.8', '192.0.2.7'].map((text) =>
      record('www.EXAMPLE.org', A, 300, address(text)),
    );
    dns.answer(query, response(query.data, 0, records));
    expect(dns.results).toEqual(['192.0.2.7 192.0.2.8']);
    dns.bench.wait(299_000);
    dns.ask('www.example.org');
    expect(dns.results).toHaveLength(2);
    expect(dns.queries()).toEqual([]);
    dns.bench.wait(1000);
    dns.ask('www.example.org');
    expect(dns.queries()).toHaveLength(1);
    expect([...dns.bench.stack.udp]).toHaveLength(1);
  });

  it('asks each time from another port with another identifier', () => {
    const dns = new DnsBench();
    for (let count = 0; count < 20; count++) dns.ask(`host${count}.example.org`);
    const queries = dns.queries();
    expect(new Set(queries.map(({ port }) => port)).size).toBe(20);
    expect(new Set(queries.map(({ data }) => data.readUInt16BE(0))).size).toBe(20);
  });

  it('believes only the server it asked, about what it asked', () => {
    const dns = new DnsBench();
    dns.ask('www.example.org');
    const query = dns.query();
    const good = response(query.data, 0, [record('www.example.org', A, 60, address('192.0.2.7'))]);
    const forged = response(query.data, 0, [record('www.example.org', A, 60, address('6.6.6.6'))]);
    const wrongIdentifier = Buffer.from(forged);
    wrongIdentifier[0] = (wrongIdentifier[0] ?? 0) ^ 1;
    dns.answer(query, wrongIdentifier);
    dns.answer(query, forged, { source: FAR });
    dns.answer(query, forged, { sourcePort: 54 });
    const other = buildDnsQuery(query.data.readUInt16BE(0), 'www.example.com');
    dns.answer(query, response(other, 0, [record('www.example.com', A, 60, address('6.6.6.6'))]));
    dns.answer(query, Buffer.from(query.data));
    dns.answer(query, forged.subarray(0, forged.length - 1));
    dns.answer(query, Buffer.alloc(3));
    expect(dns.results).toEqual([]);
    dns.answer(query, good);
    expect(dns.results).toEqual(['192.0.2.7']);
  });

  it('does not believe addresses of other names in an answer', () => {
    const dns = new DnsBench();
    dns.ask('www.example.org');
    const query = dns.query();
    dns.answer(query, response(query.data, 0, [record('bank.example', A, 60, address('6.6.6.6'))]));
    expect(dns.results).toEqual(['ENOENT']);
    dns.ask('bank.example');
    expect(dns.queries()).toHaveLength(1);
  });

  it('asks one server after the other, in two rounds, and gives up', () => {
    const dns = new DnsBench([PEER, ROUTER]);
    dns.ask('www.example.org');
    dns.bench.wait(11_999);
    expect(dns.queries().map(({ server }) => server)).toEqual([PEER, ROUTER, PEER, ROUTER]);
    expect(dns.results).toEqual([]);
    dns.bench.wait(1);
    expect(dns.results).toEqual(['ETIMEDOUT']);
    expect([...dns.bench.stack.udp]).toEqual([]);
    expect(dns.bench.stack.deadline()).toBeGreaterThan(dns.bench.now);
  });

  it('goes on at once when a server refuses or is not there', () => {
    const dns = new DnsBench([PEER, ROUTER]);
    dns.ask('www.example.org');
    const first = dns.query();
    dns.answer(first, response(first.data, 2, []));
    const second = dns.query();
    expect(second.server).toBe(ROUTER);
    dns.answer(second, response(second.data, 5, []));
    const third = dns.bench.take().find(({ protocol }) => protocol === 17);
    if (third === undefined) throw new Error('no query');
    dns.bench.icmp({ type: 3, code: 3, data: third.bytes.subarray(0, 28) }, { source: PEER });
    dns.bench.settle();
    const fourth = dns.query();
    dns.answer(fourth, response(fourth.data, 2, []));
    expect(dns.results).toEqual(['EAGAIN']);
  });

  it('lets everybody wait only as long as he wants, for one query', () => {
    const dns = new DnsBench();
    dns.ask('www.example.org', 500);
    dns.ask('www.example.org', 1000);
    const giveUp = dns.ask('www.example.org', 60_000);
    expect(dns.queries()).toHaveLength(1);
    dns.bench.wait(500);
    expect(dns.results).toEqual(['ETIMEDOUT']);
    dns.bench.wait(500);
    expect(dns.results).toEqual(['ETIMEDOUT', 'ETIMEDOUT']);
    giveUp();
    dns.bench.wait(60_000);
    expect(dns.results).toHaveLength(2);
    expect(dns.queries()).toEqual([]);
    expect([...dns.bench.stack.udp]).toEqual([]);
  });

  it('follows aliases, in one answer or with a further query, and not for ever', () => {
    const dns = new DnsBench();
    dns.ask('www.example.org');
    let query = dns.query();
    const chain = [
      record('www.example.org', CNAME, 300, wireName('a.example.org')),
      record('a.example.org', CNAME, 10, wireName('b.example.net')),
    ];
    dns.answer(query, response(query.data, 0, [...chain, record('b.example.net', A, 300, address('192.0.2.9'))]));
    expect(dns.results).toEqual(['192.0.2.9']);
    // No longer than its shortest alias.
    dns.bench.wait(10_000);
    dns.ask('www.example.org');
    query = dns.query();
    dns.answer(query, response(query.data, 0, chain));
    query = dns.query();
    expect(query.name).toBe('b.example.net');
    dns.answer(query, response(query.data, 0, [record('b.example.net', A, 300, address('192.0.2.10'))]));
    expect(dns.results.at(-1)).toBe('192.0.2.10');
    dns.ask('loop.example');
    query = dns.query();
    const loop = [
      record('loop.example', CNAME, 9, wireName('pool.example')),
      record('pool.example', CNAME, 9, wireName('loop.example')),
    ];
    dns.answer(query, response(query.data, 0, loop));
    expect(dns.results.at(-1)).toBe('ENOENT');
    dns.ask('far.example');
    for (let count = 0; count < 8; count++) {
      query = dns.query();
      dns.answer(query, response(query.data, 0, [record(query.name, CNAME, 9, wireName(`far${count}.example`))]));
    }
    expect(dns.results.at(-1)).toBe('ENOENT');
    expect(dns.queries()).toEqual([]);
  });

  it('remembers that there is no such name, if the answer says for how long', () => {
    const dns = new DnsBench();
    dns.ask('none.example.org');
    let query = dns.query();
    dns.answer(query, response(query.data, 3, [], [authority(60)]));
    dns.ask('none.example.org');
    expect(dns.results).toEqual(['ENOENT', 'ENOENT']);
    expect(dns.queries()).toEqual([]);
    dns.bench.wait(60_000);
    dns.ask('none.example.org');
    query = dns.query();
    dns.answer(query, response(query.data, 0, []));
    dns.ask('none.example.org');
    expect(dns.queries()).toHaveLength(1);
  });

  it('takes what there is of an answer that was cut off, else asks the next server', () => {
    const dns = new DnsBench();
    dns.ask('big.example.org');
    let query = dns.query();
    const one = record('big.example.org', A, 60, address('192.0.2.7'));
    const whole = response(query.data, 0, [one, one], [], 0x8380);
    dns.answer(query, whole.subarray(0, whole.length - 7));
    expect(dns.results).toEqual(['192.0.2.7']);
    dns.ask('bigger.example.org');
    query = dns.query();
    dns.answer(query, response(query.data, 0, [], [], 0x8380));
    expect(dns.query().server).toBe(ROUTER);
  });

  it('says clearly what it cannot do', () => {
    const dns = new DnsBench([]);
    dns.ask('www.example.org');
    for (const name of ['', '.', 'a..b', '-a.b', 'a b', 'a\0b', 'ü.de', `${'a'.repeat(64)}.b`, 'a.'.repeat(130)])
      dns.ask(name);
    expect(dns.results).toEqual(['ENETUNREACH', ...Array.from({ length: 9 }, () => 'EINVAL')]);
    dns.ask('localhost');
    expect(dns.results.at(-1)).toBe('127.0.0.1');
    expect(dns.queries()).toEqual([]);
    expect(() => dns.bench.stack.setNameServers([0xffff_ffff])).toThrow('EINVAL');
  });

  it('is bounded in questions and in what it remembers', () => {
    const dns = new DnsBench();
    for (let count = 0; count < 100; count++) dns.ask(`host${count}.example`);
    expect(dns.results).toEqual(Array.from({ length: 36 }, () => 'EAGAIN'));
    for (let count = 0; count < 100; count++) dns.ask('host0.example');
    expect(dns.results).toHaveLength(36 + 37);
    for (const query of dns.queries())
      dns.answer(query, response(query.data, 0, [record(query.name, A, 9, address('192.0.2.1'))]));
    expect(dns.results).toHaveLength(36 + 37 + 63 + 64);
    expect([...dns.bench.stack.udp]).toEqual([]);
  });

  it('keeps the servers that were set', () => {
    const dns = new DnsBench([FAR]);
    expect(StackBench.configured(dns.bench.keeper).stack.configuration().nameServers).toEqual([FAR]);
    dns.bench.stack.setNameServers([]);
    expect(StackBench.configured(dns.bench.keeper).stack.configuration().nameServers).toEqual([]);
  });
});

describe('messages of DNS', () => {
  const query = buildDnsQuery(1, 'www.example.org');

  it('with pointers in circles, beyond the end or too long are refused', () => {
    const answerAt = query.length;
    const pointed = (pointer: number[], rest = Buffer.from([0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4])): Buffer => {
      const message = Buffer.concat([query, Buffer.from(pointer), rest]);
      message.writeUInt16BE(0x8180, 2);
      message.writeUInt16BE(1, 6);
      return message;
    };
    expect(parseDnsResponse(pointed([0xc0, 12]))?.records).toEqual([
      { type: 'address', name: 'www.example.org', seconds: 9, address: 0x01020304 },
    ]);
    for (const pointer of [
      [0xc0, answerAt],
      [0xc0, answerAt + 1],
      [0xff, 0xff],
      [1, 97, 0xc0, answerAt],
      [0x80],
      [0x41],
    ]) {
      expect(parseDnsResponse(pointed(pointer)), `${pointer}`).toBeNull();
    }
    // A long name by pointers, each before the last.
    const labels = Buffer.concat(
      Array.from({ length: 5 }, () => Buffer.concat([Buffer.from([63]), Buffer.alloc(63, 97)])),
    );
    expect(parseDnsResponse(pointed([...labels, 0]))).toBeNull();
    expect(parseDnsResponse(pointed([1, 46, 0]))).toBeNull();
  });

  it('of any kind do no harm', () => {
    const random = new Random();
    const good = response(query, 0, [record('www.example.org', A, 60, address('192.0.2.7')), authority(9)]);
    for (let round = 0; round < 20_000; round++) {
      const bytes = Buffer.from(good);
      for (let count = random.below(6); count >= 0; count--) bytes[random.below(bytes.length)] = random.below(256);
      const cut = bytes.subarray(0, random.below(4) === 0 ? random.below(bytes.length) : bytes.length);
      try {
        parseDnsResponse(cut);
      } catch (error) {
        expect.fail(`seed ${random.seed}, ${cut.toString('hex')}: ${error}`);
      }
    }
  });

  it('names are those of hosts', () => {
    expect(normalName('A-1.B_c.')).toBe('a-1.b_c');
    expect(normalName('x'.repeat(63))).toHaveLength(63);
    expect(normalName(`${'a.'.repeat(126)}b`)).toHaveLength(253);
    expect(normalName(`${'a.'.repeat(126)}bb`)).toBeNull();
  });
});

describe('a name without a dot', () => {
  /** A resolver with the domain `example.org`. */
  class DomainBench {
    readonly results: string[] = [];
    readonly #bench = StackBench.configured();
    readonly #resolver: Resolver;

    constructor() {
      const numbers = new RandomNumbers((count) => new Random(3).bytes(count));
      const settings = { nameServers: () => [PEER], domain: () => 'example.org' };
      this.#resolver = new Resolver(this.#bench.stack.udp, numbers, settings);
    }

    /** Asks for a name; returns what gives it up. */
    ask(name: string): () => void {
      return this.#resolver.resolve(name, 10_000, this.#bench.now, (resolution) => {
        const found = 'error' in resolution ? resolution.error.code : resolution.addresses.map(formatIpv4).join(' ');
        this.results.push(`${name}: ${found}`);
      });
    }

    /** Answers the one query with a code, 0 with an address. Returns the name it asks for. */
    answer(code: number): string {
      const [query, ...others] = this.#bench.takeUdp();
      expect(others).toEqual([]);
      if (query === undefined) return 'no query';
      const name = parseDnsResponse(response(query.data, 0, []))?.question.name ?? '';
      const records = code === 0 ? [record(name, A, 60, address('192.0.2.1'))] : [];
      this.#bench.udp(53, query.sourcePort, response(query.data, code, records));
      this.#resolver.advance(this.#bench.now);
      return name;
    }

    get questions(): number {
      return this.#resolver.size;
    }
  }

  it.each([
    [[0], ['printer.example.org'], '192.0.2.1'],
    [[3, 0], ['printer.example.org', 'printer'], '192.0.2.1'],
    [[3, 3], ['printer.example.org', 'printer'], 'ENOENT'],
  ])('is looked for in the domain first, then by itself (answers %j)', (codes, names, result) => {
    const bench = new DomainBench();
    bench.ask('printer');
    expect(codes.map((code) => bench.answer(code))).toEqual(names);
    expect(bench.results).toEqual([`printer: ${result}`]);
  });

  it.each([
    ['printer', 'printer.example.org.'],
    ['printer.example.org.', 'printer'],
    ['printer', 'printer.example.org'],
  ])('shares a question, not what is tried after it: %s, then %s', (...asked) => {
    const bench = new DomainBench();
    for (const name of asked) bench.ask(name);
    expect([bench.answer(3), bench.answer(0)]).toEqual(['printer.example.org', 'printer']);
    const [full = ''] = asked.filter((name) => name !== 'printer');
    expect(bench.results).toEqual([`${full}: ENOENT`, 'printer: 192.0.2.1']);
    expect(bench.questions).toBe(0);
  });

  it('is given up by itself after it has shared a question', () => {
    const bench = new DomainBench();
    bench.ask('printer.example.org.');
    const giveUp = bench.ask('printer');
    expect(bench.answer(3)).toBe('printer.example.org');
    giveUp();
    expect(bench.questions).toBe(0);
    expect(bench.results).toEqual(['printer.example.org.: ENOENT']);
  });

  it('is not looked for by itself when nobody is left who asked for it', () => {
    const bench = new DomainBench();
    const giveUp = bench.ask('printer');
    bench.ask('printer.example.org.');
    giveUp();
    expect([bench.answer(3), bench.answer(0)]).toEqual(['printer.example.org', 'no query']);
    expect(bench.results).toEqual(['printer.example.org.: ENOENT']);
  });
});
