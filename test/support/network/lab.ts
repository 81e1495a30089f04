/**
 * A machine and a host with Linux on one cable: the machine in a network namespace with a TAP device, everything on the
 * cable recorded. It is started once for the tests of a file, in `beforeAll`, and closed in `afterAll`.
 */
import fs from 'node:fs';
import path from 'node:path';
import { startMachine, type TestMachine, type TestManifest } from '../machine.ts';
import { Random } from '../random.ts';
import { LinuxNamespace } from './namespace.ts';
import { RoughCable } from './rough-cable.ts';

/** The two ends of the cable. */
export const LINUX = '10.0.3.1';
export const MACHINE = '10.0.3.2';
/** Station address of the machine's card. */
export const MACHINE_HARDWARE = '52:54:00:12:34:56';
const INTERFACE = 'vros0';
const LISTEN_MILLISECONDS = 10_000;

/** How to set up a lab. */
export interface LabSettings {
  /** With a rough cable between the two. Default: none. */
  readonly rough?: boolean;
  /** Further services beside the standard ones. */
  readonly services?: readonly TestManifest[];
  /** Further options of the machine. */
  readonly options?: readonly string[];
  /** Whether to record what is on the cable. Default: true. */
  readonly recorded?: boolean;
}

/** The services of the standard configuration. */
export function standardServices(): TestManifest[] {
  const file = path.resolve(import.meta.dirname, '../../../services.json');
  return (JSON.parse(fs.readFileSync(file, 'utf8')) as { services: TestManifest[] }).services;
}

/** The test service `traffic` (test/services/traffic), as often as there are names. */
export function trafficServices(...names: readonly string[]): TestManifest[] {
  const common = { entry: 'test/services/traffic', looksUp: ['netstack'], dependsOn: ['netstack'], restart: 'always' };
  return names.map((name) => ({ name, serves: [name], ...common }));
}

/** See the head of this file. */
export class NetworkLab {
  readonly linux: LinuxNamespace;
  readonly machine: TestMachine;
  readonly rough: RoughCable | null;
  /** Seed of the rough cable, for the messages of tests. */
  readonly seed: number;

  private constructor(linux: LinuxNamespace, machine: TestMachine, rough: RoughCable | null, seed: number) {
    this.linux = linux;
    this.machine = machine;
    this.rough = rough;
    this.seed = seed;
  }

  static async start(settings: LabSettings = {}): Promise<NetworkLab> {
    const linux = await LinuxNamespace.create();
    const random = new Random();
    let rough: RoughCable | null = null;
    let machine: TestMachine | null = null;
    try {
      if (settings.rough === true) rough = await RoughCable.create(random, linux.pid, INTERFACE);
      else await linux.run(`ip tuntap add dev ${INTERFACE} mode tap`);
      await linux.run(`ip addr add ${LINUX}/24 dev ${INTERFACE}; ip link set ${INTERFACE} up`);
      const recording = settings.recorded === false ? [] : ['--pcap', 'cable.pcap'];
      machine = startMachine({
        services: [...standardServices(), ...(settings.services ?? [])],
        options: [
          ...(settings.options ?? ['--no-disk']),
          ...recording,
          '--netdev',
          rough?.option ?? `tap,ifname=${INTERFACE}`,
        ],
        launcher: rough === null ? linux.entrance : [],
        outlivesTest: true,
      });
      const lab = new NetworkLab(linux, machine, rough, random.seed);
      const set = await lab.shell(`ifconfig ne0 ${MACHINE}/24 && echo set`);
      if (set !== 'set\n') throw new Error(`the machine has no address: ${set}`);
      return lab;
    } catch (error) {
      await machine?.dispose();
      await rough?.close();
      await linux.close();
      throw error;
    }
  }

  /** The recording; complete once the machine has ended. */
  get recording(): string {
    return path.join(this.machine.folder, 'cable.pcap');
  }

  /** Has the machine's shell run a line; answers what it writes. */
  shell(line: string, milliseconds = 30_000): Promise<string> {
    return this.machine.shell(line, milliseconds);
  }

  /** Host process id of a task of the machine, by name. */
  async hostOf(name: string): Promise<number> {
    const rows = (await this.shell('ps')).split('\n');
    const row = rows.find((text) => text.endsWith(` ${name}`));
    if (row === undefined) throw new Error(`no task ${name}:\n${rows.join('\n')}`);
    return Number(row.trim().split(/ +/)[1]);
  }

  /** Waits until the machine listens on a TCP port. */
  async listens(port: number): Promise<void> {
    const deadline = performance.now() + LISTEN_MILLISECONDS;
    for (;;) {
      const rows = await this.shell('netstat -ltn');
      if (new RegExp(`[:.]${port}\\s`).test(rows)) return;
      if (performance.now() > deadline) throw new Error(`nobody listens on ${port}:\n${rows}`);
    }
  }

  /** Ends the machine in order, so that the recording is whole. Answers its exit status. */
  endMachine(): Promise<number> {
    this.machine.process.stdin.end();
    return this.machine.end();
  }

  async close(): Promise<void> {
    await this.machine.dispose();
    await this.rough?.close();
    await this.linux.close();
  }
}

const python = path.resolve(import.meta.dirname, '../../python');

/** A command of Linux that runs test/python/network_peer.py. */
export function peerCommand(...words: readonly (string | number)[]): string {
  return `python3 ${path.join(python, 'network_peer.py')} ${words.join(' ')}`;
}

/** A command of Linux that runs test/python/hostile_peer.py. */
export function hostileCommand(...words: readonly (string | number)[]): string {
  return `python3 ${path.join(python, 'hostile_peer.py')} ${words.join(' ')}`;
}

/** Runs such a command in the namespace of Linux and answers what it found. */
export async function ask<T>(lab: NetworkLab, command: string, milliseconds = 60_000): Promise<T> {
  return JSON.parse(await lab.linux.run(command, milliseconds)) as T;
}
