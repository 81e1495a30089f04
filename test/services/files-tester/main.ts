/**
 * Uses files while others kill the services that serve them: every operation has to happen exactly once, no open file,
 * session or pipe may be lost. As `files-tester` it runs the cases and ends the machine; as the program `files-helper`
 * it is the killer, or writes into a pipe.
 */
import {
  bootArguments,
  exit,
  File,
  Files,
  type Handle,
  halt,
  kill,
  log,
  random,
  SystemError,
  sleep,
  spawn,
  startInformation,
  startRights,
  taskList,
  uptime,
  waitpid,
} from '../../../services/lib/index.ts';

/** How long each case goes on, in milliseconds, and how many rounds it has at least and at most. */
const CASE_MS = 1200;
const LEAST_ROUNDS = 5;
const MOST_ROUNDS = 60;

const byteAt = (position: number): number => (position * 31 + (position >> 8)) & 0xff;

/** Numbers of rounds, for the time of a case. */
function* rounds(): Generator<number> {
  const end = uptime() + CASE_MS;
  for (let round = 0; round < LEAST_ROUNDS || (round < MOST_ROUNDS && uptime() < end); round++) yield round;
}

/** What the writer of a pipe says of how much it has written, as its status. */
const statusOf = (bytes: number): number => Math.floor(bytes / 1000) % 251;

/** Time that a service gets on a busy host to come to where it waits for requests, in milliseconds. */
const TO_SERVE_MS = 10_000;

/**
 * Kills one of the services after the other, at any moment, until it is killed itself. Every second time the victim has
 * come to where it waits for requests before: on a host where that takes long, three incarnations could otherwise die
 * over the same request.
 */
function killServices(names: readonly string[]): never {
  for (let turn = 0; ; turn++) {
    const name = names[turn % names.length];
    const running = () => taskList().find((task) => task.name === name && task.state !== 'ZOMBIE');
    const end = uptime() + (Math.floor(turn / names.length) % 2 === 1 ? TO_SERVE_MS : 0);
    while (uptime() < end && running()?.waitsFor !== 'ipc_recv') sleep(2);
    sleep(500 + (random(1)[0] ?? 0));
    const victim = running();
    try {
      if (victim !== undefined) kill(victim.pid, 'KILL');
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
    }
  }
}

function writePipe(right: Handle | undefined): void {
  if (right === undefined) throw new Error('there is no right to write to');
  const writer = new File(right);
  const end = uptime() + CASE_MS;
  let at = 0;
  while (uptime() < end) {
    const start = at;
    at += 1 + (at % 7001);
    writer.write(Uint8Array.from({ length: at - start }, (_, index) => byteAt(start + index)));
  }
  exit(statusOf(at));
}

/** Fails unless two values are equal as JSON. */
function equal(actual: unknown, expected: unknown, what: string): void {
  const [got, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (got !== wanted) throw new Error(`${what}: expected ${wanted}, got ${got}`);
}

function text(files: Files, path: string): string {
  return Buffer.from(files.read(path, 1_000_000)).toString();
}

/** Appends, creates, renames, links and removes: each exactly once. */
function operations(files: Files, directory: string): void {
  files.makeDirectory(`${directory}/work`);
  const log = files.open(`${directory}/log`, { write: true, append: true, create: true, exclusive: true });
  const reader = files.open(`${directory}/log`);
  let expected = '';
  for (const round of rounds()) {
    const line = `line ${round} of ${directory}\n`;
    log.append(Buffer.from(line));
    expected += line;
    equal(Buffer.from(reader.read()).toString(), line, 'what an open file reads on from its offset');
    const name = `${directory}/work/${round}`;
    files.open(name, { write: true, create: true, exclusive: true }).close();
    files.rename(name, `${name} moved`);
    files.makeDirectory(name);
    files.makeSymlink('../../log', `${name}/link`);
    if (round % 10 === 0) equal(text(files, `${name}/link`), expected, 'the content by way of a link');
    files.unlink(`${name}/link`);
    files.removeDirectory(name);
    files.unlink(`${name} moved`);
  }
  equal([...files.entries(`${directory}/work`)].length, 0, 'entries that are left');
  equal(text(files, `${directory}/log`), expected, 'the whole log');
  log.close();
  reader.close();
  files.removeDirectory(`${directory}/work`);
  files.unlink(`${directory}/log`);
}

/** A pipe to another task: every byte once. */
function pipe(files: Files): void {
  const { reader, writer } = files.pipe();
  const child = spawn('files-helper', ['write'], 0, [writer.right]);
  let at = 0;
  for (let piece = reader.read(5000); piece.length > 0; piece = reader.read(5000 + (at % 3000))) {
    for (const byte of piece) {
      if (byte !== byteAt(at)) throw new Error(`byte ${at} of the pipe is ${byte} and not ${byteAt(at)}`);
      at++;
    }
  }
  equal(waitpid(child, 10_000).status, statusOf(at), 'bytes that came through the pipe');
  reader.close();
}

/** A working directory stays. */
function sessions(files: Files, directory: string): void {
  files.makeDirectory(`${directory}/here`);
  files.changeDirectory(`${directory}/here`);
  for (const round of rounds()) {
    equal(files.directory(), `${directory}/here`, 'the working directory');
    files.write('f', Buffer.from(`${round}`));
    equal(text(files, `${directory}/here/f`), `${round}`, 'a file by its relative path');
  }
  files.unlink('f');
  files.changeDirectory('/');
  files.removeDirectory(`${directory}/here`);
}

function main(): void {
  const victims = (bootArguments().exec ?? '').split(' ');
  const files = Files.connect();
  equal(files.figures('/mnt').type, 'vrfs', 'what is mounted on /mnt');
  const killer = spawn('files-helper', ['kill', ...victims]);
  const before = incarnations();
  const cases: Record<string, () => void> = {
    'operations in memory': () => operations(files, '/tmp'),
    'operations on a disk': () => operations(files, '/mnt'),
    pipe: () => pipe(files),
    'sessions in memory': () => sessions(files, '/tmp'),
    'sessions on a disk': () => sessions(files, '/mnt'),
  };
  let failed = 0;
  for (const [name, run] of Object.entries(cases)) {
    let error: string | null = null;
    try {
      run();
    } catch (thrown) {
      error = thrown instanceof Error ? (thrown.stack ?? thrown.message).slice(0, 2000) : String(thrown);
      failed++;
    }
    log(`RESULT ${JSON.stringify({ name, error })}`);
  }
  kill(killer, 'KILL');
  const kills = incarnations() - before;
  log(`RESULT ${JSON.stringify({ name: 'kills', error: kills > 0 ? null : 'nobody was killed', kills })}`);
  halt(failed, false);
}

/** Incarnations of all services so far. */
function incarnations(): number {
  return taskList().reduce((sum, { incarnation, name }) => sum + (name === 'files-helper' ? 0 : incarnation), 0);
}

const [role, ...rest] = startInformation.arguments;
if (role === 'kill') killServices(rest);
else if (role === 'write') writePipe(startRights()[0]);
else main();
