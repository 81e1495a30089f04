/** Kills tasks of a machine again and again while something goes on. */
import { setTimeout as delay } from 'node:timers/promises';
import { eventually, killProcess } from '../machine.ts';
import type { NetworkLab } from './lab.ts';

/** The manifest of the test service that logs which process of the host each task is. */
export const taskReporter = { name: 'task-reporter', entry: 'test/services/task-reporter', restart: 'always' };

/** Host process of a task, as `task-reporter` has logged it last; 0 while it has none. */
function hostOf(lab: NetworkLab, name: string): number {
  const line = lab.machine.log.findLast(({ msg }) => msg.startsWith('TASKS '));
  return line === undefined ? 0 : ((JSON.parse(line.msg.slice(6)) as Record<string, number>)[name] ?? 0);
}

/**
 * Kills the named tasks in turn, one each `milliseconds`, until `work` is done or there were `most` kills, and waits
 * for each to come back and for the work. Answers how many kills there were; what `work` throws, it throws.
 */
export async function killedMeanwhile(
  lab: NetworkLab,
  names: readonly string[],
  milliseconds: number,
  work: Promise<unknown>,
  most = Number.POSITIVE_INFINITY,
): Promise<number> {
  let over = false;
  const done = work.finally(() => {
    over = true;
  });
  // Whoever waits for the kills hears of a failure at the end.
  done.catch(() => {});
  let kills = 0;
  await Promise.race([done.catch(() => {}), delay(milliseconds)]);
  while (!over && kills < most) {
    const name = names[kills % names.length] ?? '';
    let pid = 0;
    await eventually(
      () => {
        pid = hostOf(lab, name);
        return over || pid !== 0;
      },
      `${name} runs`,
      10_000,
    );
    if (pid === 0) break;
    killProcess(pid);
    kills++;
    await eventually(() => over || ![0, pid].includes(hostOf(lab, name)), `${name} came back`, 10_000);
    await Promise.race([done.catch(() => {}), delay(milliseconds)]);
  }
  await done;
  return kills;
}
