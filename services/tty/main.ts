/**
 * tty: the terminal on the first serial port (protocol/tty.ts), and `/dev/tty`.
 *
 * A restart loses nothing that was typed and taken, and no output that was acknowledged.
 */
import {
  file,
  type Handle,
  ioVector,
  ipcRelease,
  isTaskAlive,
  log,
  offer,
  post,
  poster,
  run,
  SystemError,
  storeGet,
  time,
  tty,
  ttyEvent,
} from '../lib/index.ts';
import { TerminalDriver } from './driver.ts';
import { fileHandlers } from './file-handlers.ts';
import { UART_IRQ, UART_PORTS } from './uart.ts';
import { WINDOW_IRQ, WINDOW_PORTS } from './window.ts';

/** Posts to the foreground; false when its port is gone. One that does not take its messages misses some. */
function toForeground(right: Handle, send: (events: ReturnType<typeof eventsOf>) => void): boolean {
  try {
    send(eventsOf(right));
    return true;
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return error.code === 'EAGAIN';
  }
}

const eventsOf = (right: Handle) => poster(ttyEvent, right);

const driver = new TerminalDriver({
  vector: ioVector,
  save: (key, value) => post('store_put', { key, value }),
  load: storeGet,
  waits: isTaskAlive,
  signal: (right, signal) => toForeground(right, (events) => events.signal({ signal })),
  resized: (right, { columns, rows }) => toForeground(right, (events) => events.resize({ columns, rows })),
  release: ipcRelease,
  log,
});

run({
  port: 'tty',
  ioPorts: [UART_PORTS, WINDOW_PORTS],
  start: () => driver.start(),
  ready: () => driver.ready(),
  interrupts: { [UART_IRQ]: () => driver.receive(), [WINDOW_IRQ]: () => driver.resize() },
  offers: [
    offer(tty, {
      read: (wanted, context) => driver.read({ ...wanted, watchesSize: true }, context),
      write: (data, context) => driver.write(data, context),
      attributes: () => driver.attributes(),
      set_attributes: (attributes) => driver.setAttributes(attributes),
      window_size: () => driver.windowSize(),
      set_foreground: ({ port }) => driver.setForeground(port),
      flush_input: () => driver.flushInput(),
      set_readers: (pids) => driver.setReaders(pids),
    }),
    offer(file, fileHandlers(driver, time)),
  ],
  device: 'tty',
});
