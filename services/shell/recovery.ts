/**
 * What a new incarnation of the shell does with what it finds: it says why it is there, ends the jobs of its
 * predecessor, takes variables, working directory and script over.
 */
import { list, nullable, record, type Schema, text } from '../../protocol/schema.ts';
import { MAX_PATH_BYTES } from '../../protocol/vfs.ts';
import { crashList, kill, log, SystemError, startInformation, storeGet, storePut, taskList } from '../lib/index.ts';
import { jobPrograms } from './launch.ts';
import { keptScript } from './script.ts';
import type { Session } from './session.ts';
import type { Terminal } from './terminal.ts';

const VARIABLES_KEY = 'variables';
const DIRECTORY_KEY = 'directory';
const MAX_VARIABLES = 4096;
const MAX_VARIABLE_BYTES = 256 * 1024;

const variable = record({ name: text(MAX_VARIABLE_BYTES), value: text(MAX_VARIABLE_BYTES) });
const variableList = list(variable, MAX_VARIABLES);

const directories = record({ directory: text(4 * MAX_PATH_BYTES), previous: nullable(text(4 * MAX_PATH_BYTES)) });

/** What the store holds, as text, by key. */
const kept = new Map([
  [VARIABLES_KEY, '[]'],
  [DIRECTORY_KEY, '["/",null]'],
]);

function put(key: string, value: unknown): void {
  const asText = JSON.stringify(value);
  if (asText === kept.get(key)) return;
  kept.set(key, asText);
  try {
    storePut(key, value);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    log(`${key} not kept: ${error.message}`, 'warning');
  }
}

/** Keeps variables and working directory in the recovery store, where they have changed. */
export function keep({ variables, directory, previousDirectory }: Session): void {
  const entries = [...variables].map(([name, value]) => ({ name, value }));
  put(VARIABLES_KEY, variableList.toWire(entries, []));
  put(DIRECTORY_KEY, directories.toWire({ directory, previous: previousDirectory }, []));
}

function take<T>(key: string, schema: Schema<T>, use: (value: T) => void): void {
  const stored = storeGet(key);
  if (stored === undefined) return;
  try {
    use(schema.fromWire(stored, []));
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    log(`${key} dropped: ${error.message}`, 'warning');
  }
}

function takeKept(session: Session): void {
  take(VARIABLES_KEY, variableList, (rows) => {
    for (const { name, value } of rows) session.variables.set(name, value);
  });
  take(DIRECTORY_KEY, directories, ({ directory, previous }) => {
    session.directory = directory;
    session.previousDirectory = previous;
  });
}

/** Jobs of a shell that is gone get SIGHUP, as at the end of a login session. Answers how many there were. */
function endJobs(): number {
  const left = taskList().filter(({ name, state }) => jobPrograms.includes(name) && state !== 'ZOMBIE');
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
  takeKept(session);
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
