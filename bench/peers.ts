/** What VROS is measured against: programs for Node, and programs in C that are compiled when a compiler is there. */
import fs from 'node:fs';
import path from 'node:path';
import { figuresOf, runProgram } from './program.ts';

/** Words in front of a command that keep it on one CPU. */
const ONE_CPU = ['taskset', '-c'];

const folder = path.join(import.meta.dirname, 'peers');

/** A command that runs a peer in Node, for a host of its own. */
export function nodePeerCommand(name: string, ...words: readonly (string | number)[]): string {
  return [process.execPath, path.join(folder, `${name}.mjs`), ...words].join(' ');
}

/** Figures of a peer that runs in Node. */
export function nodePeer(name: string, ...words: readonly (string | number)[]): Promise<Record<string, number[]>> {
  return figuresOf(process.execPath, [path.join(folder, `${name}.mjs`), ...words.map(String)]);
}

/** The programs in C, compiled into a folder. */
export class Compiler {
  /** Why there are no programs in C, or ''. */
  readonly missing: string;
  private readonly target: string;

  private constructor(target: string, missing: string) {
    this.target = target;
    this.missing = missing;
  }

  /** Compiles every program in C of this folder into `target`. */
  static async compile(target: string): Promise<Compiler> {
    for (const file of fs.readdirSync(folder).filter((name) => name.endsWith('.c'))) {
      const output = path.join(target, path.basename(file, '.c'));
      const ended = await runProgram('cc', ['-O2', '-o', output, path.join(folder, file)]).catch(
        (error: Error) => error,
      );
      if (ended instanceof Error) return new Compiler(target, 'there is no C compiler (cc)');
      if (ended.status !== 0) return new Compiler(target, `cc cannot compile ${file}: ${ended.stderr.trim()}`);
    }
    return new Compiler(target, '');
  }

  /** The file of a program in C. */
  program(name: string): string {
    return path.join(this.target, name);
  }

  /** Figures of a program in C, kept on one CPU of the host if `cpu` names one. */
  run(name: string, cpu: string, ...words: readonly number[]): Promise<Record<string, number[]>> {
    const [file = '', ...rest] = [...(cpu === '' ? [] : [...ONE_CPU, cpu]), this.program(name), ...words.map(String)];
    return figuresOf(file, rest);
  }
}
