/**
 * Group commit: what is answered when, with how many commits and flushes; what a failed commit means; that requests
 * that come again are alone.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { SystemError } from '../../../protocol/errno.ts';
import { openFlags } from '../../../protocol/vfs.ts';
import { answerOf, at, type Pending, Simulation } from './simulation.ts';

const { READ, WRITE, CREATE, APPEND } = openFlags;

let world: Simulation;
let first: number;

const errorOf = ({ outcome }: Pending): string =>
  outcome !== null && 'error' in outcome ? outcome.error.code : 'none';
const open = (path: string, flags: number): Pending => world.sendPath('open', { place: at(path), flags, mode: 0o644 });
const badgeOf = (pending: Pending): number => (answerOf(pending) as { file: number }).file;
const append = (badge: number, text: string): Pending =>
  world.sendFile(badge, 'write', { offset: null, data: Buffer.from(text) });

beforeEach(() => {
  world = new Simulation();
  const opened = open('first', READ | WRITE | CREATE);
  world.settle();
  first = badgeOf(opened);
  world.commits = 0;
});

describe('a batch', () => {
  it('makes 16 requests that wait permanent with one commit, and the next 4 with another', () => {
    const sent = Array.from({ length: 20 }, () => append(first, 'x'));
    world.settle();
    expect(sent.map(answerOf)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(world.commits).toBe(2);
  });

  it('flushes once for requests to sync that wait together', () => {
    const sent = Array.from({ length: 5 }, () => [append(first, 'x'), world.sendFile(first, 'sync', undefined)]).flat();
    world.settle();
    expect(sent.map(errorOf)).toEqual(Array.from({ length: 10 }, () => 'none'));
    expect([world.commits, world.syncs]).toEqual([1, 1]);
  });

  it('commits nothing for reading, for opening what is there, and for what is refused', () => {
    const sent = [
      world.sendFile(first, 'read', { offset: 0, count: 10 }),
      open('first', READ | CREATE),
      open('none', READ),
      world.sendPath('unlink', at('none')),
    ];
    world.settle();
    expect(sent.map(errorOf)).toEqual(['none', 'none', 'ENOENT', 'ENOENT']);
    expect(world.commits).toBe(0);
  });

  it('answers what is read after a change only when the change is permanent', () => {
    const sent = [append(first, 'abc'), world.sendFile(first, 'read', { offset: 0, count: 10 })];
    world.fate = { effects: 0, happens: false };
    world.settle();
    expect(world.deaths).toBe(1);
    expect(Buffer.from(answerOf(sent[1] as Pending) as Uint8Array).toString()).toBe('abc');
    expect(answerOf(sent[0] as Pending)).toBe(3);
  });

  it('does not let a file lose its last name before it is entered as open', () => {
    const sent = [append(first, 'abc'), open('first', READ), world.sendPath('unlink', at('first'))];
    world.settle();
    expect(world.commits).toBe(2);
    const badge = badgeOf(sent[1] as Pending);
    const read = world.sendFile(badge, 'read', { offset: 0, count: 10 });
    world.settle();
    expect(Buffer.from(answerOf(read) as Uint8Array).toString()).toBe('abc');
  });

  it('answers all that changed something with the error of the commit, and what only read all the same', () => {
    const { core } = world;
    const commit = core.commit.bind(core);
    core.commit = () => {
      core.commit = commit;
      throw new SystemError('EIO', 'the disk refuses');
    };
    const sent = [append(first, 'abc'), world.sendFile(first, 'attributes', undefined), append(first, 'd')];
    const sync = world.sendFile(first, 'sync', undefined);
    world.settle();
    expect([...sent, sync].map(errorOf)).toEqual(['EIO', 'none', 'EIO', 'EIO']);
  });

  it('tells only those who asked for it that a flush has failed', () => {
    world.core.sync = () => {
      throw new SystemError('EIO', 'the disk refuses');
    };
    const sent = [append(first, 'abc'), world.sendFile(first, 'sync', undefined)];
    world.settle();
    expect(sent.map(errorOf)).toEqual(['none', 'EIO']);
  });

  it('commits what the closing of a file frees', () => {
    const opened = open('gone', WRITE | CREATE);
    world.settle();
    const badge = badgeOf(opened);
    world.onPath('unlink', at('gone'));
    world.commits = 0;
    world.close(badge);
    world.settle();
    expect(world.commits).toBe(1);
  });
});

describe('a request that comes again', () => {
  it('is answered from its note, alone, and not done twice', () => {
    const sent = [
      open('made', WRITE | CREATE | openFlags.EXCLUSIVE),
      append(first, 'abc'),
      world.sendPath('make_directory', { place: at('d'), mode: 0o755 }),
      world.sendPath('rename', { from: at('d'), to: at('e') }),
      world.sendPath('unlink', at('first')),
      world.sendPath('link', { from: at('made'), to: at('first') }),
    ];
    // Everything is committed and nothing answered: the death comes with the first thing that is done for an answer.
    const { core } = world;
    const commit = core.commit.bind(core);
    core.commit = () => {
      commit();
      world.fate = { effects: 0, happens: false };
    };
    world.settle();
    expect(sent.map(errorOf)).toEqual(Array.from({ length: 6 }, () => 'none'));
    expect(world.deaths).toBeGreaterThan(0);
    const size = world.sendFile(first, 'attributes', undefined);
    world.settle();
    expect(answerOf(size)).toMatchObject({ size: 3, links: 0 });
    expect(world.volume.files.size).toBe(2);
  });

  it('opens one file, whose right is lost when nobody got it', () => {
    const opened = open('first', READ | APPEND | WRITE);
    // The entry in the table is kept, and the right made; then the process dies before it answers.
    world.fate = { effects: 2, happens: false };
    world.settle();
    expect(world.deaths).toBe(1);
    expect(world.volume.files.size).toBe(2);
    expect(world.rights).toBe(2);
    world.close(badgeOf(opened));
    world.settle();
    expect([world.volume.files.size, world.rights]).toEqual([1, 1]);
  });

  it('of a client that died leaves no file open', () => {
    const opened = open('first', READ);
    world.fate = { effects: 1, happens: true };
    world.forget(opened);
    world.settle();
    expect(world.deaths).toBe(1);
    expect([world.volume.files.size, world.rights]).toEqual([1, 1]);
  });
});
