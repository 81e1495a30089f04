/** Starts the processes of jobs: what each is told (order-schema.ts) and which rights go with it. */
import type { Infer } from '../../protocol/schema.ts';
import { type Handle, ipcRelease, SystemError, spawn } from '../lib/index.ts';
import type { Descriptors, Target } from './descriptors.ts';
import { rightFor } from './descriptors.ts';
import { CommandError, reasonOf } from './errors.ts';
import { jobOrder, MAX_ARGUMENT_BYTES, MAX_ORDER_BYTES } from './order-schema.ts';

/** Name of the program that jobs run; the same bundle as the shell. */
export const JOB_PROGRAM = 'job';

/** Name of the program with the code of the formats of file systems (tools/main.ts). */
export const TOOLS_PROGRAM = 'disktools';

/** Name of the program with the commands that use the network (network/main.ts). */
export const NETWORK_PROGRAM = 'nettools';

/** All programs that jobs run. */
export const jobPrograms: readonly string[] = [JOB_PROGRAM, TOOLS_PROGRAM, NETWORK_PROGRAM];

export type Order = Infer<typeof jobOrder>;

/** What a job prints that does nothing else. */
export type Printed = NonNullable<Order['printed']>;

/** A process to be started: a stage of a pipeline, or a whole list. */
export interface Stage {
  /** As it was written. */
  readonly text: string;
  readonly program: string;
  readonly order: Omit<Order, 'targets'>;
  /** What is owned there moves to the process. */
  readonly descriptors: Descriptors;
}

/** Descriptors by what they mean. */
function byTarget(descriptors: Descriptors): Map<Target, number[]> {
  const found = new Map<Target, number[]>();
  for (const [descriptor, target] of descriptors.entries) {
    const others = found.get(target);
    if (others === undefined) found.set(target, [descriptor]);
    else others.push(descriptor);
  }
  return found;
}

function targetsOf(descriptors: Descriptors): Order['targets'] {
  return [...byTarget(descriptors)].map(([target, numbers]) => ({
    descriptors: numbers,
    text: target.kind === 'text' ? target.text : null,
    file:
      target.kind === 'file'
        ? { type: target.file.type, stream: target.file.stream, position: target.file.position }
        : null,
  }));
}

function argumentsOf(order: Order): string[] {
  const whole = JSON.stringify(jobOrder.toWire(order, []));
  if (Buffer.byteLength(whole) > MAX_ORDER_BYTES)
    throw new CommandError('the command and the variables are too long for a job');
  // A code point takes at most four bytes.
  const pieces = whole.match(new RegExp(`.{1,${Math.floor(MAX_ARGUMENT_BYTES / 4)}}`, 'gsu'));
  return [...(pieces ?? [])];
}

/**
 * Starts a process; its `exit` notice comes to `port`. Answers its pid. Throws CommandError; then the caller keeps
 * everything.
 */
export function launch({ program, order, descriptors }: Stage, port: number): number {
  const words = argumentsOf({ ...order, targets: targetsOf(descriptors) });
  const copies: Handle[] = [];
  try {
    const rights = [...byTarget(descriptors).keys()].flatMap((target) => {
      if (target.kind !== 'file') return [];
      const right = rightFor(target);
      if (!target.owned) copies.push(right);
      return [right];
    });
    const pid = spawn(program, words, port, rights);
    descriptors.giveAway();
    return pid;
  } catch (error) {
    for (const copy of copies) ipcRelease(copy);
    if (error instanceof SystemError) throw new CommandError(`the job cannot be started: ${reasonOf(error)}`);
    throw error;
  }
}
