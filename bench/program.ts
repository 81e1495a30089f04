/** Runs a program of the host to its end and reads the JSON it prints. */
import { spawn } from 'node:child_process';
import path from 'node:path';

/** The folder of the package. */
export const root = path.resolve(import.meta.dirname, '..');

/** How a program ended. */
export interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program. One that does not end in time is killed; that is an error, any exit status is none. */
export function runProgram(
  file: string,
  words: readonly string[],
  { cwd = root, seconds = 120 }: { cwd?: string; seconds?: number } = {},
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, words, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`${file} ${words.join(' ')}: did not end within ${seconds} s\n${stderr}`));
    }, seconds * 1000);
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ status: code ?? 128, stdout, stderr });
    });
  });
}

/** Runs a program that prints one JSON object with lists of figures. */
export async function figuresOf(file: string, words: readonly string[]): Promise<Record<string, number[]>> {
  const { status, stdout, stderr } = await runProgram(file, words);
  if (status !== 0) throw new Error(`${file} ${words.join(' ')}: exit status ${status}\n${stderr}`);
  return JSON.parse(stdout) as Record<string, number[]>;
}
