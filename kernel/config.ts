/**
 * The one configuration file (services.json): a manifest per program. The kernel enforces every field; whatever a
 * manifest does not list, the program may not do. A mistake in the file is refused at boot with the place and the
 * reason.
 */
import fs from 'node:fs';
import path from 'node:path';
import { DEFAULT_MEMORY_MEBIBYTES } from '../loader/engine.ts';
import { MAX_MANIFEST_NAMES, MAX_MANIFESTS, MAX_NAME_BYTES } from '../protocol/bounds.ts';
import { isTemplate, TEMPLATE_SIGN } from '../protocol/template.ts';
import { programFile } from './paths.ts';

/** Things only some programs may do. */
export const privileges = ['supervise', 'power', 'scheduler', 'signal'] as const;
export type Privilege = (typeof privileges)[number];

/** What a program is and may do. */
export interface Manifest {
  readonly name: string;
  readonly enabled: boolean;
  /** `boot`: init starts it; `demand`: somebody starts it with `service start`. */
  readonly start: 'boot' | 'demand';
  /** True for a program of which any number of tasks may run, started by others, without named ports or store. */
  readonly program: boolean;
  /** File with the program's code, absolute; empty when `command` is used. */
  readonly entry: string;
  /** A command in another language that speaks the protocol on descriptors 3 and 4. */
  readonly command: readonly string[];
  /** Port names it may create. */
  readonly serves: readonly string[];
  /** Port names it may find; `*` is every name. */
  readonly looksUp: readonly string[];
  /** I/O ports it may ask for, as inclusive ranges. */
  readonly ioPorts: readonly (readonly [number, number])[];
  readonly irqs: readonly number[];
  readonly restart: 'always' | 'on-failure' | 'never';
  readonly dependsOn: readonly string[];
  /** Limit of its data in MiB, enforced by the host. */
  readonly memory: number;
  /** When init gives it up the machine ends, and says why. */
  readonly essential: boolean;
  /** Keeps a process ready that has loaded the program already (kernel/task/standbys.ts). */
  readonly standby: boolean;
  /** Size of its recovery store in MiB. */
  readonly store: number;
  /** 0 (highest) to 31. */
  readonly priority: number;
  /** CFS weight, 1024 nominal. */
  readonly weight: number;
  readonly privileges: readonly Privilege[];
  /** Programs it may start. */
  readonly maySpawn: readonly string[];
}

/** Largest recovery store in MiB. */
const MAX_STORE_MEBIBYTES = 256;

/** The manifest of an instance of a template. */
export const instanceManifest = (template: Manifest, name: string): Manifest => ({ ...template, name, serves: [name] });

/** A mistake in the configuration, in words for the user. */
export class ConfigurationError extends Error {}

const known = new Set([
  ...['name', 'enabled', 'start', 'program', 'entry', 'command', 'serves', 'looksUp', 'ioPorts', 'irqs', 'restart'],
  ...['dependsOn', 'memory', 'standby', 'essential', 'store', 'priority', 'weight', 'privileges', 'maySpawn', 'about'],
]);

/** Reads the configuration. Throws ConfigurationError naming file, service and field. */
export function readConfiguration(file: string): Manifest[] {
  let content: unknown;
  try {
    content = JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch (error) {
    throw new ConfigurationError(`${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  return parseConfiguration(content, file);
}

/** Checks a parsed configuration. `file` is where it comes from: relative entries start in its folder. */
export function parseConfiguration(content: unknown, file: string): Manifest[] {
  const services = isRecord(content) ? content.services : undefined;
  if (!Array.isArray(services)) throw new ConfigurationError(`${file}: expected { "services": [ … ] }`);
  if (services.length > MAX_MANIFESTS)
    throw new ConfigurationError(`${file}: ${services.length} services; at most ${MAX_MANIFESTS} are possible`);
  const manifests = services.map((value: unknown, index) => new Reader(file, value, index).manifest());
  const names = new Set<string>();
  const served = new Map<string, string>();
  for (const manifest of manifests) {
    if (names.has(manifest.name)) throw new ConfigurationError(`${file}: two services are named ${manifest.name}`);
    names.add(manifest.name);
    for (const port of manifest.serves) {
      const other = served.get(port);
      if (other !== undefined)
        throw new ConfigurationError(`${file}: ${other} and ${manifest.name} both serve ${port}`);
      served.set(port, manifest.name);
    }
  }
  if (!names.has('init')) throw new ConfigurationError(`${file}: there has to be a service named init`);
  return manifests;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Reads one manifest field by field. */
class Reader {
  private readonly file: string;
  private readonly fields: Record<string, unknown>;
  private readonly place: string;

  constructor(file: string, value: unknown, index: number) {
    this.file = file;
    if (!isRecord(value)) throw new ConfigurationError(`${file}: service ${index + 1} is not an object`);
    this.fields = value;
    this.place = typeof value.name === 'string' ? value.name : `service ${index + 1}`;
    for (const key of Object.keys(value)) {
      if (!known.has(key)) throw new ConfigurationError(`${file}: ${this.place}: unknown field ${JSON.stringify(key)}`);
    }
  }

  manifest(): Manifest {
    const command = this.strings('command');
    const entry = this.fields.entry;
    if ((typeof entry === 'string') === command.length > 0) return this.refuse('entry', 'give either entry or command');
    const program = this.flag('program', false);
    const serves = this.names('serves').map((port) => this.name(port, 'serves'));
    if (program && serves.length > 0) return this.refuse('serves', 'a program of many tasks cannot serve named ports');
    const name = this.programName();
    const template = isTemplate(name);
    if (template && (program || serves.length > 0 || this.fields.start !== undefined))
      return this.refuse(
        'name',
        'a template has no program, serves or start: each instance serves its own name, on demand',
      );
    const standby = this.flag('standby', false);
    const memory = this.number('memory', 64, 65536, DEFAULT_MEMORY_MEBIBYTES);
    if (standby && (program || template || command.length > 0 || memory !== DEFAULT_MEMORY_MEBIBYTES))
      return this.refuse('standby', `only a service with entry and ${DEFAULT_MEMORY_MEBIBYTES} MiB can have one`);
    const essential = this.flag('essential', false);
    if (essential && (program || template)) return this.refuse('essential', 'only a service can be that');
    return {
      name,
      enabled: this.flag('enabled', true),
      start: this.word('start', ['boot', 'demand'], template ? 'demand' : 'boot'),
      program,
      entry: typeof entry === 'string' ? this.entry(entry) : '',
      command,
      serves,
      looksUp: this.strings('looksUp'),
      ioPorts: this.strings('ioPorts').map((range) => this.range(range)),
      irqs: this.numbers('irqs', 0, 15),
      restart: this.word('restart', ['always', 'on-failure', 'never'], 'always'),
      dependsOn: this.names('dependsOn'),
      memory,
      standby,
      essential,
      store: this.number('store', 1, MAX_STORE_MEBIBYTES, 1),
      priority: this.number('priority', 0, 31, 16),
      weight: this.number('weight', 1, 65535, 1024),
      privileges: this.strings('privileges').map((text) => {
        const found = privileges.find((privilege) => privilege === text);
        return found ?? this.refuse('privileges', `unknown privilege ${text}; there are ${privileges.join(', ')}`);
      }),
      maySpawn: this.strings('maySpawn'),
    };
  }

  private refuse(field: string, reason: string): never {
    throw new ConfigurationError(`${this.file}: ${this.place}: ${field}: ${reason}`);
  }

  /** A name is a program of this package; with an extension it is a file beside the configuration. */
  private entry(text: string): string {
    return path.extname(text) === '' ? programFile(text) : path.resolve(path.dirname(this.file), text);
  }

  private name(value: unknown, field: string): string {
    if (typeof value !== 'string' || !/^[a-z0-9][a-z0-9._-]*$/i.test(value) || value.length > MAX_NAME_BYTES)
      return this.refuse(field, `expected a name of letters, digits, dots and dashes, at most ${MAX_NAME_BYTES} bytes`);
    return value;
  }

  /** The name of a program; that of a template ends in its sign. */
  private programName(): string {
    const { name } = this.fields;
    if (typeof name !== 'string' || !name.endsWith(TEMPLATE_SIGN)) return this.name(name, 'name');
    return this.name(name.slice(0, -1), 'name') + TEMPLATE_SIGN;
  }

  private flag(field: string, otherwise: boolean): boolean {
    const value = this.fields[field] ?? otherwise;
    return typeof value === 'boolean' ? value : this.refuse(field, 'expected true or false');
  }

  private word<const W extends string>(field: string, words: readonly W[], otherwise: W): W {
    const value = this.fields[field] ?? otherwise;
    return words.find((word) => word === value) ?? this.refuse(field, `expected one of ${words.join(', ')}`);
  }

  private strings(field: string): string[] {
    const value = this.fields[field] ?? [];
    if (!Array.isArray(value)) return this.refuse(field, 'expected a list of strings');
    return value.map((item: unknown) =>
      typeof item === 'string' ? item : this.refuse(field, 'expected a list of strings'),
    );
  }

  private names(field: string): string[] {
    const names = this.strings(field);
    if (names.length > MAX_MANIFEST_NAMES) return this.refuse(field, `at most ${MAX_MANIFEST_NAMES} names`);
    for (const name of names)
      if (name === '' || Buffer.byteLength(name) > MAX_NAME_BYTES)
        this.refuse(field, `a name has 1 to ${MAX_NAME_BYTES} bytes`);
    return names;
  }

  private numbers(field: string, least: number, most: number): number[] {
    const value = this.fields[field] ?? [];
    if (!Array.isArray(value)) return this.refuse(field, 'expected a list of numbers');
    return value.map((item: unknown) => this.integer(field, item, least, most));
  }

  private number(field: string, least: number, most: number, otherwise: number): number {
    return this.integer(field, this.fields[field] ?? otherwise, least, most);
  }

  private integer(field: string, value: unknown, least: number, most: number): number {
    if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most)
      return this.refuse(field, `expected a whole number from ${least} to ${most}`);
    return value;
  }

  private range(text: string): readonly [number, number] {
    const parts = text
      .split('-')
      .map((part) => (/^(0x[0-9a-f]{1,4}|\d{1,5})$/i.test(part) ? Number(part) : Number.NaN));
    const [first = Number.NaN, last = first] = parts;
    if (parts.length > 2 || !(first <= last) || last > 0xffff)
      return this.refuse('ioPorts', `expected a port or a range such as "0x1f0-0x1f7", got ${JSON.stringify(text)}`);
    return [first, last];
  }
}
