/** A job: carries out what a shell has ordered (launch.ts), in a task of its own. */
import { exit, File, startInformation, startRights } from '../lib/index.ts';
import type { Run } from './command.ts';
import { commands } from './commands/index.ts';
import { Descriptors, type Target } from './descriptors.ts';
import type { Order } from './launch.ts';
import { jobOrder } from './order-schema.ts';
import { parse } from './parser.ts';
import { Session } from './session.ts';
import { BROKEN_PIPE_STATUS, BrokenPipe } from './streams.ts';
import { Terminal } from './terminal.ts';

function descriptorsOf({ targets }: Order, terminal: Terminal): Descriptors {
  const rights = targets.some(({ file }) => file !== null) ? startRights() : [];
  let next = 0;
  const entries = targets.flatMap(({ descriptors, text, file }) => {
    const right = file === null ? undefined : rights[next++];
    let target: Target = text === null ? { kind: 'terminal' } : { kind: 'text', text };
    if (file !== null && right !== undefined) {
      const opened = new File(right, file.type, file.stream);
      opened.position = file.position;
      target = { kind: 'file', file: opened, owned: false };
    }
    return descriptors.map((descriptor) => [descriptor, target] as const);
  });
  return new Descriptors(terminal, new Map(entries));
}

/**
 * Carries out the order in the arguments of this task, which ends with its status. `runs` are commands that this
 * program runs besides those of the shell.
 */
export function runOrder(runs: Readonly<Record<string, Run>>): never {
  const terminal = new Terminal();
  const order = jobOrder.fromWire(JSON.parse(startInformation.arguments.join('')), []);
  const descriptors = descriptorsOf(order, terminal);
  const known = commands.map((command) => {
    const run = command.run === undefined && Object.hasOwn(runs, command.name) ? runs[command.name] : undefined;
    return run === undefined ? command : { ...command, run };
  });
  const session = new Session({ terminal, commands: known, jobs: null, interactive: false, descriptors });
  session.directory = order.directory;
  for (const { name, value } of order.variables) session.variables.set(name, value);
  session.status = order.status;
  if (order.words !== null) session.leave(session.runWords(order.words));
  else if (order.printed !== null) session.leave(session.print(order.printed, order.status));
  else {
    const parsed = parse(order.text ?? '');
    if (parsed.kind === 'program') session.run(parsed.program);
  }
  try {
    terminal.flush();
  } catch (error) {
    if (!(error instanceof BrokenPipe)) throw error;
    session.leave(BROKEN_PIPE_STATUS);
  }
  exit(session.status);
}
