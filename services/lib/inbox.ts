/** What a server receives, and when it finishes what it has gathered. */
import type { Message } from './ipc.ts';

/** Messages that a server with something gathered takes before it finishes that: others must not keep it waiting. */
export const MAX_GATHERED = 32;

/**
 * Requests that a program has put off (`later`) so as to finish several of them together. While there are some, the
 * loop takes the messages that wait already, and has them finished before it waits itself.
 */
export interface Gathering {
  /** Something has been put off. */
  readonly pending: boolean;
  /** Nothing more should be taken before `finish`. */
  readonly full: boolean;
  /** Answers what has been put off. */
  finish(): void;
}

/** Messages, one after the other. Before one is waited for, what has been gathered is finished. */
export class Inbox {
  private readonly gathering: Gathering | undefined;
  private readonly take: () => Message | undefined;
  private readonly wait: () => Message;
  /** Messages that have come since something was gathered. */
  private taken = 0;

  /** `take` answers a message that is there already, `wait` waits for one. */
  constructor(gathering: Gathering | undefined, take: () => Message | undefined, wait: () => Message) {
    this.gathering = gathering;
    this.take = take;
    this.wait = wait;
  }

  next(): Message {
    const { gathering } = this;
    while (gathering?.pending === true) {
      const message = gathering.full || this.taken >= MAX_GATHERED ? undefined : this.take();
      if (message !== undefined) {
        this.taken++;
        return message;
      }
      this.taken = 0;
      gathering.finish();
    }
    this.taken = 0;
    return this.wait();
  }

  finish(): void {
    while (this.gathering?.pending === true) this.gathering.finish();
  }
}
