/** Interface `echo` (7): a service that answers what it is sent, to test and time messages. */
import { defineInterface, method } from './interface.ts';
import { anything, nothing, record, u32 } from './schema.ts';

export const echo = defineInterface('echo', 7, {
  /** The same value back. */
  echo: method(1, anything, anything),
  /** Calls that this service has answered over all incarnations; the count is kept in the recovery store. */
  count: method(2, nothing, record({ calls: u32, incarnation: u32 })),
});
