/** From the options to a cable. */

import { type Cable, NO_CABLE } from './cable.ts';
import { DatagramCable } from './dgram.ts';
import type { NetworkPlug } from './options.ts';

/** Opens what the options ask for. Rejects with an Error for people when the host does not let us. */
export async function openCable(plug: NetworkPlug): Promise<Cable> {
  try {
    return await open(plug);
  } catch (error) {
    throw new Error(
      `the network ${plug.kind} cannot be opened: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

async function open(plug: NetworkPlug): Promise<Cable> {
  switch (plug.kind) {
    case 'dgram':
      return DatagramCable.open(plug.local, plug.remote);
    default:
      return NO_CABLE;
  }
}
