/**
 * A whole machine as users run it (the built kernel, every layer of the sandbox), with a configuration made for a measurement. A scenario is a service of
 * bench/services: it measures from inside and writes `RESULT {…}` to the kernel log. What it is to do stands as JSON in the words of `--exec`, which any
 * service can read.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { root } from './program.ts';

/** The built kernel. */
export const kernelFile = path.join(root, 'dist/kernel.cjs');

/** A manifest as it stands in the configuration file. */
export interface BenchManifest {
  readonly name: string;
  readonly [field: string]: unknown;
}

/** What to run. */
export interface Scenario {
  readonly services: readonly BenchManifest[];
  /** For the scenario's service. */
  readonly order?: object;
  /** Further options of the command line. */
  readonly options?: readonly string[];
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
  constructor(folder: string, { services, order = {}, options = ['--no-disk'] }: Scenario) {
    const name = path.join(folder, `machine-${machines++}`);
    this.logFile = `${name}.log`;
    fs.writeFileSync(`${name}.json`, JSON.stringify({ services }));
    const words = [kernelFile, '--services', `${name}.json`, '--log', this.logFile, '--quiet'];
    words.push('--exec', JSON.stringify(order), ...options);
    this.process = spawn(process.execPath, words, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
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

  /** What the log and the kernel's stderr say, for an error message. */
  report(): string {
    return [...this.lines().slice(0, 40), this.stderr].join('\n');
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

/** The standard manifest of a service, with its own entry. */
export function standardManifest(name: string): BenchManifest {
  const file = path.join(root, 'services.json');
  const { services } = JSON.parse(fs.readFileSync(file, 'utf8')) as { services: BenchManifest[] };
  const found = services.find((manifest) => manifest.name === name);
  if (found === undefined) throw new Error(`${file} has no ${name}`);
  return found;
}
