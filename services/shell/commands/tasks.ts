/** Commands on tasks: ps, kill, caps, sched. */
import { type SignalName, signals } from '../../../protocol/signal.ts';
import { scheduler, kill as sendSignal, taskCapabilities, taskList } from '../../lib/index.ts';
import { type Command, expectWords, wholeNumber } from '../command.ts';
import { about, CommandError, UsageError } from '../errors.ts';
import { formatTable, type TableColumn } from '../table.ts';

const right = (title: string): TableColumn => ({ title, align: 'right' });
const left = (title: string): TableColumn => ({ title, align: 'left' });

const MAX_PID = 0xffffffff;

/** Pids of all tasks, for completion. */
export const pids = (): readonly string[] => taskList().map(({ pid }) => String(pid));

const ps: Command = {
  name: 'ps',
  usage: '',
  about: 'Lists the tasks',
  details: [
    'HOST: process of the host that the task is. CPU: seconds of it used. SWITCHES: times it was given a CPU.',
    'MESSAGES: sent and received. INC: incarnation of the service. MEM: resident memory.',
  ],
  kind: 'here',
  run: ({ words, lines }) => {
    expectWords(words, 0, 0);
    const columns = [
      ...['PID', 'HOST', 'PPID'].map(right),
      left('STATE'),
      ...['CPU', 'SWITCHES', 'MESSAGES', 'INC', 'MEM'].map(right),
      left('NAME'),
    ];
    const rows = taskList().map((task) => [
      ...[String(task.pid), task.host === 0 ? '-' : String(task.host), String(task.parent), task.state],
      ...[(task.cpuMilliseconds / 1000).toFixed(3), String(task.switches), String(task.messages)],
      ...[String(task.incarnation), `${(task.memoryBytes / 1048576).toFixed(1)}M`, task.name],
    ]);
    // The head line is the same for every table, so that scripts can look for it.
    lines(columns.map(({ title }) => title).join(' '), ...formatTable(columns, rows).slice(1));
    return 0;
  },
};

function signalOf(word: string): number {
  const name = word.replace(/^SIG/i, '').toUpperCase();
  if (Object.hasOwn(signals, name)) return signals[name as SignalName];
  const number = Number(name);
  if (Object.values(signals).some((known) => known === number)) return number;
  throw new UsageError(`${word}: no such signal; there are ${Object.keys(signals).join(', ')}`);
}

const kill: Command = {
  name: 'kill',
  usage: '[-SIGNAL] PID …',
  about: 'Sends a signal to tasks',
  details: [
    `Signals: ${Object.entries(signals)
      .map(([name, number]) => `${name} ${number}`)
      .join(', ')}. Without one: TERM. %N stands for a job with all its tasks.`,
  ],
  kind: 'here',
  complete: () => [...pids(), ...Object.keys(signals).map((name) => `-${name}`)],
  run: ({ words, shell, complain }) => {
    const [first = ''] = words;
    const named = first.startsWith('-') && first.length > 1;
    const signal = named ? signalOf(first.slice(1)) : signals.TERM;
    const targets = expectWords(named ? words.slice(1) : words, 1, Number.POSITIVE_INFINITY);
    let status = 0;
    for (const target of targets) {
      try {
        const job = target.startsWith('%') ? shell.jobs?.find(target) : undefined;
        if (job?.state === 'ended') throw new CommandError(`${target}: the job has ended`);
        if (job !== undefined) shell.jobs?.send(job, signal);
        else {
          const pid = wholeNumber(target, 'PID', 1, MAX_PID);
          about(target, () => sendSignal(pid, signal));
        }
      } catch (error) {
        if (!(error instanceof CommandError)) throw error;
        complain(error.message);
        status = 1;
      }
    }
    return status;
  },
};

const caps: Command = {
  name: 'caps',
  usage: 'PID',
  about: 'Lists the capabilities of a task',
  kind: 'here',
  complete: pids,
  run: ({ words, lines }) => {
    const [word = ''] = expectWords(words, 1, 1);
    const pid = wholeNumber(word, 'PID', 1, MAX_PID);
    const rows = about(word, () => taskCapabilities(pid)).map((row) => [
      ...[`0x${row.handle.toString(16)}`, row.kind, row.badge === 0 ? '' : String(row.badge), row.what],
    ]);
    lines(...formatTable([right('HANDLE'), left('KIND'), right('BADGE'), left('TO')], rows));
    return 0;
  },
};

const sched: Command = {
  name: 'sched',
  usage: '[POLICY]',
  about: 'Shows the scheduling policy and its figures, or changes the policy',
  kind: 'here',
  complete: () => scheduler().policies,
  run: ({ words, lines }) => {
    const [policy] = expectWords(words, 0, 1);
    if (policy !== undefined && !scheduler().policies.includes(policy))
      throw new CommandError(`${policy}: no such policy; there are ${scheduler().policies.join(', ')}`);
    const state = policy === undefined ? scheduler() : about(policy, () => scheduler(policy));
    lines(
      `policy       ${state.policy} (of ${state.policies.join(', ')})`,
      `CPUs         ${state.cpus}`,
      `switches     ${state.switches}`,
      `pre-emptions ${state.preemptions}`,
      `ready        ${state.ready}`,
    );
    return 0;
  },
};

export const taskCommands: readonly Command[] = [ps, kill, caps, sched];
