import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Cable, type NetworkPort, NO_CABLE } from '../../../hw/network/cable.ts';
import { DatagramCable } from '../../../hw/network/dgram.ts';
import { CableError, openCable } from '../../../hw/network/open.ts';
import { parseNetwork } from '../../../hw/network/options.ts';
import { RecordedCable } from '../../../hw/network/pcap.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'vros-cables-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A card that takes everything, and lets a test wait for frames. */
class TestPort implements NetworkPort {
  readonly frames: Buffer[] = [];
  isReady = true;
  #arrived = (): void => {};

  ready(): boolean {
    return this.isReady;
  }

  receive(frame: Uint8Array): void {
    this.frames.push(Buffer.from(frame));
    this.#arrived();
  }

  async frame(index: number): Promise<Buffer | undefined> {
    while (this.frames.length <= index) {
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    }
    return this.frames[index];
  }
}

/** A port of the host that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const closed = once(server, 'close');
  server.close();
  await closed;
  return address !== null && typeof address === 'object' ? address.port : 0;
}

describe('a cable of datagrams', () => {
  it('carries frames both ways', async () => {
    const [a, b] = [await freePort(), await freePort()];
    const end = (port: number): { address: string; port: number } => ({ address: '127.0.0.1', port });
    const one = await DatagramCable.open(end(a), end(b));
    const ports = [new TestPort(), new TestPort()] as const;
    one.connect(ports[0]);
    // Nobody is there yet: lost, and no harm done.
    one.send(Buffer.alloc(60));
    const other = await DatagramCable.open(end(b), end(a));
    other.connect(ports[1]);
    const frame = Buffer.from('a frame');
    one.send(frame);
    frame.fill(0);
    expect(String(await ports[1].frame(0))).toBe('a frame');
    other.send(Buffer.alloc(1514, 7));
    expect(await ports[0].frame(0)).toEqual(Buffer.alloc(1514, 7));
    expect([one.statistics.sent, one.statistics.received, one.linked]).toEqual([2, 1, true]);
    await Promise.all([one.close(), other.close()]);
  });

  it('says what the host does not allow', async () => {
    const plug = parseNetwork('dgram,local=192.0.2.1:5000,remote=5001').plug;
    await expect(openCable(plug)).rejects.toThrow(CableError);
    await expect(openCable(plug)).rejects.toThrow('the network dgram cannot be opened');
  });
});

describe('the network user', () => {
  it('answers the card after the port access, waits while the card has no room, and goes on at once when it has', async () => {
    const cable = await openCable(parseNetwork('user').plug);
    const port = new TestPort();
    cable.connect(port);
    const request =
      'ffffffffffff525400123456080600010800060400015254001234560a00020f0000000000000a000202000000000000000000000000000000000000';
    port.isReady = false;
    cable.send(Buffer.from(request, 'hex'));
    await Promise.resolve();
    expect(port.frames).toEqual([]);
    port.isReady = true;
    cable.receiveReady();
    expect(port.frames.length).toBe(1);
    expect((await port.frame(0))?.toString('hex')).toMatch(/^52540012345652550a00020208060001080006040002/);
    await cable.close();
  });

  it('takes forwarded ports, and gives them back', async () => {
    const cable = await openCable(parseNetwork('user,hostfwd=tcp::0-:80,hostfwd=udp::0-:53').plug);
    const match = /tcp (127\.0\.0\.1):(\d+) to 10\.0\.2\.15:80, udp 127\.0\.0\.1:\d+ to/.exec(cable.description);
    const port = Number(match?.[2]);
    const taken = parseNetwork(`user,hostfwd=tcp::${port}-:80`).plug;
    await expect(openCable(taken)).rejects.toThrow('EADDRINUSE');
    await cable.close();
    await (await openCable(taken)).close();
  });
});

describe('a recording', () => {
  it('has every frame of both directions with its time', async () => {
    const file = path.join(folder, 'a.pcap');
    let inner: NetworkPort | null = null;
    const cable: Cable = {
      ...NO_CABLE,
      connect: (port) => {
        inner = port;
      },
    };
    const recorded = new RecordedCable(cable, file, () => 1_700_000_000_123_456_789n);
    const port = new TestPort();
    recorded.connect(port);
    recorded.send(Buffer.from('out'));
    (inner as NetworkPort | null)?.receive(Buffer.from('in'));
    await recorded.close();
    recorded.send(Buffer.from('late'));
    expect(port.frames.map(String)).toEqual(['in']);
    const bytes = readFileSync(file);
    expect(bytes.subarray(0, 24).toString('hex')).toBe(
      '4d3cb2a1020004000000000000000000000004000100000000000000'.slice(0, 48),
    );
    expect([bytes.readUInt32LE(24), bytes.readUInt32LE(28), bytes.readUInt32LE(32)]).toEqual([
      1_700_000_000, 123_456_789, 3,
    ]);
    expect(bytes).toHaveLength(24 + 16 + 3 + 16 + 2);
  });

  it('that cannot be begun is an error, and that cannot go on is none', async () => {
    await expect(openCable({ kind: 'none' }, path.join(folder, 'no', 'x.pcap'))).rejects.toThrow('cannot be recorded');
    const recorded = new RecordedCable(NO_CABLE, '/dev/full', () => 0n);
    recorded.send(Buffer.alloc(60));
    await recorded.close();
    expect(recorded.failure).toContain('ENOSPC');
  });
});
