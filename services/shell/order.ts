/** A job: carries out what a shell has ordered (jobs.ts), in a task of its own. */
import { startInformation } from '../lib/index.ts';
import type { Command } from './command.ts';
import { jobOrder } from './order-schema.ts';
import { parse } from './parser.ts';
import { Session } from './session.ts';
import type { Terminal } from './terminal.ts';

/** Carries out the order in the arguments of this task. Answers the exit status. */
export function runOrder(terminal: Terminal, commands: readonly Command[]): number {
  const [argument = ''] = startInformation.arguments;
  const order = jobOrder.fromWire(JSON.parse(argument), []);
  const session = new Session({ terminal, commands, jobs: null, interactive: false });
  for (const { name, value } of order.variables) session.variables.set(name, value);
  session.status = order.status;
  if (order.words !== null) session.leave(session.runWords(order.words));
  else {
    const parsed = parse(order.text ?? '');
    if (parsed.kind === 'program') session.run(parsed.program);
  }
  terminal.flush();
  return session.status;
}
