/**
 * Signals: POSIX names, Linux numbers. KILL, STOP and CONT act on the process; the others come as a notice to the
 * task's signal port and end a task that has none. A task that the kernel itself ends, because it did what it must not,
 * has ended by SYS.
 */
export const signals = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  ILL: 4,
  TRAP: 5,
  ABRT: 6,
  BUS: 7,
  FPE: 8,
  KILL: 9,
  SEGV: 11,
  PIPE: 13,
  TERM: 15,
  CONT: 18,
  STOP: 19,
  TSTP: 20,
  SYS: 31,
} as const;

/** Name of a signal without SIG. */
export type SignalName = keyof typeof signals;

/** `SIGKILL` for 9; `signal 77` for a number without a name here. */
export function signalName(number: number): string {
  const found = Object.entries(signals).find(([, value]) => value === number);
  return found === undefined ? `signal ${number}` : `SIG${found[0]}`;
}
