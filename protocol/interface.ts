/**
 * Interfaces: what a server offers on a port. One definition gives the types of client and server, the numbers in the
 * envelope, the names in traces, and the checks on both sides.
 *
 * Interface numbers: 1 to 0x7fff are given out in this folder, 0x8000 to 0xffff are free for private use.
 */
import type { Schema } from './schema.ts';

/** One method: its number within the interface, what is asked and what is answered. */
export interface Method<Q, A> {
  readonly number: number;
  readonly request: Schema<Q>;
  readonly reply: Schema<A>;
}

/** Methods by name. */
export type Methods = Readonly<Record<string, Method<unknown, unknown>>>;

/** An interface: its name in traces, its number in envelopes, its methods. */
export interface Interface<M> {
  readonly name: string;
  readonly number: number;
  readonly methods: M;
}

/** One method of an interface; `number` must be unique in it. */
export function method<Q, A>(number: number, request: Schema<Q>, reply: Schema<A>): Method<Q, A> {
  return { number, request, reply };
}

const known = new Map<number, { name: string; methods: Map<number, string> }>();

/** Defines an interface and makes its names known to traces. */
export function defineInterface<M extends Record<string, { readonly number: number }>>(
  name: string,
  number: number,
  methods: M,
): Interface<M> {
  known.set(number, {
    name,
    methods: new Map(Object.entries(methods).map(([methodName, { number: index }]) => [index, methodName])),
  });
  return { name, number, methods };
}

/** `block.read` for known numbers, `0x8001.3` for others. */
export function methodName(interfaceNumber: number, methodNumber: number): string {
  const found = known.get(interfaceNumber);
  if (found === undefined) return `0x${interfaceNumber.toString(16)}.${methodNumber}`;
  return `${found.name}.${found.methods.get(methodNumber) ?? methodNumber}`;
}

/** Request type of a method. */
export type Request<T> = T extends Method<infer Q, infer _A> ? Q : never;
/** Reply type of a method. */
export type Reply<T> = T extends Method<infer _Q, infer A> ? A : never;

/** What a client of an interface can call: each method blocks until it is answered and throws SystemError. */
export type Client<M> = { readonly [K in keyof M]: (request: Request<M[K]>) => Reply<M[K]> };

/** What a handler is told about a request besides its content. */
export interface CallContext {
  /** Pid of the sender. */
  readonly sender: number;
  /** Badge of the right the request came through. */
  readonly badge: number;
  /** The sender's number of this message; the same when it is delivered again. */
  readonly sequence: number;
  /** True when an earlier incarnation had received this request and died without answering it. */
  readonly retry: boolean;
  /** Which delivery this is, from 1. */
  readonly deliveries: number;
}

/** A handler's result when it will answer later. */
export const LATER: unique symbol = Symbol.for('vros.later');

/**
 * What a server of an interface has to provide. A handler answers with a value, throws SystemError to answer with an
 * error, or answers later.
 */
export type Handlers<M, C = CallContext> = {
  readonly [K in keyof M]: (request: Request<M[K]>, context: C) => Reply<M[K]> | typeof LATER;
};
