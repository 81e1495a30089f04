/**
 * shell: the command line. It talks to the user, or runs a script and ends the machine with its status. What it orders
 * to be done in tasks of their own is in job/, tools/ and network/.
 */
import { bootArguments, sleep } from '../lib/index.ts';
import { commands } from './commands/index.ts';
import { Descriptors } from './descriptors.ts';
import { KeptHistory, Prompt } from './interactive.ts';
import { JobTable } from './jobs.ts';
import { greet, keep, recover } from './recovery.ts';
import { Script, terminalSource, textSource } from './script.ts';
import { Session } from './session.ts';
import { Terminal } from './terminal.ts';

/** Runs a shell until the machine is to end. */
function shell(): void {
  // A script goes on when nobody sees what it shows; the commands that it starts are told.
  const terminal = new Terminal(true);
  const { exec } = bootArguments();
  const interactive = exec === null && terminal.size().terminal;
  const history = new KeptHistory();
  const jobs = new JobTable(terminal);
  const session: Session = new Session({
    ...{ terminal, commands, jobs, interactive, descriptors: Descriptors.standard(terminal) },
    history: () => history.lines,
    changed: () => keep(session),
  });
  const left = recover(session);
  if (interactive) {
    greet(terminal);
    new Prompt(terminal, session, history).loop();
  } else {
    const source = exec === null ? terminalSource(terminal) : textSource(left === undefined ? exec : '');
    new Script(session, source, left?.rest, left?.line).run();
  }
  terminal.flush();
  if (!session.machineEnding) session.endMachine(session.status, false);
  // init ends this task.
  for (;;) sleep(0x7fffffff);
}

shell();
