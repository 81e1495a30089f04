/**
 * Starts processes for tasks: from the standby of the program, or a warm spare when it can run in one, else cold.
 */
import path from 'node:path';
import { DEFAULT_MEMORY_MEBIBYTES } from '../../loader/engine.ts';
import { PROTOCOL_VERSION } from '../../protocol/bounds.ts';
import { OFFSET_HANDLE, OFFSET_ID, OFFSET_TYPE } from '../../protocol/frame.ts';
import { systemCalls } from '../../protocol/syscall.ts';
import type { Manifest } from '../config.ts';
import type { KernelLog } from '../log.ts';
import { fromSources, loaderFile } from '../paths.ts';
import { HostProcess, type ProcessOwner } from './host-process.ts';
import { IdleProcess, type Keeper, type WaitingStart } from './idle-process.ts';
import type { Place, Placement } from './placement.ts';
import { commandLine, type HostTools, layersInForce, type SandboxLayer, type SandboxRequest } from './sandbox.ts';
import { SparePool } from './spares.ts';
import { Standbys } from './standbys.ts';

/** Spares kept while the system runs: two services may die at once. */
const SPARES = 2;

/** A started process and the id of its `task_start` if that has come already. */
export interface Started {
  readonly process: HostProcess;
  readonly startId: number | null;
  readonly from: 'standby' | 'warm spare' | 'cold start';
}

/** Starts processes. */
export class Spawner {
  readonly layers: readonly SandboxLayer[];
  readonly tools: HostTools;
  private readonly readable: readonly string[];
  readonly placement: Placement;
  private readonly log: KernelLog;
  private readonly spares: SparePool;
  private readonly standbys: Standbys;

  constructor(
    layers: readonly SandboxLayer[],
    tools: HostTools,
    manifests: readonly Manifest[],
    log: KernelLog,
    placement: Placement,
  ) {
    this.layers = layers;
    this.tools = tools;
    this.log = log;
    this.placement = placement;
    const folders = manifests
      .map((manifest) => manifest.entry)
      .filter((entry) => entry !== '')
      .map((entry) => path.dirname(entry));
    this.readable = withoutNested([path.dirname(loaderFile), ...folders]);
    const start = (owner: ProcessOwner): HostProcess =>
      this.cold([], DEFAULT_MEMORY_MEBIBYTES, false, owner, placement.startPlace);
    this.spares = new SparePool(0, start, readTaskStart);
    const obtain = (keeper: Keeper): IdleProcess => {
      const spare = this.spares.takeReady();
      if (spare === null) return new IdleProcess(start, readTaskStart, keeper);
      spare.keeper = keeper;
      this.spares.fill();
      return spare;
    };
    this.standbys = new Standbys(obtain, log, {
      prepares: ({ process }) => placement.sendAway(process),
      // What its predecessor told the kernel often it will tell it, too, and there is no time to move it then.
      ready: ({ process }) => {
        if (placement.inForce) placement.gather([process]);
      },
    });
  }

  /** Layers in force for ordinary tasks, in words. */
  describe(): string {
    const inForce = layersInForce(this.request([], DEFAULT_MEMORY_MEBIBYTES, false));
    const words = inForce.map((layer) => (layer === 'namespaces' ? `namespaces (${this.tools.namespaces})` : layer));
    return words.length === 0 ? 'none' : words.join(', ');
  }

  /** Starts as many spares as will be asked for at once. */
  warmUp(count: number): void {
    this.spares.fill(count);
  }

  /** Back to the usual number of spares. */
  refill(): void {
    this.spares.fill(SPARES);
  }

  /** Spares that could take over now. */
  get warm(): number {
    return this.spares.ready;
  }

  /**
   * Sees to it that a program has a standby. Answers what ends one that was made now, if it is not ready by then;
   * `lost` is told when one that was ready has been ended from outside. Sources are compiled when they are loaded,
   * which a standby is not worth.
   */
  prepare(manifest: Manifest, lost: () => void): (() => void) | null {
    return fromSources ? null : this.standbys.prepare(manifest, lost);
  }

  /** A program has been stopped, and needs no standby. */
  drop({ name }: Manifest): void {
    this.standbys.drop(name);
  }

  /** Ends all spares and standbys. */
  close(): void {
    this.spares.close();
    this.standbys.close();
  }

  /** A process for a program. Throws when the host cannot start one. */
  start(manifest: Manifest, inspected: boolean, owner: ProcessOwner): Started {
    const ordinary = isOrdinary(manifest) && !inspected;
    const standby = ordinary ? this.standbys.take(manifest) : null;
    if (standby !== null) return takenOver(standby, 'standby', owner);
    const spare = ordinary ? this.spares.take() : null;
    if (spare !== null && (spare.waiting === null || spare.waiting.protocolVersion === PROTOCOL_VERSION))
      return takenOver(spare, spare.waiting === null ? 'cold start' : 'warm spare', owner);
    if (inspected) this.log.warn(`${manifest.name} runs outside the sandbox: its layers would block the debugger`);
    return {
      process: this.cold(manifest.command, manifest.memory, inspected, owner, 'anywhere'),
      startId: null,
      from: 'cold start',
    };
  }

  private cold(
    command: readonly string[],
    memory: number,
    inspected: boolean,
    owner: ProcessOwner,
    place: Place,
  ): HostProcess {
    const request = this.request(command, memory, inspected);
    const wrapped = layersInForce(request).includes('namespaces');
    const words = [...this.placement.startWords(place), ...commandLine(request)];
    const process = new HostProcess(words, wrapped, memory, owner);
    process.place = place;
    return process;
  }

  private request(command: readonly string[], memory: number, inspected: boolean): SandboxRequest {
    const { layers, tools, readable } = this;
    const folders =
      command.length > 0
        ? withoutNested(
            command
              .filter((word) => path.isAbsolute(word) && path.extname(word) !== '')
              .map((word) => path.dirname(word)),
          )
        : readable;
    return { layers, tools, loader: loaderFile, readable: folders, memory, command, inspected, fromSources };
  }
}

/** Whether a program can run in a process that was started without knowing of it. */
const isOrdinary = ({ command, memory }: Manifest): boolean =>
  command.length === 0 && memory === DEFAULT_MEMORY_MEBIBYTES;

function takenOver({ process, waiting }: IdleProcess, from: Started['from'], owner: ProcessOwner): Started {
  process.owner = owner;
  process.output.length = 0;
  return { process, startId: waiting?.startId ?? null, from };
}

/** Folders without those that lie inside another one of them. */
function withoutNested(folders: readonly string[]): string[] {
  const unique = [...new Set(folders)];
  return unique.filter((folder) => !unique.some((other) => other !== folder && folder.startsWith(`${other}/`)));
}

function readTaskStart(buffer: Buffer, start: number): WaitingStart | null {
  if (buffer.readUInt16LE(start + OFFSET_TYPE) !== systemCalls.task_start.number) return null;
  return {
    startId: buffer.readUInt32LE(start + OFFSET_ID),
    protocolVersion: buffer.readUInt32LE(start + OFFSET_HANDLE),
  };
}
