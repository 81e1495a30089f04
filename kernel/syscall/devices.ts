/** System calls on devices: I/O ports, vectors, interrupts. */

import type { Width } from '../../hw/device.ts';
import { HEADER_BYTES, MAX_VECTOR_BYTES } from '../../protocol/bounds.ts';
import { decodeInPlace, encodeAfter, encodeMessage } from '../../protocol/codec.ts';
import { SystemError } from '../../protocol/errno.ts';
import type { Infer } from '../../protocol/schema.ts';
import { systemCalls } from '../../protocol/syscall.ts';
import type { vectorResult } from '../../protocol/vector.ts';
import { PermissionBitmap } from '../io/permission.ts';
import { type Lines, VectorMemory, VectorRun } from '../io/vector.ts';
import { checkVector, ownBlocks, type VectorProgram } from '../io/vector-program.ts';
import type { Frame } from '../ipc/frame.ts';
import type { Task } from '../objects.ts';
import { type Handler, type KernelParts, typed, valued } from './context.ts';
import { checkRoom, storePut } from './store.ts';

type VectorResult = Infer<typeof vectorResult>;

/** Port and width of a call; throws EINVAL for a width there is not. */
function access(frame: Frame): { port: number; width: Width } {
  const width = frame.handle >>> 16;
  if (width !== 1 && width !== 2 && width !== 4) throw new SystemError('EINVAL');
  return { port: frame.handle & 0xffff, width };
}

/**
 * Checks an access against the permission bitmap. A refused one is a general protection fault: the task is ended, the
 * log names service and port, and nothing reaches the device.
 */
function allowed(kernel: KernelParts, task: Task, port: number, width: number): boolean {
  if (task.permission?.allows(port, width) === true) return true;
  fault(kernel, task, port, width);
  return false;
}

function fault(kernel: KernelParts, task: Task, port: number, width: number): void {
  const last = width === 1 ? '' : ` (${width} bytes)`;
  kernel.tasks.end(
    task,
    `general protection fault: ${task.name} touched I/O port 0x${port.toString(16)}${last} without permission`,
  );
}

/**
 * The room was checked before the first access; only a vector that waited can find it taken by the task itself
 * meanwhile.
 */
function keepResults(kernel: KernelParts, task: Task, key: string, value: unknown): void {
  try {
    const bytes = encodeAfter(0, value);
    storePut(task, key, bytes, 0, bytes.length);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    kernel.log.error(`${task.title}: what a vector read is not kept: ${error.message}`);
  }
}

/** Vectors that are carried out at once read into this. */
const vectorMemory = new VectorMemory();

/** An armed vector touches no line. */
const NO_LINES: Lines = { acknowledge: () => {}, pending: () => false, arm: () => {} };

const ANSWER_HEAD = { interface: 0, method: 0, timeoutMilliseconds: 0, port: 0, rights: [] };

/** Answers the request of a reply right in the name of the task that holds it. False: nobody waits for an answer. */
function answerFor(kernel: KernelParts, task: Task, handle: number, data: unknown): boolean {
  const waits = task.capabilities.of(handle, 'reply')?.message.caller ?? null;
  if (waits === null) return false;
  const type = systemCalls.ipc_reply.number;
  const buffer = encodeMessage(type, 0, 0, handle, ANSWER_HEAD, data);
  return kernel.ipc.reply(task, { buffer, start: 0, end: buffer.length, type, flags: 0, id: 0, handle }) === 0;
}

/**
 * The line has interrupted for which a vector was armed. Null: it would come in the middle of another one. 'answered':
 * it has answered who waits for it.
 */
function runAtInterrupt(kernel: KernelParts, task: Task, program: VectorProgram): VectorResult | null | 'answered' {
  if (task.vector !== null) return null;
  let answered = false;
  const answer = (reply: number, results: readonly unknown[]): boolean => {
    answered = answerFor(kernel, task, reply, results);
    return answered;
  };
  const run = new VectorRun(0, program, kernel.bus, NO_LINES, () => {}, null, answer);
  run.step(kernel.time.now());
  const { ended, results } = run;
  const { keep } = program;
  if (keep !== null) keepResults(kernel, task, keep.key, [keep.tag, ended, results]);
  return answered ? 'answered' : { ended, results };
}

/** What a vector is to do. Nearly all are done at once, so their byte strings stay where they have come. */
function operationsOf({ buffer, start, end }: Frame): unknown {
  return end - start > HEADER_BYTES ? decodeInPlace(buffer, start + HEADER_BYTES, end) : null;
}

export const deviceCalls = {
  request_io_port: typed('request_io_port', (kernel, task, { start, end }, frame) => {
    if (end < start) throw new SystemError('EINVAL');
    if (!task.manifest.ioPorts.some(([first, last]) => start >= first && end <= last)) throw new SystemError('EPERM');
    if (!task.capabilities.hasRoom()) throw new SystemError('EMFILE');
    task.permission ??= new PermissionBitmap();
    task.permission.set(start, end, true);
    const handle = task.capabilities.insert({ kind: 'io', references: 0, first: start, last: end });
    kernel.execution.answer(task, frame.id, 0, handle);
  }),
  in: (kernel, task, frame) => {
    const { port, width } = access(frame);
    if (!allowed(kernel, task, port, width)) return;
    kernel.execution.answer(task, frame.id, 0, kernel.bus.read(port, width));
  },
  out: typed('out', (kernel, task, value, frame) => {
    const { port, width } = access(frame);
    if (value >= 256 ** width) throw new SystemError('EINVAL');
    if (!allowed(kernel, task, port, width)) return;
    kernel.bus.write(port, width, value);
    kernel.execution.answer(task, frame.id, 0);
  }),
  ins: typed('ins', (kernel, task, { count }, frame) => {
    const { port, width } = access(frame);
    if (count * width > MAX_VECTOR_BYTES) throw new SystemError('EINVAL');
    if (!allowed(kernel, task, port, width)) return;
    const target = Buffer.allocUnsafe(count * width);
    kernel.bus.readBlock(port, width, target);
    kernel.execution.answerValue(task, frame.id, target);
  }),
  outs: typed('outs', (kernel, task, data, frame) => {
    const { port, width } = access(frame);
    if (data.length % width !== 0) throw new SystemError('EINVAL');
    if (!allowed(kernel, task, port, width)) return;
    kernel.bus.writeBlock(port, width, Buffer.from(data.buffer, data.byteOffset, data.length));
    kernel.execution.answer(task, frame.id, 0);
  }),
  io_vector: (kernel, task, frame) => {
    if (task.vector !== null) throw new SystemError('EBUSY');
    const checked = checkVector(operationsOf(frame), {
      allows: (port, width) => task.permission?.allows(port, width) === true,
      owns: (irq) => kernel.interrupts.owns(task, irq),
    });
    if (checked.kind === 'invalid') throw new SystemError('EINVAL');
    if (checked.kind === 'fault') return fault(kernel, task, checked.port, checked.width);
    const { program } = checked;
    for (const { keep } of [program, ...program.armed]) if (keep !== null) checkRoom(task, keep.key, keep.mostBytes);
    const lines: Lines = {
      acknowledge: (irq) => kernel.interrupts.acknowledge(task, irq),
      pending: (irq) => kernel.interrupts.hasInterrupted(irq),
      arm: (irq, armed) => {
        ownBlocks(armed);
        kernel.interrupts.acknowledge(task, irq, () => runAtInterrupt(kernel, task, armed));
      },
    };
    const finished = ({ ended, results, unclaimed }: VectorRun): void => {
      const { keep } = program;
      if (keep !== null) keepResults(kernel, task, keep.key, [keep.tag, ended, results]);
      for (const irq of unclaimed) kernel.interrupts.notify(irq);
    };
    vectorMemory.clear();
    const run = new VectorRun(frame.id, program, kernel.bus, lines, finished, vectorMemory);
    if (run.step(kernel.time.now()) === 'done') {
      kernel.execution.answerValue(task, frame.id, [run.ended, run.results]);
      return;
    }
    run.keep();
    task.vector = run;
    kernel.execution.block(task, 'io_vector');
    kernel.vectors.add(task, run);
  },
  register_irq_handler: typed('register_irq_handler', (kernel, task, { irq, port }, frame) => {
    if (!task.manifest.irqs.includes(irq)) throw new SystemError('EPERM');
    const right = task.capabilities.of(port, 'receive');
    if (right === null) throw new SystemError('EBADF');
    if (!task.capabilities.hasRoom()) throw new SystemError('EMFILE');
    if (!kernel.interrupts.register(task, irq, right.port)) throw new SystemError('EBUSY');
    kernel.execution.answer(task, frame.id, 0, task.capabilities.insert({ kind: 'irq', references: 0, irq }));
  }),
  interrupt_list: valued('interrupt_list', (kernel) => ({
    lines: kernel.interrupts.list(),
    spurious: kernel.interrupts.spurious,
  })),
  irq_acknowledge: typed('irq_acknowledge', (kernel, task, { irq }, frame) => {
    kernel.execution.answer(task, frame.id, kernel.interrupts.acknowledge(task, irq) ? 0 : 'EPERM');
  }),
} satisfies Record<string, Handler>;
