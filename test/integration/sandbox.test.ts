/**
 * The sandbox: a hostile service tries everything. With all layers it gets nowhere; each layer alone stops what
 * kernel/task/sandbox.ts says it stops, and lets through what it says it does not, so that the claims are true and the
 * attempts are real ones.
 */
import { spawnSync } from 'node:child_process';
import dgram from 'node:dgram';
import fs from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { commandLine, probeHost, type SandboxRequest } from '../../kernel/task/sandbox.ts';
import { kernelFile, startMachine, type TestMachine } from '../support/machine.ts';

const root = path.resolve(import.meta.dirname, '../..');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vros-hostile-'));
const codeFolder = path.join(folder, 'code');
const secret = path.join(folder, 'secret');
const link = path.join(codeFolder, 'link');
const addOn = path.join(codeFolder, 'addon.node');
const unixSocket = path.join(folder, 'socket');
const abstractSocket = `vros-hostile-${process.pid}`;
const text = 'nobody is to read this\n';
const tcp = net.createServer((socket) => socket.destroy());
const unix = net.createServer((socket) => socket.destroy());
const abstract = net.createServer((socket) => socket.destroy());
const udp = dgram.createSocket('udp4');

/** Some add-on for this host that is installed anyway. */
function findAddOn(): string {
  for (const scope of ['@rolldown', '@swc']) {
    const packages = path.join(root, 'node_modules', scope);
    for (const name of fs.existsSync(packages) ? fs.readdirSync(packages) : []) {
      const found = fs.readdirSync(path.join(packages, name)).find((file) => file.endsWith('.node'));
      if (found !== undefined) return path.join(packages, name, found);
    }
  }
  throw new Error('no add-on is installed');
}

function listening(server: net.Server, where: { port: number; host: string } | { path: string }): Promise<void> {
  return new Promise((resolve) => server.listen(where, resolve));
}

beforeAll(async () => {
  fs.mkdirSync(codeFolder);
  fs.writeFileSync(secret, text);
  fs.symlinkSync(secret, link);
  fs.copyFileSync(path.join(root, 'dist/test-services/hostile.cjs'), path.join(codeFolder, 'hostile.cjs'));
  fs.copyFileSync(findAddOn(), addOn);
  udp.on('message', (_message, from) => udp.send('hello', from.port, from.address));
  await Promise.all([
    listening(tcp, { port: 0, host: '127.0.0.1' }),
    listening(unix, { path: unixSocket }),
    listening(abstract, { path: `\0${abstractSocket}` }),
    new Promise<void>((resolve) => udp.bind(0, '127.0.0.1', resolve)),
  ]);
});

afterAll(() => {
  for (const open of [tcp, unix, abstract, udp]) open.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

interface Outcome {
  readonly attempt: string;
  readonly denied: boolean;
  readonly detail: string;
}

interface Summary {
  readonly echoes: number;
  readonly wrong: number;
  readonly victimLives: boolean;
  readonly status: number;
}

/** A port nobody listens on, to which the test tries to connect until the end of the test. */
async function visited(): Promise<number> {
  const reserved = net.createServer();
  await listening(reserved, { port: 0, host: '127.0.0.1' });
  const { port } = reserved.address() as AddressInfo;
  await new Promise((resolve) => reserved.close(resolve));
  const knock = setInterval(() => {
    const socket = net.connect(port, '127.0.0.1', () => socket.destroy());
    socket.on('error', () => {});
  }, 50);
  onTestFinished(() => clearInterval(knock));
  return port;
}

/** Runs the hostile service with some layers and answers what came of each attempt. */
async function besiege(
  layers: string,
  lethal = false,
  entry = path.join(codeFolder, 'hostile.cjs'),
): Promise<{ outcomes: Map<string, Outcome>; summary: Summary; machine: TestMachine }> {
  const listenPort = await visited();
  const machine = startMachine({
    services: [
      {
        name: 'init',
        entry: 'test/services/besieged',
        looksUp: ['echo'],
        privileges: ['power'],
        maySpawn: ['echo', 'hostile'],
        ioPorts: ['0x3f8-0x3fd'],
      },
      { name: 'echo', entry: 'echo', serves: ['echo'] },
      { name: 'hostile', entry, restart: 'never' },
    ],
    options: ['--no-disk', '--sandbox', layers],
  });
  const targets = {
    ...{ secret, link, text, folder, codeFolder, addOn, unixSocket, abstractSocket, listenPort, lethal },
    kernelPid: machine.process.pid,
    tcpPort: (tcp.address() as AddressInfo).port,
    udpPort: udp.address().port,
  };
  machine.process.stdin.write(`${JSON.stringify(targets)}\n`);
  expect(await machine.end(), machine.logText + machine.stderr).toBe(0);
  const outcomes = new Map<string, Outcome>();
  for (const result of machine.results<Outcome | { summary: Summary }>()) {
    if ('attempt' in result) outcomes.set(result.attempt, result);
  }
  const summary = machine.results<{ summary?: Summary }>().findLast((result) => result.summary !== undefined)?.summary;
  if (summary === undefined) throw new Error(`no summary:\n${machine.logText}`);
  return { outcomes, summary, machine };
}

/** Attempts that no configuration lets succeed: there is no such way, or the kernel leaves nothing to be used. */
const neverPossible = [
  'get modules by the module system',
  'get modules by the main module',
  'get modules by the stack',
  'get modules by import',
  'use another descriptor',
];

const files = [
  'read a file',
  'read /etc/passwd',
  'read its environment',
  'read the command of the kernel',
  'read the environment of the kernel',
  'read the memory of the kernel',
  'read the command of a service',
  'list a directory',
  'list its descriptors',
  'write a file',
  'write beside its code',
  'write to shared memory',
];

/** What each layer alone stops, as kernel/task/sandbox.ts says. */
const stops: Readonly<Record<string, readonly string[]>> = {
  permission: [
    ...files,
    'start a process',
    'start a shell',
    'start a worker',
    'load an add-on',
    'open the inspector',
    'use the internal binding',
  ],
  namespaces: [
    ...files,
    'read a file through a link',
    'start a shell',
    'connect by TCP',
    'listen on TCP',
    'talk by UDP',
    'connect to a Unix socket',
    'connect to an abstract Unix socket',
    'signal the kernel',
    'signal a service',
    'open the inspector of the kernel',
  ],
  none: [],
};

/**
 * What is neither claimed to be stopped nor to be possible: whether the libraries of this add-on are in sight is
 * chance.
 */
const open: Readonly<Record<string, readonly string[]>> = { namespaces: ['load an add-on'] };

const tools = probeHost();

/** Names of the attempts that were denied, without those that are always. */
function denied(outcomes: ReadonlyMap<string, Outcome>, ...without: readonly string[]): string[] {
  const names = [...outcomes.values()].filter((outcome) => outcome.denied).map(({ attempt }) => attempt);
  return names.filter((name) => !neverPossible.includes(name) && !without.includes(name)).sort();
}

describe('a hostile service', () => {
  it('gets nowhere with all layers, and nobody else notices', async () => {
    const layers = tools.namespaces === 'none' ? 'permission,lock-down' : 'permission,namespaces,lock-down';
    const { outcomes, summary, machine } = await besiege(layers, tools.namespaces !== 'none');
    expect(outcomes.size).toBeGreaterThan(40);
    expect([...outcomes.values()].filter((outcome) => !outcome.denied)).toEqual([]);
    expect(summary).toMatchObject({ wrong: 0, victimLives: true, status: 0 });
    expect(machine.logText).not.toMatch(/died/);
    expect(fs.readFileSync(secret, 'utf8')).toBe(text);
  });

  it('is stopped by the lock-down alone', async () => {
    const { outcomes, summary } = await besiege('lock-down');
    expect(outcomes.size).toBeGreaterThan(40);
    expect([...outcomes.values()].filter((outcome) => !outcome.denied)).toEqual([]);
    expect(summary).toMatchObject({ wrong: 0, victimLives: true });
  });

  for (const layer of ['permission', 'namespaces', 'none']) {
    it.skipIf(layer === 'namespaces' && tools.namespaces !== 'bwrap')(
      `is stopped by ${layer} alone in just what is claimed`,
      async () => {
        const { outcomes, summary } = await besiege(layer);
        const unclear = open[layer] ?? [];
        expect(denied(outcomes, ...unclear)).toEqual([...(stops[layer] ?? [])].sort());
        expect(summary).toMatchObject({ wrong: 0, victimLives: true });
      },
    );
  }

  it.skipIf(process.platform !== 'linux')('inherits no descriptor of whoever started the kernel', () => {
    const entry = path.join(codeFolder, 'descriptors.cjs');
    fs.writeFileSync(
      entry,
      `const { log, halt } = require('vros');
       const fs = require('node:fs');
       log('RESULT ' + JSON.stringify(fs.readdirSync('/proc/self/fd').map((fd) => {
         try { return fs.readlinkSync('/proc/self/fd/' + fd); } catch { return ''; }
       })));
       halt(0, false);`,
    );
    const configuration = path.join(folder, 'services.json');
    fs.writeFileSync(configuration, JSON.stringify({ services: [{ name: 'init', entry, privileges: ['power'] }] }));
    const log = path.join(folder, 'descriptors.log');
    const words = [kernelFile, '--no-disk', '--sandbox', 'none', '--services', configuration, '--log', log];
    const descriptor = fs.openSync(secret, 'r');
    const gap = new Array<'ignore'>(20).fill('ignore');
    const { status } = spawnSync(process.execPath, words, { stdio: [...gap, descriptor], timeout: 20000 });
    fs.closeSync(descriptor);
    expect(status).toBe(0);
    const [, names = '[]'] = /RESULT (.*?)"\}\n/.exec(fs.readFileSync(log, 'utf8')) ?? [];
    expect(names).toContain('socket:');
    expect(names).not.toContain(secret);
  });

  it('in sloppy mode finds no caller, no global object and no stack frame to hold on to', async () => {
    const entry = path.join(codeFolder, 'sloppy.cjs');
    fs.writeFileSync(
      entry,
      `const { log, exit } = require('vros');
       const seen = [];
       function note(what, value) { if (value !== undefined && value !== null) seen.push(what); }
       function caller() { return caller.caller; }
       note('caller of the program', arguments.callee.caller);
       try { note('caller', caller().caller); } catch {}
       try { note('arguments of the loader', arguments.callee.caller.arguments); } catch {}
       try { Error.prepareStackTrace = (error, sites) => sites.map((site) => site.getFunction()); } catch {}
       const frames = new Error().stack;
       if (Array.isArray(frames)) note('frames', frames.find((frame) => frame !== undefined));
       note('process', (function () { return this.process; })());
       try { Object.prototype.planted = 1; } catch {}
       note('a planted property', {}.planted);
       try { Function.prototype.call = 1; } catch {}
       note('a planted method', Function.prototype.call === 1 ? 1 : undefined);
       const own = {}; own.toString = () => 'own';
       if (String(own) !== 'own') seen.push('no toString of its own');
       note('require.main', require.main);
       log('RESULT ' + JSON.stringify(seen));
       exit(0);`,
    );
    const { machine } = await besiege('lock-down', false, entry);
    expect(machine.results().filter(Array.isArray)).toEqual([[]]);
  });
});

/** Runs a script in the sandbox that a command line makes, outside any machine. */
function runIn(request: Partial<SandboxRequest>, script: string): Record<string, unknown> {
  const loader = path.join(codeFolder, 'script.cjs');
  fs.writeFileSync(loader, script);
  const [program = '', ...words] = commandLine({
    layers: ['namespaces'],
    tools,
    loader,
    readable: [codeFolder],
    memory: 128,
    command: [],
    inspected: false,
    fromSources: false,
    ...request,
  });
  const { stdout, stderr } = spawnSync(program, words, { env: {}, cwd: '/', encoding: 'utf8', timeout: 20000 });
  expect(stdout, stderr).toMatch(/^\{/);
  return JSON.parse(stdout) as Record<string, unknown>;
}

const look = `
  const fs = require('node:fs');
  const attempt = (action) => { try { action(); return 'done'; } catch (error) { return error.code ?? error.message; } };
  const status = (() => { try { return fs.readFileSync('/proc/self/status', 'utf8'); } catch { return ''; } })();
  const socket = require('node:net').connect(TCP_PORT, '127.0.0.1');
  const report = (tcp) => {
    console.log(JSON.stringify({
      tcp,
      pid: process.pid,
      processes: (() => { try { return fs.readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name)).length; } catch { return -1; } })(),
      capabilities: /^CapEff:\\s*0+$/m.test(status) && /^CapBnd:\\s*0+$/m.test(status) ? 'none' : 'some',
      signal: attempt(() => process.kill(HOST_PID, 0)),
      secret: attempt(() => fs.readFileSync(SECRET)),
      write: attempt(() => fs.writeFileSync(FILE, '')),
    }));
    process.exit();
  };
  socket.on('connect', () => report('connected'));
  socket.on('error', (error) => report(error.code));`;

function lookAround(writeTo: string): string {
  return look
    .replace('FILE', JSON.stringify(path.join(writeTo, 'planted')))
    .replace('TCP_PORT', String((tcp.address() as AddressInfo).port))
    .replace('HOST_PID', String(process.pid))
    .replace('SECRET', JSON.stringify(secret));
}

describe('namespaces', () => {
  it.skipIf(tools.namespaces !== 'bwrap')('of bwrap show nothing of the host, with its libraries known or not', () => {
    for (const [libraries, folder] of [
      [tools.libraries, '/'],
      [[], codeFolder],
    ] as const) {
      expect(runIn({ tools: { ...tools, libraries } }, lookAround(folder))).toMatchObject({
        ...{ pid: 1, processes: -1, signal: 'ESRCH', secret: 'ENOENT', write: 'EROFS' },
        tcp: expect.stringMatching(/ECONNREFUSED|ENETUNREACH/),
      });
    }
  });

  it.skipIf(tools.namespaces === 'none')('of unshare hide network and processes, but not files', () => {
    for (const ownProc of [true, false]) {
      const seen = runIn({ tools: { ...tools, namespaces: 'unshare', ownProc } }, lookAround(codeFolder));
      expect(seen).toMatchObject({ pid: 1, signal: 'ESRCH', secret: 'done', write: 'done' });
      expect(seen.tcp).toMatch(/ECONNREFUSED|ENETUNREACH/);
      if (ownProc) expect(seen).toMatchObject({ processes: 1, capabilities: tools.setpriv ? 'none' : 'some' });
    }
  });
});
