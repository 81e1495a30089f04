/** What this task was told when it started: its pid, name, incarnation and arguments. */
import type { StartInformation } from '../../protocol/records.ts';

/** Filled in by the loader before the service's code runs. */
export const startInformation: StartInformation = { pid: 0, name: '', incarnation: 0, entry: '', arguments: [] };
