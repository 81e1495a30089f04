/**
 * A cable to a TAP device of the host: a link of Ethernet between the machine and the host's own network stack.
 *
 * Node.js can open the clone device, but not attach it to an interface, which takes an ioctl. A helper in Perl, which
 * Debian always has, inherits the descriptor and does just that; what it attaches is the open file, which is ours too.
 *
 * Read: Linux, Documentation/networking/tuntap.rst; tun(4).
 */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import type { Cable, CableStatistics, NetworkPort } from './cable.ts';

const CLONE_DEVICE = '/dev/net/tun';
/** TUNSETIFF; IFF_TAP and IFF_NO_PI: frames as they are. `struct ifreq` is a name of 16 bytes and 24 more. */
const ATTACH = `
  open(my $device, '+<&=', 3) or die "descriptor 3: $!\\n";
  my $request = pack('a16 S x22', $ARGV[0], 0x1002);
  ioctl($device, 0x400454ca, $request) or die "$!\\n";
`;
const HELPER_LIMIT_MS = 10_000;
const FRAME_LIMIT = 65_536;
/**
 * Frames that a card gets in the middle of what its driver does: more than it has room for, but a card that is stopped
 * takes, and drops, any number.
 */
const AT_ONCE = 64;
/** What a TAP device carries is at most this long: the largest MTU and a header. */
const SEND_LIMIT = 65_535;

export class TapCable implements Cable {
  readonly description: string;
  readonly linked = true;
  readonly #file: number;
  readonly #socket: net.Socket;
  readonly #frame = Buffer.allocUnsafeSlow(FRAME_LIMIT);
  #port: NetworkPort | null = null;
  #closed = false;
  readonly #counts = { sent: 0, sendDrops: 0, received: 0, receiveDrops: 0 };

  /** Attaches to an interface. Throws an Error that says what is missing. */
  constructor(interfaceName: string) {
    this.description = `tap ${interfaceName}`;
    this.#file = attach(interfaceName);
    this.#socket = watch(this.#file, (frame) => this.#deliver(frame));
  }

  get statistics(): CableStatistics {
    return { ...this.#counts };
  }

  connect(port: NetworkPort): void {
    this.#port = port;
  }

  send(frame: Uint8Array): void {
    this.#counts.sent++;
    if (this.#closed || frame.length > SEND_LIMIT || !this.#write(frame)) this.#counts.sendDrops++;
  }

  /**
   * Frames have waited in the device's own queue: the card gets what it has room for, and when they are fewer, what
   * comes is waited for again.
   */
  receiveReady(): void {
    for (let count = 0; !this.#closed && this.#port?.ready() === true; count++) {
      const length = count < AT_ONCE ? this.#read() : 0;
      if (length === 0) {
        setImmediate(() => this.#socket.resume());
        return;
      }
      this.#counts.received++;
      this.#port.receive(this.#frame.subarray(0, length));
    }
  }

  close(): Promise<void> {
    // The descriptor belongs to the socket, and may soon be that of something else.
    this.#closed = true;
    return new Promise((resolve) => {
      this.#socket.once('close', () => resolve());
      this.#socket.destroy();
    });
  }

  #deliver(frame: Buffer): void {
    this.#counts.received++;
    const port = this.#port;
    if (port === null) {
      this.#counts.receiveDrops++;
      return;
    }
    port.receive(frame);
    if (!port.ready()) this.#socket.pause();
  }

  /** Bytes of the next frame, which is in `#frame` then; 0: none waits. */
  #read(): number {
    try {
      return fs.readSync(this.#file, this.#frame);
    } catch {
      return 0;
    }
  }

  /** False when the interface is down, or its queue full. */
  #write(frame: Uint8Array): boolean {
    try {
      fs.writeSync(this.#file, frame);
      return true;
    } catch {
      return false;
    }
  }
}

/** Opens the clone device and attaches it to an interface. Returns the descriptor. */
function attach(interfaceName: string): number {
  let file: number;
  try {
    file = fs.openSync(CLONE_DEVICE, fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
  } catch (error) {
    throw new Error(`${CLONE_DEVICE}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const helper = spawnSync('perl', ['-e', ATTACH, interfaceName], {
    stdio: ['ignore', 'ignore', 'pipe', file],
    encoding: 'utf8',
    timeout: HELPER_LIMIT_MS,
  });
  if (helper.status === 0) return file;
  fs.closeSync(file);
  if (helper.error !== undefined)
    throw new Error(`perl, which attaches the interface, does not run: ${helper.error.message}`);
  const reason = helper.stderr.trim() || 'the helper has failed';
  throw new Error(`${interfaceName}: ${reason} (npm run tap-setup -- ${interfaceName} prepares a device)`);
}

/**
 * Node's own handle for pipes, which waits for any descriptor that can be polled; `net.Socket` alone takes fewer kinds.
 */
interface PipeModule {
  readonly Pipe: new (type: number) => { open(descriptor: number): number };
  readonly constants: { readonly SOCKET: number };
}

/** Calls `arrived` with each frame that can be read. The bytes are only valid during the call. */
function watch(file: number, arrived: (frame: Buffer) => void): net.Socket {
  const { binding } = process as unknown as { binding(name: string): PipeModule };
  const { Pipe, constants } = binding('pipe_wrap');
  const handle = new Pipe(constants.SOCKET);
  handle.open(file);
  const options = {
    handle,
    onread: {
      buffer: Buffer.allocUnsafeSlow(FRAME_LIMIT),
      callback: (length: number, buffer: Uint8Array): boolean => {
        arrived(Buffer.from(buffer.buffer, buffer.byteOffset, length));
        return true;
      },
    },
  };
  const socket = new net.Socket(options as unknown as net.SocketConstructorOpts);
  // The interface is gone: nothing comes any more.
  socket.on('error', () => {});
  socket.resume();
  return socket;
}
