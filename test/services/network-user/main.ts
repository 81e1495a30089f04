/**
 * Uses the network as a client and logs RESULT with what came of it. What it does is in its name:
 *
 *   fetch-PORT-BYTES   reads so many bytes from TCP port PORT of 10.0.2.2 and checks them (pattern.ts):
 *                      {bytes, wrong, milliseconds}
 *   push-PORT-BYTES    sends so many there, closes its direction, and logs the line it is answered:
 *                      {answer, milliseconds}
 *   refused-PORT       connects to where nobody listens: {error, milliseconds}
 *   ping-COUNT         sends echo requests to 10.0.2.2: {answered, milliseconds}: of each, the time
 *   datagrams-PORT     sends datagrams of several sizes there and takes their echoes: {sizes}
 *   names-NAME         asks for the addresses of a name: {addresses} or {error}
 *   watch-COUNT        sees so many packets go by: {packets}
 */
import {
  capture,
  client,
  log,
  Network,
  type Socket,
  SystemError,
  startInformation,
  uptime,
} from '../../../services/lib/index.ts';
import { fillPattern, wrongBytes } from './pattern.ts';

const ROUTER = 0x0a000202;

const [what = '', ...words] = startInformation.name.split('-');
const [first = 0, second = 0] = words.map(Number);
const network = Network.find(20_000);
const started = uptime();

log(`RESULT ${JSON.stringify({ name: startInformation.name, ...result(), milliseconds: uptime() - started })}`);

function result(): object {
  try {
    return perform();
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return { error: error.code };
  }
}

function perform(): object {
  switch (what) {
    case 'fetch':
      return fetch(connected());
    case 'push':
      return push(connected());
    case 'refused':
      return { socket: connected().names() };
    case 'ping':
      return ping();
    case 'datagrams':
      return datagrams();
    case 'names':
      return { addresses: network.resolve(words.join('-')) };
    case 'watch':
      return watch();
    default:
      throw new SystemError('EINVAL', `no such task: ${what}`);
  }
}

function connected(): Socket {
  const socket = network.stream();
  socket.connect({ address: ROUTER, port: first }, 20_000);
  return socket;
}

function fetch(socket: Socket): object {
  let bytes = 0;
  let wrong = 0;
  for (const piece of socket.pieces()) {
    wrong += wrongBytes(piece, bytes);
    bytes += piece.length;
  }
  return { bytes, wrong };
}

function push(socket: Socket): object {
  const piece = Buffer.alloc(65536);
  while (socket.sendOffset < second) {
    const part = piece.subarray(0, Math.min(piece.length, second - socket.sendOffset));
    fillPattern(part, socket.sendOffset);
    socket.send(part);
  }
  socket.shutdown('send');
  return {
    answer: Buffer.concat([...socket.pieces()])
      .toString()
      .trim(),
  };
}

function ping(): object {
  const raw = network.raw(1);
  const times: number[] = [];
  for (let number = 1; number <= first; number++) {
    const before = uptime();
    raw.sendTo(echoRequest(number), { address: ROUTER, port: 0 });
    for (;;) {
      const { data, from } = raw.receiveFrom(5000);
      const answer = Buffer.from(data);
      if (from.address === ROUTER && answer[0] === 0 && answer.readUInt16BE(6) === number) break;
    }
    times.push(uptime() - before);
  }
  return { times };
}

/** ICMP echo request (RFC 792) with its check sum. */
function echoRequest(number: number): Buffer {
  const request = Buffer.alloc(64, 'vros');
  request.writeUInt32BE(0x08000000, 0);
  request.writeUInt16BE(0x4242, 4);
  request.writeUInt16BE(number, 6);
  let sum = 0;
  for (let at = 0; at < request.length; at += 2) sum += request.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  request.writeUInt16BE(~sum & 0xffff, 2);
  return request;
}

function datagrams(): object {
  const socket = network.datagram();
  socket.connect({ address: ROUTER, port: first });
  const sizes = [0, 1, 100, 1472, 1473, 9000, 65_507].map((size) => {
    const data = Buffer.alloc(size);
    fillPattern(data, 0);
    socket.sendTo(data);
    const answer = socket.receiveFrom(5000).data;
    return wrongBytes(answer, 0) === 0 ? answer.length : -1;
  });
  return { sizes };
}

function watch(): object {
  const watching = client(capture, network.stack.capture({ interface: null, length: 64 }));
  const packets: { sent: boolean; length: number }[] = [];
  log('READY');
  while (packets.length < first) {
    packets.push(...watching.receive({ timeout: 0xffffffff }).packets.map(({ sent, length }) => ({ sent, length })));
  }
  return { packets };
}
