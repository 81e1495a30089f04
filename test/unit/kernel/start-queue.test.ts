/** Starts that wait for one another. */
import { beforeEach, describe, expect, it } from 'vitest';
import { StartQueue } from '../../../kernel/task/start-queue.ts';
import { World } from './world.ts';

let world: World;
let started: string[];
let queue: StartQueue<string>;

beforeEach(() => {
  world = new World();
  started = [];
  queue = new StartQueue<string>(2, world.timers, (item) => {
    started.push(item);
    queue.began(item);
  });
});

describe('StartQueue', () => {
  it('has so many starts under way, and the next ones in order when they are over', () => {
    queue.began('a');
    expect(queue.full).toBe(false);
    queue.began('b');
    expect(queue.full).toBe(true);
    for (const item of ['c', 'd', 'e']) queue.wait(item);
    expect(started).toEqual([]);
    queue.over('b');
    expect(started).toEqual(['c']);
    queue.over('b');
    expect(started, 'it was over already').toEqual(['c']);
    queue.over('a');
    queue.over('c');
    expect(started).toEqual(['c', 'd', 'e']);
    expect(queue.full).toBe(true);
  });

  it('lets go of one that waits', () => {
    queue.began('a');
    queue.began('b');
    queue.wait('c');
    queue.wait('d');
    expect(queue.drop('c')).toBe(true);
    expect(queue.drop('c')).toBe(false);
    expect(queue.drop('a'), 'its start is under way').toBe(false);
    queue.over('a');
    expect(started).toEqual(['d']);
  });

  it('waits for none longer than a second', () => {
    queue.began('hangs');
    queue.began('hangs too');
    queue.wait('c');
    world.time.advance(999);
    expect(started).toEqual([]);
    world.time.advance(2);
    expect(started).toEqual(['c']);
    expect(queue.full).toBe(false);
  });
});
