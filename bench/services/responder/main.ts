/** The server of the measured calls: answers what it is sent, and does nothing else. */
import { echo, offer, run } from '../../../services/lib/index.ts';

run({
  port: 'responder',
  offers: [offer(echo, { echo: (value) => value, count: () => ({ calls: 0, incarnation: 0 }) })],
});
