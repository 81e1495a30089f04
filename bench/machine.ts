/**
 * A whole machine as users run it (the built kernel, every layer of the sandbox), with a configuration made for a
 * measurement. A scenario is a service of bench/services: it measures from inside and writes `RESULT {…}` to the kernel
 * log. What it is to do stands as JSON in the words of `--exec`, which any service can read.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { root } from './program.ts';

/** The built kernel. */
export const kernelFile = path.join(root, 'dist/kernel.cjs');

const configurationFile = path.join(root, 'services.json');

/** A manifest as it stands in the configuration file. */
export interface BenchManifest {
  readonly name: string;
  readonly [field: string]: unknown;
}

/** What to run. */
export interface Scenario {
  readonly services: readonly BenchManifest[];
  /** For the scenario's service; or a line for the shell. */
  readonly order?: object | string;
  /** Further options of the command line. */
  readonly options?: readonly string[];
  /** Words in front of the command, of a program that becomes the machine. */
  readonly launcher?: readonly string[];
}

/** Longest run of a scenario, in milliseconds. */
const LIMIT_MILLISECONDS = 300_000;

let machines = 0;

/** A running machine. */
export class BenchMachine {
  readonly process: ChildProcess;
  /** Settles with the exit status. */
  readonly ended: Promise<number>;
  private readonly logFile: string;
  private stderr = '';

  /** Starts the machine; its files go to `folder`. */
  constructor(folder: string, { services, order = {}, options = ['--no-disk'], launcher = [] }: Scenario) {
    const name = path.join(folder, `machine-${machines++}`);
    this.logFile = `${name}.log`;
    fs.writeFileSync(`${name}.json`, JSON.stringify({ services }));
    const words = [kernelFile, '--services', `${name}.json`, '--log', this.logFile, '--quiet'];
    words.push('--exec', typeof order === 'string' ? order : JSON.stringify(order), ...options);
    const [program = '', ...rest] = [...launcher, process.execPath, ...words];
    this.process = spawn(program, rest, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    const timer = setTimeout(() => this.process.kill('SIGKILL'), LIMIT_MILLISECONDS);
    this.ended = new Promise((resolve, reject) => {
      this.process.on('error', reject);
      this.process.on('close', (code) => {
        clearTimeout(timer);
        resolve(code ?? 137);
      });
    });
  }

  /** What the scenario has reported so far, in order. */
  results<T>(): T[] {
    return this.lines()
      .filter((text) => text.startsWith('RESULT '))
      .map((text) => JSON.parse(text.slice('RESULT '.length)) as T);
  }

  /**
   * Waits until the log has a matching line, and answers the match. Fails when the machine ends first, or after the
   * time.
   */
  async logged(pattern: RegExp, milliseconds = 20_000): Promise<RegExpExecArray> {
    const deadline = performance.now() + milliseconds;
    for (;;) {
      const found = this.lines().map((line) => pattern.exec(line));
      const first = found.find((match) => match !== null);
      if (first) return first;
      if (this.process.exitCode !== null || performance.now() > deadline)
        throw new Error(`${pattern} was not logged in time\n${this.report()}`);
      await delay(20);
    }
  }

  /** Ends the machine. */
  async stop(): Promise<void> {
    this.process.kill('SIGTERM');
    await this.ended;
  }

  /** What the log and the kernel's stderr say, for an error message. */
  report(): string {
    const lines = this.lines();
    return [...lines.slice(0, 40), ...lines.slice(40).slice(-40), this.stderr].join('\n');
  }

  private lines(): string[] {
    const text = fs.existsSync(this.logFile) ? fs.readFileSync(this.logFile, 'utf8') : '';
    const whole = text.split('\n').slice(0, -1);
    return whole.map((line) => (JSON.parse(line) as { msg: string }).msg);
  }
}

/** Runs a scenario that reports once and ends the machine. */
export async function runScenario<T>(folder: string, scenario: Scenario): Promise<T> {
  const machine = new BenchMachine(folder, scenario);
  const status = await machine.ended;
  const [result] = machine.results<T>();
  if (status !== 0 || result === undefined)
    throw new Error(`the machine ended with status ${status}\n${machine.report()}`);
  return result;
}

/** The manifests of the standard configuration. */
export function standardManifests(): readonly BenchManifest[] {
  return (JSON.parse(fs.readFileSync(configurationFile, 'utf8')) as { services: BenchManifest[] }).services;
}

/** The standard manifest of a service, with its own entry. */
export function standardManifest(name: string): BenchManifest {
  const found = standardManifests().find((manifest) => manifest.name === name);
  if (found === undefined) throw new Error(`${configurationFile} has no ${name}`);
  return found;
}
