/**
 * A cable that loses what the card has no room for, as QEMU's does: every frame that comes while the largest would not
 * fit. Frames elsewhere wait in the host for as long, so that two of our machines do not lose what they send each
 * other.
 */

import type { Cable } from '../network/cable.ts';

/** `cable`, from which frames come at once or never. */
export function dropping(cable: Cable): Cable {
  return {
    description: cable.description,
    linked: cable.linked,
    get statistics() {
      return cable.statistics;
    },
    connect: (port) =>
      cable.connect({
        ready: () => true,
        receive: (frame) => {
          if (port.ready()) port.receive(frame);
        },
      }),
    send: (frame) => cable.send(frame),
    receiveReady: () => {},
    close: () => cable.close(),
  };
}
