/** netdrv: the network card, its driver, and what both have counted. */

import { init, net } from '../../lib/index.ts';
import { expectWords, type Run } from '../command.ts';
import { UsageError } from '../errors.ts';
import { formatTable } from '../table.ts';
import { formatHardware } from './addresses.ts';

/** Name of the driver and of its port. */
export const CARD_SERVICE = 'ne2000';

export const netdrv: Run = ({ words, services, lines }) => {
  expectWords(words, 0, 1);
  const driver = services.client(net, CARD_SERVICE);
  const [word] = words;
  if (word !== undefined && word !== 'reset') throw new UsageError(`unknown operation ${word}`);
  if (word === 'reset') {
    driver.reset();
    return 0;
  }
  const row = services
    .client(init, 'init')
    .list()
    .find(({ name }) => name === CARD_SERVICE);
  if (row !== undefined)
    lines(`${row.name}: ${row.state}, pid ${row.pid}, incarnation ${row.incarnation}, ${row.restarts} restarts`);
  const card = driver.information();
  lines(
    `${card.name}: ${card.model}, ${formatHardware(card.address)}, I/O ports 0x${card.ioPort.toString(16)}, ` +
      `interrupt ${card.irq}, MTU ${card.mtu}, ${card.link ? 'link' : 'no link'}`,
  );
  const figures = driver.statistics();
  const names: readonly [string, number][] = [
    ['frames received', figures.framesReceived],
    ['bytes received', figures.bytesReceived],
    ['frames sent', figures.framesSent],
    ['bytes sent', figures.bytesSent],
    ['interrupts', figures.interrupts],
    ['receive errors', figures.receiveErrors],
    ['missed', figures.missed],
    ['transmit errors', figures.transmitErrors],
    ['overflows', figures.overflows],
    ['resets', figures.resets],
  ];
  const columns = [
    { title: 'COUNTER', align: 'left' },
    { title: 'SINCE START', align: 'right' },
  ] as const;
  lines(
    ...formatTable(
      columns,
      names.map(([name, value]) => [name, String(value)]),
    ),
  );
  return 0;
};
