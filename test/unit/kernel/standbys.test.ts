/**
 * Standbys with processes that exist only here: what they are told, when they can be taken, and what becomes of those
 * that fail.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type Manifest, parseConfiguration } from '../../../kernel/config.ts';
import type { HostProcess, ProcessOwner } from '../../../kernel/task/host-process.ts';
import { IdleProcess, type ReadStart } from '../../../kernel/task/idle-process.ts';
import { Standbys } from '../../../kernel/task/standbys.ts';
import { PROTOCOL_VERSION } from '../../../protocol/bounds.ts';
import { decode } from '../../../protocol/codec.ts';
import { World } from './world.ts';

/** A process as the kernel sees it, and what it does. */
class Process {
  discarded = false;
  readonly told: unknown[] = [];
  readonly owner: ProcessOwner;

  constructor(owner: ProcessOwner) {
    this.owner = owner;
  }

  /** It says `task_start` with a protocol version; any other call is null. */
  says(version: number | null): void {
    this.owner.frame(Buffer.from(version === null ? [0] : [1, version]), 0, 2);
  }

  get host(): HostProcess {
    const write = (frame: Buffer): void => void this.told.push(decode(frame, 16, frame.length));
    const parts = { pipe: { write }, pid: 7, ending: false, identify: () => {}, output: ['an error'] };
    return { ...parts, discard: () => (this.discarded = true) } as unknown as HostProcess;
  }
}

const readStart: ReadStart = (buffer) => (buffer[0] === 1 ? { startId: 5, protocolVersion: buffer[1] ?? 0 } : null);

let processes: Process[];
let ready: number[];
let standbys: Standbys;
let manifest: Manifest;
let folder: string;

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vros-standbys-'));
  onTestFinished(() => fs.rmSync(folder, { recursive: true }));
  fs.writeFileSync(path.join(folder, 'driver.cjs'), 'one');
  const services = [
    { name: 'init', entry: 'init' },
    { name: 'driver', entry: 'driver.cjs', standby: true },
  ];
  manifest = parseConfiguration({ services }, path.join(folder, 'services.json'))[1] as Manifest;
  processes = [];
  ready = [];
  const start = (owner: ProcessOwner): HostProcess => {
    const process = new Process(owner);
    processes.push(process);
    return process.host;
  };
  standbys = new Standbys((keeper) => new IdleProcess(start, readStart, keeper), new World().log, {
    prepares: () => {},
    ready: ({ process }) => void ready.push(process.pid),
  });
});

/** The process that was started last. */
const last = (): Process => processes.at(-1) as Process;

/** Has the driver get a standby that is ready. */
function prepared(): Process {
  standbys.prepare(manifest);
  last().says(PROTOCOL_VERSION);
  last().says(PROTOCOL_VERSION);
  return last();
}

describe('Standbys', () => {
  it('are told the program with pid 0, and can be taken once they have asked again', () => {
    standbys.prepare(manifest);
    expect(standbys.take(manifest), 'it has just started').toBeNull();
    last().says(PROTOCOL_VERSION);
    expect(last().told).toEqual([[0, 'driver', 0, manifest.entry, []]]);
    expect(standbys.take(manifest), 'it prepares').toBeNull();
    last().says(PROTOCOL_VERSION);
    expect(ready).toEqual([7]);
    expect(standbys.take(manifest)?.waiting?.startId).toBe(5);
    expect(standbys.take(manifest), 'there was one').toBeNull();
  });

  it('are made one at a time', () => {
    prepared();
    standbys.prepare(manifest);
    expect(processes).toHaveLength(1);
  });

  it('are not used when the file of the program has changed since', () => {
    const old = prepared();
    fs.writeFileSync(manifest.entry, 'number two');
    expect(standbys.take(manifest)).toBeNull();
    expect(old.discarded).toBe(true);
    prepared();
    expect(standbys.take(manifest)).not.toBeNull();
  });

  it.each<[string, (process: Process) => void]>([
    ['make another call', (process) => process.says(null)],
    ['end', (process) => process.owner.ended(70, 0)],
    ['send too much', (process) => process.owner.abused('sent a frame of 1073741824 bytes')],
    ['speak another version of the protocol', (process) => process.says(PROTOCOL_VERSION + 1)],
  ])('that %s are given up, and after three there are no more', (_what, act) => {
    for (let count = 1; count <= 5; count++) {
      standbys.prepare(manifest);
      if (processes.length < count) break;
      act(last());
      expect(standbys.take(manifest)).toBeNull();
    }
    expect(processes).toHaveLength(3);
  });

  it('that are ready and end are told of as lost, which is no failure', () => {
    let lost = 0;
    for (let count = 0; count < 5; count++) {
      standbys.prepare(manifest, () => lost++);
      expect(lost, 'while it prepares').toBe(count);
      last().says(PROTOCOL_VERSION);
      last().says(PROTOCOL_VERSION);
      last().owner.ended(137, 9);
      expect(lost).toBe(count + 1);
    }
    expect(processes).toHaveLength(5);
  });

  it('that end before they are ready are not', () => {
    standbys.prepare(manifest, () => expect.unreachable());
    last().says(PROTOCOL_VERSION);
    last().owner.ended(70, 0);
  });

  it('that do not get ready are given up, and only those', () => {
    const [first, second] = [0, 1].map(() => {
      const expire = standbys.prepare(manifest);
      last().says(PROTOCOL_VERSION);
      expire?.();
      return last();
    });
    expect([first?.discarded, second?.discarded]).toEqual([true, true]);
    const expire = standbys.prepare(manifest);
    last().says(PROTOCOL_VERSION);
    last().says(PROTOCOL_VERSION);
    expire?.();
    expect(standbys.take(manifest)).not.toBeNull();
    standbys.prepare(manifest);
    expire?.();
    expect(last().discarded, 'one that was made later').toBe(false);
  });

  it('that fail now and then go on: one that was of use starts the count anew', () => {
    for (let round = 0; round < 4; round++) {
      for (let failure = 0; failure < 2; failure++) {
        standbys.prepare(manifest);
        last().says(null);
      }
      prepared();
      expect(standbys.take(manifest)).not.toBeNull();
    }
  });

  it('that end after they have become tasks are none of ours', () => {
    for (let count = 0; count < 5; count++) {
      const process = prepared();
      standbys.take(manifest);
      process.owner.ended(137, 9);
    }
    expect(processes).toHaveLength(5);
  });

  it('end with a service that is stopped', () => {
    const process = prepared();
    standbys.drop('driver');
    expect([process.discarded, standbys.take(manifest)]).toEqual([true, null]);
  });

  it('are tried again with another version of the program', () => {
    for (let count = 0; count < 4; count++) {
      standbys.prepare(manifest);
      last().says(null);
    }
    expect(processes).toHaveLength(3);
    fs.writeFileSync(manifest.entry, 'number two');
    prepared();
    expect(standbys.take(manifest)).not.toBeNull();
  });

  it('end with the kernel', () => {
    const process = prepared();
    standbys.close();
    expect(process.discarded).toBe(true);
    standbys.prepare(manifest);
    expect(processes).toHaveLength(1);
  });
});
