/**
 * Interrupts become messages. The 8259 pair is programmed at boot as any PC kernel does it (Intel 8259A data sheet,
 * ICW1 to ICW4, OCW1, OCW2); when it signals, the kernel takes the vector, masks the line, ends the interrupt, and
 * posts the notice `irq` to the port that registered the line, unless a vector of port accesses of the driver waits for
 * it. The line stays masked until the driver acknowledges, so a device can never flood its driver.
 */
import { kernelNotices } from '../../protocol/kernel.ts';
import type { InterruptRow } from '../../protocol/records.ts';
import type { Infer } from '../../protocol/schema.ts';
import type { vectorResult } from '../../protocol/vector.ts';
import type { Ports } from '../io/vector.ts';
import type { Ipc } from '../ipc/ipc.ts';
import type { KernelLog } from '../log.ts';
import type { Port, Task } from '../objects.ts';

const MASTER = 0x20;
const SLAVE = 0xa0;
const VECTOR_BASE = 0x20;
const CASCADE = 2;
const END_OF_INTERRUPT = 0x20;
const READ_IN_SERVICE = 0x0b;

/** The processor's side of the interrupt controller. */
export interface InterruptController {
  /** Called with the level of the INT output each time it changes. */
  onOutput(callback: (level: boolean) => void): void;
  /** The INTA cycle: answers the vector. */
  acknowledge(): number;
}

/**
 * What the driver has asked to be done at the next interrupt. Answers what the notice is to hold, or null; 'answered':
 * no notice is wanted.
 */
export type AtInterrupt = () => VectorResult | null | 'answered';

type VectorResult = Infer<typeof vectorResult>;

interface Line {
  readonly task: Task;
  readonly port: Port;
  atInterrupt: AtInterrupt | null;
}

const noticeKey = (irq: number): string => `irq ${irq}`;

/** Counts and routes interrupts. */
export class Interrupts {
  /** Interrupts of each line since boot. */
  readonly counts = new Float64Array(16);
  spurious = 0;
  /** Called when an interrupt has gone to a vector that waits for it. */
  onClaimed: () => void = () => {};
  private readonly controller: InterruptController;
  private readonly ports: Ports;
  private readonly ipc: Ipc;
  private readonly log: KernelLog;
  private readonly lines: (Line | null)[] = new Array<Line | null>(16).fill(null);
  private mask = 0xffff & ~(1 << CASCADE);
  private pending = false;
  private high = false;
  private closed = false;

  constructor(controller: InterruptController, ports: Ports, ipc: Ipc, log: KernelLog) {
    this.controller = controller;
    this.ports = ports;
    this.ipc = ipc;
    this.log = log;
    const write = (port: number, value: number): void => ports.write(port, 1, value);
    // ICW1: edge triggered, cascade, ICW4 follows. ICW2: vectors. ICW3: slave on line 2. ICW4: 8086 mode.
    for (const [base, vectors, cascade] of [
      [MASTER, VECTOR_BASE, 1 << CASCADE],
      [SLAVE, VECTOR_BASE + 8, CASCADE],
    ] as const) {
      write(base, 0x11);
      write(base + 1, vectors);
      write(base + 1, cascade);
      write(base + 1, 0x01);
    }
    this.writeMask(0xffff);
    controller.onOutput((level) => {
      this.high = level;
      if (level && !this.closed) this.schedule();
    });
  }

  /** Routes a line to a port of a task. False when the line is taken. */
  register(task: Task, irq: number, port: Port): boolean {
    if (this.lines[irq] !== null) return false;
    this.lines[irq] = { task, port, atInterrupt: null };
    task.irqs.add(irq);
    this.setMasked(irq, false);
    return true;
  }

  /**
   * The driver has dealt with the device. False when the line is not its own. `atInterrupt`: what is to be done when it
   * interrupts next.
   */
  acknowledge(task: Task, irq: number, atInterrupt: AtInterrupt | null = null): boolean {
    const line = this.lines[irq];
    if (line?.task !== task) return false;
    line.atInterrupt = atInterrupt;
    // Whoever has something done at the next interrupt has looked at the device after the last one.
    if (atInterrupt !== null) line.port.removeNotice(noticeKey(irq));
    this.setMasked(irq, false);
    return true;
  }

  /** Nothing is to be done at interrupts of the task's lines but to tell of them. */
  disarm(task: Task): void {
    for (const line of this.lines) if (line?.task === task) line.atInterrupt = null;
  }

  /** Whether a line has interrupted and its driver has not acknowledged it. */
  hasInterrupted(irq: number): boolean {
    return this.lines[irq] !== null && (this.mask & (1 << irq)) !== 0;
  }

  /** All lines. */
  list(): InterruptRow[] {
    return this.lines.map((line, irq) => ({
      irq,
      count: this.counts[irq] ?? 0,
      masked: (this.mask & (1 << irq)) !== 0,
      owner: line?.task.name ?? '',
    }));
  }

  /** The line belongs to nobody any more and stays masked. */
  release(irq: number): void {
    this.lines[irq]?.task.irqs.delete(irq);
    this.lines[irq] = null;
    this.setMasked(irq, true);
  }

  /** Masks every line and takes no interrupts any more. */
  close(): void {
    this.closed = true;
    this.writeMask(0xffff);
  }

  /** Whether a task may acknowledge a line. */
  owns(task: Task, irq: number): boolean {
    return this.lines[irq]?.task === task;
  }

  /** The controller may signal in the middle of a device's access; the processor looks between instructions. */
  private schedule(): void {
    if (this.pending) return;
    this.pending = true;
    queueMicrotask(() => {
      this.pending = false;
      for (let rounds = 0; this.high && rounds < 32; rounds++) this.take();
    });
  }

  private take(): void {
    const irq = this.controller.acknowledge() - VECTOR_BASE;
    if ((irq === 7 || irq === 15) && this.isSpurious(irq)) return;
    if (irq < 0 || irq > 15) {
      this.log.error(`the interrupt controller answered vector ${irq + VECTOR_BASE}`);
      return;
    }
    this.setMasked(irq, true);
    if (irq >= 8) this.ports.write(SLAVE, 1, END_OF_INTERRUPT);
    this.ports.write(MASTER, 1, END_OF_INTERRUPT);
    this.counts[irq] = (this.counts[irq] ?? 0) + 1;
    if (this.lines[irq]?.task.vector?.interrupt(irq) === true) this.onClaimed();
    else this.notify(irq);
  }

  /** Tells the driver that its line has interrupted. */
  notify(irq: number): void {
    const line = this.lines[irq];
    if (!line) {
      this.log.debug(`interrupt ${irq} has no handler`);
      return;
    }
    const { port, atInterrupt } = line;
    line.atInterrupt = null;
    const vector = atInterrupt?.() ?? null;
    if (vector === 'answered') return;
    const { number, request } = kernelNotices.methods.irq;
    this.ipc.notify(port, number, request.toWire({ irq, vector }, []), noticeKey(irq));
  }

  /**
   * Lines 7 and 15 without an in-service bit: the request was gone before it was acknowledged (data sheet, "Default
   * IR7").
   */
  private isSpurious(irq: number): boolean {
    const base = irq === 7 ? MASTER : SLAVE;
    this.ports.write(base, 1, READ_IN_SERVICE);
    if ((this.ports.read(base, 1) & 0x80) !== 0) return false;
    // The master does have its cascade line in service.
    if (irq === 15) this.ports.write(MASTER, 1, END_OF_INTERRUPT);
    this.spurious++;
    return true;
  }

  private setMasked(irq: number, masked: boolean): void {
    const bit = 1 << irq;
    const mask = masked ? this.mask | bit : this.mask & ~bit;
    if (mask !== this.mask) this.writeMask(mask);
  }

  private writeMask(mask: number): void {
    this.mask = mask & ~(1 << CASCADE);
    this.ports.write(MASTER + 1, 1, this.mask & 0xff);
    this.ports.write(SLAVE + 1, 1, this.mask >> 8);
  }
}
