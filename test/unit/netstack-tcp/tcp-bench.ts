/**
 * What a full segment costs in TCP alone: bulk data from one layer to another in memory, the store being a map that
 * copies nothing. `npx tsx test/unit/netstack-tcp/tcp-bench.ts [MiB]`.
 */
import type { Keeper, TcpOutput } from '../../../services/netstack/tcp/environment.ts';
import { TcpLayer } from '../../../services/netstack/tcp/layer.ts';
import { Random } from '../../support/random.ts';

const A = 0x0a000001;
const B = 0x0a000002;
const MIB = 2 ** 20;
const BLOCK = Buffer.alloc(65_536, 0x5a);
/** Frames that one turn of the stack gets, as a driver gives them. */
const BATCH = 16;

class FastKeeper implements Keeper {
  readonly values = new Map<string, unknown>();
  puts = 0;

  put(key: string, value: unknown): void {
    this.puts++;
    this.values.set(key, value);
  }

  delete(key: string): void {
    this.puts++;
    this.values.delete(key);
  }

  get(key: string): unknown {
    return this.values.get(key);
  }

  keys(): string[] {
    return [...this.values.keys()];
  }
}

interface Side {
  readonly layer: TcpLayer;
  readonly out: TcpOutput[];
  readonly keeper: FastKeeper;
  segments: number;
}

function side(address: number): Side {
  const out: TcpOutput[] = [];
  const keeper = new FastKeeper();
  const random = new Random(address);
  const layer = new TcpLayer({
    output: (packet) => out.push(packet),
    sourceFor: () => ({ address, mtu: 1500 }),
    random: (count) => random.bytes(count),
    keeper,
    pathMtu: () => 1500,
    mayOutput: () => true,
  });
  return { layer, out, keeper, segments: 0 };
}

/** Hands what one side has sent to the other, a batch a turn. */
function deliver(from: Side, to: Side, now: number, program: () => void): void {
  const packets = from.out.splice(0, BATCH);
  to.segments += packets.length;
  for (const { source, destination, payload } of packets) to.layer.input(source, destination, payload, now);
  program();
  if (to.layer.deadline() <= now) to.layer.advance(now);
}

function run(bytes: number): void {
  const sender = side(A);
  const receiver = side(B);
  const listener = receiver.layer.listen({ address: B, port: 80 }, 1);
  const begin = process.cpuUsage();
  let now = 1000;
  const connection = sender.layer.connect({ address: A, port: 0 }, { address: B, port: 80 }, now);
  sender.layer.advance(now);
  let sent = 0;
  let received = 0;
  let accepted: ReturnType<typeof listener.accept>;
  while (received < bytes) {
    now += 0.2;
    deliver(sender, receiver, now, () => {
      accepted ??= listener.accept();
      const data = accepted?.read(received, 65_536, now);
      if (data instanceof Buffer) received += data.length;
    });
    deliver(receiver, sender, now, () => {
      if (connection.state !== 'established') return;
      for (;;) {
        const taken = connection.write(sent, BLOCK);
        if (taken === 0) break;
        sent += taken;
      }
    });
  }
  const { user, system } = process.cpuUsage(begin);
  const data = receiver.segments;
  process.stdout.write(
    `${(bytes / MIB).toFixed(0)} MiB in ${data} segments, ${sender.segments} back: ${((user + system) / data).toFixed(2)} µs of CPU a segment, ` +
      `both ends and the engine's other threads together; puts and deletes ${sender.keeper.puts} + ${receiver.keeper.puts}\n`,
  );
}

const mebibytes = Number(process.argv[2] ?? 64);
for (let round = 0; round < 3; round++) run(mebibytes * MIB);
