/**
 * Runs a whole machine as a process of the host, the built one, with a configuration made for the test, and collects
 * what it did. The machine and everything it started are gone when the test ends, also when it fails.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import packageDescription from '../../package.json' with { type: 'json' };

const root = path.resolve(import.meta.dirname, '../..');

/** The built kernel. */
export const kernelFile = path.join(root, 'dist/kernel.cjs');

/** Arguments of node, as `npm start` has them: options of the engine and the kernel. */
export const nodeArguments: readonly string[] = [
  ...packageDescription.scripts.start.split(' ').filter((word) => word.startsWith('--')),
  kernelFile,
];

/** A manifest as it stands in the configuration file. */
export interface TestManifest {
  readonly name: string;
  readonly [field: string]: unknown;
}

/** What a test does not use of the standard configuration is left out: every process takes its time to start. */
export interface StandardServices {
  /** With the services of the network. Default: false. */
  readonly network?: boolean;
  /** With the disks' driver and the file systems on them. Default: whether the machine has a disk. */
  readonly disks?: boolean;
}

/** How to start a machine. */
export interface MachineSettings extends StandardServices {
  /** Services of the configuration; one has to be named init. Without it the standard configuration is used. */
  readonly services?: readonly TestManifest[];
  /** Further options of the command line. */
  readonly options?: readonly string[];
  /** Environment on top of the test's. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Nothing is asked of standard input: it is closed at once. Default: false. */
  readonly closeInput?: boolean;
  /** Words in front of the command, of a program that becomes the machine: `nsenter …`. */
  readonly launcher?: readonly string[];
  /** It outlives the test that starts it; whoever starts it calls `dispose`. Default: false. */
  readonly outlivesTest?: boolean;
}

/**
 * Options of the command line for a machine with this configuration, which is put into `folder` unless it is the
 * standard one as it is. `more`: further services. `options`: the other options of the machine.
 */
export function configured(
  { network = false, disks }: StandardServices,
  options: readonly string[],
  folder: string,
  more: readonly TestManifest[] = [],
): string[] {
  const text = fs.readFileSync(path.join(root, 'services.json'), 'utf8');
  const { services } = JSON.parse(text) as { services: TestManifest[] };
  const left = new Set([
    ...(network ? [] : ['ne2000', 'netstack']),
    ...((disks ?? !options.includes('--no-disk')) ? [] : ['ata', 'vrfs@', 'fat@', 'ext2@']),
  ]);
  if (left.size === 0 && more.length === 0) return [];
  return configurationOf([...services.filter(({ name }) => !left.has(name)), ...more], folder);
}

function configurationOf(services: readonly TestManifest[], folder: string): string[] {
  const file = path.join(folder, 'services.json');
  fs.writeFileSync(file, JSON.stringify({ services }));
  return ['--services', file];
}

/** A line of the kernel log. */
export interface LogEntry {
  readonly level: number;
  readonly time: number;
  readonly source: string;
  readonly msg: string;
}

/** A running machine. */
export class TestMachine {
  readonly process: ChildProcessWithoutNullStreams;
  readonly folder: string;
  stdout = '';
  stderr = '';
  private readonly logFile: string;
  private readonly ended: Promise<number>;
  private exitStatus: number | null = null;
  private lines = 0;

  constructor(settings: MachineSettings) {
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vros-test-'));
    this.logFile = path.join(this.folder, 'kernel.log');
    fs.writeFileSync(this.logFile, '');
    const words = [...nodeArguments, '--log', this.logFile, '--debug'];
    const { services, options = ['--no-disk'] } = settings;
    if (services === undefined) words.push(...configured(settings, options, this.folder));
    else words.push(...configurationOf(services, this.folder));
    words.push(...options);
    const [program = '', ...rest] = [...(settings.launcher ?? []), process.execPath, ...words];
    this.process = spawn(program, rest, {
      cwd: this.folder,
      env: { ...process.env, ...settings.environment },
    });
    if (settings.closeInput === true) this.process.stdin.end();
    this.process.stdin.on('error', () => {});
    this.process.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.process.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.ended = new Promise((resolve) => {
      this.process.on('close', (code, signal) => {
        this.exitStatus = code ?? 128 + os.constants.signals[signal ?? 'SIGKILL'];
        resolve(this.exitStatus);
      });
    });
    if (settings.outlivesTest !== true) onTestFinished(() => this.dispose());
  }

  /** The log so far. */
  get log(): LogEntry[] {
    const lines = fs.readFileSync(this.logFile, 'utf8').split('\n');
    lines.pop();
    return lines.map((line) => JSON.parse(line) as LogEntry);
  }

  /** Texts of the log, with their sources. */
  get logText(): string {
    return this.log.map(({ source, msg }) => `${source}: ${msg}`).join('\n');
  }

  /** What a service wrote with `log('RESULT ' + JSON.stringify(value))`, in order. */
  results<T>(): T[] {
    return this.log.filter(({ msg }) => msg.startsWith('RESULT ')).map(({ msg }) => JSON.parse(msg.slice(7)) as T);
  }

  /** Waits for the machine's end and answers its exit status. */
  async end(): Promise<number> {
    return this.ended;
  }

  /** Waits until the log has a matching line and answers it. Fails when the machine ends first. */
  async logged(pattern: RegExp, milliseconds = 20000): Promise<LogEntry> {
    const deadline = performance.now() + milliseconds;
    let seen = 0;
    for (;;) {
      const { log } = this;
      const found = log.slice(seen).find(({ source, msg }) => pattern.test(`${source}: ${msg}`));
      if (found !== undefined) return found;
      seen = log.length;
      if (this.exitStatus !== null)
        throw new Error(`the machine ended before ${pattern} was logged:\n${this.logText}\n${this.stderr}`);
      if (performance.now() > deadline)
        throw new Error(`${pattern} was not logged in time:\n${this.logText}\n${this.stderr}`);
      await new Promise<void>((resolve) => {
        const watcher = fs.watch(this.logFile, () => done());
        const timer = setTimeout(() => done(), 100);
        const done = (): void => {
          watcher.close();
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Process ids, on the host, of every descendant of the machine. */
  descendants(): number[] {
    const found: number[] = [];
    const visit = (pid: number): void => {
      let children = '';
      try {
        children = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
      } catch {
        return;
      }
      for (const child of children.split(' ').filter((word) => word !== '')) {
        found.push(Number(child));
        visit(Number(child));
      }
    };
    visit(this.process.pid ?? 0);
    return found;
  }

  /**
   * Has the shell run a line, which reads commands from a pipe, and answers what was written meanwhile. Fails when it
   * takes longer than `milliseconds`.
   */
  async shell(line: string, milliseconds = 30_000): Promise<string> {
    const mark = `DONE-${++this.lines}`;
    const from = this.stdout.length;
    const end = `${mark}\n`;
    this.process.stdin.write(`${line}\necho ${mark}\n`);
    const deadline = performance.now() + milliseconds;
    while (!this.stdout.slice(from).endsWith(end)) {
      const left = deadline - performance.now();
      if (left <= 0 || this.exitStatus !== null) {
        const what = this.exitStatus === null ? 'not in time' : 'the machine ended';
        throw new Error(`${what}: ${line}\n${this.stdout.slice(from)}\n${this.stderr}\n${this.logText}`);
      }
      await new Promise<void>((resolve) => {
        const done = (): void => {
          clearTimeout(timer);
          this.process.stdout.off('data', done);
          this.process.off('close', done);
          resolve();
        };
        const timer = setTimeout(done, left);
        this.process.stdout.on('data', done);
        this.process.on('close', done);
      });
    }
    return this.stdout.slice(from, -end.length);
  }

  /** Ends the machine, if it runs, and removes its files. */
  async dispose(): Promise<void> {
    if (this.exitStatus === null) this.process.kill('SIGKILL');
    await this.ended;
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Starts a machine. */
export function startMachine(settings: MachineSettings = {}): TestMachine {
  return new TestMachine(settings);
}

/** Runs shell commands on the standard configuration, and answers status and output. */
export async function runCommands(
  commands: string,
  options: readonly string[] = ['--no-disk'],
  standard: StandardServices = {},
): Promise<{ status: number; stdout: string; stderr: string; machine: TestMachine }> {
  const machine = startMachine({ options: [...options, '--exec', commands], closeInput: true, ...standard });
  const status = await machine.end();
  return { status, stdout: machine.stdout, stderr: machine.stderr, machine };
}

/**
 * Ends a process of the host with SIGKILL. Throws for what is no process id: 0 would mean this process and all that it
 * has started.
 */
export function killProcess(pid: number): void {
  if (!Number.isSafeInteger(pid) || pid <= 1) throw new Error(`${pid} is not the id of a process`);
  process.kill(pid, 'SIGKILL');
}

/** Whether a process of the host exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie is gone for our purposes.
    return !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** Waits until a condition holds, looking every few milliseconds; fails after the time. */
export async function eventually(condition: () => boolean, what: string, milliseconds = 5000): Promise<void> {
  const deadline = performance.now() + milliseconds;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
