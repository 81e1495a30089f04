/** The other end of a machine's network cable: a UDP socket that sends and gets Ethernet frames (`--netdev dgram`). */
import dgram from 'node:dgram';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';

async function bound(port: number): Promise<dgram.Socket> {
  const socket = dgram.createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
  const listening = once(socket, 'listening');
  socket.bind(port, '127.0.0.1');
  await listening;
  return socket;
}

/** See the head of this file. */
export class NetworkPeer {
  /** The option that plugs a machine in. */
  readonly option: string;
  onFrame: (frame: Buffer) => void = () => {};
  private readonly socket: dgram.Socket;
  private readonly machinePort: number;

  private constructor(socket: dgram.Socket, machinePort: number) {
    this.socket = socket;
    this.machinePort = machinePort;
    this.option = `dgram,local=${machinePort},remote=${socket.address().port}`;
    socket.on('message', (frame) => this.onFrame(frame));
    onTestFinished(() => {
      socket.close();
    });
  }

  static async open(): Promise<NetworkPeer> {
    const socket = await bound(0);
    // A port that was free a moment ago.
    const other = await bound(0);
    const { port } = other.address();
    other.close();
    await once(other, 'close');
    return new NetworkPeer(socket, port);
  }

  send(frame: Buffer): void {
    this.socket.send(frame, this.machinePort, '127.0.0.1');
  }
}
