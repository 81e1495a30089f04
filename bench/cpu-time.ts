/** Time that processes of the host have run on a CPU. */
import fs from 'node:fs';

/** Milliseconds of one process with all its threads (/proc/PID/task/TID/schedstat, nanoseconds); 0 when it is gone. */
export function cpuMilliseconds(pid: number): number {
  try {
    return fs
      .readdirSync(`/proc/${pid}/task`)
      .map((thread) => Number(fs.readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1e6)
      .reduce((sum, each) => sum + each, 0);
  } catch {
    return 0;
  }
}
