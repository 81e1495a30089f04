/**
 * The scenarios of the integration tests. As init it runs the cases whose name came with `--exec`; with the argument `puppet` it is a puppet of
 * init (puppet.ts).
 */
import { bootArguments, startInformation } from '../../../services/lib/index.ts';
import { type Cases, runCases } from './check.ts';
import { messageCases } from './messages.ts';
import { portCases } from './ports.ts';
import { obey } from './puppet.ts';
import { rightCases } from './rights.ts';
import { tidy } from './tidy.ts';

const scenarios: Readonly<Record<string, Cases>> = { ports: portCases, messages: messageCases, rights: rightCases };

if (startInformation.arguments[0] === 'puppet') obey();
else runCases(scenarios[bootArguments().exec ?? ''] ?? {}, tidy);
