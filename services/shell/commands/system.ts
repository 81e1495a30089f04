/** Commands on the system as a whole: uptime, dmesg, crash, mem, ipcinfo. */
import {
  crashList,
  crashShow,
  ipcInfo,
  dmesg as logLines,
  memoryInformation,
  taskList,
  time,
  uptime as uptimeMs,
} from '../../lib/index.ts';
import { type Command, expectWords, wholeNumber } from '../command.ts';
import { about, CommandError, UsageError } from '../errors.ts';
import { formatBytes, formatMilliseconds, formatTable, type TableColumn } from '../table.ts';
import { visibleText } from '../width.ts';

const right = (title: string): TableColumn => ({ title, align: 'right' });
const left = (title: string): TableColumn => ({ title, align: 'left' });

/** Seconds of uptime, as the log shows them. */
const seconds = (milliseconds: number): string => (milliseconds / 1000).toFixed(3);

const levels: readonly [number, string][] = [
  [60, 'fatal '],
  [50, 'error '],
  [40, 'warn  '],
  [30, 'info  '],
];

const uptime: Command = {
  name: 'uptime',
  usage: '',
  about: 'Tells the date, and how long the machine has been up',
  kind: 'here',
  run: ({ words, lines }) => {
    expectWords(words, 0, 0);
    const date = new Date(time()).toISOString().replace('T', ' ').slice(0, 19);
    lines(`${date} UTC, up ${formatMilliseconds(uptimeMs())}, ${taskList().length} tasks`);
    return 0;
  },
};

const dmesg: Command = {
  name: 'dmesg',
  usage: '[-n COUNT]',
  about: 'Shows the kernel log',
  details: ['-n: only the last lines, so many of them. Times in seconds since the machine was switched on.'],
  kind: 'here',
  run: ({ words, lines }) => {
    const [option, count = ''] = expectWords(words, 0, 2);
    if (option !== undefined && option !== '-n') throw new UsageError(`${option}: no such option`);
    if (option !== undefined) expectWords(words, 2, 2);
    const most = option === undefined ? 4096 : wholeNumber(count, 'COUNT', 1, 4096);
    for (const { time, level, source, text } of logLines(most)) {
      const [, name = 'debug '] = levels.find(([least]) => level >= least) ?? [];
      lines(`[${seconds(time).padStart(9)}] ${name}${visibleText(source)}: ${visibleText(text)}`);
    }
    return 0;
  },
};

const crash: Command = {
  name: 'crash',
  usage: 'list | show NUMBER',
  about: 'Lists the crash records of services, or shows one',
  kind: 'here',
  complete: (words) => (words.length === 1 ? ['list', 'show'] : crashList().map(({ number }) => String(number))),
  run: ({ words, lines }) => {
    const [action = 'list', number = ''] = words;
    if (action === 'list') {
      expectWords(words, 0, 1);
      const columns = [...['NUMBER', 'TIME', 'PID', 'INC'].map(right), left('NAME'), left('REASON')];
      const rows = crashList().map((row) => [
        ...[String(row.number), seconds(row.time), String(row.pid), String(row.incarnation), row.name, row.reason],
      ]);
      lines(...formatTable(columns, rows));
      return 0;
    }
    if (action !== 'show') throw new UsageError(`${action}: expected list or show`);
    expectWords(words, 2, 2);
    const wanted = wholeNumber(number, 'NUMBER', 0, 0xffffffff);
    if (!crashList().some((row) => row.number === wanted)) throw new CommandError(`${number}: there is no such record`);
    const record = about(number, () => crashShow(wanted));
    lines(
      `crash ${record.number}: ${record.name}, pid ${record.pid}, incarnation ${record.incarnation}, at ${seconds(record.time)} s`,
      `reason: ${visibleText(record.reason)}`,
      record.output.length === 0 ? 'it left no words' : 'last words:',
      ...record.output.map((line) => `  ${visibleText(line)}`),
      'last frames, oldest first:',
      ...record.frames.map((line) => `  ${visibleText(line)}`),
    );
    return 0;
  },
};

const mem: Command = {
  name: 'mem',
  usage: '',
  about: 'Shows memory: host, kernel, messages, stores, tasks',
  kind: 'here',
  run: ({ words, lines }) => {
    expectWords(words, 0, 0);
    const memory = memoryInformation();
    const tasks = taskList().reduce((sum, task) => sum + task.memoryBytes, 0);
    const rows: [string, number][] = [
      ['host, all', memory.hostTotal],
      ['host, free', memory.hostFree],
      ['kernel process', memory.kernelResident],
      ['kernel heap', memory.kernelHeap],
      ['messages in ports', memory.messages],
      ['recovery stores', memory.stores],
      ['tasks, resident', tasks],
    ];
    const columns = [left('WHAT'), right('SIZE')];
    lines(
      ...formatTable(
        columns,
        rows.map(([what, bytes]) => [what, formatBytes(bytes)]),
      ),
    );
    return 0;
  },
};

const ipcinfo: Command = {
  name: 'ipcinfo',
  usage: '',
  about: 'Lists the ports with their counters',
  details: [
    'WAIT: messages in the queue. OWED: requests received and not answered. AGAIN: delivered again after a crash.',
    'REFUSED: the queue was full. FAILED: ended with an error without the service.',
  ],
  kind: 'here',
  run: ({ words, lines }) => {
    expectWords(words, 0, 0);
    const columns = [
      ...[right('PORT'), left('NAME'), left('OWNER')],
      ...['RECEIVER', 'WAIT', 'OWED', 'SENT', 'RECEIVED', 'AGAIN', 'REFUSED', 'FAILED'].map(right),
    ];
    const rows = ipcInfo().map((row) => [
      ...[
        String(row.port),
        row.name === '' ? '-' : row.name,
        row.owner,
        row.receiver === 0 ? '-' : String(row.receiver),
      ],
      ...[row.queued + row.waiting, row.owed, row.sent, row.received, row.redelivered, row.refused, row.failed].map(
        String,
      ),
    ]);
    lines(...formatTable(columns, rows));
    return 0;
  },
};

export const systemCommands: readonly Command[] = [uptime, dmesg, crash, mem, ipcinfo];
