/**
 * Init of the machines that the tests end: starts tasks in every state there is, reports how fresh its own state is,
 * and then does what comes on the serial line:
 * `h` halts with status 7, `r` reboots, `w` writes much to the serial line and halts with status 9.
 */
import {
  getpid,
  halt,
  in8,
  kill,
  log,
  out8,
  requestIoPort,
  sleep,
  spawn,
  startInformation,
  storeKeys,
  storePut,
  taskList,
} from '../../../services/lib/index.ts';

/** Registers of the first 16550A UART. */
const DATA = 0x3f8;
const LINE_STATUS = 0x3fd;
const DATA_READY = 0x01;

/** More than any pipe between kernel and test holds. */
const MUCH_BYTES = 200_000;

function command(): string {
  while ((in8(LINE_STATUS) & DATA_READY) === 0) sleep(5);
  return String.fromCharCode(in8(DATA));
}

function statesNow(): string[] {
  return taskList().map(({ state }) => state);
}

function main(): void {
  requestIoPort(DATA, LINE_STATUS);
  spawn('occupied', ['wait']);
  const loops = [spawn('occupied', ['loop']), spawn('occupied', ['loop'])];
  const stoppedAtStart = spawn('occupied', ['loop']);
  kill(stoppedAtStart, 'STOP');
  const stoppedLater = spawn('occupied', ['loop']);
  let states = statesNow();
  while (states.includes('STARTING') || !states.includes('BLOCKED')) {
    sleep(5);
    states = statesNow();
  }
  kill(stoppedLater, 'STOP');
  states = statesNow();
  const { incarnation } = startInformation;
  log(`RESULT ${JSON.stringify({ pid: getpid(), incarnation, keys: storeKeys(), states })}`);
  storePut('left by an earlier boot', true);
  const wanted = command();
  if (wanted === 'w') {
    for (const pid of loops) kill(pid, 'KILL');
    for (let count = 0; count < MUCH_BYTES; count++) out8(DATA, 0x2e);
  }
  if (wanted === 'r') halt(0, true);
  else halt(wanted === 'w' ? 9 : 7, false);
}

main();
