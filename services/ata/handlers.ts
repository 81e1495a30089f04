/**
 * The methods of the interface `block` (protocol/block.ts).
 */
import type { Handlers } from '../../protocol/interface.ts';
import type { block, Handle, RequestContext } from '../lib/index.ts';
import type { DeviceTable } from './devices.ts';
import { bytesOf, fileBadge } from './file-handlers.ts';

/** Handlers on a table of devices. `mint` makes a right with a badge to a port. */
export function handlers(
  devices: DeviceTable,
  mint: (port: Handle, badge: number) => Handle,
): Handlers<typeof block.methods, RequestContext> {
  return {
    list: () => devices.all.map((device) => devices.describe(device)),
    open: (name, { port }) => {
      const device = devices.named(name);
      return { device: mint(port, device.badge), description: devices.describe(device) };
    },
    information: (_request, { badge }) => devices.describe(devices.badged(badge)),
    read: ({ sector, count }, { badge }) => devices.read(devices.badged(badge), sector, count),
    write: ({ sector, data }, { badge }) => devices.write(devices.badged(badge), sector, data),
    flush: (_request, { badge }) => devices.flush(devices.badged(badge)),
    statistics: () => ({ ...devices.statistics }),
    open_file: ({ name, flags }, { port }) => {
      const device = devices.named(name);
      return { file: mint(port, fileBadge(device, flags)), size: bytesOf(device) };
    },
  };
}
