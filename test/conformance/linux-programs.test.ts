/** The machine's wget and httpd with servers and clients of Linux: Python, curl. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LINUX, MACHINE, MACHINE_HARDWARE, NetworkLab } from '../support/network/lab.ts';
import { missingForNetwork } from '../support/network/namespace.ts';
import { violationsOf } from '../support/network/tshark.ts';

const missing = missingForNetwork('curl', 'python3', 'tshark', 'ss');
const data = Buffer.alloc(3_000_001, 'served over the net; ');
const sum = createHash('sha256').update(data).digest('hex');

describe.skipIf(missing !== '')(`programs of the machine and of Linux ${missing}`, () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vros-programs-'));
  let lab: NetworkLab;
  beforeAll(async () => {
    fs.writeFileSync(path.join(folder, 'data'), data);
    lab = await NetworkLab.start();
    lab.linux.start(`cd ${folder} && exec python3 -m http.server 8000`);
    await lab.linux.run('until ss -ltn | grep -q ":8000 "; do sleep 0.02; done');
    await lab.shell('mkdir /site; mkdir /site/below; echo hello > /site/small.txt; echo "<p>index" > /site/index.html');
  });
  afterAll(async () => {
    await lab?.close();
    fs.rmSync(folder, { recursive: true, force: true });
  });

  it('wget fetches from a server in Python', async () => {
    await lab.shell(`wget -q -O /site/data http://${LINUX}:8000/data`);
    expect(await lab.shell('sha256sum < /site/data')).toBe(`${sum}  -\n`);
    expect(await lab.shell(`wget -q -O /none http://${LINUX}:8000/none; echo status $?`)).toMatch(
      /404[\s\S]*status [1-9]/,
    );
  });

  it('httpd serves curl: files, types, ranges, directories, errors', async () => {
    await lab.shell('httpd -p 80 /site &');
    await lab.listens(80);
    const curl = (words: string): Promise<string> => lab.linux.run(`curl -s -m 20 ${words}`);
    expect(await curl(`http://${MACHINE}/small.txt`)).toBe('hello\n');
    expect(await curl(`http://${MACHINE}/data | sha256sum`)).toBe(`${sum}  -\n`);
    expect(await curl(`http://${MACHINE}/`)).toBe('<p>index\n');
    expect(await curl(`-r 100-299 http://${MACHINE}/data`)).toBe(data.subarray(100, 300).toString());
    expect(await curl(`-r -50 http://${MACHINE}/data`)).toBe(data.subarray(-50).toString());
    const head = await curl(`-I http://${MACHINE}/index.html`);
    expect(head).toMatch(/^HTTP\/1\.1 200 /);
    expect(head).toMatch(/^content-type: text\/html/im);
    expect(head).toMatch(/^content-length: 9\r?$/im);
    const status = (words: string): Promise<string> => curl(`-o /dev/null -w '%{http_code}' ${words}`);
    expect(await status(`http://${MACHINE}/none`)).toBe('404');
    expect(await status(`--path-as-is http://${MACHINE}/../proc/uptime`)).toMatch(/^40[034]$/);
    expect(await status(`-r 99999999- http://${MACHINE}/data`)).toBe('416');
    expect(await status(`-X DELETE http://${MACHINE}/data`)).toMatch(/^(405|501)$/);
  });

  it('httpd keeps a connection for many requests, and serves many at once', async () => {
    const urls = Array.from({ length: 30 }, () => `http://${MACHINE}/small.txt`).join(' ');
    const connects = await lab.linux.run(`curl -s -m 20 -w '%{num_connects}\\n' ${urls} | grep -v hello`);
    expect(connects.trim().split('\n').map(Number)).toEqual([1, ...new Array(29).fill(0)]);
    const each = Array.from({ length: 20 }, () => `-o /dev/null http://${MACHINE}/data`).join(' ');
    const sizes = await lab.linux.run(`curl -s -m 60 -Z --parallel-max 20 -w '%{size_download}\\n' ${each}`, 60_000);
    expect(sizes.trim().split('\n')).toEqual(new Array(20).fill(String(data.length)));
  });

  it('has sent nothing that tshark finds wrong', async () => {
    await lab.endMachine();
    // Many downloads at once overflow the queue before the card now and then, which is a loss like any other.
    expect(await violationsOf(lab.recording, MACHINE_HARDWARE, 'rough')).toEqual([]);
  });
});
