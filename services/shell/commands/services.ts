/** The command `service`: what init supervises (protocol/init.ts). */
import { init } from '../../lib/index.ts';
import { type Command, expectWords } from '../command.ts';
import { about, UsageError } from '../errors.ts';
import { formatTable, type TableColumn } from '../table.ts';

const actions = ['list', 'start', 'stop', 'restart', 'enable', 'disable', 'inspect'] as const;
type Action = (typeof actions)[number];

const done: Readonly<Record<Exclude<Action, 'list' | 'inspect'>, string>> = {
  start: 'started',
  stop: 'stopped',
  restart: 'restarted',
  enable: 'enabled and started',
  disable: 'disabled and stopped',
};

const right = (title: string): TableColumn => ({ title, align: 'right' });
const left = (title: string): TableColumn => ({ title, align: 'left' });

export const service: Command = {
  name: 'service',
  usage: 'list | start NAME | stop NAME | restart NAME | enable NAME | disable NAME | inspect NAME',
  about: 'Shows or changes which services run',
  details: [
    "inspect: restarts the service under Node's inspector and prints the address for a debugger. Such an incarnation",
    'runs outside the sandbox.',
  ],
  kind: 'here',
  complete: (words, services) =>
    words.length === 1
      ? actions
      : services
          .client(init, 'init')
          .list()
          .map(({ name }) => name),
  run: ({ words, services, lines }) => {
    const [word = 'list'] = words;
    const action = actions.find((name) => name === word);
    if (action === undefined) throw new UsageError(`${word}: expected one of ${actions.join(', ')}`);
    const client = services.client(init, 'init');
    if (action === 'list') {
      expectWords(words, 0, 1);
      const columns = [
        ...[left('NAME'), left('STATE'), right('PID'), right('INC'), right('RESTARTS'), left('POLICY')],
        ...[left('ENABLED'), left('DETAIL')],
      ];
      const rows = client
        .list()
        .map((row) => [
          ...[row.name, row.state, row.pid === 0 ? '-' : String(row.pid), String(row.incarnation)],
          ...[String(row.restarts), row.policy, row.enabled ? 'yes' : 'no', row.detail],
        ]);
      lines(...formatTable(columns, rows));
      return 0;
    }
    const [, name = ''] = expectWords(words, 2, 2);
    if (action === 'inspect') {
      const address = about(name, () => client.inspect(name));
      lines(`${name}: the inspector listens on ${address}; the service runs outside the sandbox until it is restarted`);
      return 0;
    }
    about(name, () => client[action](name));
    lines(`${name}: ${done[action]}`);
    return 0;
  },
};
