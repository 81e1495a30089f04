/** arp: shows, sets and removes neighbours, as the one of net-tools does. */
import type { Reply } from '../../../protocol/interface.ts';
import { formatIpv4 } from '../../../wire/address.ts';
import { type network, SystemError } from '../../lib/index.ts';
import { type CommandContext, expectWords } from '../command.ts';
import { CommandError, reasonOf, UsageError } from '../errors.ts';
import { parseOptions } from '../options.ts';
import { formatMilliseconds, formatTable, type TableColumn } from '../table.ts';
import { formatHardware, parseAddress, parseHardware } from './addresses.ts';
import { networkOf } from './stack.ts';

export type NeighbourRow = Reply<typeof network.methods.neighbours>[number];

const left = (title: string): TableColumn => ({ title, align: 'left' });
const right = (title: string): TableColumn => ({ title, align: 'right' });

/** The table of neighbours. */
export function neighbourLines(rows: readonly NeighbourRow[]): string[] {
  const columns = [...[left('Address'), left('HWtype'), left('HWaddress'), left('State'), right('Age'), left('Iface')]];
  const cells = rows.map((row) => [
    formatIpv4(row.address),
    row.hardware === null ? '' : 'ether',
    row.hardware === null ? '(incomplete)' : formatHardware(row.hardware),
    row.state,
    row.state === 'permanent' ? '' : formatMilliseconds(row.age),
    row.interface,
  ]);
  return formatTable(columns, cells);
}

/** Does something about an address. Throws CommandError. */
function aboutNeighbour(address: number, act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    const reason = error.code === 'ESRCH' ? 'there is no such neighbour' : reasonOf(error);
    throw new CommandError(`${formatIpv4(address)}: ${reason}`);
  }
}

export function arp(context: CommandContext): number {
  const { flags, operands } = parseOptions(context.words, { flags: 'adns' });
  const { stack } = networkOf(context);
  if (flags.has('d') && flags.has('s')) throw new UsageError('-d and -s exclude each other');
  if (flags.has('d')) {
    const [word = ''] = expectWords(operands, 1, 1);
    const address = parseAddress(word, 'ADDRESS');
    aboutNeighbour(address, () => stack.remove_neighbour(address));
    return 0;
  }
  if (flags.has('s')) {
    const [word = '', hardware = ''] = expectWords(operands, 2, 2);
    const address = parseAddress(word, 'ADDRESS');
    const bytes = parseHardware(hardware);
    aboutNeighbour(address, () => stack.set_neighbour({ address, hardware: bytes }));
    return 0;
  }
  const [word] = expectWords(operands, 0, 1);
  const only = word === undefined ? null : parseAddress(word, 'ADDRESS');
  const rows = stack.neighbours().filter(({ address }) => only === null || address === only);
  if (only !== null && rows.length === 0) throw new CommandError(`${word}: there is no such neighbour`);
  context.lines(...neighbourLines(rows));
  return 0;
}
