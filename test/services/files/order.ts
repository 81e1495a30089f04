/** What the load of files is told, and what it tells. */

/** A file system to work on. */
export interface DiskOrder {
  /** `hdb`, to be mounted; null: it is mounted already. */
  readonly device: string | null;
  readonly directory: string;
  /** It has links, and keeps modes. */
  readonly links: boolean;
  readonly workers: number;
}

/** What stands in the words of `--exec`. */
export interface LoadOrder {
  readonly seed: number;
  readonly disks: readonly DiskOrder[];
  /** Services that are killed, and how often all together before the load ends. */
  readonly victims: readonly string[];
  readonly kills: number;
}

/** What one worker does. */
export interface WorkerOrder {
  readonly number: number;
  readonly seed: number;
  readonly directory: string;
  readonly links: boolean;
  readonly names: readonly string[];
  /** Files that workers compete for. */
  readonly races: number;
  readonly mostBytes: number;
  /** When it is there, the work is over. */
  readonly stopFile: string;
}

/** What one worker found. */
export interface WorkerResult {
  readonly number: number;
  readonly pid: number;
  requests: number;
  /** Lines it has appended to the file of all. */
  appended: number;
  /** Files that it made before all others. */
  won: number;
  readonly differences: string[];
  /** Every name with what stands behind it. */
  readonly tree: string[];
}

/** What was found on one disk in the end. */
export interface DiskResult {
  readonly directory: string;
  readonly workers: readonly WorkerResult[];
  readonly differences: readonly string[];
}
