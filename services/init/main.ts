/**
 * init: starts the services, keeps them running by their policies, and answers the interface `init` (protocol/init.ts).
 */
import { init, manifestList, offer, run, signalPort, startInformation, storeGet } from '../lib/index.ts';
import { kernelEffects, STATE_KEY } from './kernel-effects.ts';
import { Supervisor } from './supervisor.ts';

let supervisor: Supervisor;

run({
  port: 'init',
  ready: (port) => {
    supervisor = new Supervisor(kernelEffects(port), manifestList(), startInformation);
    supervisor.boot(storeGet(STATE_KEY));
    // The host's SIGTERM and SIGINT to the machine come here.
    signalPort(port);
  },
  offers: [
    offer(init, {
      list: () => supervisor.list(),
      start: (name) => supervisor.start(name),
      stop: (name, context) => context.later<void>((waiter) => supervisor.stop(name, waiter)),
      restart: (name, context) => context.later<void>((waiter) => supervisor.restart(name, waiter)),
      enable: (name) => supervisor.enable(name),
      disable: (name, context) => context.later<void>((waiter) => supervisor.disable(name, waiter)),
      inspect: (name, context) => context.later<string>((waiter) => supervisor.inspect(name, waiter)),
      shutdown: ({ status, reboot }) => supervisor.shutdown(status & 0xff, reboot),
    }),
  ],
  notices: {
    alarm: () => supervisor.alarm(),
    exit: (notice) => supervisor.exited(notice),
    signal: ({ signal }) => supervisor.shutdown(128 + signal, false),
  },
});
