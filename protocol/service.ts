/**
 * Interface `service` (2): what every server answers, on every port it serves. The service library answers these, not
 * service code, so an answer means that the receive loop itself turns.
 */
import { defineInterface, method } from './interface.ts';
import { nothing, real, record, u32 } from './schema.ts';

export const service = defineInterface('service', 2, {
  /** Answers at once. */
  ping: method(1, nothing, nothing),
  /** Asks the server to end after the request at hand; it exits with status 0. EPERM: the sender is not its parent. */
  stop: method(2, nothing, nothing),
  /**
   * Figures since the incarnation started: requests served, those that were marked retry, errors answered, start-up
   * time.
   */
  statistics: method(3, nothing, record({ requests: u32, retries: u32, errors: u32, startMilliseconds: real })),
});
