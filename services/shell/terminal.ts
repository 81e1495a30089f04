/**
 * The shell's end of the terminal: buffered output, keys, the terminal's mode, and events: signals from the keyboard,
 * new sizes, ends of jobs.
 *
 * Read: protocol/tty.ts, and POSIX, chapter 11.1.4 (Terminal Access Control) for the foreground.
 */
import type { Client } from '../../protocol/interface.ts';
import { kernelNotices } from '../../protocol/kernel.ts';
import { MAX_TTY_BYTES } from '../../protocol/tty.ts';
import {
  connect,
  FOREVER,
  type Handle,
  ipcCreatePort,
  ipcMint,
  ipcRecv,
  ipcReply,
  ipcTryRecv,
  type Message,
  SystemError,
  startInformation,
  tty,
  ttyEvent,
} from '../lib/index.ts';
import { BrokenPipe, BufferedOutput, type Output } from './streams.ts';

/** Output collected before it is sent, in bytes. */
const BUFFER_BYTES = 16384;

/** Longest wait for the tty service, in milliseconds. */
const FIND_MS = 10_000;

const ERRNO_ENOSYS = 38;

/** Something that happened beside the input. */
export type TerminalEvent =
  | { readonly kind: 'signal'; readonly signal: 'INT' | 'QUIT' | 'TSTP' }
  | { readonly kind: 'resize' }
  | { readonly kind: 'exit'; readonly pid: number; readonly status: number; readonly signal: number };

/** Reads in a row that may fail before the terminal counts as gone. */
const MAX_READ_FAILURES = 3;

/** `edit`: every key comes as it is, for the line editor; `run`: lines, echo and signals, for commands. */
export type TerminalMode = 'edit' | 'run';

const modes = {
  edit: {
    ...{ canonical: false, echo: false, signals: false, flowControl: false },
    ...{ mapReturnToNewline: false, mapNewlineToReturnNewline: false },
  },
  run: {
    ...{ canonical: true, echo: true, signals: true, flowControl: true },
    ...{ mapReturnToNewline: true, mapNewlineToReturnNewline: true },
  },
} as const;

/** See the head of this file. */
export class Terminal implements Output {
  private connection: Client<typeof tty.methods> | null = null;
  private readonly output = new BufferedOutput((bytes) => this.send(bytes), BUFFER_BYTES);
  private port: Handle | null = null;
  private badge = 0;
  private current: TerminalMode | null = null;
  private inputIsGiven = false;
  private readonly outlivesReaders: boolean;

  /** `outlivesReaders`: what nobody takes any more is dropped. Else who writes is told, with BrokenPipe. */
  constructor(outlivesReaders = false) {
    this.outlivesReaders = outlivesReaders;
  }

  /** Found when it is needed: most stages of a pipeline have nothing to do with the terminal. */
  private get tty(): Client<typeof tty.methods> {
    this.connection ??= connect(tty, 'tty', FIND_MS);
    return this.connection;
  }

  write(bytes: Uint8Array): void {
    this.output.write(bytes);
  }

  print(text: string): void {
    this.output.print(text);
  }

  flush(): void {
    this.output.flush();
  }

  private send(bytes: Uint8Array): void {
    try {
      for (let at = 0; at < bytes.length; at += MAX_TTY_BYTES) this.tty.write(bytes.subarray(at, at + MAX_TTY_BYTES));
    } catch (error) {
      if (!(error instanceof SystemError && error.code === 'EPIPE')) throw error;
      if (!this.outlivesReaders) throw new BrokenPipe();
    }
  }

  /**
   * Waits for input; no bytes are its end. Null: the window has another size. `toReturn`: none behind a return, which
   * may be for somebody else.
   */
  read(toReturn = false): Uint8Array | null {
    this.flush();
    if (this.inputIsGiven) {
      this.tty.set_readers([startInformation.pid]);
      this.inputIsGiven = false;
    }
    for (let failures = 0; ; failures++) {
      try {
        return this.tty.read({ maxBytes: 4096, toReturn });
      } catch (error) {
        if (!(error instanceof SystemError)) throw error;
        if (error.code === 'EINTR') return null;
        // EIO: the tty has died three times while this read waited at the prompt, which is not to blame for it.
        if (error.code !== 'EIO' || failures === MAX_READ_FAILURES) throw error;
      }
    }
  }

  /** Size of the window, column of the cursor, and whether there is a window at all. */
  size(): ReturnType<typeof this.tty.window_size> {
    this.flush();
    return this.tty.window_size();
  }

  /** Switches the mode. */
  set mode(wanted: TerminalMode) {
    if (this.current === wanted) return;
    this.flush();
    this.tty.set_attributes(modes[wanted]);
    this.current = wanted;
  }

  /**
   * Becomes the foreground: signals from the keyboard and ends of jobs come as events from now on. Returns the port for
   * the latter.
   */
  takeForeground(): Handle {
    if (this.port === null) {
      this.port = ipcCreatePort();
      // An earlier incarnation may have given it to a job that is no more.
      this.inputIsGiven = startInformation.incarnation > 1;
    }
    this.badge += 1;
    this.tty.set_foreground({ port: ipcMint(this.port, this.badge) });
    return this.port;
  }

  /** Input goes to these tasks from now on, and not to this one, until it reads again. */
  giveInput(pids: readonly number[]): void {
    this.tty.set_readers([...pids]);
    this.inputIsGiven = true;
  }

  /** The next event. Undefined: there is none now, and `wait` is false. */
  event(wait: boolean): TerminalEvent | undefined {
    if (this.port === null) return undefined;
    this.flush();
    for (;;) {
      const message = wait ? ipcRecv([this.port], FOREVER) : ipcTryRecv([this.port]);
      if (message === undefined) return undefined;
      const event = message.notice ? this.noticed(message) : this.sent(message);
      if (event !== undefined) return event;
    }
  }

  private noticed({ method, data, rights }: Message): TerminalEvent | undefined {
    const { exit, no_senders } = kernelNotices.methods;
    if (method === exit.number) {
      const { pid, status, signal } = exit.request.fromWire(data, rights);
      return { kind: 'exit', pid, status, signal };
    }
    // The tty has died and with it the right it had: its next incarnation has to get a new one.
    if (method === no_senders.number && no_senders.request.fromWire(data, rights).badge === this.badge)
      this.takeForeground();
    return undefined;
  }

  private sent(message: Message): TerminalEvent | undefined {
    if (message.reply !== 0) ipcReply(message.reply, ERRNO_ENOSYS, null);
    const { signal, resize } = ttyEvent.methods;
    if (message.interface !== ttyEvent.number) return undefined;
    try {
      if (message.method === resize.number) return { kind: 'resize' };
      if (message.method === signal.number)
        return { kind: 'signal', signal: signal.request.fromWire(message.data, message.rights).signal };
    } catch (error) {
      // A message that is not what it says is dropped.
      if (!(error instanceof SystemError)) throw error;
    }
    return undefined;
  }
}
