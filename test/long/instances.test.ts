/** So many instances of a template that there is room only for those that are needed, in a whole machine. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { MAX_INSTANCES } from '../../protocol/bounds.ts';
import { runCommands } from '../support/machine.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vros-instances-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const IMAGE_BYTES = 32 * 1024 * 1024;
const PARTITION_START = 64;

/** An empty disk; with `partition` one that has a partition for a file system of our own. */
function image(name: string, partition: boolean): string {
  const file = path.join(folder, `${name}.img`);
  const table = Buffer.alloc(512);
  if (partition) {
    table.writeUInt8(0x7f, 446 + 4);
    table.writeUInt32LE(PARTITION_START, 446 + 8);
    table.writeUInt32LE(IMAGE_BYTES / 512 - PARTITION_START, 446 + 12);
    table.writeUInt16LE(0xaa55, 510);
  }
  fs.writeFileSync(file, table);
  fs.truncateSync(file, IMAGE_BYTES);
  return file;
}

describe('stopped instances of a template', () => {
  it('make room for others, but for one that has a file system mounted', async () => {
    const names = Array.from({ length: MAX_INSTANCES }, (_, index) => `vrfs@x${index}`);
    const { stdout, stderr } = await runCommands(
      [
        'echo kept > /mnt/f; service stop vrfs@hda1',
        ...names.map((name) => `service start ${name} > /dev/null; service stop ${name} > /dev/null`),
        'mkfs -t vrfs hdb; mkdir /tmp/d; mount hdb /tmp/d; echo "mounted: $?"',
        'service list | grep -c vrfs@; service list | grep vrfs@hda1',
        'service start vrfs@hda1; cat /mnt/f; echo more >> /mnt/f; cat /mnt/f; umount /mnt; echo "unmounted: $?"',
      ].join('\n'),
      ['--hda', image('hda', true), '--hdb', image('hdb', false)],
    );
    expect(stdout, stderr).toMatch(/^mounted: 0\n64\nvrfs@hda1 +stopped\b/m);
    expect(stdout).toMatch(/^kept\nkept\nmore\nunmounted: 0$/m);
  });
});
