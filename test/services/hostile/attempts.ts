/**
 * What hostile code would do with the host. Each attempt answers something when it succeeded and throws when it was
 * stopped.
 */

import { call, invoke, reach } from './reach.ts';
import type { Loader } from './routes.ts';

/** Where the targets are; the test has put them up. */
export interface Targets {
  /** A file outside the code folders, a link to it inside one, and the text in it. */
  readonly secret: string;
  readonly link: string;
  readonly text: string;
  readonly folder: string;
  readonly codeFolder: string;
  readonly addOn: string;
  readonly kernelPid: number;
  readonly victimPid: number;
  readonly tcpPort: number;
  readonly udpPort: number;
  readonly listenPort: number;
  readonly unixSocket: string;
  readonly abstractSocket: string;
  /** Real signals instead of harmless ones: only where they must not arrive. */
  readonly lethal: boolean;
}

/** How long something from outside is waited for, in milliseconds. */
const WAIT_MILLISECONDS = 400;

/** How long a second engine is waited for, which takes its time to start, in milliseconds. */
const START_MILLISECONDS = 5000;

type Attempt = (targets: Targets) => unknown;

/** The attempts by name; `load` answers the host's modules. */
export function attemptsWith(load: Loader): Readonly<Record<string, Attempt>> {
  const fs = (): typeof import('node:fs') => load('fs') as typeof import('node:fs');
  const net = (): typeof import('node:net') => load('net') as typeof import('node:net');
  const host = (): NodeJS.Process => load('process') as NodeJS.Process;
  const read = (file: string): string => {
    const text = fs().readFileSync(file, 'utf8');
    if (text === '') throw new Error(`${file} is empty`);
    return text;
  };
  const readText = (file: string, { text }: Targets): string => {
    if (read(file) !== text) throw new Error('another file');
    return text;
  };
  const run = (program: string, ...words: string[]): string => {
    const processes = load('child_process') as typeof import('node:child_process');
    const { status, error } = processes.spawnSync(program, words);
    if (status !== 0) throw error ?? new Error(`status ${status}`);
    return 'ran';
  };
  const connect = (to: { port: number; host: string } | { path: string }): Promise<unknown> =>
    within((done, failed) => {
      const socket = net().connect(to, () => {
        socket.destroy();
        done('connected');
      });
      socket.on('error', failed);
    });
  const write = (file: string): string => {
    fs().writeFileSync(file, 'written');
    fs().unlinkSync(file);
    return 'written';
  };
  const signal = (pid: number, names: readonly (string | number)[]): string => {
    for (const name of names) host().kill(pid, name);
    return 'sent';
  };

  return {
    'read a file': (targets) => readText(targets.secret, targets),
    'read a file through a link': (targets) => readText(targets.link, targets),
    'read /etc/passwd': () => read('/etc/passwd'),
    'read its environment': () => {
      fs().readFileSync('/proc/self/environ');
      return 'read';
    },
    'read the command of the kernel': ({ kernelPid }) => read(`/proc/${kernelPid}/cmdline`),
    'read the environment of the kernel': ({ kernelPid }) => read(`/proc/${kernelPid}/environ`),
    'read the memory of the kernel': ({ kernelPid }) => fs().closeSync(fs().openSync(`/proc/${kernelPid}/mem`, 'r')),
    'read the command of a service': ({ victimPid }) => read(`/proc/${victimPid}/cmdline`),
    'list a directory': ({ folder, secret }) => {
      const names = fs().readdirSync(folder);
      if (!names.some((name) => secret.endsWith(`/${name}`))) throw new Error('another directory');
      return names.join(' ');
    },
    'list its descriptors': () => fs().readdirSync('/proc/self/fd').join(' '),
    'write a file': ({ folder }) => write(`${folder}/hostile`),
    'write beside its code': ({ codeFolder }) => write(`${codeFolder}/hostile.cjs`),
    'write to shared memory': ({ kernelPid }) => write(`/dev/shm/vros-hostile-${kernelPid}`),
    'use another descriptor': () => {
      for (let descriptor = 4; descriptor < 256; descriptor++) {
        const found = statistics(fs(), descriptor);
        if (found?.isFile() || found?.isDirectory() || found?.isSocket()) return `descriptor ${descriptor}`;
      }
      throw new Error('there is none');
    },
    'start a process': () => run(host().execPath, '--version'),
    'start a shell': () => run('/bin/sh', '-c', 'exit 0'),
    'load an add-on': ({ addOn }) => {
      host().dlopen({ exports: {} }, addOn);
      return 'loaded';
    },
    'open the inspector': () => {
      const inspector = load('inspector') as typeof import('node:inspector');
      inspector.open(0, '127.0.0.1');
      if (inspector.url() === undefined) throw new Error('it is closed');
      inspector.close();
      return 'open';
    },
    'use the internal binding': () => Object.keys(invoke(host(), ['binding'], 'fs') as object).length,
    'connect by TCP': ({ tcpPort }) => connect({ port: tcpPort, host: '127.0.0.1' }),
    'listen on TCP': ({ listenPort }) =>
      within((done, failed) => {
        const server = net().createServer(() => {
          server.close();
          done('somebody came');
        });
        server.on('error', failed);
        server.listen(listenPort, '127.0.0.1');
      }),
    'talk by UDP': ({ udpPort }) =>
      within((done, failed) => {
        const socket = (load('dgram') as typeof import('node:dgram')).createSocket('udp4');
        socket.on('message', () => {
          socket.close();
          done('answered');
        });
        socket.on('error', failed);
        socket.send('hello', udpPort, '127.0.0.1');
      }),
    'connect to a Unix socket': ({ unixSocket }) => connect({ path: unixSocket }),
    'connect to an abstract Unix socket': ({ abstractSocket }) => connect({ path: `\0${abstractSocket}` }),
    'signal the kernel': ({ kernelPid, lethal }) => signal(kernelPid, lethal ? ['SIGSTOP', 'SIGKILL'] : [0]),
    'signal a service': ({ victimPid, lethal }) =>
      signal(victimPid, lethal ? ['SIGSTOP', 'SIGKILL'] : ['SIGSTOP', 'SIGCONT']),
    'open the inspector of the kernel': ({ kernelPid, lethal }) =>
      lethal ? invoke(host(), ['_debugProcess'], kernelPid) : signal(kernelPid, [0]),
    'make code from a string': () => call(Function('return 7'), undefined),
    'read the clock': () => Date.now(),
    'read the clock by a new date': () => String(new Date()),
    'read the clock in words': () => call(reach(globalThis, 'Date'), undefined),
    'read the fine clock': () => invoke(globalThis, ['performance', 'now']),
    'draw a random number': () => Math.random(),
    'set a timer': () => within((done) => setTimeout(() => done('fired'), 1)),
    'wait for a time': () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1),
    'read the environment': () => Object.keys(host().env).length + host().pid,
    // The last one: where the memory limit leaves none for a second engine, the first one ends.
    'start a worker': () =>
      within((done, failed) => {
        const { Worker } = load('worker_threads') as typeof import('node:worker_threads');
        const worker = new Worker('', { eval: true });
        worker.on('online', () => done('online'));
        worker.on('error', failed);
      }, START_MILLISECONDS),
  };
}

function statistics(fs: typeof import('node:fs'), descriptor: number): import('node:fs').Stats | null {
  try {
    return fs.fstatSync(descriptor);
  } catch {
    return null;
  }
}

/** Something that has to happen within a time, in milliseconds. */
function within(
  begin: (done: (value: unknown) => void, failed: (error: Error) => void) => void,
  time = WAIT_MILLISECONDS,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    begin(resolve, reject);
    setTimeout(() => reject(new Error('nothing happened')), time);
  });
}
