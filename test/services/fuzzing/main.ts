/**
 * Init of the machine in which the system calls are fuzzed: keeps two fuzzers alive, each incarnation with the next
 * seed, until together they have sent so many frames; meanwhile it checks that `echo` answers rightly. `--exec` carries
 * seed and number of frames as JSON. At the end nothing of the fuzzers may be left.
 */
import {
  bootArguments,
  connect,
  echo,
  halt,
  ipcCreatePort,
  ipcInfo,
  ipcTryRecv,
  kill,
  log,
  memoryInformation,
  SystemError,
  serviceLost,
  sleep,
  spawn,
  storeGet,
  storePut,
  taskList,
  uptime,
  waitpid,
} from '../../../services/lib/index.ts';

/** Frames one incarnation sends, if it lives so long. */
const QUOTA = 2000;
/** One that has not made a call for so long is held: it asked to wait, and was taken at its word. In milliseconds. */
const HELD_MILLISECONDS = 500;

const { seed, frames } = JSON.parse(bootArguments().exec ?? '') as { seed: number; frames: number };
const notices = ipcCreatePort();
spawn('echo');
const server = connect(echo, 'echo');

let incarnations = 0;
let handled = 0;
let held = 0;
let calls = 0;
let worst = 0;
let resident = 0;
const wrong: string[] = [];
const living = new Map<number, { name: string; calls: number; since: number }>();

function start(name: string): void {
  const pid = spawn(name, [String((seed + Math.imul(++incarnations, 0x9e3779b1)) >>> 0), String(QUOTA)], notices);
  living.set(pid, { name, calls: 0, since: uptime() });
}

function checkVictim(): void {
  const value = { number: calls++, text: 'v'.repeat(calls % 500) };
  const before = uptime();
  try {
    const got = JSON.stringify(server.echo(value));
    if (got !== JSON.stringify(value)) wrong.push(got.slice(0, 100));
    storePut('calls', calls);
    if (storeGet('calls') !== calls) wrong.push('another value in the store');
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    wrong.push(error.message);
  }
  worst = Math.max(worst, uptime() - before);
}

function end(pid: number): void {
  try {
    kill(pid, 'KILL');
  } catch (error) {
    // It has ended by itself since it was listed.
    if (!(error instanceof SystemError) || error.code !== 'ESRCH') throw error;
  }
}

/** Takes the ends of fuzzers; answers the names of those that ended. */
function reap(): string[] {
  const ended: string[] = [];
  while (ipcTryRecv([notices]) !== undefined);
  for (const row of taskList()) {
    const fuzzer = living.get(row.pid);
    if (fuzzer === undefined) continue;
    if (row.state === 'ZOMBIE') {
      handled += row.systemCalls;
      waitpid(row.pid, 0);
      living.delete(row.pid);
      ended.push(fuzzer.name);
    } else if (row.systemCalls !== fuzzer.calls) {
      fuzzer.calls = row.systemCalls;
      fuzzer.since = uptime();
    } else if (uptime() - fuzzer.since > HELD_MILLISECONDS) {
      held++;
      end(row.pid);
    }
  }
  return ended;
}

const before = memoryInformation().kernelResident;
for (const name of ['fuzzer-a', 'fuzzer-b']) start(name);
while (living.size > 0) {
  checkVictim();
  for (const name of reap()) if (handled < frames) start(name);
  if (calls % 50 === 0) resident = Math.max(resident, memoryInformation().kernelResident);
  sleep(2);
}
checkVictim();
// Their named ports wait for the next incarnation, and hold what others sent there. Nobody waits any more: all that
// ends.
for (const name of ['fuzzer-a', 'fuzzer-b']) serviceLost(name);
const ports = ipcInfo().filter(({ owner, name, owed, waiting }) => {
  const expected = ['init', 'echo'].includes(owner) || name.startsWith('fuzz-');
  return !expected || owed + waiting > 0;
});
log(
  `RESULT ${JSON.stringify({
    ...{ handled, incarnations, held, calls, worst: Math.round(worst), wrong: wrong.slice(0, 10) },
    ...{ ports, tasks: taskList().length, grownMebibytes: Math.round((resident - before) / 1048576) },
  })}`,
);
halt(0, false);
