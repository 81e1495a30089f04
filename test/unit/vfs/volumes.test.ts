/** The file systems that vfs keeps itself, when their process dies while it makes them. */
import { describe, expect, it } from 'vitest';
import type { Handle } from '../../../protocol/schema.ts';
import { Batch } from '../../../services/lib/filesystem/index.ts';
import { Volumes } from '../../../services/vfs/volumes.ts';
import { Death, MemoryKeeper } from '../../support/memory-keeper.ts';

const source = {
  uptime: () => 0,
  memory: () => ({ hostTotal: 0, hostFree: 0, kernelResident: 0, kernelHeap: 0, messages: 0, stores: 0 }),
  tasks: () => [],
  ports: () => [],
  interrupts: () => ({ lines: [], spurious: 0 }),
  capabilities: () => [],
  mounts: () => [],
};

const volumes = (keeper: MemoryKeeper): Volumes =>
  new Volumes({ keeper, now: () => 0, mint: () => 1 as Handle, release: () => {} }, source, new Batch());

const names = ({ rootVolume: { core } }: Volumes): string[] =>
  core.readDirectory(core.root, '', 100).entries.map(({ name }) => name);

describe('the root', () => {
  it('has its directories wherever the process has died that made them', () => {
    let deaths = 0;
    for (let lives = 0; ; lives++) {
      const keeper = new MemoryKeeper();
      keeper.lives = lives;
      try {
        volumes(keeper);
        break;
      } catch (error) {
        if (!(error instanceof Death)) throw error;
        deaths++;
      }
      const after = new MemoryKeeper(keeper.values);
      expect(names(volumes(after)).sort(), `after ${lives} changes`).toEqual(['dev', 'mnt', 'proc', 'tmp']);
    }
    expect(deaths).toBeGreaterThan(1);
  });

  it('does not make one again that was removed', () => {
    const keeper = new MemoryKeeper();
    const { core } = volumes(keeper).rootVolume;
    core.removeDirectory(core.root, 'tmp');
    core.commit();
    expect(names(volumes(new MemoryKeeper(keeper.values)))).not.toContain('tmp');
  });
});
