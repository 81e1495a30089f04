/** The scheduler with real processes on a machine with one CPU. */
import { schedulingCases } from '../services/scenario/scheduling.ts';
import { describeScenario, puppetManifests } from '../support/scenario.ts';

const entry = 'test/services/scenario';
const manifests = [
  ...puppetManifests,
  { name: 'urgent', entry, looksUp: ['init'], priority: 2 },
  { name: 'patient', entry, looksUp: ['init'], priority: 30 },
];

describeScenario('scheduling', 'scheduling', Object.keys(schedulingCases), manifests, ['--no-disk', '--smp', '1']);
