/**
 * Commands of the shell itself: help, screen, text, variables, ends. Read POSIX, Shell & Utilities, 2.14 (Special
 * Built-In Utilities).
 */
import { type Command, expectWords, wholeNumber } from '../command.ts';
import { CommandError, UsageError } from '../errors.ts';
import { helpOf } from '../session.ts';
import { formatTable } from '../table.ts';

const help: Command = {
  name: 'help',
  usage: '[COMMAND]',
  about: 'Lists the commands, or explains one',
  kind: 'here',
  complete: (_words, _services, shell) => [...shell.commands.keys()],
  run: ({ words, shell, lines }) => {
    const [name] = expectWords(words, 0, 1);
    if (name !== undefined) {
      const command = shell.commands.get(name);
      if (command === undefined) throw new CommandError(`${name}: no such command`);
      lines(...helpOf(command));
      return 0;
    }
    const left = { align: 'left' } as const;
    const columns = [
      { ...left, title: 'COMMAND' },
      { ...left, title: 'WHAT IT DOES' },
    ];
    lines(
      ...formatTable(
        columns,
        [...shell.commands.values()].map((command) => [command.name, command.about]),
      ),
    );
    lines(
      '',
      'Quotes, $NAME, NAME=value, ;, &&, ||, !, &, #, |, <, >, >>, 2>, 2>&1, <<<, *, ? and […] work as in a POSIX shell; ~ is /.',
      "'help COMMAND' tells more.",
    );
    return 0;
  },
};

const clear: Command = {
  name: 'clear',
  usage: '',
  about: 'Clears the screen',
  kind: 'here',
  run: ({ words, print }) => {
    expectWords(words, 0, 0);
    print('\x1b[H\x1b[2J\x1b[3J');
    return 0;
  },
};

const echo: Command = {
  name: 'echo',
  usage: '[-n] [WORD …]',
  about: 'Prints its words',
  details: ['-n: without a newline at the end'],
  kind: 'here',
  run: ({ words, print }) => {
    const open = words[0] === '-n';
    print(words.slice(open ? 1 : 0).join(' ') + (open ? '' : '\n'));
    return 0;
  },
};

const constant = (name: string, status: number): Command => ({
  name,
  usage: '',
  about: `Does nothing, with exit status ${status}`,
  kind: 'here',
  run: () => status,
});

const set: Command = {
  name: 'set',
  usage: '',
  about: 'Lists the variables; NAME=value sets one',
  kind: 'here',
  run: ({ words, shell, lines }) => {
    expectWords(words, 0, 0);
    const quoted = (value: string): string => `'${value.replaceAll("'", "'\\''")}'`;
    lines(
      ...[...shell.variables].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => `${name}=${quoted(value)}`),
    );
    return 0;
  },
};

const unset: Command = {
  name: 'unset',
  usage: 'NAME …',
  about: 'Forgets variables',
  kind: 'here',
  complete: (_words, _services, shell) => [...shell.variables.keys()],
  run: ({ words, shell }) => {
    for (const name of expectWords(words, 1, Number.POSITIVE_INFINITY)) {
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw new UsageError(`${name}: not a name`);
      shell.variables.delete(name);
    }
    return 0;
  },
};

const history: Command = {
  name: 'history',
  usage: '',
  about: 'Lists the lines entered before',
  kind: 'here',
  ofShell: true,
  run: ({ words, shell, lines }) => {
    expectWords(words, 0, 0);
    lines(...shell.history().map((line, index) => `${String(index + 1).padStart(5)}  ${line}`));
    return 0;
  },
};

const statusOf = (words: readonly string[], otherwise: number): number => {
  const [word] = expectWords(words, 0, 1);
  return word === undefined ? otherwise : wholeNumber(word, 'STATUS', 0, 255);
};

const exit: Command = {
  name: 'exit',
  usage: '[STATUS]',
  about: 'Ends the session, and the machine with it',
  details: ['In a script it ends the script. The status is that of the last command unless one is given.'],
  kind: 'here',
  run: ({ words, shell }) => {
    const status = statusOf(words, shell.status);
    shell.leave(status);
    return status;
  },
};

const halt: Command = {
  name: 'halt',
  usage: '[STATUS]',
  about: 'Ends the machine with an exit status (0 unless one is given)',
  kind: 'here',
  run: ({ words, shell }) => {
    const status = statusOf(words, 0);
    shell.endMachine(status, false);
    return status;
  },
};

const reboot: Command = {
  name: 'reboot',
  usage: '',
  about: 'Starts the machine again',
  details: ['What has been read of a script is lost with it: the machine goes on with what comes next of its input.'],
  kind: 'here',
  run: ({ words, shell }) => {
    expectWords(words, 0, 0);
    shell.endMachine(0, true);
    return 0;
  },
};

export const basicCommands: readonly Command[] = [
  ...[help, clear, echo, constant('true', 0), constant('false', 1), set, unset, history],
  ...[exit, halt, reboot],
];
