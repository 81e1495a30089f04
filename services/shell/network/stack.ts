/** The network stack as the commands find it. */
import type { Reply } from '../../../protocol/interface.ts';
import { Network, type network, SystemError } from '../../lib/index.ts';
import type { CommandContext } from '../command.ts';
import { CommandError, reasonOf } from '../errors.ts';

/** Name of the port of the stack. */
export const STACK_PORT = 'netstack';

export type InterfaceRow = Reply<typeof network.methods.interfaces>[number];

/** The stack. Throws MissingService. */
export function networkOf({ services }: CommandContext): Network {
  return new Network(services.port(STACK_PORT));
}

/** Longest wait for a name server, in milliseconds. */
const RESOLVE_MS = 15_000;

/** All addresses of a host. Throws CommandError, with this status. */
export function addressesOf(stack: Network, host: string, status = 1): readonly number[] {
  try {
    return stack.resolve(host, RESOLVE_MS);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw new CommandError(`${host}: ${resolveReason(error)}`, status);
  }
}

/** The first address of a host. Throws CommandError. */
export function addressOf(stack: Network, host: string): number {
  const [first] = addressesOf(stack, host);
  if (first === undefined) throw new CommandError(`${host}: it has no address`);
  return first;
}

/** Why a name has no address. */
export function resolveReason(error: SystemError): string {
  if (error.code === 'ENOENT') return 'there is no host of this name';
  if (error.code === 'ETIMEDOUT') return 'no name server answers';
  if (error.code === 'ENETUNREACH') return 'there is no name server';
  return reasonOf(error);
}
