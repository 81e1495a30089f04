/** What the host's processes use, read from /proc (proc(5)); zeros where the host has none. */
import fs from 'node:fs';

const PAGE_BYTES = 4096;

/** Resident memory of a process in bytes. */
export function residentBytes(pid: number): number {
  const fields = read(`/proc/${pid}/statm`).split(' ');
  return Number(fields[1] ?? 0) * PAGE_BYTES;
}

/** CPU time of a process in milliseconds, all threads, to the nanosecond where the host keeps it so exactly. */
export function cpuMilliseconds(pid: number): number {
  let threads: string[] = [];
  try {
    threads = fs.readdirSync(`/proc/${pid}/task`);
  } catch {
    return 0;
  }
  let nanoseconds = 0;
  for (const thread of threads) nanoseconds += Number(read(`/proc/${pid}/task/${thread}/schedstat`).split(' ')[0] ?? 0);
  return nanoseconds > 0 ? nanoseconds / 1e6 : ticks(pid) * 10;
}

/** CPU time of a process in milliseconds, to 10 ms: cheaper than `cpuMilliseconds`. */
export function processMilliseconds(pid: number): number {
  return ticks(pid) * 10;
}

/** User and system time in clock ticks (100 a second). */
function ticks(pid: number): number {
  const text = read(`/proc/${pid}/stat`);
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
}

function read(file: string): string {
  try {
    return fs.readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}
