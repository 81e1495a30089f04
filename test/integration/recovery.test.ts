/** What happens when tasks die: requests come again, callers are told, records are kept, nothing is left over. */
import { recoveryCases } from '../services/scenario/recovery.ts';
import { describeScenario } from '../support/scenario.ts';

describeScenario('recovery', 'recovery', Object.keys(recoveryCases));
