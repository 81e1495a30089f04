/**
 * The scenarios of the integration tests. As init it runs the cases whose name came with `--exec`; with the argument
 * `puppet` it is a puppet of init (puppet.ts), with `sleep` it sleeps, with `end` it ends.
 */
import { bootArguments, exit, sleep, startInformation } from '../../../services/lib/index.ts';
import { type Cases, runCases } from './check.ts';
import { deviceCases } from './devices.ts';
import { dieAlways, dieLate, dieOnce } from './init-death.ts';
import { messageCases } from './messages.ts';
import { portCases } from './ports.ts';
import { obey } from './puppet.ts';
import { pythonCases } from './python.ts';
import { recoveryCases } from './recovery.ts';
import { rightCases } from './rights.ts';
import { schedulingCases } from './scheduling.ts';
import { taskCases } from './tasks.ts';
import { tidy } from './tidy.ts';
import { timeCases } from './time.ts';

const scenarios: Readonly<Record<string, Cases>> = {
  ports: portCases,
  messages: messageCases,
  rights: rightCases,
  recovery: recoveryCases,
  tasks: taskCases,
  devices: deviceCases,
  time: timeCases,
  python: pythonCases,
  scheduling: schedulingCases,
};

const name = bootArguments().exec ?? '';
if (startInformation.arguments[0] === 'puppet') obey();
else if (startInformation.arguments[0] === 'sleep') sleep(600_000);
else if (startInformation.arguments[0] === 'end') exit(Number(startInformation.arguments[1] ?? 0));
else if (name === 'die once') dieOnce();
else if (name === 'die always') dieAlways();
else if (name === 'die late') dieLate();
else runCases(scenarios[name] ?? {}, tidy);
