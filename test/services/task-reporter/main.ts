/** Reports name, pid and host process id of every task each time they have changed: `TASKS {...}` lines in the log. */
import { log, sleep, taskList } from '../../../services/lib/index.ts';

let last = '';
for (;;) {
  const rows = taskList().filter(({ state }) => state !== 'ZOMBIE' && state !== 'STARTING');
  const text = JSON.stringify(Object.fromEntries(rows.map(({ name, host }) => [name, host])));
  if (text !== last) log(`TASKS ${text}`);
  last = text;
  sleep(10);
}
