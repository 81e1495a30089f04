/**
 * job: what the shell orders to be done in a task of its own: commands that may take long, stages of pipelines,
 * background lists.
 */
import { runOrder } from '../order.ts';
import { jobRuns } from './runs.ts';

runOrder(jobRuns);
