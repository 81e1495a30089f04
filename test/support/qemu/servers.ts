/**
 * QEMU and the project's own qtest server side by side: starts one of them for each scenario and collects its answers.
 *
 * QEMU is the machine `pc` in its power-on state, without firmware, under the qtest accelerator, in which time moves
 * only by `clock_step`. `VROS_QEMU` names another program than `qemu-system-x86_64`. Debian's package leaves the module
 * of that accelerator out; `accel-qtest-x86_64.so`, built from the package's source, does in the folder QEMU_MODULE_DIR
 * names.
 */
import { spawnSync } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { build } from 'esbuild';
import { QtestClient } from '../../conformance/qtest-client.ts';
import {
  Cable,
  diskSectors,
  parseScenario,
  pristineImage,
  runScenario,
  usesNetwork,
} from '../../conformance/scenario.ts';
import { missingTools } from '../tools.ts';

const ROOT = path.resolve(import.meta.dirname, '../../..');
const QEMU = process.env.VROS_QEMU ?? 'qemu-system-x86_64';
const ACCELERATOR = ['-accel', 'qtest', '-display', 'none'];

/** What starts a server with a disk image, and a cable between two UDP ports where the scenario has frames. */
type Command = (disk: string, cable: Cable | null) => readonly [program: string, ...args: string[]];

/** Why QEMU cannot answer here; '' if it can. */
export function missingQemu(): string {
  const missing = missingTools(QEMU);
  if (missing !== '') return missing;
  const probe = ['-machine', 'none', ...ACCELERATOR, '-serial', 'none', '-monitor', 'stdio'];
  const { status, stderr } = spawnSync(QEMU, probe, { input: 'quit\n', encoding: 'utf8' });
  return status === 0 ? '' : stderr.trim();
}

const qemuCommand: Command = (disk, cable) => {
  const inet = (end: string, port: number): string => `${end}.type=inet,${end}.host=127.0.0.1,${end}.port=${port}`;
  const card = 'ne2k_isa,iobase=0x300,irq=9,mac=52:54:00:12:34:56';
  return [
    QEMU,
    ...['-machine', 'pc', ...ACCELERATOR, '-qtest', 'stdio', '-nodefaults', '-serial', 'null'],
    ...['-rtc', 'base=2006-06-17T12:34:56,clock=vm'],
    ...['-drive', `file=${disk},format=raw,if=ide,index=0`],
    ...(cable === null
      ? ['-device', card]
      : [
          ...['-netdev', `dgram,id=cable,${inet('local', cable.peerPort)},${inet('remote', cable.port)}`],
          ...['-device', `${card},netdev=cable`],
        ]),
  ];
};

/** Runs scenarios on both machines. */
export class Servers {
  readonly #folder: string;
  readonly #own: string;
  readonly #images = new Map<number, Promise<string>>();
  #runs = 0;

  private constructor(folder: string, own: string) {
    this.#folder = folder;
    this.#own = own;
  }

  static async create(): Promise<Servers> {
    const folder = await mkdtemp(path.join(tmpdir(), 'vros-qemu-'));
    const own = path.join(folder, 'server', 'qtest.cjs');
    await mkdir(path.dirname(own));
    const entryPoints = [path.join(ROOT, 'hw/qtest/main.ts')];
    await build({ entryPoints, outfile: own, bundle: true, platform: 'node', format: 'cjs', logLevel: 'error' });
    return new Servers(folder, own);
  }

  async close(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** QEMU's answers to the lines of a scenario, each after its line. */
  askQemu(lines: readonly string[]): Promise<string[]> {
    return this.#run(qemuCommand, lines);
  }

  /** The answers of the project's own server. */
  askOwn(lines: readonly string[]): Promise<string[]> {
    return this.#run((disk, cable) => {
      const network = cable === null ? [] : ['--netdev', `dgram,local=${cable.peerPort},remote=${cable.port}`];
      return [process.execPath, this.#own, '--hda', disk, ...network];
    }, lines);
  }

  async #run(command: Command, lines: readonly string[]): Promise<string[]> {
    const operations = parseScenario(lines);
    const disk = await this.#freshImage(diskSectors(operations));
    const cable = usesNetwork(operations) ? await Cable.create() : null;
    const [program, ...args] = command(disk, cable);
    const client = new QtestClient(program, args);
    try {
      return await runScenario({ client, disk, cable }, operations);
    } finally {
      await client.close();
      cable?.close();
      await rm(disk);
    }
  }

  /** An image of its own for each run, copied from one that is made once. */
  async #freshImage(sectors: number): Promise<string> {
    let master = this.#images.get(sectors);
    if (master === undefined) {
      const file = path.join(this.#folder, `${sectors}.img`);
      master = writeFile(file, pristineImage(sectors)).then(() => file);
      this.#images.set(sectors, master);
    }
    this.#runs += 1;
    const copy = path.join(this.#folder, `run-${this.#runs}.img`);
    await copyFile(await master, copy);
    return copy;
  }
}
