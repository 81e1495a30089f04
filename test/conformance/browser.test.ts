/**
 * A real browser and curl on the host load pages that httpd serves from a disk, through a forwarded port of the network
 * `user`.
 */
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startMachine, type TestMachine } from '../support/machine.ts';
import { picture } from '../support/network/pictures.ts';
import { Random } from '../support/random.ts';

const run = promisify(execFile);
const root = path.resolve(import.meta.dirname, '../..');
const PICTURES = 12;
const BROWSERS = ['chromium', 'chromium-browser', 'google-chrome'];
const browser = BROWSERS.find((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status === 0);
const reason = browser === undefined ? ' (left out: chromium is not installed here)' : '';
if (browser === undefined && process.env.CI !== undefined) throw new Error(`the tests need ${BROWSERS.join(' or ')}`);

describe(`httpd through a forwarded port`, () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vros-browser-'));
  const random = new Random();
  const pictures = Array.from({ length: PICTURES }, (_, index) => picture(40 + 20 * index, 60, random));
  const names = pictures.map((_, index) => `picture${index}.png`);
  let machine: TestMachine;
  let port = 0;

  beforeAll(async () => {
    const site = path.join(folder, 'site');
    fs.mkdirSync(site);
    for (const [index, bytes] of pictures.entries()) fs.writeFileSync(path.join(site, names[index] ?? ''), bytes);
    const script =
      'addEventListener("load", () => { widths.textContent = [...document.images].map((each) => each.naturalWidth).join(" "); });';
    const tags = names.map((name) => `<img src="${name}" alt="">`).join('\n');
    fs.writeFileSync(
      path.join(site, 'index.html'),
      `<!doctype html><title>served</title>${tags}<p id="widths"></p><script>${script}</script>\n`,
    );
    const vros = (...words: string[]) =>
      run(process.execPath, [path.join(root, 'dist/vros.cjs'), ...words], { cwd: folder });
    await vros('mkfs', '-s', '16M', 'disk.img');
    await vros('cp', '-r', 'site', 'disk.img:/');
    machine = startMachine({
      network: true,
      options: ['--hda', path.join(folder, 'disk.img'), '--netdev', 'user,hostfwd=tcp:127.0.0.1:0-:80'],
      outlivesTest: true,
    });
    // Which port the host has chosen is said in the log.
    const { msg } = await machine.logged(/127\.0\.0\.1:\d+/);
    port = Number(/127\.0\.0\.1:(\d+)/.exec(msg)?.[1]);
    expect(await machine.shell('ls /mnt/site')).toContain('index.html');
    await machine.shell('httpd -p 80 /mnt/site &');
    const wait = ['-s', '--retry', '30', '--retry-all-errors', '--retry-delay', '1', '-o', '/dev/null'];
    await run('curl', [...wait, `http://127.0.0.1:${port}/`]);
  });
  afterAll(async () => {
    await machine?.dispose();
    fs.rmSync(folder, { recursive: true, force: true });
  });

  it('gives curl each file as it is', async () => {
    for (const [index, name] of names.entries()) {
      const { stdout } = await run('curl', ['-s', '-m', '10', `http://127.0.0.1:${port}/${name}`], {
        encoding: 'buffer',
      });
      const sums = [stdout, pictures[index] ?? ''].map((bytes) => createHash('sha256').update(bytes).digest('hex'));
      expect(sums[0], name).toBe(sums[1]);
    }
  });

  it.skipIf(browser === undefined)(`shows Chromium a page with all its pictures${reason}`, async () => {
    const quiet = ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'];
    const words = ['--headless', '--no-sandbox', ...quiet, '--disable-component-update', '--disable-sync'];
    const { stdout } = await run(
      browser ?? '',
      [
        ...words,
        `--user-data-dir=${path.join(folder, 'profile')}`,
        '--virtual-time-budget=20000',
        '--dump-dom',
        `http://127.0.0.1:${port}/`,
      ],
      { timeout: 50_000, env: { ...process.env, HOME: folder } },
    );
    expect(stdout).toContain(`<p id="widths">${pictures.map((_, index) => 40 + 20 * index).join(' ')}</p>`);
  });
});
