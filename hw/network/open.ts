/** From the options to a cable. */

import { type Cable, NO_CABLE } from './cable.ts';
import { DatagramCable } from './dgram.ts';
import type { NetworkPlug } from './options.ts';
import { RecordedCable } from './pcap.ts';
import { TapCable } from './tap.ts';
import { UserCable } from './user/cable.ts';

/** The host does not let us have the network that was asked for; the message says why. */
export class CableError extends Error {}

/**
 * Opens what the options ask for. Rejects with a CableError when the host does not let us.
 *
 * @param pcapFile where to record the frames, if anywhere
 */
export async function openCable(plug: NetworkPlug, pcapFile?: string): Promise<Cable> {
  const cable = await explain(`the network ${plug.kind} cannot be opened`, () => open(plug));
  if (pcapFile === undefined) return cable;
  try {
    return await explain('the network cannot be recorded', () => new RecordedCable(cable, pcapFile, wallClock()));
  } catch (error) {
    await cable.close();
    throw error;
  }
}

async function explain<T>(what: string, act: () => T | Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw new CableError(`${what}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function open(plug: NetworkPlug): Cable | Promise<Cable> {
  switch (plug.kind) {
    case 'none':
      return NO_CABLE;
    case 'user':
      return UserCable.open(plug.forwards, plug.restricted);
    case 'dgram':
      return DatagramCable.open(plug.local, plug.remote);
    case 'tap':
      return new TapCable(plug.interfaceName);
  }
}

/** Nanoseconds since 1970, which go on evenly whatever becomes of the host's wall clock. */
function wallClock(): () => bigint {
  const offset = BigInt(Date.now()) * 1_000_000n - process.hrtime.bigint();
  return () => offset + process.hrtime.bigint();
}
