/**
 * Init of the machines in which a service attacks the others: calls `echo` all the time, with the time each call takes,
 * before the attack and during it; then ends the attacker, looks at what is left, and ends the machine. `--exec`
 * carries the way of the attack and how long it goes on, as JSON.
 */
import {
  bootArguments,
  connect,
  echo,
  halt,
  ipcCreateNamedPort,
  ipcCreatePort,
  ipcInfo,
  ipcTryRecv,
  kill,
  log,
  memoryInformation,
  SystemError,
  sleep,
  spawn,
  taskList,
  uptime,
} from '../../../services/lib/index.ts';

const { way, milliseconds } = JSON.parse(bootArguments().exec ?? '') as { way: string; milliseconds: number };

const notices = ipcCreatePort();
// Never received from.
ipcCreateNamedPort('sink');
spawn('echo');
const server = connect(echo, 'echo');
const wrong: string[] = [];
let calls = 0;
let resident = 0;

/** Makes calls for a time, or until `over` says so; answers how long each took, in milliseconds, shortest first. */
function measure(duration: number, over: () => boolean): { median: number; high: number; worst: number } {
  const times: number[] = [];
  const end = uptime() + duration;
  for (let now = uptime(); now < end && !over(); ) {
    const value = `${calls++} ${'y'.repeat(calls % 200)}`;
    try {
      const got = server.echo(value);
      if (got !== value) wrong.push(`${String(got)} for ${value}`);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      wrong.push(error.code);
    }
    const then = now;
    now = uptime();
    times.push(now - then);
    if (calls % 20 === 0) resident = Math.max(resident, memoryInformation().kernelResident);
  }
  times.sort((a, b) => a - b);
  const at = (part: number): number => Math.round((times[Math.floor((times.length - 1) * part)] ?? 0) * 100) / 100;
  return { median: at(0.5), high: at(0.95), worst: at(1) };
}

function noticed(): unknown {
  return ipcTryRecv([notices])?.data;
}

measure(60, () => false);
const before = { ...measure(60, () => false), resident: memoryInformation().kernelResident };
const attacker = spawn('attacker', [way], notices);
resident = 0;
let end: unknown;
const during = measure(milliseconds, () => {
  end ??= noticed();
  return end !== undefined;
});
const rows = taskList();
const state = rows.find(({ pid }) => pid === attacker)?.state;
const tasks = rows.length;
if (end === undefined) kill(attacker, 'KILL');
while (end === undefined) {
  end = noticed();
  sleep(1);
}
const after = measure(60, () => false);
const ports = ipcInfo().length;
log(
  `RESULT ${JSON.stringify({
    ...{ before, during, after, state, tasks, ports, end, wrong: wrong.slice(0, 5) },
    grownMebibytes: Math.round((resident - before.resident) / 1048576),
    leftMebibytes: Math.round((memoryInformation().kernelResident - before.resident) / 1048576),
  })}`,
);
halt(0, false);
