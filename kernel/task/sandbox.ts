/**
 * The sandbox of a task, in layers; each stops something the others let through.
 *
 *     permission   Node's permission model: no files but the programs' code, no child processes, workers or add-ons. It does not stop sockets, signals,
 *                  inherited descriptors, or links inside an allowed folder.
 *     namespaces   bwrap (else unshare) gives the process its own view of the host: no network but an empty one, no other processes, no shared memory; with bwrap
 *                  also a file tree that holds only the engine, its libraries and the programs' code.
 *     lock-down    services/lib/lockdown.ts: before the program's code is loaded, everything but the language and the service library is taken out of its sight.
 *
 * Not layers but always there where the host has the tools: a memory limit (prlimit, RLIMIT_DATA) and death with the kernel (PR_SET_PDEATHSIG).
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

export const sandboxLayers = ['permission', 'namespaces', 'lock-down'] as const;
export type SandboxLayer = (typeof sandboxLayers)[number];

/** What the host offers. */
export interface HostTools {
  readonly namespaces: 'bwrap' | 'unshare' | 'none';
  readonly prlimit: boolean;
  readonly setpriv: boolean;
}

const MEBIBYTE = 1024 * 1024;

/**
 * What the engine needs besides the program's data, in MiB: code, young generation, compiler. The limit of the data segment lies that much above the
 * manifest's, since an engine that is refused memory for itself ends with a segmentation fault instead of an error.
 */
const ENGINE_MEBIBYTES = 128;
/** The same when the sources are compiled at start. */
const ENGINE_FROM_SOURCES_MEBIBYTES = 512;

/** Finds a program in the usual folders. */
function find(program: string): string | null {
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

const unshareWords = [
  '--user',
  '--map-root-user',
  '--net',
  '--ipc',
  '--uts',
  '--pid',
  '--mount',
  '--fork',
  '--kill-child',
];

/** Looks at what the host has, trying namespaces out: some hosts forbid them to ordinary users. */
export function probeHost(): HostTools {
  if (process.platform !== 'linux') return { namespaces: 'none', prlimit: false, setpriv: false };
  const works = (words: readonly string[]): boolean => {
    const [program = '', ...rest] = words;
    const file = find(program);
    return file !== null && spawnSync(file, rest, { stdio: 'ignore', env: {}, timeout: 5000 }).status === 0;
  };
  const namespaces = works(['bwrap', '--unshare-all', '--die-with-parent', '--ro-bind', '/', '/', '--', '/bin/true'])
    ? 'bwrap'
    : works(['unshare', ...unshareWords, '--', '/bin/true'])
      ? 'unshare'
      : 'none';
  return { namespaces, prlimit: find('prlimit') !== null, setpriv: find('setpriv') !== null };
}

/** How to start a task. */
export interface SandboxRequest {
  readonly layers: readonly SandboxLayer[];
  readonly tools: HostTools;
  /** Loader and its folder, for tasks in JavaScript. */
  readonly loader: string;
  /** Folders with code that may be read. */
  readonly readable: readonly string[];
  /** Limit of the data segment in MiB. */
  readonly memory: number;
  /** A command in another language instead of the loader. */
  readonly command: readonly string[];
  /** Runs under the debugger, so outside the layers that block it. */
  readonly inspected: boolean;
  /** The kernel runs from the sources: the loader is TypeScript and needs tsx, which the layers do not allow. */
  readonly fromSources: boolean;
}

/** The layers that can be in force for a request. */
export function layersInForce(request: SandboxRequest): SandboxLayer[] {
  if (request.inspected) return [];
  return request.layers.filter((layer) => {
    if (layer === 'namespaces') return request.tools.namespaces !== 'none' && !request.fromSources;
    if (request.command.length > 0) return false;
    return layer === 'lock-down' || !request.fromSources;
  });
}

/** The flag that turns the permission model on; it left its experimental state in Node 23.5 and 22.13. */
function permissionFlag(): string {
  return process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission';
}

/** The words of the command that starts the task. */
export function commandLine(request: SandboxRequest): string[] {
  const layers = layersInForce(request);
  const words: string[] = [];
  if (request.tools.prlimit && !request.inspected)
    words.push(find('prlimit') ?? 'prlimit', `--data=${dataLimit(request) * MEBIBYTE}`, '--');
  if (layers.includes('namespaces') && request.tools.namespaces === 'bwrap') words.push(...bwrapWords(request));
  else {
    if (request.tools.setpriv) words.push(find('setpriv') ?? 'setpriv', '--pdeathsig', 'KILL', '--');
    if (layers.includes('namespaces')) words.push(find('unshare') ?? 'unshare', ...unshareWords, '--');
  }
  if (request.command.length > 0) return [...words, ...resolveCommand(request.command)];
  words.push(process.execPath, '--no-warnings', `--max-old-space-size=${request.memory}`);
  if (request.inspected) words.push('--inspect=127.0.0.1:0');
  if (layers.includes('permission')) {
    words.push(permissionFlag(), ...request.readable.map((folder) => `--allow-fs-read=${path.join(folder, '*')}`));
  }
  if (layers.includes('lock-down')) words.push('--disallow-code-generation-from-strings');
  if (request.fromSources) words.push('--import', createRequire(import.meta.filename).resolve('tsx'));
  words.push(request.loader);
  if (layers.includes('lock-down')) words.push('--lock-down');
  return words;
}

function dataLimit({ memory, command, fromSources }: SandboxRequest): number {
  if (command.length > 0) return memory;
  return memory + (fromSources ? ENGINE_FROM_SOURCES_MEBIBYTES : ENGINE_MEBIBYTES);
}

function resolveCommand(command: readonly string[]): string[] {
  const [program = '', ...rest] = command;
  return [program.includes('/') ? program : (find(program) ?? program), ...rest];
}

/** A file tree with the engine, its libraries and the code, and nothing else; own process ids, network, and users. */
function bwrapWords(request: SandboxRequest): string[] {
  const words = [find('bwrap') ?? 'bwrap', '--unshare-all', '--die-with-parent', '--as-pid-1', '--cap-drop', 'ALL'];
  const folders =
    request.command.length > 0 ? ['/usr', '/etc/ld.so.cache'] : ['/usr/lib', '/usr/lib64', '/usr/local/lib'];
  for (const folder of folders) words.push('--ro-bind-try', folder, folder);
  for (const link of ['/lib', '/lib64', '/bin', '/lib32']) {
    const target = linkTarget(link);
    if (target !== null) words.push('--symlink', target, link);
    else if (link !== '/bin') words.push('--ro-bind-try', link, link);
  }
  if (request.command.length === 0) words.push('--ro-bind', process.execPath, process.execPath);
  for (const folder of request.readable) words.push('--ro-bind', folder, folder);
  words.push('--dev', '/dev', '--proc', '/proc', '--remount-ro', '/', '--chdir', '/', '--');
  return words;
}

function linkTarget(link: string): string | null {
  try {
    return fs.readlinkSync(link);
  } catch {
    return null;
  }
}
