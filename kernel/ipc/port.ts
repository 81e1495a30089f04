/**
 * Ports. A port outlives the process that receives from it: when that dies, a named port is orphaned, keeps its queue, and is taken over by the service's
 * next incarnation. Waiting is a state that can be listed here, not a promise somewhere.
 */
import type { Program } from '../task/program.ts';
import type { Task } from '../task/task.ts';
import type { Message } from './message.ts';

/** A notice of the kernel that waits in a port. */
export interface Notice {
  readonly method: number;
  readonly data: unknown;
  /** Notices with the same key wait only once. */
  readonly key: string;
  deliveries: number;
}

/** A port and what waits in it. */
export class Port {
  readonly id: number;
  readonly name: string;
  /** The service whose port this is: a named port goes to its next incarnation. */
  readonly program: Program;
  /** The task that made it; it counts there until it is destroyed. */
  readonly maker: Task;
  /** The one task that may receive, or null while the port is orphaned. */
  receiver: Task | null = null;
  /** The receiver's handle of its receive right. */
  receiverHandle = 0;
  /** Messages in order. Beyond the first 16 there are only callers, who wait. */
  readonly queue: Message[] = [];
  /** Messages to be delivered again, before the queue. */
  readonly again: Message[] = [];
  private readonly notices: Notice[] = [];
  private readonly noticeKeys = new Set<string>();
  /** Requests delivered and not answered. */
  owed = 0;
  /** Bytes of the frames in `queue` and `again` and of the requests owed. */
  bytes = 0;
  /** While the receive right travels in a message: the port that message waits in. */
  transit: Port | null = null;
  /** Copies of the send right for each badge in use. */
  readonly badges = new Map<number, number>();
  destroyed = false;
  sent = 0;
  received = 0;
  redelivered = 0;
  refused = 0;
  failed = 0;

  constructor(id: number, name: string, program: Program, maker: Task) {
    this.id = id;
    this.name = name;
    this.program = program;
    this.maker = maker;
  }

  /** Whether something can be received. */
  get ready(): boolean {
    return this.hasNotices || this.again.length > 0 || this.queue.length > 0;
  }

  /** For people: the name, or `port 12 of ata`. */
  get title(): string {
    return this.name === '' ? `port ${this.id} of ${this.program.name}` : this.name;
  }

  /** The next message: those to be delivered again come first. */
  get first(): Message | undefined {
    return this.again[0] ?? this.queue[0];
  }

  /** Takes a waiting message off, wherever it stands. */
  remove(message: Message): void {
    for (const list of [this.again, this.queue]) {
      if (list[0] === message) {
        list.shift();
        return;
      }
      const index = list.indexOf(message);
      if (index < 0) continue;
      list.splice(index, 1);
      return;
    }
  }

  get hasNotices(): boolean {
    return this.notices.length > 0;
  }

  get noticeCount(): number {
    return this.notices.length;
  }

  hasNotice(key: string): boolean {
    return this.noticeKeys.has(key);
  }

  /** Puts a notice at the end, or in front when it comes again. */
  addNotice(notice: Notice, inFront = false): void {
    if (inFront) this.notices.unshift(notice);
    else this.notices.push(notice);
    this.noticeKeys.add(notice.key);
  }

  /** The next notice, taken off the port. */
  takeNotice(): Notice | undefined {
    const notice = this.notices.shift();
    if (notice !== undefined) this.noticeKeys.delete(notice.key);
    return notice;
  }

  /** Takes back a notice that is not true any more. */
  removeNotice(key: string): void {
    if (!this.noticeKeys.delete(key)) return;
    this.notices.splice(
      this.notices.findIndex((notice) => notice.key === key),
      1,
    );
  }

  clearNotices(): void {
    this.notices.length = 0;
    this.noticeKeys.clear();
  }
}
