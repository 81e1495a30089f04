/**
 * From the command to the prompt, with a disk, in a terminal; beside as many bare Node processes as the boot starts.
 */
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { alternate } from '../alternate.ts';
import { makeImage } from '../disk.ts';
import { kernelFile } from '../machine.ts';
import { root } from '../program.ts';
import { type Bench, peerLine, plainLine, type Row } from '../row.ts';
import { openSession } from '../terminal.ts';

const ROUNDS = 9;
const BOUND = 2.5;
const PROMPT = 'vros$ ';
/** Longest boot, and longest end, in milliseconds. */
const LIMIT = 20_000;
/** Time after the prompt for what the boot has started and not waited for, in milliseconds. */
const SETTLING = 500;
const IMAGE_BYTES = 4 * 1024 * 1024;

interface Boot {
  readonly milliseconds: number;
  /** Node processes: the command itself, the kernel, tasks, spares. */
  readonly nodes: number;
}

/** Boots, waits for the prompt, counts, and ends the machine by the command `halt`. */
async function boot(file: string, words: readonly string[], count: boolean): Promise<Boot> {
  const before = performance.now();
  const session = await openSession(file, words, root);
  let text = '';
  let prompt = 0;
  const seen = new Promise<void>((resolve) => {
    session.onText((more) => {
      text += more;
      if (prompt !== 0 || !text.includes(PROMPT)) return;
      prompt = performance.now();
      resolve();
    });
  });
  const timer = setTimeout(() => session.kill(), LIMIT);
  await Promise.race([seen, session.ended]);
  if (prompt === 0) throw new Error(`no prompt from ${file} ${words.join(' ')}:\n${text}`);
  if (count) await delay(SETTLING);
  const nodes = count ? nodesUnder(session.pid) : 0;
  session.write('halt\r');
  await session.ended;
  clearTimeout(timer);
  return { milliseconds: prompt - before, nodes };
}

/** Processes that run Node, from this one down. */
function nodesUnder(pid: number): number {
  let children = '';
  let program = '';
  try {
    program = fs.readlinkSync(`/proc/${pid}/exe`);
    children = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
  } catch {
    return 0;
  }
  const below = children === '' ? [] : children.split(' ').map((child) => nodesUnder(Number(child)));
  return below.reduce((sum, nodes) => sum + nodes, program === fs.realpathSync(process.execPath) ? 1 : 0);
}

/** Starts bare Node processes side by side and answers when the last one has ended. */
async function bare(nodes: number): Promise<number> {
  const before = performance.now();
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const child = spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' });
      child.on('error', reject);
      child.on('close', () => resolve());
    });
  await Promise.all(Array.from({ length: nodes }, one));
  return performance.now() - before;
}

async function run(bench: Bench) {
  const options = ['--hda', makeImage(bench.folder, 'boot.img', IMAGE_BYTES)];
  const npm = ['start', '--', ...options];
  const { nodes } = await boot('npm', npm, true);
  const [NPM, BARE, DIRECT] = ['npm start', `${nodes} × node -e 0`, 'node dist/kernel.cjs'];
  const all = await alternate(bench.rounds(ROUNDS), [
    { name: NPM, sample: async () => ({ boot: [(await boot('npm', npm, false)).milliseconds] }) },
    { name: BARE, sample: async () => ({ boot: [await bare(nodes)] }) },
    {
      name: DIRECT,
      sample: async () => ({ boot: [(await boot(process.execPath, [kernelFile, ...options], false)).milliseconds] }),
    },
  ]);
  const ours = plainLine(NPM, all.get(NPM)?.boot ?? []);
  return [
    {
      name: 'boot',
      title: 'boot to the prompt, with a disk',
      unit: 'ms',
      lines: [
        ours,
        peerLine(BARE, all.get(BARE)?.boot ?? [], ours, BOUND),
        plainLine(DIRECT, all.get(DIRECT)?.boot ?? []),
      ],
      notes: [
        `${nodes} processes run Node ${SETTLING} ms after the prompt: npm, the kernel, tasks and spares; sh, bwrap and what ended before are not counted`,
      ],
    },
  ];
}

export const bootRow: Row = { name: 'boot', run };
