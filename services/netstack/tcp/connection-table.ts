/** The connections by their ends, so that the one of a segment is found at once, and ports by who uses them. */
import type { TcpConnection } from './connection.ts';
import type { Endpoint } from './environment.ts';

const PORTS = 2 ** 16;

/** An end as one number. */
const keyOf = ({ address, port }: Endpoint): number => address * PORTS + port;

/** See the head of this file. */
export class ConnectionTable {
  /** By local end, then by remote end. */
  private readonly byLocal = new Map<number, Map<number, TcpConnection>>();

  get(local: Endpoint, remote: Endpoint): TcpConnection | undefined {
    return this.byLocal.get(keyOf(local))?.get(keyOf(remote));
  }

  /** By the four numbers themselves, for segments. */
  find(address: number, port: number, remoteAddress: number, remotePort: number): TcpConnection | undefined {
    return this.byLocal.get(address * PORTS + port)?.get(remoteAddress * PORTS + remotePort);
  }

  add(connection: TcpConnection): void {
    const key = keyOf(connection.local);
    const remotes = this.byLocal.get(key) ?? new Map<number, TcpConnection>();
    remotes.set(keyOf(connection.remote), connection);
    this.byLocal.set(key, remotes);
  }

  delete(connection: TcpConnection): void {
    const key = keyOf(connection.local);
    const remotes = this.byLocal.get(key);
    if (remotes?.get(keyOf(connection.remote)) !== connection) return;
    remotes.delete(keyOf(connection.remote));
    if (remotes.size === 0) this.byLocal.delete(key);
  }

  /** Whether a connection has this local end. Address 0 stands for all. */
  uses(local: Endpoint): boolean {
    if (local.address !== 0) return this.byLocal.has(keyOf(local));
    for (const key of this.byLocal.keys()) if (key % PORTS === local.port) return true;
    return false;
  }

  *[Symbol.iterator](): Generator<TcpConnection> {
    for (const remotes of this.byLocal.values()) yield* remotes.values();
  }
}
