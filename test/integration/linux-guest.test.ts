/**
 * Linux as the guest of the network `user`: its network stack, in a network namespace of its own behind a TAP device,
 * talks to a server on the host through our NAT; what went over the cable is recorded, and tshark finds nothing wrong
 * with it.
 */

import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RecordedCable } from '../../hw/network/pcap.ts';
import { TapCable } from '../../hw/network/tap.ts';
import { UserCable } from '../../hw/network/user/cable.ts';

const run = promisify(execFile);
const SIZE = 1 << 20;

function missing(): string | null {
  if (process.getuid?.() !== 0) return 'needs root';
  if (!existsSync('/dev/net/tun')) return 'needs /dev/net/tun';
  for (const command of ['perl', 'ip', 'unshare', 'nsenter', 'curl', 'tshark']) {
    if (spawnSync('sh', ['-c', `command -v ${command}`]).status !== 0) return `needs ${command}`;
  }
  if (spawnSync('unshare', ['-n', 'true']).status !== 0) return 'the host allows no network namespaces';
  return null;
}

const reason = missing();
if (reason !== null && process.env.CI !== undefined) throw new Error(`this test ${reason}`);

describe.skipIf(reason !== null)(`Linux behind the network user${reason === null ? '' : ` (${reason})`}`, () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'vros-guest-'));
  const file = path.join(folder, 'guest.pcap');
  const interfaceName = `vros${process.pid % 100_000}`;
  const data = Buffer.alloc(SIZE, 'the quick brown fox ');
  const hash = createHash('sha256').update(data).digest('hex');
  let namespace: ChildProcess | null = null;
  let close = async (): Promise<void> => {};
  let port = 0;

  /** Runs a command in the guest. */
  async function guest(command: string): Promise<string> {
    const { stdout } = await run('nsenter', ['-t', String(namespace?.pid), '-n', 'sh', '-c', command]);
    return stdout;
  }

  beforeAll(async () => {
    const server = http.createServer((request, response) => {
      const sum = createHash('sha256');
      request.on('data', (bytes) => sum.update(bytes));
      request.on('end', () => response.end(request.method === 'POST' ? sum.digest('hex') : data));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    port = address !== null && typeof address === 'object' ? address.port : 0;
    const started = process.hrtime.bigint();
    const user = new RecordedCable(new UserCable(false), file, () => process.hrtime.bigint() - started);
    const tap = new TapCable(interfaceName);
    tap.connect({ ready: () => true, receive: (frame) => user.send(frame) });
    user.connect({ ready: () => true, receive: (frame) => tap.send(frame) });
    // It says that it is there, in its namespace, before the device is moved.
    namespace = spawn('unshare', ['-n', 'sh', '-c', 'echo ready; exec sleep 600'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    if (namespace.stdout !== null) await once(namespace.stdout, 'data');
    await run('ip', ['link', 'set', interfaceName, 'netns', String(namespace.pid)]);
    const up = `ip link set lo up; ip link set ${interfaceName} up; ip addr add 10.0.2.15/24 dev ${interfaceName}`;
    await guest(`${up}; ip route add default via 10.0.2.2`);
    close = async () => {
      await Promise.all([user.close(), tap.close()]);
      server.close();
    };
  });

  afterAll(async () => {
    await close();
    namespace?.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  it('downloads and uploads with the right bytes', async () => {
    const [sum = ''] = (await guest(`curl -s -m 30 http://10.0.2.2:${port}/ | sha256sum`)).split(' ');
    expect(sum).toBe(hash);
    const post = `head -c ${SIZE} /dev/zero | curl -s -m 30 --data-binary @- http://10.0.2.2:${port}/`;
    expect(await guest(post)).toBe(createHash('sha256').update(Buffer.alloc(SIZE)).digest('hex'));
  });

  it('keeps forty connections apart', async () => {
    const urls = Array.from({ length: 40 }, (_, index) => `http://10.0.2.2:${port}/${index}`).join(' ');
    const sizes = await guest(
      `curl -s -m 60 -Z --parallel-max 40 -w '%{size_download}\\n' -o /dev/null ${urls.split(' ').join(' -o /dev/null ')}`,
    );
    expect(sizes.trim().split('\n')).toEqual(new Array(40).fill(String(SIZE)));
  });

  it('is refused where nobody listens', async () => {
    await expect(guest('curl -s -m 10 http://10.0.2.2:1/')).rejects.toMatchObject({ code: 7 });
  });

  it('leaves a recording in which tshark finds nothing wrong', async () => {
    await close();
    close = async () => {};
    const checks = ['ip', 'tcp', 'udp'].flatMap((protocol) => ['-o', `${protocol}.check_checksum:TRUE`]);
    const bad = '_ws.malformed || ip.checksum.status == 0 || tcp.checksum.status == 0 || icmp.checksum.status == 0';
    // What the connections carry is random, on a port that may happen to be that of some protocol.
    const plain = ['-d', 'tcp.port==1024-65535,data'];
    const ask = async (filter: string): Promise<string[]> => {
      const { stdout } = await run('tshark', ['-r', file, '-c', '4000', ...checks, ...plain, '-Y', filter]);
      return stdout.split('\n').filter((line) => line !== '');
    };
    expect(await ask(bad)).toEqual([]);
    expect((await ask('ip.src == 10.0.2.15')).length).toBeGreaterThan(100);
    expect((await ask('ip.src == 10.0.2.2')).length).toBeGreaterThan(100);
  });
});
