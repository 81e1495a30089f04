/** Ports, messages and capabilities in a running machine, seen by tasks that are processes of their own. */
import { messageCases } from '../services/scenario/messages.ts';
import { portCases } from '../services/scenario/ports.ts';
import { rightCases } from '../services/scenario/rights.ts';
import { describeScenario } from '../support/scenario.ts';

describeScenario('ports', 'ports', Object.keys(portCases));
describeScenario('messages', 'messages', Object.keys(messageCases));
describeScenario('rights', 'rights', Object.keys(rightCases));
