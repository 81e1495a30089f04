/**
 * Kills the services of the network again and again, alone and together, under several connections in both directions:
 * every connection comes to its end, and every byte is right.
 */
import { describe, expect, it } from 'vitest';
import {
  collect,
  content,
  exchange,
  freePort,
  kill,
  MEBIBYTE,
  pattern,
  pour,
  resultOf,
  serve,
  sha256,
  startNetworkMachine,
} from '../support/network/transfers.ts';
import { Random } from '../support/random.ts';

/** Kills at most; what is left of the transfers then goes on in peace. */
const KILLS = 8;

describe('killing the services of the network under load', () => {
  it('connections that the machine has made and accepted come to their end with every byte right', async () => {
    const random = new Random();
    const length = 2 * MEBIBYTE;
    const source = await serve((socket) => void pour(socket, length));
    const sink = await serve(collect);
    const [echo, pouring] = [await freePort(), await freePort()];
    const fetches = [`fetch-${source}-1`, `fetch-${source}-2`];
    const pushes = [`push-${sink}-${length}`, `push-${sink}-${length + 1}`];
    const machine = startNetworkMachine(
      ['traffic', 'task-reporter', ...fetches, ...pushes],
      `user,hostfwd=tcp:127.0.0.1:${echo}-:7,hostfwd=tcp:127.0.0.1:${pouring}-:19`,
    );
    await machine.logged(/^traffic.*: serving/);
    const data = content(MEBIBYTE);
    const incoming = Promise.all([
      exchange(echo, (socket) => socket.end(data)),
      exchange(pouring, (socket) => void socket.write(`${data.length}\n`)),
    ]);
    const victims = [['netstack'], ['ne2000'], ['netstack', 'ne2000'], ['netstack']] as const;
    let kills = 0;
    while (kills < KILLS && machine.results().length < 4) {
      const names = random.pick(victims);
      const back = await Promise.all(names.map((name) => kill(machine, name)));
      kills += back.filter(Boolean).length;
    }
    const about = (): string => `seed ${random.seed}\n${machine.logText}`;
    for (const name of fetches) {
      const result = await resultOf(machine, name, 90_000);
      expect(result, about()).toMatchObject({ bytes: length, wrong: 0 });
    }
    for (const [index, name] of pushes.entries()) {
      const { answer } = await resultOf(machine, name, 90_000);
      expect(answer, about()).toBe(`${length + index} ${sha256(pattern(length + index))}`);
    }
    for (const received of await incoming) expect(sha256(received), about()).toBe(sha256(data));
    expect(kills, about()).toBeGreaterThanOrEqual(4);
  }, 180_000);
});
