/** The scheduler and its policies: the one file of this folder that others import. */

import { CompletelyFairPolicy } from './cfs.ts';
import { HighestResponseRatioPolicy } from './hrrn.ts';
import type { Policy, Schedulable } from './policy.ts';
import { PriorityPolicy } from './priority.ts';
import { RoundRobinPolicy } from './round-robin.ts';

export type { Policy, ReadyReason, Schedulable } from './policy.ts';
export { Scheduler, type SchedulerOptions, type SchedulerTaskState } from './scheduler.ts';

/** The names of the policies, the default first. */
export const policyNames = ['rr', 'priority', 'hrrn', 'cfs'] as const;

export type PolicyName = (typeof policyNames)[number];

/** Whether a string, from the command line say, names a policy. */
export function isPolicyName(name: string): name is PolicyName {
  return (policyNames as readonly string[]).includes(name);
}

/**
 * Makes an empty policy: `rr` virtual round robin, `priority` with ageing, `hrrn` response ratio, `cfs` fair shares.
 */
export function createPolicy<T extends Schedulable>(name: PolicyName): Policy<T> {
  switch (name) {
    case 'rr':
      return new RoundRobinPolicy<T>();
    case 'priority':
      return new PriorityPolicy<T>();
    case 'hrrn':
      return new HighestResponseRatioPolicy<T>();
    case 'cfs':
      return new CompletelyFairPolicy<T>();
  }
}
