/**
 * Init of the machine in which the sandbox is tested: starts `echo` and `hostile`, keeps calling `echo` while `hostile`
 * does its worst, and ends the machine. The targets for `hostile` come as a line of JSON on the serial line, since only
 * the test knows the process id of the kernel.
 */
import {
  connect,
  echo,
  halt,
  in8,
  log,
  requestIoPort,
  SystemError,
  sleep,
  spawn,
  taskList,
  waitpid,
} from '../../../services/lib/index.ts';

/** Registers of the first 16550A UART. */
const RECEIVER_BUFFER = 0x3f8;
const LINE_STATUS = 0x3fd;
const DATA_READY = 0x01;

function readLine(): string {
  requestIoPort(RECEIVER_BUFFER, LINE_STATUS);
  let line = '';
  for (;;) {
    while ((in8(LINE_STATUS) & DATA_READY) === 0) sleep(5);
    const character = String.fromCharCode(in8(RECEIVER_BUFFER));
    if (character === '\n') return line;
    line += character;
  }
}

function hasEnded(pid: number): { status: number; signal: number } | null {
  try {
    return waitpid(pid, 20);
  } catch (error) {
    if (error instanceof SystemError && error.code === 'ETIMEDOUT') return null;
    throw error;
  }
}

function main(): void {
  const victim = spawn('echo');
  const server = connect(echo, 'echo');
  server.echo('ready');
  const victimPid = taskList().find(({ pid }) => pid === victim)?.host;
  const targets = JSON.stringify({ ...(JSON.parse(readLine()) as object), victimPid });
  const attacker = spawn('hostile', [targets]);
  let echoes = 0;
  let wrong = 0;
  let end = hasEnded(attacker);
  while (end === null) {
    echoes++;
    if (server.echo(echoes) !== echoes) wrong++;
    end = hasEnded(attacker);
  }
  const victimLives = taskList().some(({ pid, state }) => pid === victim && state !== 'ZOMBIE');
  log(`RESULT ${JSON.stringify({ summary: { echoes, wrong, victimLives, ...end } })}`);
  halt(0, false);
}

main();
