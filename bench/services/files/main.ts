/**
 * Works on the files of /mnt and reports how long it took. What it does is named in the order: `sequential`, `cached`,
 * `directory`, `append`, `mount` or `walk`.
 */
import { bootArguments, type File, Files, halt, log, taskList, uptime } from '../../../services/lib/index.ts';

/** What the bench asks for. */
interface Order {
  readonly task: keyof typeof tasks;
  /** Bytes of a file, and of one read or write. */
  readonly bytes: number;
  readonly pieceBytes: number;
  /** How often something is done, in how many batches. */
  readonly count: number;
  readonly batches: number;
}

const files = Files.connect('/mnt');

/** Milliseconds that something takes. */
function timed(work: () => void): number {
  const before = uptime();
  work();
  return uptime() - before;
}

const create = { read: true, write: true, create: true, truncate: true };

function writeAll(file: File, { bytes, pieceBytes }: Order): void {
  const piece = new Uint8Array(pieceBytes).fill(0x5a);
  for (let at = 0; at < bytes; at += pieceBytes) file.write(piece);
}

const tasks = {
  /** A file written with fsync, and read again, in megabytes a second. */
  sequential: (order: Order) => {
    const rate = (milliseconds: number): number => order.bytes / 1000 / milliseconds;
    const write: number[] = [];
    const read: number[] = [];
    for (let batch = 0; batch < order.batches; batch++) {
      files.with('sequential', create, (file) => {
        const milliseconds = timed(() => {
          writeAll(file, order);
          file.sync();
        });
        write.push(rate(milliseconds));
      });
      files.with('sequential', { read: true }, (file) => {
        let bytes = 0;
        const milliseconds = timed(() => {
          for (const piece of file.pieces(order.pieceBytes)) bytes += piece.length;
        });
        if (bytes !== order.bytes) throw new Error(`${bytes} bytes came of ${order.bytes}`);
        read.push(rate(milliseconds));
      });
      files.unlink('sequential');
    }
    return { write, read };
  },

  /** Reads of a file that the file system has in its cache, in microseconds each. */
  cached: (order: Order) => {
    const microseconds: number[] = [];
    files.with('cached', create, (file) => {
      writeAll(file, order);
      const pieces = order.bytes / order.pieceBytes;
      for (let batch = -1; batch < order.batches; batch++) {
        const milliseconds = timed(() => {
          for (let at = 0; at < order.count; at++) file.readAt((at % pieces) * order.pieceBytes, order.pieceBytes);
        });
        if (batch >= 0) microseconds.push((milliseconds * 1000) / order.count);
      }
    });
    files.unlink('cached');
    return { microseconds };
  },

  /** Files made in one directory, listed and removed; milliseconds for each batch of `count`. */
  directory: ({ batches, count }: Order) => {
    files.makeDirectory('many');
    const name = (batch: number, index: number): string => `many/file-${batch * count + index}`;
    const each = (work: (path: string) => void): number[] =>
      Array.from({ length: batches }, (_, batch) =>
        timed(() => {
          for (let index = 0; index < count; index++) work(name(batch, index));
        }),
      );
    const made = each((path) => files.open(path, { write: true, create: true, exclusive: true }).close());
    let listed = 0;
    const list = timed(() => {
      for (const _ of files.entries('many')) listed++;
    });
    if (listed !== batches * count) throw new Error(`${listed} files are listed of ${batches * count}`);
    const removed = each((path) => files.unlink(path));
    files.removeDirectory('many');
    return { made, list: [list], removed };
  },

  /** A byte appended and fsync, in milliseconds each. */
  append: ({ count }: Order) => {
    const byte = new Uint8Array(1);
    return files.with('append', { write: true, append: true, create: true }, (file) => ({
      milliseconds: Array.from({ length: count }, () =>
        timed(() => {
          file.append(byte);
          file.sync();
        }),
      ),
    }));
  },

  /** The second disk mounted, in milliseconds, when the boot with the first one is over. */
  mount: () => {
    files.attributes('/mnt');
    files.makeDirectory('/second');
    const milliseconds = timed(() => files.mount('hdb', '/second'));
    let found = 0;
    for (const _ of files.entries('/second')) found++;
    return { milliseconds: [milliseconds], found: [found] };
  },

  /** Every directory listed and every file looked at; then the memory of the file system's process in MiB. */
  walk: () => {
    let found = 0;
    const walk = (directory: string): void => {
      for (const { name, type } of [...files.entries(directory)]) {
        const path = `${directory}/${name}`;
        found++;
        if (type === 'directory') walk(path);
        else files.attributes(path);
      }
    };
    walk('/mnt');
    const row = taskList().find(({ name }) => name.startsWith('vrfs@'));
    return { found: [found], mebibytes: [(row?.memoryBytes ?? 0) / 2 ** 20] };
  },
};

const order = JSON.parse(bootArguments().exec ?? '{}') as Order;
// A line of the log has its bounds: figures to a thousandth.
const short = (_key: string, value: unknown): unknown =>
  typeof value === 'number' ? Math.round(value * 1000) / 1000 : value;
log(`RESULT ${JSON.stringify(tasks[order.task](order), short)}`);
halt(0, false);
