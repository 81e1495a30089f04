/**
 * What tests of the network talk to: the services of RFC 862 (echo, TCP and UDP 7), 863 (sink, TCP 9, which says at the
 * end how many bytes came and how many were wrong) and 864 (source, TCP 19, of so many bytes as a line asks for), one
 * that resets every connection (TCP 13), one that never accepts any (TCP 11), and iperf3 (TCP 5201). The instance
 * `trafficN` has its ports N × 10,000 higher.
 */
import {
  asynchronousClient,
  client,
  FOREVER,
  type Handle,
  ipcFindPort,
  log,
  network,
  run,
  socket,
  startInformation,
} from '../../../services/lib/index.ts';
import { Connection } from './connection.ts';
import { piece } from './content.ts';
import { IperfServer } from './iperf.ts';

const BLOCK_BYTES = 64 * 1024;
const DATAGRAM_BYTES = 65507;
const SMALL_BACKLOG = 2;
const name = startInformation.name;
const base = 10_000 * Number(/\d+$/.exec(name)?.[0] ?? 0);

function echo(connection: Connection): void {
  connection.receive((data) => {
    if (data.length === 0) connection.close();
    else connection.send(Buffer.from(data), () => echo(connection));
  });
}

function sink(connection: Connection, wrong = 0): void {
  const { received } = connection;
  connection.receive((data) => {
    if (data.length === 0) {
      connection.send(Buffer.from(`${received} ${wrong}\n`), () => connection.close());
      return;
    }
    const right = piece(received, data.length).equals(data);
    sink(connection, wrong + (right ? 0 : data.length));
  });
}

function source(connection: Connection, order = ''): void {
  connection.receive((data) => {
    const text = order + Buffer.from(data).toString('latin1');
    if (data.length === 0 || text.length > 20) connection.close();
    else if (text.endsWith('\n')) pour(connection, Number(text));
    else source(connection, text);
  });
}

function pour(connection: Connection, length: number): void {
  if (connection.sent >= length) {
    connection.close();
    return;
  }
  const data = piece(connection.sent, Math.min(BLOCK_BYTES, length - connection.sent));
  connection.send(data, () => pour(connection, length));
}

function reset(connection: Connection): void {
  connection.calls.set_option({ option: 'linger', value: 0 }, () => connection.close());
}

function echoDatagrams(right: Handle, own: Handle): void {
  const calls = asynchronousClient(socket, right, own, FOREVER);
  const next = (): void =>
    calls.receive_from({ most: DATAGRAM_BYTES, timeout: FOREVER }, (outcome) => {
      if (!outcome.ok) {
        log(`receive_from: ${outcome.error.message}`);
        next();
        return;
      }
      calls.send_to({ to: outcome.value.from, data: outcome.value.data }, () => next());
    });
  next();
}

run({
  port: name,
  ready(own) {
    const stack = client(network, ipcFindPort('netstack', 10_000));
    const bound = (type: 'stream' | 'datagram', port: number): Handle => {
      const right = stack.socket({ type, protocol: 0 });
      // Connections of an incarnation that has died may still be ending.
      client(socket, right).set_option({ option: 'reuse-address', value: 1 });
      client(socket, right).bind({ address: 0, port: base + port });
      return right;
    };
    const listen = (port: number, backlog: number): Connection => {
      const right = bound('stream', port);
      client(socket, right).listen(backlog);
      return new Connection(right, own);
    };
    const iperf = new IperfServer();
    listen(7, 128).serve((connection) => echo(connection));
    listen(9, 128).serve((connection) => sink(connection));
    listen(19, 128).serve((connection) => source(connection));
    listen(13, 128).serve((connection) => reset(connection));
    listen(5201, 8).serve((connection) => iperf.accepted(connection));
    listen(11, SMALL_BACKLOG);
    echoDatagrams(bound('datagram', 7), own);
    log('serving');
  },
});
