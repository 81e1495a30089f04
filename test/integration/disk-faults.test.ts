/** Files on a disk that fails, is slow, or lies: clear errors, no service dies of it, and nothing else is lost. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runCommands } from '../support/machine.ts';
import { Random } from '../support/random.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vros-disk-faults-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const MEBIBYTE = 1024 * 1024;
const SECTOR_BYTES = 512;
const PARTITION_START = 64;
const original = path.join(folder, 'original.img');
/** Lines of a file whose content, and so its place in the image, is known. */
const NUMBERS = 400_000;
const SUM = 'sha256sum /mnt/numbers';
let sum = '';

/** A blank image with a partition of our own type, which is formatted and mounted on /mnt at the first boot. */
function blank(): void {
  const table = Buffer.alloc(SECTOR_BYTES);
  table.writeUInt8(0x7f, 446 + 4);
  table.writeUInt32LE(PARTITION_START, 446 + 8);
  table.writeUInt32LE((16 * MEBIBYTE) / SECTOR_BYTES - PARTITION_START, 446 + 12);
  table.writeUInt16LE(0xaa55, 510);
  fs.writeFileSync(original, table);
  fs.truncateSync(original, 16 * MEBIBYTE);
}

/** A disk with the file, another small one, and the sum of the first in `sum`. */
async function copy(name: string): Promise<string> {
  if (sum === '') {
    blank();
    const { text } = await run(original, [], [`seq ${NUMBERS} > /mnt/numbers; echo small > /mnt/small; sync`, SUM]);
    sum = /^[0-9a-f]{64}/m.exec(text)?.[0] ?? '';
    expect(sum, text).not.toBe('');
  }
  const file = path.join(folder, name);
  fs.copyFileSync(original, file);
  return file;
}

/** Runs commands on a disk with faults. */
async function run(image: string, faults: readonly string[], commands: readonly string[]) {
  const options = ['--hda', image, ...faults.flatMap((rule) => ['--fault', `hda,${rule}`])];
  const { stdout, stderr, status } = await runCommands([...commands, 'dmesg | grep died'].join('\n'), options);
  return { text: `${stdout}\n${stderr}`, status };
}

const vros = path.resolve(import.meta.dirname, '../../dist/vros.cjs');
const check = (image: string, ...flags: string[]) =>
  spawnSync(process.execPath, [vros, 'fsck', ...flags, image], { encoding: 'utf8' });

describe('a disk', () => {
  it('that cannot read some sectors: who reads them hears of it, others do not, and later it works again', async () => {
    const image = await copy('read.img');
    const sector = Math.floor(fs.readFileSync(original).indexOf('\n200000\n') / SECTOR_BYTES);
    expect(sector).toBeGreaterThan(PARTITION_START);
    const rule = `read,error,first=${sector},last=${sector},times=30`;
    const { text } = await run(
      image,
      [rule],
      [
        'sha256sum /mnt/numbers; echo "first: $?"; cat /mnt/small; echo new > /mnt/new; sync; cat /mnt/new',
        // Until the fault is over.
        ...Array.from({ length: 30 }, () => 'sha256sum /mnt/numbers > /dev/null'),
        'sha256sum /mnt/numbers; echo "last: $?"',
      ],
    );
    expect(text).toMatch(new RegExp(`^sha256sum: /mnt/numbers: .*hda: read of .*sector ${sector}`, 'm'));
    expect(text).toMatch(/^first: 1\nsmall\nnew$/m);
    expect(text).toMatch(new RegExp(`^${sum}  /mnt/numbers\nlast: 0$`, 'm'));
    expect(text).not.toMatch(/died/);
  });

  it('that is slow now and then is waited for', async () => {
    const image = await copy('slow.img');
    const before = performance.now();
    const { text } = await run(
      image,
      ['read,slow=250,times=8', 'write,slow=200,times=6', 'flush,slow=300,times=2'],
      ['sha256sum /mnt/numbers', 'seq 30000 > /mnt/more; sync; echo "synced: $?"; wc -l < /mnt/more'],
    );
    expect(text).toMatch(new RegExp(`^${sum}  /mnt/numbers$`, 'm'));
    expect(text).toMatch(/^synced: 0\n *30000$/m);
    // The reads alone, of which a disk does one at a time.
    expect(performance.now() - before).toBeGreaterThan(8 * 250);
    expect(text).not.toMatch(/died/);
  });

  it('that takes no writes any more becomes read-only, and what was synced is there at the next boot', async () => {
    const image = await copy('write.img');
    const skip = new Random().below(25);
    const { text } = await run(
      image,
      [`write,error,skip=${skip}`],
      [
        ...Array.from({ length: 9 }, (_, i) => `echo ${i} > /mnt/file${i} && sync && echo "synced ${i}"`),
        `echo late > /mnt/late; echo "late: $?"; cat /mnt/small; sync; echo "sync: $?"; mount; ${SUM}`,
      ],
    );
    expect(text, `skip=${skip}`).toMatch(/EIO|read-only/);
    expect(text).toMatch(/^late: 1\nsmall\nsync: .*has failed.*\nsync: 1$/m);
    expect(text).toMatch(/^hda1 on \/mnt type vrfs \(ro, .*hda: write of/m);
    expect(text).toMatch(new RegExp(`^${sum}  /mnt/numbers$`, 'm'));
    expect(text).not.toMatch(/died/);
    const synced = [...text.matchAll(/^synced (\d)$/gm)].map(([, digit]) => digit);
    const after = await run(image, [], [...synced.map((digit) => `cat /mnt/file${digit}`), 'sha256sum /mnt/numbers']);
    expect(after.text, `skip=${skip}`).toContain(`${synced.map((digit) => `${digit}\n`).join('')}${sum}  /mnt/numbers`);
    const checked = check(image);
    expect(checked.status, checked.stdout + checked.stderr).toBe(0);
  });

  it('that lies about one write is found out, or has done no harm', async () => {
    const image = await copy('lie.img');
    const random = new Random();
    const lie = random.pick(['lost', 'torn=1', 'misdirected=64']);
    const rule = `write,${lie},skip=${random.below(60)},times=1`;
    const message = `${rule}, seed ${random.seed}`;
    const work = Array.from({ length: 12 }, (_, i) => `seq ${200 * i} > /mnt/file${i}; sync; rm /mnt/file${i - 3}`);
    const first = await run(image, [rule], work);
    expect(first.text, message).not.toMatch(/died/);
    // Whatever is wrong now has a name, and nothing dies of it.
    const second = await run(image, [], ['ls -l /mnt; cat /mnt/small; cat /mnt/file* > /dev/null; echo alive; mount']);
    expect(second.text, message).toMatch(/^alive$/m);
    expect(second.text, message).not.toMatch(/died/);
    if (!/^small$/m.test(second.text)) expect(second.text, message).toMatch(/^(ls|cat): .*: \S/m);
    const mended = check(image, '-y');
    expect([0, 1], `${message}\n${mended.stdout}${mended.stderr}`).toContain(mended.status);
    expect(check(image).status, message).toBe(0);
  });
});

describe('the option --fault', () => {
  it('is refused for a disk that is not there', async () => {
    const { stderr, status } = await runCommands('', ['--hda', original, '--fault', 'hdb,read,error']);
    expect(status).toBe(64);
    expect(stderr).toMatch(/--fault: there is no disk hdb/);
    const beyond = await runCommands('', ['--hda', original, '--fault', 'hda,read,error,first=32768']);
    expect(beyond.status).toBe(64);
    expect(beyond.stderr).toMatch(/--fault: sector 32768 of hda: the last one is 32767/);
  });
});
