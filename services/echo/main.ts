/**
 * echo: answers what it is sent, and counts (protocol/echo.ts).
 *
 * The count is exact over all incarnations. It is put into the recovery store before the answer goes out, without
 * waiting: the pipe keeps the order, so the kernel has the count before it has the answer. Beside it stands which
 * request was counted last: when a kill comes between the two, the request comes again and must not be counted again.
 */
import { SystemError } from '../../protocol/errno.ts';
import { record, u32, u53 } from '../../protocol/schema.ts';
import { echo, offer, post, type RequestContext, run, startInformation, storeGet } from '../lib/index.ts';

const KEY = 'count';
const counted = record({ calls: u32, sender: u32, sequence: u53 });

let last = { calls: 0, sender: 0, sequence: 0 };

function count({ sender, sequence, retry }: RequestContext): void {
  if (retry && sender === last.sender && sequence === last.sequence) return;
  last = { calls: (last.calls + 1) >>> 0, sender, sequence };
  post('store_put', { key: KEY, value: counted.toWire(last, []) });
}

run({
  port: 'echo',
  start: () => {
    const stored = storeGet(KEY);
    if (stored === undefined) return;
    try {
      last = counted.fromWire(stored, []);
    } catch (error) {
      // What cannot be read counts for nothing; the service has to run all the same.
      if (!(error instanceof SystemError)) throw error;
    }
  },
  offers: [
    offer(echo, {
      echo: (value, context) => {
        count(context);
        return value;
      },
      count: () => ({ calls: last.calls, incarnation: startInformation.incarnation }),
    }),
  ],
});
