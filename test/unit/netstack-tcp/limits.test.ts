/** What connections may take, all together. */
import { describe, expect, it } from 'vitest';
import type { TcpConnection } from '../../../services/netstack/tcp/connection.ts';
import {
  GROWTH_POOL_BYTES,
  INITIAL_BUFFER_BYTES,
  MAX_BUFFER_BYTES,
  MAX_CONNECTIONS,
} from '../../../services/netstack/tcp/limits.ts';
import { PEER, Script, US } from './script.ts';

describe('connections', () => {
  it('without owners end sooner, the oldest first, when there are too many', () => {
    const script = Script.listening(128);
    for (let port = 1; port <= MAX_CONNECTIONS; port++) {
      script.peer({ flags: 'S', at: -1, port }).seen();
      script.peer({ at: 0, ack: 0, port });
      // Nothing that the peer ever acknowledges.
      script.listener?.accept()?.close(null, script.now);
      script.turn().seen();
    }
    expect(script.layer.list()).toHaveLength(1 + MAX_CONNECTIONS);
    script.peer({ flags: 'S', at: -1, port: 9999 });
    expect(script.seen().map(({ flags }) => flags)).toEqual(['RA', 'SA']);
    script.connection = script.layer.connect({ address: US, port: 0 }, { address: PEER, port: 9 }, script.now);
    expect(script.layer.list().filter(({ state }) => state === 'fin-wait-1')).toHaveLength(MAX_CONNECTIONS - 1);
  });

  it('keep the share of the buffers that is still read from, after the end of both streams', () => {
    const script = Script.listening(128);
    const large = MAX_BUFFER_BYTES - INITIAL_BUFFER_BYTES;
    const most = Math.floor(GROWTH_POOL_BYTES / large);
    const connections: TcpConnection[] = [];
    const another = (): number => {
      const port = 1000 + connections.length;
      script.peer({ flags: 'S', at: -1, port }).seen();
      script.peer({ at: 0, ack: 0, port });
      const connection = script.listener?.accept();
      if (connection === undefined) throw new Error('nothing to accept');
      connections.push(connection);
      connection.receiveBuffer = MAX_BUFFER_BYTES;
      script.peer({ at: 0, ack: 0, port, data: 1000 });
      connection.closeSend();
      script.turn().peer({ flags: 'FA', at: 1000, ack: 1, port });
      script.wait(61_000);
      expect(connection.state).toBe('closed');
      return connection.receiveBuffer;
    };
    for (let count = 0; count < most; count++) expect(another()).toBe(MAX_BUFFER_BYTES);
    expect(another()).toBe(INITIAL_BUFFER_BYTES);
    for (const connection of connections) connection.close(null, script.now);
    expect(another()).toBe(MAX_BUFFER_BYTES);
  });
});
