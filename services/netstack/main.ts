/**
 * The network stack as a service: sockets (protocol/socket.ts), names, addresses and routes (protocol/network.ts) over
 * the card that `ne2000` drives.
 *
 * A restart loses nothing that was acknowledged: sockets, connections, addresses and neighbours are kept in the
 * recovery store. Read docs/netstack.md.
 */
import { capture, type Handle, network, offer, run, socket } from '../lib/index.ts';
import { kernelEffects } from './service/kernel-effects.ts';
import { NetworkService } from './service/service.ts';

let port = 0 as Handle;
const service = new NetworkService(kernelEffects(() => port));

run({
  port: 'netstack',
  ready: (handle) => {
    port = handle;
    service.ready();
  },
  settled: () => service.settled(),
  offers: [
    offer(network, service.networkHandlers),
    offer(socket, service.socketHandlers),
    offer(capture, service.captureHandlers),
  ],
  notices: { alarm: () => service.alarmed(), no_senders: ({ badge }) => service.noSenders(badge) },
  gathering: service,
});
