/**
 * Processes that a job starts: the stages of a pipeline in a background list, and programs that are not in its own
 * bundle.
 */
import { FOREVER } from '../../protocol/bounds.ts';
import { kernelNotices } from '../../protocol/kernel.ts';
import { type Handle, ipcCreatePort, ipcRecv } from '../lib/index.ts';
import type { Stage } from './launch.ts';
import { ended, endingLines, reap, startAll, stateOf } from './processes.ts';

/** See the head of this file. */
export class Children {
  private readonly complain: (line: string) => void;
  private port: Handle | null = null;

  constructor(complain: (line: string) => void) {
    this.complain = complain;
  }

  /** Runs stages. Answers the status of the last. Throws CommandError. */
  run(stages: readonly Stage[]): number {
    this.port ??= ipcCreatePort();
    const processes = startAll(stages, this.port);
    const { exit } = kernelNotices.methods;
    while (stateOf(processes) !== 'ended') {
      const message = ipcRecv([this.port], FOREVER);
      if (!message.notice || message.method !== exit.number) continue;
      const end = exit.request.fromWire(message.data, message.rights);
      reap(end.pid);
      ended(processes, end);
    }
    for (const line of endingLines(processes)) this.complain(line);
    return processes.at(-1)?.status ?? 0;
  }
}
