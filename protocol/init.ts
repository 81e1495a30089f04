/**
 * Interface `init` (3): the supervisor that starts services in the order of their dependencies, restarts them by
 * policy, pings them, and gives up on those that only crash.
 */
import { defineInterface, method } from './interface.ts';
import { bool, i32, list, nameText, nothing, oneOf, record, text, u32 } from './schema.ts';

/** What init knows of a service. `state`: what it is doing; `detail`: why, in words. */
export const serviceStatus = record({
  name: nameText,
  state: oneOf('stopped', 'starting', 'running', 'waiting', 'failed', 'inspected'),
  enabled: bool,
  pid: u32,
  incarnation: u32,
  restarts: u32,
  policy: oneOf('always', 'on-failure', 'never'),
  detail: text(200),
});

export const init = defineInterface('init', 3, {
  /** Every service of the configuration. */
  list: method(1, nothing, list(serviceStatus, 512)),
  /**
   * Starts a service and what it depends on; does nothing when it runs. ENOENT: not in the configuration. EACCES: it or
   * one of those is disabled. EINVAL: it cannot be started as configured. ECANCELED: the machine is being shut down.
   */
  start: method(2, nameText, nothing),
  /**
   * Stops a service: asks it, then kills it after two seconds. Answers when it is gone. Its callers get EIO. ENOENT.
   * EPERM for init itself.
   */
  stop: method(3, nameText, nothing),
  /**
   * Replaces a running service by a new incarnation that takes over its ports and requests; starts one that does not
   * run. Errors as `start`.
   */
  restart: method(4, nameText, nothing),
  /** Lets a service be started, and starts it. Errors as `start`. */
  enable: method(5, nameText, nothing),
  /** Stops a service and refuses to start it. ENOENT. EPERM for init itself. */
  disable: method(6, nameText, nothing),
  /**
   * Restarts a service under the debugger and answers its address (`127.0.0.1:PORT`). Errors as `start`; EPERM for init
   * itself; ETIMEDOUT: no debugger within ten seconds; EIO: the service ended before.
   */
  inspect: method(7, nameText, text(200)),
  /**
   * Asks init to end the machine with this exit status, or to start it again. Answers at once; then the services are
   * stopped, each before those it depends on, and the machine ends, after three seconds at the latest.
   */
  shutdown: method(8, record({ status: i32, reboot: bool }), nothing),
});
