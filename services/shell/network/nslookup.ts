/** nslookup: asks the name servers for the addresses of names. */
import { formatIpv4 } from '../../../wire/address.ts';
import { SystemError, uptime } from '../../lib/index.ts';
import { type CommandContext, expectWords } from '../command.ts';
import { parseOptions } from '../options.ts';
import { formatMilliseconds } from '../table.ts';
import { networkOf, resolveReason } from './stack.ts';

/** Longest wait for the name servers, in milliseconds. */
const RESOLVE_MS = 15_000;

export function nslookup(context: CommandContext): number {
  const { operands } = parseOptions(context.words, {});
  const names = expectWords(operands, 1, Number.POSITIVE_INFINITY);
  const { stack } = networkOf(context);
  const { nameServers } = stack.configuration();
  context.lines(`Server: ${nameServers.length === 0 ? 'none' : nameServers.map(formatIpv4).join(', ')}`);
  let status = 0;
  for (const name of names) {
    context.lines('');
    context.shell.flush();
    if (/^\d+(\.\d+){3}$/.test(name)) {
      context.complain(`${name}: names of addresses are not looked up`);
      status = 1;
      continue;
    }
    const before = uptime();
    try {
      const addresses = stack.resolve({ name, timeout: RESOLVE_MS });
      const took = formatMilliseconds(uptime() - before);
      context.lines(`Name: ${name}`, ...addresses.map((address) => `Address: ${formatIpv4(address)}`), `Time: ${took}`);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      context.complain(`${name}: ${resolveReason(error)} (after ${formatMilliseconds(uptime() - before)})`);
      status = 1;
    }
  }
  return status;
}
