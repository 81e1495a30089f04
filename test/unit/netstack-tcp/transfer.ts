/** Moves bytes from one station to another over a simulated net, and measures it. */
import type { TcpConnection } from '../../../services/netstack/tcp/connection.ts';
import { Random } from '../../support/random.ts';
import { type Faults, SimulatedNet } from './simulated-net.ts';

export interface Settings extends Faults {
  readonly bytes: number;
  readonly receiveBuffer?: number;
  readonly sendBuffer?: number;
}

export interface Outcome {
  /** Milliseconds of the net's time. */
  readonly time: number;
  /** KB (1,000 bytes) a second. */
  readonly throughput: number;
  /** Share of the packets with data that were sent once only. */
  readonly efficiency: number;
  readonly timeouts: number;
}

/** Segments of 88 bytes of which a sixth is lost, on a way of 200 ms, carry about 100 bytes a second. */
const LONGEST_MS = 4 * 3_600_000;

const CLIENT = 0x0a000001;
const SERVER = 0x0a000002;

/** Throws when a byte is wrong or the transfer does not come to its end. */
export function transfer(seed: number, settings: Settings): Outcome {
  const net = new SimulatedNet(new Random(seed), settings);
  const client = net.station(CLIENT);
  const server = net.station(SERVER);
  const data = new Random(seed).bytes(Math.min(settings.bytes, 10_007));
  const listener = server.layer.listen({ address: 0, port: 5001 }, 1);
  const sender = client.layer.connect({ address: CLIENT, port: 0 }, { address: SERVER, port: 5001 }, net.now);
  if (settings.sendBuffer !== undefined) sender.sendBuffer = settings.sendBuffer;
  const begin = net.now;
  let receiver: TcpConnection | undefined;
  let written = 0;
  let read = 0;
  let finishedAt = 0;
  client.program = () => {
    while (sender.state === 'established' && written < settings.bytes) {
      const from = written % data.length;
      const taken = sender.write(written, data.subarray(from, from + Math.min(65_536, settings.bytes - written)));
      if (taken === 0) return;
      written += taken;
    }
    if (sender.state === 'established') sender.closeSend();
  };
  server.program = (now) => {
    receiver ??= listener.accept();
    if (receiver === undefined) return;
    if (settings.receiveBuffer !== undefined && receiver.receiveBuffer !== settings.receiveBuffer) {
      receiver.receiveBuffer = settings.receiveBuffer;
    }
    while (finishedAt === 0) {
      const bytes = receiver.read(read, 65_536, now);
      if (bytes === 'wait') return;
      if (bytes === 'end') {
        finishedAt = now;
        receiver.close(null, now);
        return;
      }
      for (let at = 0; at < bytes.length; ) {
        const from = (read + at) % data.length;
        const part = data.subarray(from, from + bytes.length - at);
        if (!bytes.subarray(at, at + part.length).equals(part)) throw new Error(`wrong bytes behind ${read + at}`);
        at += part.length;
      }
      read += bytes.length;
    }
  };
  const isOver = (): boolean => finishedAt > 0 && (sender.state === 'time-wait' || sender.state === 'closed');
  const done = net.run(isOver, LONGEST_MS);
  if (!done || read !== settings.bytes) {
    throw new Error(
      `${read} of ${settings.bytes} bytes, ${sender.state} ${sender.error}, ${receiver?.state} ${receiver?.error}`,
    );
  }
  const counters = client.layer.counters;
  const again = counters['tcp.retransmitted'] ?? 0;
  const segments = counters['tcp.segmentsSent'] ?? 1;
  const time = finishedAt - begin;
  return { time, throughput: read / time, efficiency: 1 - again / segments, timeouts: counters['tcp.timeouts'] ?? 0 };
}
