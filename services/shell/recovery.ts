/** What a new incarnation of the shell does with what it finds: it says why it is there, ends the jobs of its predecessor, takes variables and script over. */
import { list, record, text } from '../../protocol/schema.ts';
import { crashList, kill, log, SystemError, startInformation, storeGet, storePut, taskList } from '../lib/index.ts';
import { JOB_PROGRAM } from './jobs.ts';
import { keptScript } from './script.ts';
import type { Session } from './session.ts';
import type { Terminal } from './terminal.ts';

const VARIABLES_KEY = 'variables';
const MAX_VARIABLES = 4096;
const MAX_VARIABLE_BYTES = 256 * 1024;

const variable = record({ name: text(MAX_VARIABLE_BYTES), value: text(MAX_VARIABLE_BYTES) });
const variableList = list(variable, MAX_VARIABLES);

let keptText = '[]';

/** Keeps the variables in the recovery store, if they have changed. */
export function keepVariables(variables: ReadonlyMap<string, string>): void {
  const entries = [...variables].map(([name, value]) => ({ name, value }));
  const asText = JSON.stringify(entries);
  if (asText === keptText) return;
  keptText = asText;
  try {
    storePut(VARIABLES_KEY, variableList.toWire(entries, []));
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    log(`variables not kept: ${error.message}`, 'warning');
  }
}

function takeVariables(variables: Map<string, string>): void {
  const stored = storeGet(VARIABLES_KEY);
  if (stored === undefined) return;
  try {
    for (const { name, value } of variableList.fromWire(stored, [])) variables.set(name, value);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    log(`variables dropped: ${error.message}`, 'warning');
  }
}

/** Jobs of a shell that is gone get SIGHUP, as at the end of a login session. Answers how many there were. */
function endJobs(): number {
  const left = taskList().filter(({ name, state }) => name === JOB_PROGRAM && state !== 'ZOMBIE');
  for (const { pid } of left) {
    try {
      kill(pid, 'HUP');
    } catch (error) {
      // It has just ended.
      if (!(error instanceof SystemError) || error.code !== 'ESRCH') throw error;
    }
  }
  return left.length;
}

/** Goes on where an earlier incarnation stopped. Answers the script it had not finished, if any. */
export function recover(session: Session): { rest: string; line: number } | undefined {
  const { incarnation, name } = startInformation;
  if (incarnation === 1) return undefined;
  const record = crashList().findLast((crash) => crash.name === name && crash.incarnation === incarnation - 1);
  const jobs = endJobs();
  takeVariables(session.variables);
  const script = keptScript();
  session.flush();
  const why = record === undefined ? 'restarted' : `died: ${record.reason} (crash record ${record.number})`;
  session.complain(
    `\nshell: the last incarnation ${record === undefined ? 'was ' : ''}${why}; this is number ${incarnation}`,
  );
  if (jobs > 0) session.complain(`shell: its ${jobs} job${jobs === 1 ? ' was' : 's were'} ended`);
  if (script !== undefined) {
    session.complain('shell: the command under way may be undone or half done; the script goes on behind it');
    session.status = 1;
  }
  return script;
}

/** Says what this is, once. */
export function greet(terminal: Terminal): void {
  if (startInformation.incarnation === 1) terminal.print("Type 'help' for the commands; end with 'exit' or ^D.\n");
}
