/**
 * Finds the addresses of names: asks name servers, one after the other, follows aliases, and remembers what they say.
 *
 * An answer is believed only if it comes from the server that was asked, to the random port and with the random
 * identifier of the question (RFC 5452).
 *
 * Read: RFC 1034, 5.3; RFC 1035, 7.
 */
import { SystemError } from '../../../protocol/errno.ts';
import { MAX_RESOLVED_ADDRESSES } from '../../../protocol/network.ts';
import { type Ipv4Address, UNSPECIFIED } from '../../../wire/address.ts';
import {
  buildDnsQuery,
  DNS_ERROR,
  DNS_PORT,
  DNS_TYPE,
  type DnsRecord,
  type DnsResponse,
  normalName,
  parseDnsResponse,
} from '../../../wire/dns.ts';
import type { RandomNumbers } from '../random.ts';
import type { UdpSocket } from '../udp/socket.ts';
import type { UdpTable } from '../udp/table.ts';
import { DnsCache } from './cache.ts';

/** How long a server may take, in each round over all servers that are asked. */
const ROUNDS_MS = [2000, 4000] as const;
const SERVERS = 3;
/** Names of an alias's alias that are followed. */
const ALIASES = 8;
/** Questions under way, and who waits for the answer of each. */
const QUESTION_LIMIT = 64;
const WAITING_LIMIT = 64;
const LOCALHOST = 'localhost';
const LOOPBACK: Ipv4Address = 0x7f00_0001;

/** What a name stands for, or why that is not known. */
export type Resolution = { readonly addresses: number[] } | { readonly error: SystemError };

/** What the resolver is told of the net. */
export interface ResolverSettings {
  /** Servers in the order in which they are asked. */
  nameServers(): readonly Ipv4Address[];
  /** Behind names without a dot. */
  domain(): string;
}

/** One who waits. A question has many of them, and each may have come to it with other candidates. */
interface Waiting {
  readonly deadline: number;
  /** Names to try one after the other if there is no such name as the one that is being looked for. */
  others: readonly string[];
  readonly done: (resolution: Resolution) => void;
}

/** A name that is being looked for. */
interface Question {
  /** As it was asked for. */
  readonly name: string;
  /** What servers are asked for now: the name, or what it is an alias of. */
  asked: string;
  aliases: number;
  /** The addresses hold so long, in seconds: no longer than the aliases that led to them. */
  seconds: number;
  readonly waiting: Set<Waiting>;
  /** Which server and round comes next. */
  attempt: number;
  socket: UdpSocket | null;
  identifier: number;
  due: number;
  /** A server has said that it cannot tell. */
  refused: boolean;
}

/** See the head of this file. */
export class Resolver {
  readonly counters = { queries: 0, answers: 0, ignored: 0, timeouts: 0, cacheHits: 0 };
  readonly cache = new DnsCache();
  readonly #udp: UdpTable;
  readonly #random: RandomNumbers;
  readonly #settings: ResolverSettings;
  readonly #questions = new Map<string, Question>();
  /** Something has come for one of the questions. */
  #changed = false;

  constructor(udp: UdpTable, random: RandomNumbers, settings: ResolverSettings) {
    this.#udp = udp;
    this.#random = random;
    this.#settings = settings;
  }

  /** Questions under way. */
  get size(): number {
    return this.#questions.size;
  }

  /**
   * Finds the addresses of a name. `done` is called once, perhaps before this returns: EINVAL: no name; ENOENT: there
   * is no such name, or it has no address; ENETUNREACH: no server is known; ETIMEDOUT: none answers in time; EAGAIN:
   * those that answer cannot tell, or too many questions are under way.
   *
   * @param timeout milliseconds
   * @returns gives the question up: `done` is not called any more
   */
  resolve(text: string, timeout: number, now: number, done: (resolution: Resolution) => void): () => void {
    const name = normalName(text);
    const domain = this.#settings.domain();
    if (name === null) {
      done(failure('EINVAL', `${text} is no name of a host`));
      return () => {};
    }
    if (name === LOCALHOST || name.endsWith(`.${LOCALHOST}`)) {
      done({ addresses: [LOOPBACK] });
      return () => {};
    }
    const local = name.includes('.') || text.endsWith('.') || domain === '' ? null : normalName(`${name}.${domain}`);
    const [first, others] = local === null ? [name, []] : [local, [name]];
    const known = this.#fromCache([first, ...others], now);
    if (known !== undefined) {
      this.counters.cacheHits++;
      done(known);
      return () => {};
    }
    const waiting: Waiting = { deadline: now + timeout, others, done };
    const question = this.#questionFor(first, now);
    if (question === null || question.waiting.size >= WAITING_LIMIT) {
      done(failure('EAGAIN', 'too many names are being looked for'));
      return () => {};
    }
    question.waiting.add(waiting);
    if (question.attempt === 0) this.#ask(question, now);
    return () => this.#leave(question, waiting);
  }

  advance(now: number): void {
    if (this.#changed) {
      this.#changed = false;
      for (const question of [...this.#questions.values()]) this.#takeAnswers(question, now);
    }
    for (const question of [...this.#questions.values()]) {
      for (const waiting of [...question.waiting]) {
        if (waiting.deadline > now) continue;
        this.#leave(question, waiting);
        waiting.done(failure('ETIMEDOUT', `no name server has answered about ${question.name}`));
      }
      if (question.due <= now && this.#questions.get(question.name) === question) {
        this.counters.timeouts++;
        this.#ask(question, now);
      }
    }
  }

  deadline(): number {
    if (this.#changed) return 0;
    let deadline = Infinity;
    for (const question of this.#questions.values()) {
      deadline = Math.min(deadline, question.due);
      for (const waiting of question.waiting) deadline = Math.min(deadline, waiting.deadline);
    }
    return deadline;
  }

  /** What the cache says, if it says something about each of the names up to the one that counts. */
  #fromCache(names: readonly string[], now: number): Resolution | undefined {
    for (const name of names) {
      const addresses = this.cache.get(name, now);
      if (addresses === undefined) return undefined;
      if (addresses.length > 0) return { addresses: [...addresses] };
    }
    return noSuchName(names.at(-1) ?? '');
  }

  /** The question about a name, shared by all who look for it; null: too many are under way. */
  #questionFor(name: string, now: number): Question | null {
    const underWay = this.#questions.get(name);
    if (underWay !== undefined) return underWay;
    if (this.#questions.size >= QUESTION_LIMIT) return null;
    const question: Question = {
      name,
      asked: name,
      aliases: 0,
      seconds: Infinity,
      waiting: new Set(),
      attempt: 0,
      socket: null,
      identifier: 0,
      due: now,
      refused: false,
    };
    this.#questions.set(name, question);
    return question;
  }

  /** Asks the next server, or gives up when all have been asked in every round. */
  #ask(question: Question, now: number): void {
    for (;;) {
      this.#closeSocket(question);
      const servers = this.#settings.nameServers().slice(0, SERVERS);
      const server = servers[question.attempt % Math.max(1, servers.length)];
      if (server === undefined) {
        this.#end(question, failure('ENETUNREACH', 'no name server is known'));
        return;
      }
      const pause = ROUNDS_MS[Math.floor(question.attempt / servers.length)];
      if (pause === undefined) {
        const error = question.refused
          ? failure('EAGAIN', `the name servers cannot tell about ${question.name} now`)
          : failure('ETIMEDOUT', `no name server answers about ${question.name}`);
        this.#end(question, error);
        return;
      }
      question.attempt++;
      question.due = now + pause;
      if (this.#query(question, server, now)) return;
    }
  }

  /** Sends a query, from a port of its own. @returns whether it is on its way */
  #query(question: Question, server: Ipv4Address, now: number): boolean {
    question.identifier = this.#random.u16();
    try {
      const handlers = {
        changed: () => {
          this.#changed = true;
        },
      };
      question.socket = this.#udp.bind({ address: UNSPECIFIED, port: 0 }, handlers);
      question.socket.connect({ address: server, port: DNS_PORT });
      question.socket.send(null, buildDnsQuery(question.identifier, question.asked), now);
      this.counters.queries++;
      return true;
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      return false;
    }
  }

  #takeAnswers(question: Question, now: number): void {
    const { socket } = question;
    if (socket === null) return;
    for (let datagram = socket.receive(); datagram !== undefined; datagram = socket.receive()) {
      const response = parseDnsResponse(datagram.data);
      if (response === null || !answers(response, question)) {
        this.counters.ignored++;
        continue;
      }
      this.counters.answers++;
      this.#take(question, response, now);
      return;
    }
    // The server's host has nobody on its port.
    if (socket.queue.takeError() !== null) this.#ask(question, now);
  }

  #take(question: Question, response: DnsResponse, now: number): void {
    if (response.code !== DNS_ERROR.NONE && response.code !== DNS_ERROR.NAME) {
      question.refused = true;
      this.#ask(question, now);
      return;
    }
    const end = follow(response.records, question);
    const found = response.records.filter((record) => record.type === 'address' && record.name === end);
    const addresses = found.flatMap((record) => (record.type === 'address' ? record.address : []));
    if (addresses.length > 0) {
      const seconds = Math.min(question.seconds, ...found.map((record) => record.seconds));
      this.#succeed(question, [...new Set(addresses)].slice(0, MAX_RESOLVED_ADDRESSES), seconds, now);
      return;
    }
    if (end !== question.asked && question.aliases < ALIASES && response.code === DNS_ERROR.NONE) {
      question.asked = end;
      question.attempt = 0;
      this.#ask(question, now);
      return;
    }
    if (response.truncated) {
      question.refused = true;
      this.#ask(question, now);
      return;
    }
    const authority = response.records.find((record) => record.type === 'authority');
    this.cache.put(question.name, [], Math.min(question.seconds, authority?.seconds ?? 0), now);
    this.#tryOthers(question, now);
  }

  #succeed(question: Question, addresses: number[], seconds: number, now: number): void {
    this.cache.put(question.name, addresses, seconds, now);
    this.#end(question, { addresses });
  }

  /** There is no such name: each one who waits goes on with his own next candidate. */
  #tryOthers(question: Question, now: number): void {
    this.#closeSocket(question);
    this.#questions.delete(question.name);
    for (const waiting of question.waiting) {
      const [next, ...others] = waiting.others;
      if (next === undefined) {
        waiting.done(noSuchName(question.name));
        continue;
      }
      waiting.others = others;
      const resolution = this.#fromCache([next], now);
      const other = resolution === undefined ? this.#questionFor(next, now) : null;
      if (other === null || other.waiting.size >= WAITING_LIMIT) {
        waiting.done(resolution ?? failure('EAGAIN', 'too many names are being looked for'));
        continue;
      }
      other.waiting.add(waiting);
      if (other.attempt === 0) this.#ask(other, now);
    }
  }

  #end(question: Question, resolution: Resolution): void {
    this.#closeSocket(question);
    this.#questions.delete(question.name);
    for (const { done } of question.waiting) {
      done('error' in resolution ? resolution : { addresses: [...resolution.addresses] });
    }
  }

  /** One does not wait any more. */
  #leave(question: Question, waiting: Waiting): void {
    for (const each of [question, ...this.#questions.values()]) {
      if (!each.waiting.delete(waiting) || each.waiting.size > 0) continue;
      this.#closeSocket(each);
      if (this.#questions.get(each.name) === each) this.#questions.delete(each.name);
    }
  }

  #closeSocket(question: Question): void {
    question.socket?.close();
    question.socket = null;
  }
}

/** Whether a response is to the query under way. */
function answers(response: DnsResponse, question: Question): boolean {
  const { name, type } = response.question;
  return response.identifier === question.identifier && name === question.asked && type === DNS_TYPE.A;
}

/** The last name to which the aliases in an answer lead. */
function follow(records: readonly DnsRecord[], question: Question): string {
  let name = question.asked;
  while (question.aliases < ALIASES) {
    const alias = records.find((record) => record.type === 'alias' && record.name === name);
    if (alias?.type !== 'alias') break;
    question.aliases++;
    question.seconds = Math.min(question.seconds, alias.seconds);
    name = alias.target;
  }
  return name;
}

function failure(code: ConstructorParameters<typeof SystemError>[0], text: string): Resolution {
  return { error: new SystemError(code, text) };
}

function noSuchName(name: string): Resolution {
  return failure('ENOENT', `there is no ${name}, or it has no address`);
}
