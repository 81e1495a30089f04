/**
 * Forging: as `keeper` a server that tells its clients apart by badges, as `forger` a client that tries to be another
 * one, to fill the server's table with rights, and to stop it. Reports one `RESULT` line.
 */
import {
  client,
  defineInterface,
  halt,
  ipcCall,
  ipcCreatePort,
  ipcDuplicate,
  ipcFindPort,
  ipcMint,
  ipcRelease,
  log,
  method,
  offer,
  run,
  SystemError,
  schema,
  sleep,
  spawn,
  startInformation,
  taskCapabilities,
  taskList,
} from '../../../services/lib/index.ts';

const keeper = defineInterface('keeper', 0x8001, {
  /** Takes a right and keeps it. */
  keep: method(1, schema.right, schema.nothing),
  /** Badges of all requests so far. */
  badges: method(2, schema.nothing, schema.list(schema.u32, 4096)),
  /** Takes a right and fails. */
  fail: method(3, schema.right, schema.nothing),
});
const SERVICE = 2;
const STOP = 2;
const FORGED = 4711;
const ROUNDS = 300;

const badges = new Set<number>();

function serveKeeper(): void {
  run({
    port: 'keeper',
    offers: [
      offer(keeper, {
        keep: (_right, { badge }) => void badges.add(badge),
        badges: (_nothing, { badge }) => [...badges.add(badge)],
        fail: () => {
          throw new SystemError('EACCES');
        },
      }),
    ],
    notices: { no_senders: ({ badge }) => void badges.add(badge) },
  });
}

function outcome(action: () => unknown): string {
  try {
    action();
    return 'done';
  } catch (error) {
    if (error instanceof SystemError) return error.code;
    throw error;
  }
}

function attack(): void {
  const port = ipcFindPort('keeper', 5000);
  const pid = taskList().find(({ name }) => name === 'keeper')?.pid ?? 0;
  const server = client(keeper, port);
  const held = (): number => taskCapabilities(pid).length;
  server.badges();
  const before = held();
  // Rights that no method asks for, with requests that go well, that fail, and that are none.
  for (let round = 0; round < ROUNDS; round++) {
    const rights = [ipcMint(ipcCreatePort(), round + 1), ipcCreatePort(), ipcDuplicate(port)];
    const message = { interface: keeper.number, data: null, rights };
    const data = round % 2 === 0 ? 0 : 'malformed';
    if (round % 4 === 0) ipcCall(port, { ...message, method: 2 });
    else if (round % 4 === 1) outcome(() => ipcCall(port, { ...message, method: 3, data: 0 }));
    else outcome(() => ipcCall(port, { ...message, method: 3 + (round % 3), data }));
  }
  const afterMany = held();
  // A port of this task's own, given to the server: through it come messages with any badge, and notices about any.
  const injected = ipcCreatePort();
  const forged = ipcMint(injected, FORGED);
  server.keep(injected);
  const request = outcome(() => ipcCall(forged, { interface: keeper.number, method: 2, data: null }, 2000));
  const second = ipcCreatePort();
  const dropped = ipcMint(second, FORGED + 1);
  server.keep(second);
  ipcRelease(dropped);
  const stop = outcome(() => ipcCall(port, { interface: SERVICE, method: STOP, data: null }));
  const seen = server.badges();
  log(`RESULT ${JSON.stringify({ grown: afterMany - before, request, stop, seen })}`);
  halt(0, false);
}

if (startInformation.name === 'keeper') serveKeeper();
else if (startInformation.name === 'forger') attack();
else {
  spawn('keeper');
  spawn('forger');
  sleep(30_000);
  halt(1, false);
}
