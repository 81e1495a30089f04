/**
 * Uses the network card through its driver. What it does is in its name:
 *
 *   network-echo     sends back every frame that comes, with the addresses exchanged
 *   network-source   sends 40,000 frames of full size, numbered from byte 14 on, and logs RESULT
 *                    {frames, bytes, milliseconds}
 *   network-sink     takes frames until one says END at byte 14; logs RESULT likewise, with `gaps`: places where
 *                    numbers are missing, and `repeated`. For each batch it sends a frame with the number that it
 *                    expects next, so that the other end can hold back
 *
 * Each logs READY when it has the card.
 */
import { batchOf, placedFrames } from '../../../protocol/net.ts';
import {
  type AsynchronousClient,
  asynchronousClient,
  connect,
  type Handle,
  log,
  net,
  type Outcome,
  run,
  startInformation,
  uptime,
} from '../../../services/lib/index.ts';

const REQUEST_MS = 60_000;
const FRAMES = 40_000;
const BATCH = 32;
const FRAME_BYTES = 1514;
const NUMBER_AT = 14;
const END = 0x454e4421;

type Card = AsynchronousClient<typeof net.methods>;

function numbered(number: number): Uint8Array {
  const frame = Buffer.alloc(FRAME_BYTES, number & 0xff);
  frame.write('02000000000152540012345688b5', 'hex');
  frame.writeUInt32BE(number, NUMBER_AT);
  return frame;
}

function succeeded<T>(outcome: Outcome<T>): T {
  if (!outcome.ok) throw outcome.error;
  return outcome.value;
}

function source(card: Card): void {
  const start = uptime();
  let sent = 0;
  let answered = 0;
  const next = (): void => {
    const batch = Array.from({ length: BATCH }, () => numbered(sent++));
    card.transmit(batchOf(batch), (outcome) => {
      succeeded(outcome);
      answered += BATCH;
      if (answered === FRAMES)
        log(
          `RESULT ${JSON.stringify({ frames: FRAMES, bytes: FRAMES * FRAME_BYTES, milliseconds: uptime() - start })}`,
        );
      else if (sent < FRAMES) next();
    });
  };
  next();
  next();
}

function sink(card: Card): void {
  let [start, frames, bytes, expected, gaps, repeated, batches] = [0, 0, 0, 0, 0, 0, 0];
  const next = (): void =>
    card.receive(undefined, (outcome) => {
      const taken = placedFrames(succeeded(outcome));
      batches++;
      for (const frame of taken) {
        const number = Buffer.from(frame.buffer, frame.byteOffset, frame.length).readUInt32BE(NUMBER_AT);
        if (number === END) {
          const milliseconds = uptime() - start;
          log(`RESULT ${JSON.stringify({ frames, bytes, milliseconds, gaps, repeated, batches })}`);
          return;
        }
        if (frames === 0) start = uptime();
        if (number > expected) gaps++;
        if (number < expected) repeated++;
        expected = number + 1;
        frames++;
        bytes += frame.length;
      }
      next();
      if (taken.length > 0) card.transmit(batchOf([numbered(expected)]), (sent) => succeeded(sent));
    });
  next();
}

function echo(card: Card): void {
  const next = (): void =>
    card.receive(undefined, (outcome) => {
      const frames = placedFrames(succeeded(outcome));
      next();
      if (frames.length > 0) card.transmit(batchOf(frames.map(returned)), (sent) => succeeded(sent));
    });
  next();
}

function returned(frame: Uint8Array): Uint8Array {
  const back = Uint8Array.from(frame);
  back.set(frame.subarray(6, 12), 0);
  back.set(frame.subarray(0, 6), 6);
  return back;
}

const roles: Readonly<Record<string, (card: Card) => void>> = {
  'network-echo': echo,
  'network-source': source,
  'network-sink': sink,
};

run({
  port: startInformation.name,
  ready: (port: Handle) => {
    const { card } = connect(net, 'ne2000').open();
    log('READY');
    roles[startInformation.name]?.(asynchronousClient(net, card, port, REQUEST_MS));
  },
});
