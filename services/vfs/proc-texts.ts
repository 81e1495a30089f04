/** The contents of the files in `/proc`. */
import { SystemError } from '../../protocol/errno.ts';
import type { CapabilityRow, InterruptRow, MemoryInformation, PortRow, TaskRow } from '../../protocol/records.ts';
import type { MountRow } from '../../protocol/vfs.ts';

/** Where the figures come from: system calls, and the mount table. */
export interface ProcSource {
  /** Milliseconds since power-on. */
  uptime(): number;
  memory(): MemoryInformation;
  tasks(): readonly TaskRow[];
  ports(): readonly PortRow[];
  interrupts(): { readonly lines: readonly InterruptRow[]; readonly spurious: number };
  /** Throws SystemError ESRCH. */
  capabilities(pid: number): readonly CapabilityRow[];
  mounts(): readonly MountRow[];
}

type Cell = string | number;

/** Lines with columns: numbers to the right, texts to the left, the last one as it is. */
function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const texts = [head, ...rows].map((row) => row.map((cell) => (cell === '' ? '-' : String(cell))));
  const widths = head.map((_, column) => Math.max(...texts.map((row) => row[column]?.length ?? 0)));
  const isNumber = head.map((_, column) => typeof rows[0]?.[column] === 'number');
  const lines = texts.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        if (isNumber[column]) return cell.padStart(width);
        return column === row.length - 1 ? cell : cell.padEnd(width);
      })
      .join('  '),
  );
  return `${lines.join('\n')}\n`;
}

/** Lines `name: value`. */
function list(entries: readonly (readonly [string, Cell])[]): string {
  const width = Math.max(...entries.map(([name]) => name.length)) + 2;
  return entries.map(([name, value]) => `${`${name}:`.padEnd(width)}${value}\n`).join('');
}

const kibibytes = (bytes: number): string => `${Math.round(bytes / 1024)} KiB`;

/** The files of the root, in the order of a listing. */
export const rootTexts: Readonly<Record<string, (source: ProcSource) => string>> = {
  uptime: (source) => `${(source.uptime() / 1000).toFixed(3)} s\n`,
  meminfo: (source) => {
    const { hostTotal, hostFree, kernelResident, kernelHeap, messages, stores } = source.memory();
    return list([
      ['HostTotal', kibibytes(hostTotal)],
      ['HostFree', kibibytes(hostFree)],
      ['KernelResident', kibibytes(kernelResident)],
      ['KernelHeap', kibibytes(kernelHeap)],
      ['Messages', kibibytes(messages)],
      ['Stores', kibibytes(stores)],
    ]);
  },
  tasks: (source) =>
    table(
      ['PID', 'PPID', 'HOST', 'CPU(ms)', 'MEM(KiB)', 'CALLS', 'STATE', 'WAITS', 'NAME'],
      source
        .tasks()
        .map((task) => [
          task.pid,
          task.parent,
          task.host,
          Math.round(task.cpuMilliseconds),
          Math.round(task.memoryBytes / 1024),
          task.systemCalls,
          task.state,
          task.waitsFor,
          task.name,
        ]),
    ),
  interrupts: (source) => {
    const { lines, spurious } = source.interrupts();
    const rows = lines.map(({ irq, count, masked, owner }) => [irq, count, masked ? 'masked' : 'open', owner]);
    return `${table(['IRQ', 'COUNT', 'STATE', 'OWNER'], rows)}spurious: ${spurious}\n`;
  },
  mounts: (source) =>
    table(
      ['DEVICE', 'TYPE', 'ACCESS', 'SERVICE', 'STATE', 'PATH'],
      source
        .mounts()
        .map(({ device, type, readOnly, service, state, path }) => [
          device,
          type,
          readOnly ? 'ro' : 'rw',
          service,
          state === '' ? 'good' : JSON.stringify(state),
          path,
        ]),
    ),
  ports: (source) =>
    table(
      ['PORT', 'RECEIVER', 'QUEUED', 'OWED', 'SENT', 'RECEIVED', 'AGAIN', 'FAILED', 'OWNER', 'NAME'],
      source
        .ports()
        .map((row) => [
          row.port,
          row.receiver,
          row.queued + row.waiting,
          row.owed,
          row.sent,
          row.received,
          row.redelivered,
          row.failed + row.refused,
          row.owner,
          row.name,
        ]),
    ),
};

/** The files of the folder of a task. Throw SystemError ESRCH when it is gone. */
export const taskTexts: Readonly<Record<string, (source: ProcSource, pid: number) => string>> = {
  status: (source, pid) => {
    const capabilities = source.capabilities(pid).length;
    const task = source.tasks().find((row) => row.pid === pid);
    if (task === undefined) throw new SystemError('ESRCH');
    return list([
      ['Name', task.name],
      ['State', task.state],
      ['WaitsFor', task.waitsFor === '' ? '-' : task.waitsFor],
      ['Pid', task.pid],
      ['Parent', task.parent],
      ['HostPid', task.host],
      ['Incarnation', task.incarnation],
      ['Cpu', `${task.cpuMilliseconds.toFixed(1)} ms`],
      ['Memory', kibibytes(task.memoryBytes)],
      ['Switches', task.switches],
      ['Messages', task.messages],
      ['SystemCalls', task.systemCalls],
      ['Bytes', task.bytes],
      ['Capabilities', capabilities],
    ]);
  },
  caps: (source, pid) =>
    table(
      ['HANDLE', 'BADGE', 'KIND', 'WHAT'],
      source
        .capabilities(pid)
        .map(({ handle, badge, kind, what }) => [`0x${handle.toString(16)}`, `0x${badge.toString(16)}`, kind, what]),
    ),
};
