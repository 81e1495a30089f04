/** Whether a call takes longer when the system has grown: many ports, many services. */
import { alternate } from '../alternate.ts';
import { type Line, plainLine, type Row } from '../row.ts';
import { type Load, machine } from './calls.ts';

const ROUNDS = 5;
const BOUND = 1.3;
const PORTS = 1000;
const SERVICES = 50;
const SMALL = 'small system';
const load: Load = { bytes: 64, warmUp: 4000, batches: 10, calls: 500 };

export const growth: Row = {
  name: 'growth',
  async run(bench) {
    const grown = { [`${PORTS} ports`]: { ports: PORTS }, [`${SERVICES} services`]: { services: SERVICES } };
    const contenders = [
      machine(bench, SMALL, load),
      ...Object.entries(grown).map(([name, more]) => machine(bench, name, load, more)),
    ];
    const all = await alternate(bench.rounds(ROUNDS), contenders);
    const small = plainLine(SMALL, all.get(SMALL)?.rpc ?? []);
    const lines = Object.keys(grown).map((name): Line => {
      const line = plainLine(name, all.get(name)?.rpc ?? []);
      const ratio = line.median / small.median;
      return { ...line, ratio, must: { text: `≤ ${BOUND} ×`, met: ratio <= BOUND } };
    });
    const notes = ['the ratio is to the small system'];
    return [{ name: 'growth', title: 'RPC of 64 B as the system grows', unit: 'µs', lines: [small, ...lines], notes }];
  },
};
