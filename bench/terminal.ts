/**
 * A program in a terminal of its own: through node-pty where that is installed (it is optional), else through
 * script(1).
 */
import { spawn } from 'node:child_process';

/** A running program and what it has written. */
export interface Session {
  /** Process id of the program, or of script(1) around it. */
  readonly pid: number;
  write(text: string): void;
  kill(): void;
  onText(listener: (text: string) => void): void;
  readonly ended: Promise<void>;
}

const COLUMNS = 80;
const ROWS = 24;

/** Starts a program in a terminal. */
export async function openSession(file: string, words: readonly string[], cwd: string): Promise<Session> {
  const pty = await import('node-pty').catch(() => null);
  if (pty === null) return throughScript(file, words, cwd);
  const child = pty.spawn(file, [...words], { cols: COLUMNS, rows: ROWS, cwd, env: process.env });
  return {
    pid: child.pid,
    write: (text) => child.write(text),
    kill: () => child.kill('SIGKILL'),
    onText: (listener) => void child.onData(listener),
    ended: new Promise((resolve) => void child.onExit(() => resolve())),
  };
}

function throughScript(file: string, words: readonly string[], cwd: string): Session {
  const command = [file, ...words].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  const child = spawn('script', ['--quiet', '--flush', '--return', '--command', command, '/dev/null'], { cwd });
  child.stdin.on('error', () => {});
  child.stdout.setEncoding('utf8');
  return {
    pid: child.pid ?? 0,
    write: (text) => void child.stdin.write(text),
    kill: () => void child.kill('SIGKILL'),
    onText: (listener) => void child.stdout.on('data', listener),
    ended: new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', () => resolve());
    }),
  };
}
