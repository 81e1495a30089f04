/**
 * A service that uses up whatever it can, in the way its first argument says. It knows its pipe, so it runs without the
 * lock-down. A way that ends by itself reports how far it got as a `RESULT` line.
 */
import { FOREVER } from '../../../protocol/bounds.ts';
import {
  exit,
  type Handle,
  ipcCall,
  ipcCallBegin,
  ipcCallPoll,
  ipcCreatePort,
  ipcDestroyPort,
  ipcFindPort,
  ipcMint,
  ipcRelease,
  ipcSend,
  log,
  SystemError,
  sleep,
  spawn,
  startInformation,
  storePut,
  uptime,
} from '../../../services/lib/index.ts';
import { frameOf, TO_KERNEL, writeForEver, writeRaw } from './raw.ts';

const ECHO = 7;
const outgoing = (data: unknown) => ({ interface: ECHO, method: 1, data });

/** Repeats until the kernel refuses; answers how often it went well and why it ended. */
function untilRefused(action: (count: number) => unknown, most = 1_000_000): { count: number; refused: string } {
  for (let count = 0; count < most; count++) {
    try {
      action(count);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      return { count, refused: error.code };
    }
  }
  return { count: most, refused: '' };
}

function again(action: () => unknown): never {
  for (;;) {
    try {
      action();
    } catch (error) {
      if (!(error instanceof SystemError) || error.code !== 'EAGAIN') throw error;
    }
  }
}

/** Frames that fill a pipe at once. */
function many(frame: Buffer): Buffer {
  return Buffer.concat(new Array<Buffer>(Math.ceil(65536 / frame.length)).fill(frame));
}

function burn(): never {
  for (;;);
}

/** The ways that go on until the task is ended. */
const endless: Readonly<Record<string, () => never>> = {
  'flood of posts': () => {
    const port = ipcFindPort('echo');
    again(() => ipcSend(port, outgoing('x'.repeat(100))));
  },
  'flood of calls': () => {
    const port = ipcFindPort('echo');
    let pending: number[] = [];
    for (;;) {
      while (pending.length < 250) pending.push(ipcCallBegin(port, outgoing(pending.length), 60000));
      uptime();
      pending = pending.filter((id) => ipcCallPoll(id) === undefined);
    }
  },
  'flood of frames': () => writeForEver(TO_KERNEL, many(frameOf('getpid', 0, 0, null))),
  'flood of large frames': () => writeForEver(TO_KERNEL, frameOf('store_put', 0, 0, ['key', Buffer.alloc(1_000_000)])),
  'flood of malformed frames': () => writeForEver(TO_KERNEL, many(Buffer.concat([frameOf('spawn', 0, 0, [[[[1]]]])]))),
  'flood of log lines': () => again(() => log('x'.repeat(4000))),
  'flood of output': () => writeForEver(1, Buffer.alloc(65536, '\n')),
  'flood of long output': () => writeForEver(2, Buffer.alloc(65536, 'x')),
  'unread answers': () => writeForEver(TO_KERNEL, many(frameOf('ipc_info', 7, 0, null))),
  'unread large answers': () => writeForEver(TO_KERNEL, many(frameOf('dmesg', 7, 0, [4096]))),
  'unread answers of a server': () => {
    const port = ipcFindPort('echo');
    const data = 'x'.repeat(1_000_000);
    for (let count = 0; count < 250; count++) ipcCallBegin(port, outgoing(data), 60000);
    return burn();
  },
  'half a frame': () => {
    writeRaw(frameOf('store_put', 1, 0, ['key', 'value']).subarray(0, 20));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    return burn();
  },
  'a frame written where it reads': () => {
    writeRaw(frameOf('uptime', 1, 0, undefined), 3);
    burn();
  },
  'an over-long frame': () => {
    const frame = frameOf('getpid', 1, 0, null);
    frame.writeUInt32LE(2 * 1024 * 1024, 0);
    writeRaw(frame);
    return burn();
  },
  'endless loop': burn,
  'a loop while it claims to wait': () => {
    ipcCreatePort();
    writeRaw(frameOf('ipc_recv', 1000, 0, [[], FOREVER]));
    return burn();
  },
  'a loop after a quiet time of waiting': () => {
    ipcCreatePort();
    writeRaw(frameOf('ipc_recv', 1000, 0, [[], FOREVER]));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1500);
    return burn();
  },
  'calls while it claims to wait': () => {
    ipcCreatePort();
    writeRaw(frameOf('ipc_recv', 0x7000_0000, 0, [[], FOREVER]));
    for (;;) uptime();
  },
  'a full heap': () => {
    const kept: unknown[] = [];
    for (;;) kept.push(new Array<number>(10000).fill(kept.length));
  },
  'buffers without end': () => {
    const kept: Buffer[] = [];
    for (;;) kept.push(Buffer.alloc(1024 * 1024, 1));
  },
};

/** The ways that the kernel ends with an error. */
const bounded: Readonly<Record<string, () => unknown>> = {
  'all ports and capabilities': () => {
    const ports = untilRefused(() => ipcCreatePort());
    const port = ipcFindPort('echo');
    const rights = untilRefused(() => ipcFindPort('echo'));
    return { ports, rights: { ...rights, count: rights.count + ports.count + 1 }, port: port > 0 };
  },
  'all calls': () => {
    // Nobody receives from this port.
    const port = ipcFindPort('sink');
    const ids: number[] = [];
    for (let count = 0; count < 1068; count++) ids.push(ipcCallBegin(port, outgoing(count), 60000));
    uptimeOr(0);
    const refused = ids.filter((id) => ipcCallPoll(id) !== undefined).length;
    return { begun: ids.length - refused, refused };
  },
  'all tasks': () => {
    const spawned = untilRefused(() => spawn('occupied', ['wait']), 600);
    sleep(100);
    return spawned;
  },
  'mail to itself': () => {
    const data = 'x'.repeat(1_000_000);
    let bytes = 0;
    const refusals = new Set<string>();
    for (let count = 0; count < 200; count++) {
      const right = ipcMint(ipcCreatePort(), 0);
      const { count: sent, refused } = untilRefused(() => ipcSend(right, outgoing(data)));
      bytes += sent * data.length;
      refusals.add(refused);
    }
    return { mebibytes: Math.round(bytes / 1048576), refusals: [...refusals] };
  },
  'notices without end': () => {
    const port = ipcCreatePort();
    for (let badge = 1; badge <= 5_000; badge++) ipcRelease(ipcMint(port, badge));
    return 'done';
  },
  'a full store': () => untilRefused((count) => storePut(`key ${count}`, Buffer.alloc(10_000))),
  'ports made and destroyed': () => {
    for (let count = 0; count < 5_000; count++) ipcDestroyPort(ipcCreatePort());
    return 'done';
  },
  'calls nobody answers in time': () => {
    const port = ipcFindPort('sink');
    const refusals = new Set<string>();
    for (let count = 0; count < 100; count++) {
      const { refused } = untilRefused(() => ipcCall(port as Handle, outgoing('x'.repeat(10_000)), 1), 1);
      refusals.add(refused);
    }
    return [...refusals];
  },
};

/** A call that is refused while too many are under way still shows what came before it. */
function uptimeOr(otherwise: number): number {
  try {
    return uptime();
  } catch (error) {
    if (error instanceof SystemError) return otherwise;
    throw error;
  }
}

const [way = ''] = startInformation.arguments;
endless[way]?.();
const reached = bounded[way]?.();
log(`RESULT ${JSON.stringify({ reached })}`);
exit(0);
