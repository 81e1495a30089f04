/**
 * Puppets: tasks that do what the scenario in init tells them. A command is the name of a function of the service
 * library with its arguments, so a scenario with several tasks reads as one text.
 */
import * as library from '../../../services/lib/index.ts';
import { type CallResult, type Handle, SystemError } from '../../../services/lib/index.ts';
import { equal, present } from './check.ts';

type Library = typeof library;

/** A message of a private interface that no trace has a name for. */
export const post = (data: unknown): library.Outgoing => ({ interface: 0x8002, method: 1, data });

/** Makes something until the bound answers with this error; answers how often it went well. */
function until(code: string, make: () => unknown): number {
  for (let count = 0; ; count++) {
    try {
      make();
    } catch (error) {
      if (error instanceof SystemError && error.code === code) return count;
      throw error;
    }
  }
}

/** Further commands, which need several steps in the puppet itself. */
const more = {
  /** Begins calls that nobody answers; answers how many have ended with each status after a time. */
  callMany: (port: Handle, count: number, bytes = 0, milliseconds = 0): Record<number, number> => {
    const message = post(new Uint8Array(bytes));
    const timeout = milliseconds === 0 ? 600_000 : milliseconds / 2;
    const calls = Array.from({ length: count }, () => library.ipcCallBegin(port, message, timeout));
    const end = library.uptime() + milliseconds;
    while (library.uptime() < end);
    const statuses: Record<number, number> = {};
    for (const call of calls) {
      const status = library.ipcCallPoll(call)?.status;
      if (status !== undefined) statuses[status] = (statuses[status] ?? 0) + 1;
    }
    return statuses;
  },
  /** Makes ports, duplicates a right, as often as it can. */
  makePorts: (): number => until('EMFILE', library.ipcCreatePort),
  duplicateAll: (right: Handle): number => until('EMFILE', () => library.ipcDuplicate(right)),
  /** Posts to ports of its own until it may not post any more: how often, and whether a fresh port is refused too. */
  flood: (bytes: number): [number, boolean] => {
    const data = new Uint8Array(bytes);
    let count = 0;
    for (let last = -1; last !== 0; ) {
      const right = library.ipcMint(library.ipcCreatePort(), 0);
      last = until('EAGAIN', () => library.ipcSend(right, post(data)));
      count += last;
    }
    return [count, true];
  },
  /** Puts values until the store is full; answers how many fit. */
  fillStore: (most: number, bytes: number): number => {
    let count = 0;
    return until('ENOSPC', () => {
      if (count === most) throw new SystemError('ENOSPC');
      library.storePut(`key ${count++}`, new Uint8Array(bytes));
    });
  },
  emptyStore: (): number => {
    const keys = library.storeKeys();
    for (const key of keys) library.storeDelete(key);
    return keys.length;
  },
  /** Posts random bytes; answers their sum. */
  sendBytes: (port: Handle, count: number): number => {
    const data = Buffer.alloc(count, library.random(4099));
    library.ipcSend(port, post(data));
    return sum(data);
  },
  receiveSum: (port: Handle): number => sum(library.ipcRecv([port]).data as Uint8Array),
  receiveMany: (port: Handle, count: number): number => {
    for (let index = 0; index < count; index++) library.ipcRecv([port]);
    return count;
  },
  /** Puts the receive right of each port into a message that waits in the next; answers the last. */
  chain: (length: number): Handle => {
    let last = library.ipcCreatePort();
    for (let index = 1; index < length; index++) {
      const next = library.ipcCreatePort();
      const right = library.ipcMint(next, 0);
      library.ipcSend(right, { ...post(null), rights: [last] });
      library.ipcRelease(right);
      last = next;
    }
    return last;
  },
  /** Takes the right that came with the command; answers its handle. */
  take: (): number => present(taken[0], 'a right'),
  /** Takes a message and goes on without asking for the next one: the message stays unhandled. Says so in the log. */
  takeAndHang: (port: Handle): never => {
    const message = library.ipcRecv([port]);
    library.log(`took ${JSON.stringify(message.data)}`);
    for (;;) library.sleep(60_000);
  },
  /** Uses the CPU and never calls the kernel again. */
  spin: (): never => {
    for (;;);
  },
  fail: (text: string): never => {
    throw new Error(text);
  },
};

function sum(data: Uint8Array): number {
  return data.reduce((total, byte, index) => (total + byte * ((index & 0xff) + 1)) % 0x7fffffff, 0);
}

type Commands = Library & typeof more;
/** Names of the commands. */
export type Command = {
  [K in keyof Commands]: Commands[K] extends (...args: never[]) => unknown ? K : never;
}[keyof Commands];
type Parameters_<K extends Command> = Commands[K] extends (...args: infer P) => unknown ? P : never;
type Result<K extends Command> = Commands[K] extends (...args: never[]) => infer R ? R : never;

/** Private interface of commands and of the registration. */
const COMMAND = { interface: 0x8001, method: 1 };
let taken: readonly Handle[] = [];

/** What a puppet does, for ever. Its first argument is the name of the port to register at. */
export function obey(): never {
  const commands = library.ipcCreatePort();
  const master = library.ipcFindPort('init', 10_000);
  library.ipcSend(master, { ...COMMAND, data: library.getpid(), rights: [library.ipcMint(commands, 0)] });
  let message = library.ipcRecv([commands]);
  for (;;) {
    const [name, args] = message.data as [string, unknown[]];
    taken = message.rights;
    const { status, data } = perform(name, args);
    library.ipcReply(message.reply, status, data);
    message = library.ipcRecv([commands]);
  }
}

function perform(name: string, args: unknown[]): { status: number; data: unknown } {
  const commands: Record<string, unknown> = { ...library, ...more };
  const command = commands[name] as (...args: unknown[]) => unknown;
  try {
    return { status: 0, data: [command(...args) ?? null] };
  } catch (error) {
    if (error instanceof SystemError) return { status: 0, data: [null, error.code] };
    throw error;
  }
}

/** The answer to a command under way. */
export interface Pending<T> {
  /** Whether it has been answered. */
  done(): boolean;
  /** Waits for the answer; the command's error is thrown. */
  result(milliseconds?: number): T;
}

const puppets = new Set<Puppet>();
let registry: Handle | undefined;

/** Init's end of a puppet. */
export class Puppet {
  readonly name: string;
  readonly pid: number;
  private readonly right: Handle;

  /** Starts a program of the configuration as a puppet. `notify`: port for its exit notice. `rights` move to it. */
  constructor(name: string, notify = 0, rights: readonly Handle[] = []) {
    registry ??= library.ipcCreateNamedPort('init');
    this.name = name;
    this.pid = library.spawn(name, ['puppet'], notify, rights);
    puppets.add(this);
    const hello = library.ipcRecv([registry], 10_000);
    equal(hello.sender, this.pid, `the puppet that registers is ${name}`);
    this.right = present(hello.rights[0], 'command right');
  }

  /** Lets it do something and waits for the result. */
  do<K extends Command>(name: K, ...args: Parameters_<K>): Result<K> {
    return this.begin(name, ...args).result();
  }

  /** Lets it do something meanwhile. */
  begin<K extends Command>(name: K, ...args: Parameters_<K>): Pending<Result<K>> {
    return this.start(name, args, []);
  }

  /** Gives it a right of init, which loses it; answers the puppet's handle. */
  give(right: Handle): Handle {
    return this.start<Handle>('take', [], [right]).result();
  }

  private start<T>(name: string, args: readonly unknown[], rights: readonly Handle[]): Pending<T> {
    const id = library.ipcCallBegin(this.right, { ...COMMAND, data: [name, args], rights }, 30_000);
    let ended: CallResult | undefined;
    const poll = (): boolean => {
      library.uptime();
      ended ??= library.ipcCallPoll(id);
      return ended !== undefined;
    };
    return {
      done: poll,
      result: (milliseconds = 10_000) => {
        eventually(poll, `${this.name}: ${name}`, milliseconds);
        const { status, data } = present(ended, 'result');
        if (status !== 0) throw new SystemError('EIO', `${this.name}: ${name}: the puppet is gone (${status})`);
        const [value, code] = data as [T, string?];
        if (code !== undefined) throw new SystemError(code as SystemError['code'], `${this.name}: ${name}`);
        return value;
      },
    };
  }

  /** Its row in the table of tasks. */
  get row(): ReturnType<typeof library.taskList>[number] | undefined {
    return library.taskList().find(({ pid }) => pid === this.pid);
  }

  /** Waits until it waits in a call, `ipc_call` say. */
  waitsIn(call: string): void {
    eventually(() => this.row?.waitsFor === call, `${this.name} waits in ${call}`);
  }

  /** Ends it and takes it off the table. Answers how it ended. */
  kill(signal: 'KILL' | 'TERM' = 'KILL'): { status: number; signal: number } {
    quietly(['ESRCH'], () => library.kill(this.pid, signal));
    return this.reap();
  }

  /** Waits for its end and takes it off the table. */
  reap(): { status: number; signal: number } {
    const { status, signal } = library.waitpid(this.pid, 10_000);
    this.forget();
    return { status, signal };
  }

  /** Drops init's right to it. */
  forget(): void {
    if (puppets.delete(this)) library.ipcRelease(this.right);
  }
}

/** Waits for a condition, looking again every millisecond; fails after the time. */
export function eventually(condition: () => boolean, what: string, milliseconds = 5000): void {
  const deadline = library.uptime() + milliseconds;
  while (!condition()) {
    if (library.uptime() > deadline) throw new Error(`not in time: ${what}`);
    library.sleep(1);
  }
}

/** Runs an action and forgets these errors. */
function quietly(codes: readonly string[], action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof SystemError) || !codes.includes(error.code)) throw error;
  }
}

/** Ends all puppets. */
export function endPuppets(): void {
  for (const puppet of [...puppets]) {
    quietly(['ECHILD'], () => puppet.kill());
    puppet.forget();
  }
}
