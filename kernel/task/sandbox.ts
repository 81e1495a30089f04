/**
 * The sandbox of a task, in layers; each stops something the others let through.
 *
 *     permission   Node's permission model: no files but the programs' code, no child processes, workers, add-ons or
 *                  inspector. It does not stop sockets, signals, inherited descriptors, or links inside an allowed
 *                  folder.
 *     namespaces   bwrap (else unshare) gives the process its own view of the host: no network but an empty one, no
 *                  other processes, no shared memory, no capabilities. With bwrap also a read-only file tree that holds
 *                  only the engine, its libraries and the programs' code: no /proc, no devices. It does not stop child
 *                  processes, workers or the inspector, which see no more than the task itself.
 *     lock-down    services/lib/lockdown.ts: before the program's code is loaded, everything but the language and the
 *                  service library is taken out of its sight, clocks, timers and random numbers too.
 *
 * Not layers but always there where the host has the tools: a memory limit (prlimit, RLIMIT_DATA), no core dumps, and
 * death with the kernel (PR_SET_PDEATHSIG). Read user_namespaces(7), setrlimit(2), and "Permissions" in the Node.js
 * documentation.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { taskFlags } from '../../loader/engine.ts';

export const sandboxLayers = ['permission', 'namespaces', 'lock-down'] as const;
export type SandboxLayer = (typeof sandboxLayers)[number];

/** What the host offers. */
export interface HostTools {
  readonly namespaces: 'bwrap' | 'unshare' | 'none';
  /** Whether unshare may give a task a /proc of its own; hosts that hide parts of theirs forbid it. */
  readonly ownProc: boolean;
  readonly prlimit: boolean;
  readonly setpriv: boolean;
  /**
   * The engine's shared libraries as it asks for them; empty when they are unknown: then the host's library folders are
   * shown.
   */
  readonly libraries: readonly string[];
  /**
   * MiB that the engine reserves for code and the host counts as data: V8 from version 13 on maps its code range
   * writable at once, though hardly any of it is used.
   */
  readonly codeMebibytes: number;
}

const MEBIBYTE = 1024 * 1024;

/**
 * What the engine needs besides the program's data, in MiB: code, young generation, compiler. The limit of the data
 * segment lies that much above the manifest's, since an engine that is refused memory for itself ends with a
 * segmentation fault instead of an error.
 */
const ENGINE_MEBIBYTES = 128;
/** The same when the sources are compiled at start. */
const ENGINE_FROM_SOURCES_MEBIBYTES = 512;

/** Finds a program in the usual folders. */
export function findProgram(program: string): string | null {
  const folders = ['/usr/bin', '/bin', '/usr/local/bin', '/usr/sbin', '/sbin', ...(process.env.PATH ?? '').split(':')];
  for (const folder of folders) {
    const file = path.join(folder, program);
    try {
      fs.accessSync(file, fs.constants.X_OK);
      return file;
    } catch {
      // Not there: the next folder.
    }
  }
  return null;
}

/** Namespaces without bwrap. The last words give up the capabilities that come with a user namespace. */
function unshareWords({ ownProc, setpriv }: Pick<HostTools, 'ownProc' | 'setpriv'>): string[] {
  const words = [findProgram('unshare') ?? 'unshare', '--user', '--map-root-user', '--net', '--ipc', '--uts', '--pid'];
  words.push('--mount', ...(ownProc ? ['--mount-proc'] : []), '--fork', '--kill-child', '--');
  if (setpriv)
    words.push(findProgram('setpriv') ?? 'setpriv', '--no-new-privs', '--inh-caps=-all', '--bounding-set=-all', '--');
  return words;
}

const NO_TOOLS = { namespaces: 'none', ownProc: false, prlimit: false, setpriv: false, libraries: [] } as const;

/** MiB of this process, which runs in the same engine as its tasks, that can be written and run as code. */
function writableCode(): number {
  let maps: string;
  try {
    maps = fs.readFileSync('/proc/self/maps', 'latin1');
  } catch {
    return 0;
  }
  const bytes = [...maps.matchAll(/^([0-9a-f]+)-([0-9a-f]+) .wxp/gm)].map(
    ([, start = '', end = '']) => Number.parseInt(end, 16) - Number.parseInt(start, 16),
  );
  return Math.ceil(bytes.reduce((sum, each) => sum + each, 0) / MEBIBYTE);
}

/** Looks at what the host has, trying namespaces out: some hosts forbid them to ordinary users. */
export function probeHost(): HostTools {
  const tools = { ...NO_TOOLS, codeMebibytes: writableCode() };
  if (process.platform !== 'linux') return tools;
  const works = (words: readonly string[]): boolean => {
    const [program = '', ...rest] = words;
    const command = [...rest, process.execPath, '--version'];
    return spawnSync(program, command, { stdio: 'ignore', env: {}, cwd: '/', timeout: 5000 }).status === 0;
  };
  const found = { ...tools, prlimit: findProgram('prlimit') !== null, setpriv: findProgram('setpriv') !== null };
  if (findProgram('bwrap') !== null) {
    for (const libraries of [engineLibraries(), []]) {
      if (works(bwrapWords([], [], libraries))) return { ...found, namespaces: 'bwrap', libraries };
    }
  }
  if (findProgram('unshare') !== null) {
    for (const ownProc of [true, false]) {
      if (works(unshareWords({ ...found, ownProc }))) return { ...found, namespaces: 'unshare', ownProc };
    }
  }
  return found;
}

/** The engine's shared libraries, as the dynamic loader lists them (ld.so(8), LD_TRACE_LOADED_OBJECTS). */
function engineLibraries(): string[] {
  const env = { LD_TRACE_LOADED_OBJECTS: '1' };
  const { stdout } = spawnSync(process.execPath, [], { env, encoding: 'utf8', timeout: 5000 });
  return (stdout ?? '').split('\n').flatMap((line) => /(?:=> |^\s*)(\/.+) \(0x[0-9a-f]+\)$/.exec(line)?.[1] ?? []);
}

/** How to start a task. */
export interface SandboxRequest {
  readonly layers: readonly SandboxLayer[];
  readonly tools: HostTools;
  /** The loader, for tasks in JavaScript. */
  readonly loader: string;
  /** Folders with code that may be read. */
  readonly readable: readonly string[];
  /** Limit of the data segment in MiB. */
  readonly memory: number;
  /** A command in another language instead of the loader. */
  readonly command: readonly string[];
  /** Runs under the debugger, so outside the layers that block it. */
  readonly inspected: boolean;
  /** The kernel runs from the sources: the loader is TypeScript and needs tsx, which none of the layers allows. */
  readonly fromSources: boolean;
}

/** The layers that can be in force for a request. */
export function layersInForce(request: SandboxRequest): SandboxLayer[] {
  if (request.inspected || request.fromSources) return [];
  return request.layers.filter((layer) => {
    if (layer === 'namespaces') return request.tools.namespaces !== 'none';
    return request.command.length === 0;
  });
}

/** The flag that turns the permission model on; it left its experimental state in Node 23.5 and 22.13. */
function permissionFlag(): string {
  return process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission';
}

/** The words of the command that starts the task. */
export function commandLine(request: SandboxRequest): string[] {
  const { tools, command, readable } = request;
  const layers = layersInForce(request);
  const words: string[] = [];
  if (tools.prlimit && !request.inspected)
    words.push(findProgram('prlimit') ?? 'prlimit', `--data=${dataLimit(request) * MEBIBYTE}`, '--core=0', '--');
  if (layers.includes('namespaces') && tools.namespaces === 'bwrap') {
    words.push(...bwrapWords(command, readable, tools.libraries));
  } else {
    if (tools.setpriv) words.push(findProgram('setpriv') ?? 'setpriv', '--pdeathsig', 'KILL', '--');
    if (layers.includes('namespaces')) words.push(...unshareWords(tools));
  }
  if (request.command.length > 0) return [...words, ...resolveCommand(request.command)];
  words.push(process.execPath, '--no-warnings', ...taskFlags(request.memory, layers.includes('lock-down')));
  if (request.inspected) words.push('--inspect=127.0.0.1:0');
  if (layers.includes('permission')) {
    words.push(permissionFlag(), ...request.readable.map((folder) => `--allow-fs-read=${path.join(folder, '*')}`));
  }
  if (request.fromSources) words.push('--import', createRequire(import.meta.filename).resolve('tsx'));
  words.push(request.loader);
  if (layers.includes('lock-down')) words.push('--lock-down');
  return words;
}

function dataLimit({ memory, command, fromSources, tools }: SandboxRequest): number {
  if (command.length > 0) return memory;
  return memory + tools.codeMebibytes + (fromSources ? ENGINE_FROM_SOURCES_MEBIBYTES : ENGINE_MEBIBYTES);
}

function resolveCommand(command: readonly string[]): string[] {
  const [program = '', ...rest] = command;
  return [program.includes('/') ? program : (findProgram(program) ?? program), ...rest];
}

/**
 * A read-only file tree with the engine, its libraries and the code, and nothing else; own process ids, network, and
 * users. A command in another language gets the host's programs and libraries, its own /proc, and the harmless devices.
 */
function bwrapWords(command: readonly string[], readable: readonly string[], libraries: readonly string[]): string[] {
  const words = [
    findProgram('bwrap') ?? 'bwrap',
    '--unshare-all',
    '--die-with-parent',
    '--as-pid-1',
    '--cap-drop',
    'ALL',
  ];
  const engine = command.length === 0;
  if (engine && libraries.length > 0) words.push(...libraries.flatMap((file) => ['--ro-bind', file, file]));
  else words.push(...libraryFolders(engine));
  if (engine) {
    words.push('--ro-bind', process.execPath, process.execPath);
    // Debian's engine keeps a part of itself there.
    words.push('--ro-bind-try', '/usr/share/nodejs', '/usr/share/nodejs');
  }
  for (const folder of readable) words.push('--ro-bind', folder, folder);
  if (!engine) words.push('--proc', '/proc', '--dev', '/dev', '--remount-ro', '/dev');
  words.push('--remount-ro', '/', '--chdir', '/', '--');
  return words;
}

/** The host's library folders; for a command its programs too. */
function libraryFolders(engine: boolean): string[] {
  const words: string[] = [];
  const folders = engine ? ['/usr/lib', '/usr/lib64', '/usr/local/lib'] : ['/usr', '/etc/ld.so.cache'];
  for (const folder of folders) words.push('--ro-bind-try', folder, folder);
  for (const link of ['/lib', '/lib64', '/lib32', ...(engine ? [] : ['/bin'])]) {
    const target = linkTarget(link);
    if (target !== null) words.push('--symlink', target, link);
    else words.push('--ro-bind-try', link, link);
  }
  return words;
}

function linkTarget(link: string): string | null {
  try {
    return fs.readlinkSync(link);
  } catch {
    return null;
  }
}
