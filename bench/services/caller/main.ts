/**
 * The client of the measured calls. It runs as the machine's first service, starts the others, measures by the kernel's
 * clock, writes the figures to the kernel log and ends the machine. What to measure stands in the words of `--exec`
 * (bench/machine.ts).
 */
import {
  bootArguments,
  connect,
  echo,
  getpid,
  halt,
  ipcCallBegin,
  ipcCallPoll,
  ipcCreatePort,
  ipcFindPort,
  log,
  spawn,
  taskList,
  uptime,
  yieldCpu,
} from '../../../services/lib/index.ts';

/** What the bench asks for. */
interface Order {
  readonly bytes: number;
  readonly warmUp: number;
  readonly batches: number;
  readonly calls: number;
  /** Calls under way at a time in the pipelined part. */
  readonly window: number;
  /** Ports that exist besides the measured one. */
  readonly ports: number;
  /** Services that run besides the measured ones. */
  readonly services: number;
}

const order = JSON.parse(bootArguments().exec ?? '{}') as Order;

/** Runs `batch` and answers the microseconds that one of its calls took, for each batch. */
function measure(batch: (calls: number) => void): number[] {
  batch(order.warmUp);
  return Array.from({ length: order.batches }, () => {
    const before = uptime();
    batch(order.calls);
    return ((uptime() - before) * 1000) / order.calls;
  });
}

function repeat(call: () => void): (calls: number) => void {
  return (calls) => {
    for (let i = 0; i < calls; i++) call();
  };
}

spawn('responder');
const responder = connect(echo, 'responder');
for (let i = 0; i < order.ports; i++) ipcCreatePort();
for (let i = 0; i < order.services; i++) spawn(`bystander-${i}`);
// A service that has started waits for its first message.
while (taskList().some(({ name, waitsFor }) => name.startsWith('bystander') && waitsFor !== 'ipc_recv')) yieldCpu();

const data = Buffer.alloc(order.bytes, 'x');
const port = ipcFindPort('responder', 0);
const request = { interface: echo.number, method: echo.methods.echo.number, data };

/** Sends a window of requests, then takes their answers; the pipe keeps the order, so the last answer comes last. */
function pipelined(calls: number): void {
  for (let done = 0; done < calls; done += order.window) {
    const begun = Array.from({ length: order.window - 1 }, () => ipcCallBegin(port, request, 10000));
    responder.echo(data);
    for (const id of begun) if (ipcCallPoll(id)?.status !== 0) throw new Error('a pipelined call failed');
  }
}

const figures = {
  null: measure(repeat(getpid)),
  rpc: measure(repeat(() => responder.echo(data))),
  pipelined: order.window === 0 ? [] : measure(pipelined).map((microseconds) => 1e6 / microseconds),
};
log(`RESULT ${JSON.stringify(figures)}`);
halt(0, false);
