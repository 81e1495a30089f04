/**
 * A network namespace of Linux: a host of its own for a test, with its own interfaces, addresses, ports and processes.
 * It is gone, with all of these, when the test process ends in whatever way: its first process waits for the end of a
 * pipe from here, and with the first process of a namespace all others end.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import os from 'node:os';

/** How a command in the namespace ended. */
export interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that runs in the namespace while the test goes on. */
export interface Peer {
  readonly process: ChildProcess;
  /** Settles when it has ended. */
  readonly ended: Promise<Ended>;
  /** Ends it and everything it has started. */
  kill(): void;
}

const environment = { PATH: `${process.env.PATH}:/usr/sbin:/sbin`, LC_ALL: 'C.UTF-8', TZ: 'UTC', HOME: os.tmpdir() };

/**
 * Why tests with a namespace and these programs cannot run here; '' if they can. With CI set nothing may be missing, so
 * that it throws.
 */
export function missingForNetwork(...programs: readonly string[]): string {
  const reason = reasonAgainst(['perl', 'ip', 'unshare', 'nsenter', ...programs]);
  if (reason !== '' && process.env.CI !== undefined) throw new Error(`the network tests cannot run: ${reason}`);
  return reason;
}

/** What is against namespaces with TAP devices and these programs on this host; nothing: ''. */
export function reasonAgainst(programs: readonly string[]): string {
  const absent = programs.filter(
    (name) => spawnSync('sh', ['-c', `command -v ${name}`], { env: environment }).status !== 0,
  );
  if (absent.length > 0) return `not installed: ${absent.join(', ')}`;
  if (process.getuid?.() !== 0) return 'needs root';
  if (!existsSync('/dev/net/tun')) return 'needs /dev/net/tun';
  if (spawnSync('unshare', ['-n', '-p', '--fork', 'true']).status !== 0) return 'the host allows no namespaces';
  return '';
}

/** See the head of this file. */
export class LinuxNamespace {
  /** Host process id of its first process. */
  readonly pid: number;
  private readonly holder: ChildProcess;
  private readonly peers = new Set<Peer>();

  private constructor(holder: ChildProcess) {
    this.holder = holder;
    this.pid = Number(readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, 'utf8').trim());
  }

  static async create(): Promise<LinuxNamespace> {
    const holder = spawn('unshare', ['-n', '-p', '--fork', 'sh', '-c', 'echo ready; exec cat'], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    holder.stdin?.on('error', () => {});
    // What it says comes from inside the namespace.
    if (holder.stdout !== null) await once(holder.stdout, 'data');
    const namespace = new LinuxNamespace(holder);
    // Without IPv6 the interfaces say nothing by themselves.
    await namespace.run(
      'ip link set lo up; for f in all default; do echo 1 > /proc/sys/net/ipv6/conf/$f/disable_ipv6; done',
    );
    return namespace;
  }

  /** Words in front of a command that let it use the network in here, as a process of the host. */
  get entrance(): readonly string[] {
    return ['nsenter', '-t', String(this.pid), '-n', '--'];
  }

  /** Starts a command of the shell. */
  start(command: string, input: string | Uint8Array = ''): Peer {
    const [program = '', ...words] = ['nsenter', '-t', String(this.pid), '-n', '-p', '--', 'sh', '-c', command];
    const child = spawn(program, words, { env: environment, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('latin1').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    const ended = new Promise<Ended>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => {
        this.peers.delete(peer);
        resolve({ status: code ?? 128 + os.constants.signals[signal ?? 'SIGKILL'], stdout, stderr });
      });
    });
    const kill = (): void => {
      // Only while it runs its number is its own.
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
      process.kill(-child.pid, 'SIGKILL');
    };
    const peer = { process: child, ended, kill };
    this.peers.add(peer);
    return peer;
  }

  /**
   * Runs a command of the shell to its end, whatever comes of it. One that takes longer than `milliseconds` is killed
   * (status 137).
   */
  async attempt(command: string, milliseconds = 30_000, input: string | Uint8Array = ''): Promise<Ended> {
    const peer = this.start(command, input);
    const timer = setTimeout(peer.kill, milliseconds);
    const ended = await peer.ended;
    clearTimeout(timer);
    return ended;
  }

  /** Runs a command of the shell, which has to succeed, and answers its output. */
  async run(command: string, milliseconds = 30_000, input: string | Uint8Array = ''): Promise<string> {
    const { status, stdout, stderr } = await this.attempt(command, milliseconds, input);
    if (status !== 0) throw new Error(`${command}: status ${status}\n${stdout}${stderr}`);
    return stdout;
  }

  /** Ends what still runs in it; with the last process it is gone itself. */
  async close(): Promise<void> {
    const all = [...this.peers];
    for (const peer of all) peer.kill();
    await Promise.all(all.map(({ ended }) => ended));
    const closed = once(this.holder, 'close');
    this.holder.stdin?.end();
    await closed;
  }
}
