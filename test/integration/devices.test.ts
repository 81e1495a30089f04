/** Drivers and devices: I/O ports, permissions, vectors, interrupts; clocks and timers. */
import { deviceCases } from '../services/scenario/devices.ts';
import { timeCases } from '../services/scenario/time.ts';
import { describeScenario, puppetManifests } from '../support/scenario.ts';

const entry = 'test/services/scenario';

/** Two drivers of the clock chip, and one that may only touch harmless ports. */
const drivers = [
  { name: 'driver', entry, looksUp: ['init'], serves: ['driver'], ioPorts: ['0x70-0x71'], irqs: [8] },
  { name: 'driver2', entry, looksUp: ['init', 'driver'], ioPorts: ['0x70-0x71'], irqs: [8] },
  { name: 'rogue', entry, looksUp: ['init'], ioPorts: ['0x80', '0x6f'] },
];

describeScenario('devices', 'devices', Object.keys(deviceCases), [...puppetManifests, ...drivers]);
describeScenario('time', 'time', Object.keys(timeCases));
