/**
 * The network of a whole machine behind `--netdev user`: address by DHCP, ping, TCP and UDP through the NAT in both
 * directions, names; and the services of the network killed in the middle of transfers.
 */
import dgram from 'node:dgram';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
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

describe('the network of a machine behind the router', () => {
  it('pings the router, and is refused where nobody listens', async () => {
    const port = await freePort();
    const machine = startNetworkMachine(['ping-5', `refused-${port}`]);
    const ping = await resultOf(machine, 'ping-5');
    expect(ping.times).toHaveLength(5);
    expect((await resultOf(machine, `refused-${port}`)).error).toBe('ECONNREFUSED');
  });

  it('moves many megabytes out and in, byte for byte', async () => {
    const length = 4 * MEBIBYTE;
    const source = await serve((socket) => void pour(socket, length));
    const sink = await serve(collect);
    const names = [`fetch-${source}-${length}`, `push-${sink}-${length}`];
    const machine = startNetworkMachine(names);
    const fetched = await resultOf(machine, names[0] ?? '');
    expect(fetched).toMatchObject({ bytes: length, wrong: 0 });
    const pushed = await resultOf(machine, names[1] ?? '');
    expect(pushed.answer).toBe(`${length} ${sha256(pattern(length))}`);
  });

  it('is reached through forwarded ports', async () => {
    const [echo, source] = [await freePort(), await freePort()];
    const machine = startNetworkMachine(
      ['traffic'],
      `user,hostfwd=tcp:127.0.0.1:${echo}-:7,hostfwd=tcp:127.0.0.1:${source}-:19`,
    );
    await machine.logged(/^traffic.*: serving/);
    const data = content(MEBIBYTE);
    const [echoed, poured] = await Promise.all([
      exchange(echo, (socket) => socket.end(data)),
      exchange(source, (socket) => void socket.write(`${data.length}\n`)),
    ]);
    expect(sha256(echoed)).toBe(sha256(data));
    expect(sha256(poured)).toBe(sha256(data));
  });

  it('sends datagrams of all sizes and takes the answers', async () => {
    const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    onTestFinished(() => void socket.close());
    socket.on('message', (data, { port, address }) => socket.send(data, port, address));
    const machine = startNetworkMachine([`datagrams-${socket.address().port}`]);
    const { sizes } = await resultOf(machine, `datagrams-${socket.address().port}`);
    expect(sizes).toEqual([0, 1, 100, 1472, 1473, 9000, 65_507]);
  });
});

describe('killing services of the network during transfers', () => {
  for (const [victim, kills] of [
    ['netstack', 3],
    ['ne2000', 3],
  ] as const) {
    it(`${victim}: connections in both directions go on, and every byte is right`, async () => {
      const length = 4 * MEBIBYTE;
      const source = await serve((socket) => void pour(socket, length));
      const sink = await serve(collect);
      const echo = await freePort();
      const names = [`fetch-${source}-${length}`, `push-${sink}-${length}`];
      const machine = startNetworkMachine(
        ['traffic', 'task-reporter', ...names],
        `user,hostfwd=tcp:127.0.0.1:${echo}-:7`,
      );
      await machine.logged(/^traffic.*: serving/);
      const data = content(MEBIBYTE);
      const echoed = exchange(echo, (socket) => socket.end(data));
      let killed = 0;
      while (killed < kills && machine.results().length < 2 && (await kill(machine, victim))) killed++;
      expect(await resultOf(machine, names[0] ?? '', 60_000)).toMatchObject({ bytes: length, wrong: 0 });
      expect((await resultOf(machine, names[1] ?? '', 60_000)).answer).toBe(`${length} ${sha256(pattern(length))}`);
      expect(sha256(await echoed)).toBe(sha256(data));
      expect(killed, machine.logText).toBeGreaterThan(0);
    }, 120_000);
  }
});
