/** Files that are written while the machine runs: nobody waits for them. */
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { RecordFile } from '../../../hw/record-file.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vros-record-file-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const MEBIBYTE = 1 << 20;

describe('a record file', () => {
  it('has everything in order when it has been closed, behind what was there or instead of it', async () => {
    const name = path.join(folder, 'order');
    fs.writeFileSync(name, 'before ');
    const lines = Array.from({ length: 2000 }, (_, index) => `line ${index}\n`);
    const appended = new RecordFile(name, 'a', MEBIBYTE);
    for (const line of lines) appended.write(Buffer.from(line));
    await appended.close();
    await appended.close();
    expect(fs.readFileSync(name, 'utf8')).toBe(`before ${lines.join('')}`);
    const emptied = new RecordFile(name, 'w', MEBIBYTE);
    emptied.write(Buffer.from('new'));
    await emptied.close();
    emptied.write(Buffer.from('late'));
    expect(fs.readFileSync(name, 'utf8')).toBe('new');
  });

  it('writes more than one call takes', async () => {
    const name = path.join(folder, 'much');
    const file = new RecordFile(name, 'w', 8 * MEBIBYTE);
    const piece = Buffer.alloc(700_000, 'abcdefg');
    for (let count = 0; count < 8; count++) file.write(piece);
    await file.close();
    expect(file.dropped).toBe(0);
    expect(fs.readFileSync(name).equals(Buffer.concat(Array.from({ length: 8 }, () => piece)))).toBe(true);
  });

  it('that is a pipe nobody reads keeps nobody waiting, and leaves out what does not fit', async () => {
    const name = path.join(folder, 'pipe');
    spawnSync('mkfifo', [name]);
    // A reader that has opened the pipe and takes nothing until it is told to.
    const reader = spawn('/bin/sh', ['-c', 'exec 3< "$0"; echo open; read go; cat <&3', name]);
    const received: Buffer[] = [];
    const opened = new Promise<void>((resolve) => reader.stdout.once('data', () => resolve()));
    const file = new RecordFile(name, 'w', MEBIBYTE);
    await opened;
    reader.stdout.on('data', (bytes: Buffer) => received.push(bytes));
    const line = Buffer.alloc(1000, 'x');
    const before = performance.now();
    for (let count = 0; count < 3000; count++) {
      file.write(line);
      if (count % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(performance.now() - before).toBeLessThan(2000);
    expect(file.dropped).toBeGreaterThan(1000);
    reader.stdin.write('go\n');
    const ended = new Promise((resolve) => reader.on('close', resolve));
    await file.close();
    await ended;
    expect(Buffer.concat(received)).toHaveLength((3000 - file.dropped) * line.length);
  });

  it('says once why it cannot be written any more', async () => {
    const reasons: string[] = [];
    const file = new RecordFile('/dev/full', 'w', MEBIBYTE, (reason) => reasons.push(reason));
    for (let count = 0; count < 3; count++) file.write(Buffer.from('x'));
    await file.close();
    file.write(Buffer.from('x'));
    expect(reasons).toEqual([expect.stringContaining('ENOSPC')]);
    expect(file.failure).toContain('ENOSPC');
    expect(() => new RecordFile(path.join(folder, 'no', 'file'), 'a', MEBIBYTE)).toThrow('ENOENT');
  });
});
