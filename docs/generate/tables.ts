/**
 * The parts of the documentation that come from the code: system calls, records, bounds, errors, interfaces, options,
 * restart figures.
 */
import fs from 'node:fs';
import path from 'node:path';
import { readConfiguration } from '../../kernel/config.ts';
import { usage } from '../../kernel/options.ts';
import { defaultConfiguration } from '../../kernel/paths.ts';
import * as block from '../../protocol/block.ts';
import * as bounds from '../../protocol/bounds.ts';
import * as clock from '../../protocol/clock.ts';
import * as echo from '../../protocol/echo.ts';
import { type ErrorName, errno, errorText } from '../../protocol/errno.ts';
import * as file from '../../protocol/file.ts';
import * as filesystem from '../../protocol/filesystem.ts';
import * as init from '../../protocol/init.ts';
import type { Interface, Methods } from '../../protocol/interface.ts';
import * as kernel from '../../protocol/kernel.ts';
import * as records from '../../protocol/records.ts';
import type { Schema } from '../../protocol/schema.ts';
import * as service from '../../protocol/service.ts';
import { signals } from '../../protocol/signal.ts';
import { systemCalls } from '../../protocol/syscall.ts';
import type { SystemCall } from '../../protocol/system-call.ts';
import * as tty from '../../protocol/tty.ts';
import { vectorOperation } from '../../protocol/vector.ts';
import * as vfs from '../../protocol/vfs.ts';
import { RESTART_DELAYS_MS } from '../../services/init/policy.ts';
import { code, docComments, grouped, headComment, hex, table } from './text.ts';

const root = path.resolve(import.meta.dirname, '../..');

function source(file: string): string {
  return fs.readFileSync(path.join(root, file), 'utf8');
}

/** What a module exports, in the order of its source file: the language gives it in the order of the alphabet. */
function exportsOf(file: string, module: Readonly<Record<string, unknown>>): [string, unknown][] {
  const text = source(file);
  const place = (name: string): number => text.search(new RegExp(`^export (?:const|function|class) ${name}\\b`, 'm'));
  return Object.entries(module).sort(([a], [b]) => place(a) - place(b));
}

/** The records that stand in a table of their own, by name. */
const namedRecords: readonly [string, Schema<unknown>][] = exportsOf('protocol/records.ts', records).flatMap(
  ([name, value]): [string, Schema<unknown>][] =>
    typeof value === 'object' && value !== null && 'toWire' in value ? [[name, value as Schema<unknown>]] : [],
);

/** A schema in words: records with a table of their own by their name. */
function typeText(schema: Schema<unknown>): string {
  let text = schema.name;
  for (const [name, { name: structure }] of namedRecords) text = text.replaceAll(structure, name);
  return text === 'nil' ? '' : text;
}

/** Splits what the handle carries into its meaning on the way to the kernel and back. */
function handleText(handle: string | undefined): { there: string; back: string } {
  const parts = (handle ?? '').split(';').map((part) => part.trim());
  const back = parts.filter((part) => part.startsWith('result:')).map((part) => part.slice('result:'.length).trim());
  return { there: parts.filter((part) => !part.startsWith('result:')).join('; '), back: back.join('; ') };
}

/** Groups of system calls by their first number. */
const groups: readonly (readonly [number, string])[] = [
  [0x01, 'Tasks'],
  [0x20, 'Ports and messages'],
  [0x40, 'Devices'],
  [0x50, 'Time and randomness'],
  [0x58, 'Recovery store'],
  [0x60, 'Log and crash records'],
  [0x68, 'The machine'],
  [0x70, 'Supervision'],
];

type AnyCall = SystemCall<unknown, unknown>;

/** All system calls, group by group. */
export function systemCallSections(): string {
  const calls = Object.entries<AnyCall>(systemCalls);
  const text: string[] = [];
  for (const [index, [first, title]] of groups.entries()) {
    const next = groups[index + 1]?.[0] ?? Number.POSITIVE_INFINITY;
    text.push(`## ${title}`);
    for (const [name, call] of calls) if (call.number >= first && call.number < next) text.push(callText(name, call));
  }
  return text.join('\n\n');
}

/** Numbers and names of all system calls, for a quick look. */
export function systemCallIndex(): string {
  return Object.entries<AnyCall>(systemCalls)
    .map(([name, { number }]) => `\`${hex(number)}\` [${name}](#${name})`)
    .join(' · ');
}

function callText(name: string, { number, about, arguments: args, result, handle, message, errors }: AnyCall): string {
  const { there, back } = handleText(handle);
  const carries = message === true ? 'a message' : code(typeText(args));
  const returns = result.name === 'any' && number >= 0x25 && number <= 0x29 ? 'a message' : code(typeText(result));
  const rows = [
    ['number', `\`${hex(number)}\` (${number})`],
    ['handle', there],
    ['body', carries],
    ['handle of the result', back],
    ['body of the result', returns],
    ...Object.entries(errors).map(([error, cause]) => [`\`${error}\` (${errno[error as ErrorName]})`, cause]),
  ].filter((row) => row[1] !== '');
  return `### ${name}\n\n${about.replace(/\.\.$/, '.')}\n\n${table(['', ''], rows)}`;
}

/** The records that system calls answer with. */
export function recordSections(): string {
  const comments = docComments(source('protocol/records.ts'));
  return namedRecords
    .map(([name, schema]) => {
      const fields = schema.name.slice(1, -1);
      return `### ${name}\n\n${comments.get(name) ?? ''}\n\n\`[${fields}]\``;
    })
    .join('\n\n');
}

/** Every bound of protocol/bounds.ts by name and value. */
export function boundsTable(): string {
  const comments = docComments(source('protocol/bounds.ts'));
  const rows = exportsOf('protocol/bounds.ts', bounds).map(([name, value]) => [
    code(name),
    grouped(Number(value)),
    comments.get(name) ?? '',
  ]);
  return table(['name', 'value', 'meaning'], rows);
}

/** The closed set of errors. */
export function errorTable(): string {
  const rows = Object.entries(errno).map(([name, number]) => [
    String(number),
    code(name),
    errorText(name as ErrorName),
  ]);
  return table(['number', 'name', 'meaning'], rows);
}

/** The signals there are. */
export function signalTable(): string {
  return table(
    ['number', 'name'],
    Object.entries(signals).map(([name, number]) => [String(number), code(name)]),
  );
}

/** Operations of a vector of port accesses. */
export function vectorTable(): string {
  return table(
    ['number', 'operation'],
    Object.entries(vectorOperation).map(([name, number]) => [String(number), code(name)]),
  );
}

/** The modules with interfaces, in the order of their numbers. */
const interfaceModules: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
  ['kernel', kernel],
  ['service', service],
  ['init', init],
  ['block', block],
  ['tty', tty],
  ['echo', echo],
  ['clock', clock],
  ['file', file],
  ['vfs', vfs],
  ['filesystem', filesystem],
];

function isInterface(value: unknown): value is Interface<Methods> {
  return typeof value === 'object' && value !== null && 'methods' in value && 'number' in value;
}

/** Interfaces with numbers, methods and types. */
export function interfaceSections(): string {
  return interfaceModules
    .map(([name, module]) => {
      const text = source(`protocol/${name}.ts`);
      const comments = docComments(text);
      const values = exportsOf(`protocol/${name}.ts`, module);
      const interfaces = values.map(([, value]) => value).filter(isInterface);
      const constants = values.filter(([, value]) => typeof value === 'number');
      const schemas = values.flatMap(([key, value]): [string, Schema<unknown>][] =>
        typeof value === 'object' && value !== null && 'toWire' in value ? [[key, value as Schema<unknown>]] : [],
      );
      const parts = [headComment(text)];
      if (constants.length > 0) {
        const rows = constants.map(([key, value]) => [code(key), grouped(Number(value)), comments.get(key) ?? '']);
        parts.push(table(['constant', 'value', 'meaning'], rows));
      }
      for (const [key, schema] of schemas) {
        parts.push(`Record \`${key}\`: ${comments.get(key) ?? ''}\n\n\`${schema.name}\``);
      }
      const shorten = (type: string): string =>
        schemas.reduce((short, [key, schema]) => short.replaceAll(schema.name, key), type);
      for (const { name: title, number, methods } of interfaces) {
        parts.push(interfaces.length > 1 ? `Interface \`${title}\` (${number}):` : '');
        const rows = Object.entries(methods).map(([key, { number: index, request, reply }]) => [
          String(index),
          code(key),
          code(shorten(request.name)),
          code(shorten(reply.name)),
          comments.get(key) ?? '',
        ]);
        parts.push(table(['number', 'method', 'request', 'reply', 'meaning'], rows));
      }
      const [first] = interfaces;
      return `### ${first?.name ?? name} (${first?.number ?? ''})\n\n${parts.filter((part) => part !== '').join('\n\n')}`;
    })
    .join('\n\n');
}

/** The command line, as `--help` prints it. */
export function optionsText(): string {
  return `\`\`\`text\n${usage.trim()}\n\`\`\``;
}

/** Delays before the next start, by failed starts in a row. */
export function restartTable(): string {
  const rows = RESTART_DELAYS_MS.map((delay, index) => [String(index + 1), delay === 0 ? 'at once' : `${delay} ms`]);
  const total = RESTART_DELAYS_MS.reduce((sum, delay) => sum + delay, 0);
  rows.push([String(rows.length + 1), `given up (after ${grouped(total)} ms of delays)`]);
  return table(['failed starts in a row', 'next start'], rows);
}

function range([first, last]: readonly [number, number]): string {
  return first === last ? hex(first, 3) : `${hex(first, 3)}–${hex(last, 3)}`;
}

/** What the configuration of the package says. */
export function servicesTable(): string {
  const rows = readConfiguration(defaultConfiguration).map((manifest) => [
    code(manifest.name),
    manifest.program ? 'by spawn' : manifest.start,
    manifest.serves.map(code).join(' '),
    manifest.looksUp.map(code).join(' '),
    manifest.ioPorts.map(range).join(' '),
    manifest.irqs.join(' '),
    manifest.privileges.join(' '),
  ]);
  return table(['name', 'started', 'serves', 'looks up', 'I/O ports', 'IRQs', 'privileges'], rows);
}
