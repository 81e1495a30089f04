/**
 * A machine for the disk driver without kernel or process: its vectors run against the real ATA channels, time is a
 * number, and completions of the disks wait in a queue until the driver waits for something.
 */
import { AtaChannel } from '../../../hw/ata/channel.ts';
import { PortBus } from '../../../hw/bus.ts';
import type { DiskBackend, DiskDone } from '../../../hw/disk/backend.ts';
import { type Ports, VectorRun } from '../../../kernel/io/vector.ts';
import { checkVector } from '../../../kernel/io/vector-program.ts';
import { DeviceTable } from '../../../services/ata/devices.ts';
import type { Hardware, Operand, VectorResult } from '../../../services/ata/hardware.ts';
import { CHANNELS, IO_PORTS } from '../../../services/ata/registers.ts';

/** The Command register of the second channel; that of the first differs in bit 7. */
const COMMAND_PORT = 0x177;
const IDENTIFY_DEVICE = 0xec;

/**
 * An interrupt line as the kernel gives it to a driver: edges wait while the line is masked, and an interrupt masks it;
 * it goes to the vector that waits for it, or becomes a notice.
 */
class Line {
  level = false;
  #edge = false;
  #masked = false;
  notice = false;
  /** Takes an interrupt, if it is wanted. */
  claim: (() => boolean) | null = null;

  set(level: boolean): void {
    if (level && !this.level) this.#edge = true;
    this.level = level;
    this.#deliver();
  }

  /** An edge that no device meant. */
  spurious(): void {
    this.#edge = true;
    this.#deliver();
  }

  get pending(): boolean {
    return this.#masked;
  }

  acknowledge(): void {
    this.#masked = false;
    this.#deliver();
  }

  #deliver(): void {
    if (!this.#edge || this.#masked) return;
    this.#edge = false;
    this.#masked = true;
    if (this.claim?.() !== true) this.notice = true;
  }
}

/** Makes every completion of a disk wait until `run` takes it from the queue. */
function deferred(disk: DiskBackend, queue: (() => void)[]): DiskBackend {
  const later =
    (done: DiskDone): DiskDone =>
    (error) =>
      queue.push(() => done(error));
  return {
    sectors: disk.sectors,
    readOnly: disk.readOnly,
    read: (lba, target, done) => disk.read(lba, target, later(done)),
    write: (lba, source, done) => disk.write(lba, source, later(done)),
    flush: (done) => disk.flush(later(done)),
    close: () => disk.close(),
  };
}

/** Drives by place: hda, hdb, hdc, hdd. */
export type Disks = readonly (DiskBackend | null)[];

/** The machine with up to four disks. */
export class Machine implements Hardware {
  /** Time in milliseconds. */
  now = 0;
  /** Entries into the kernel: vectors, looks for notices, and pauses. */
  entries = 0;
  readonly lines = [new Line(), new Line()] as const;
  readonly logLines: string[] = [];
  /** Interrupts of a channel that get lost. */
  readonly lost = [0, 0];
  /** Called before each access; a number answers a read in the place of the device. */
  onRead: ((port: number) => number | undefined) | null = null;
  /** Changes what IDENTIFY DEVICE says; the checksum is made right afterwards. */
  onIdentify: ((words: Buffer) => void) | null = null;
  /** The driver dies where a vector waits. */
  killed = false;
  /** Completions come to nothing before this time. */
  stalledUntil = 0;
  readonly writes: { port: number; value: number }[] = [];
  readonly #queue: (() => void)[] = [];
  readonly #ports: Ports;

  constructor(disks: Disks) {
    const bus = new PortBus(() => this.now * 1e6);
    for (const [index, registers] of CHANNELS.entries()) {
      const [first, second] = [disks[2 * index] ?? null, disks[2 * index + 1] ?? null];
      // A channel without drives is not there at all, as on a machine that does not have it.
      if (first === null && second === null) continue;
      const drives = [first, second].map((disk) => (disk === null ? null : deferred(disk, this.#queue)));
      bus.attach(
        new AtaChannel({
          name: registers.name,
          commandBase: registers.data,
          controlPort: registers.control,
          line: { set: (level) => this.#lineChanged(index, level) },
          drives: [drives[0] ?? null, drives[1] ?? null],
          changed: () => {},
        }),
      );
    }
    this.#ports = {
      read: (port, width) => this.onRead?.(port) ?? bus.read(port, width),
      write: (port, width, value) => {
        this.writes.push({ port, value });
        bus.write(port, width, value);
      },
      readBlock: (port, width, target) => {
        bus.readBlock(port, width, target);
        const command = this.writes.findLast((write) => (write.port & ~0x80) === COMMAND_PORT)?.value;
        if (this.onIdentify === null || command !== IDENTIFY_DEVICE) return;
        this.onIdentify(target);
        target[511] = 0;
        target[511] = -target.reduce((sum, byte) => sum + byte, 0) & 0xff;
      },
      writeBlock: (port, width, source) => bus.writeBlock(port, width, source),
    };
  }

  /** A driver that has probed this machine. */
  start(): DeviceTable {
    const table = new DeviceTable((text) => this.logLines.push(text));
    table.probe(this);
    return table;
  }

  #lineChanged(index: number, level: boolean): void {
    const line = this.lines[index];
    if (line === undefined) return;
    const left = this.lost[index] ?? 0;
    if (level && !line.level && left > 0) {
      this.lost[index] = left - 1;
      return;
    }
    line.set(level);
  }

  /** Lets the next completion happen. False: nothing is under way before `deadline`. */
  #progress(deadline: number): boolean {
    const next = this.#queue[0];
    if (next === undefined || this.stalledUntil >= deadline) return false;
    this.#queue.shift();
    this.now = Math.max(this.now, this.stalledUntil);
    next();
    return true;
  }

  vector(operations: readonly Operand[]): VectorResult {
    this.entries++;
    const allows = (port: number, width: number): boolean =>
      IO_PORTS.some(([first, last]) => port >= first && port + width - 1 <= last);
    const check = checkVector(operations, { allows, owns: (irq) => irq === 14 || irq === 15 });
    if (check.kind !== 'ok') throw new Error(`the kernel refuses the vector: ${JSON.stringify(check)}`);
    const lineOf = (irq: number): Line => this.lines[irq === 14 ? 0 : 1];
    const run = new VectorRun(1, check.program, this.#ports, {
      acknowledge: (irq) => lineOf(irq).acknowledge(),
      pending: (irq) => lineOf(irq).pending,
      arm: (irq) => lineOf(irq).acknowledge(),
    });
    try {
      this.#run(run);
    } finally {
      for (const line of this.lines) line.claim = null;
    }
    for (const [index, line] of this.lines.entries()) line.notice ||= run.unclaimed.includes(14 + index);
    return { ended: run.ended, results: run.results };
  }

  #run(run: VectorRun): void {
    for (const [index, line] of this.lines.entries()) line.claim = () => run.interrupt(14 + index);
    while (run.step(this.now) === 'waiting') {
      if (this.killed) throw new Error('killed');
      if (!this.#progress(run.deadline)) this.now = run.deadline;
    }
  }

  takeInterrupt(channel: number): boolean {
    this.entries++;
    const line = this.lines[channel];
    if (line === undefined) throw new Error(`no channel ${channel}`);
    const { notice } = line;
    line.notice = false;
    return notice;
  }

  pause(milliseconds: number): void {
    this.entries++;
    this.now += milliseconds;
  }
}

/** Contents that tell each sector of each disk from every other. */
export function pattern(sectors: number, seed: number): Buffer {
  const bytes = Buffer.alloc(sectors * 512);
  for (let sector = 0; sector < sectors; sector++) {
    bytes.fill((sector * 7 + seed) & 0xff, sector * 512, (sector + 1) * 512);
    bytes.writeUInt32LE(sector, sector * 512);
    bytes.writeUInt32LE(seed, sector * 512 + 4);
  }
  return bytes;
}

/** A number generator with a seed other than 0 (Marsaglia's xorshift): whole numbers below `limit`. */
export function randomFrom(seed: number): (limit: number) => number {
  let state = seed >>> 0 || 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

/** A disk of any size that keeps what was written and reads zeros elsewhere. */
export class SparseDisk implements DiskBackend {
  readonly sectors: number;
  readonly readOnly = false;
  readonly written = new Map<number, Buffer>();

  constructor(sectors: number) {
    this.sectors = sectors;
  }

  read(lba: number, target: Buffer, done: DiskDone): void {
    for (let at = 0; at < target.length; at += 512) {
      const sector = this.written.get(lba + at / 512);
      if (sector === undefined) target.fill(0, at, at + 512);
      else sector.copy(target, at);
    }
    done(null);
  }

  write(lba: number, source: Buffer, done: DiskDone): void {
    for (let at = 0; at < source.length; at += 512) {
      this.written.set(lba + at / 512, Buffer.from(source.subarray(at, at + 512)));
    }
    done(null);
  }

  flush(done: DiskDone): void {
    done(null);
  }

  async close(): Promise<void> {}
}

/** Writes one entry of a partition table into a boot record and signs it. */
export function setEntry(record: Buffer, index: number, type: number, firstSector: number, sectors: number): void {
  const at = 446 + 16 * index;
  record.writeUInt8(type, at + 4);
  record.writeUInt32LE(firstSector, at + 8);
  record.writeUInt32LE(sectors, at + 12);
  record.writeUInt16LE(0xaa55, 510);
}
