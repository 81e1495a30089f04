/** What the policies promise, in simulated time: fair shares, quick answers, and nobody starving. */

import { describe, expect, it } from 'vitest';
import { targetLatencyMilliseconds } from '../../../kernel/sched/cfs.ts';
import { createPolicy, policyNames } from '../../../kernel/sched/index.ts';
import { quantumMilliseconds } from '../../../kernel/sched/policy.ts';
import { ageingMilliseconds } from '../../../kernel/sched/priority.ts';
import { type Behaviour, Simulation, seededRandom } from './simulation.ts';

const hog: Behaviour = {};
const hogs = (count: number): Behaviour[] => new Array<Behaviour>(count).fill(hog);

/** A timer's rounding errors and the like, in milliseconds. */
const tolerance = 0.001;

describe.each(policyNames)('%s', (name) => {
  it('gives four endless loops a quarter of one CPU each', () => {
    const simulation = new Simulation(1, createPolicy(name), hogs(4));
    simulation.advance(10_000);
    for (const share of simulation.shares()) expect(share).toBeCloseTo(0.25, 2);
    expect(simulation.mostRunning).toBe(1);
  });

  it('gives five endless loops two fifths of a CPU each on two CPUs', () => {
    const simulation = new Simulation(2, createPolicy(name), hogs(5));
    simulation.advance(10_000);
    for (const task of simulation.tasks) expect(task.cpuMilliseconds / 10_000).toBeCloseTo(0.4, 2);
    expect(simulation.mostRunning).toBe(2);
  });

  it('lets a task that was alone for a long time run, and a newcomer still gets its half', () => {
    let naps = 0;
    const late: Behaviour = { burst: () => (naps++ === 0 ? 0.1 : Number.POSITIVE_INFINITY), sleep: () => 60_000 };
    const simulation = new Simulation(1, createPolicy(name), [hog, late]);
    simulation.advance(60_010);
    const before = simulation.tasks.map((task) => task.cpuMilliseconds);
    simulation.advance(1_000);
    for (const [index, task] of simulation.tasks.entries()) {
      expect(Math.abs(task.cpuMilliseconds - (before[index] ?? 0) - 500)).toBeLessThan(15);
    }
  });

  it('starves nobody in a crowd of random tasks', () => {
    for (const seed of [1, 2, 3, 20_261_121]) {
      const random = seededRandom(seed);
      const crowd = Array.from({ length: 12 }, (_, index): Behaviour => {
        const priority = Math.floor(random() * 32);
        if (index % 3 === 0) return { priority };
        const longest = 0.1 + random() * 12;
        return { priority, burst: () => random() * longest, sleep: () => random() * 8 };
      });
      const simulation = new Simulation(1 + (seed % 2), createPolicy(name), crowd);
      simulation.advance(20_000);
      for (const task of simulation.tasks)
        expect(task.longestWait, `seed ${seed}, pid ${task.pid}`).toBeLessThan(1_000);
    }
  });

  it('goes on fairly after every change of policy under load', () => {
    const simulation = new Simulation(1, createPolicy(name), hogs(4));
    for (const other of [...policyNames, name]) {
      simulation.advance(33);
      const before = simulation.tasks.map((task) => task.cpuMilliseconds);
      simulation.scheduler.setPolicy(createPolicy(other));
      simulation.advance(2_000);
      const gained = simulation.tasks.map((task, index) => task.cpuMilliseconds - (before[index] ?? 0));
      for (const milliseconds of gained) expect(Math.abs(milliseconds - 500), `${name} to ${other}`).toBeLessThan(15);
    }
  });
});

describe('rr', () => {
  it('answers an interactive task among four endless loops within one quantum per wake-up, for ever', () => {
    const random = seededRandom(7);
    const interactive: Behaviour = { burst: () => 0.05 + random() * 0.3, sleep: () => random() * 30 };
    const simulation = new Simulation(1, createPolicy('rr'), [...hogs(4), interactive]);
    simulation.advance(100);
    const [task] = simulation.tasks.slice(-1);
    if (task === undefined) throw new Error('no task');
    task.waits = [];
    simulation.advance(30_000);
    expect(task.waits.length).toBeGreaterThan(1_000);
    expect(Math.max(...task.waits)).toBeLessThanOrEqual(quantumMilliseconds + tolerance);
  });

  it('keeps tasks that block just before the end of their quantum from starving the main queue', () => {
    for (const [burst, sleep] of [
      [quantumMilliseconds - 0.1, 0.05],
      [quantumMilliseconds - 0.6, 0.001],
      [quantumMilliseconds / 2, 0.001],
      [0.001, 0.001],
    ] as const) {
      const abuser: Behaviour = { burst: () => burst, sleep: () => sleep };
      const abusers = 4;
      const simulation = new Simulation(1, createPolicy('rr'), [hog, ...new Array<Behaviour>(abusers).fill(abuser)]);
      simulation.advance(3_000);
      const [share] = simulation.shares();
      const label = `bursts of ${burst}`;
      expect(share, label).toBeGreaterThan(1 / (abusers + 1) - 0.03);
      expect(simulation.tasks[0]?.longestWait, label).toBeLessThanOrEqual((2 * abusers + 1) * quantumMilliseconds);
    }
  });
});

describe('priority', () => {
  it('runs a more urgent task at once', () => {
    const urgent: Behaviour = { priority: 2, burst: () => 0.5, sleep: () => 7.3 };
    const simulation = new Simulation(1, createPolicy('priority'), [...hogs(3), urgent]);
    simulation.advance(50);
    const [task] = simulation.tasks.slice(-1);
    if (task === undefined) throw new Error('no task');
    task.waits = [];
    simulation.advance(2_000);
    expect(task.waits.length).toBeGreaterThan(100);
    // At times it meets an endless loop that has risen to its level, and waits for that one's quantum.
    expect(Math.max(...task.waits)).toBeLessThanOrEqual(quantumMilliseconds + tolerance);
    expect(task.waits.filter((wait) => wait === 0).length / task.waits.length).toBeGreaterThan(0.9);
  });

  it('keeps to the bound of ageing: priority × ageing + tasks × quantum', () => {
    for (const priority of [1, 10, 31]) {
      const others = 4;
      const urgentHogs = new Array<Behaviour>(others).fill({ priority: 0 });
      const simulation = new Simulation(1, createPolicy('priority'), [...urgentHogs, { priority }]);
      simulation.advance(10_000);
      const [low] = simulation.tasks.slice(-1);
      expect(low?.longestWait).toBeLessThanOrEqual(priority * ageingMilliseconds + others * quantumMilliseconds);
      expect(low?.longestWait).toBeGreaterThan((priority - 1) * ageingMilliseconds);
      // A whole quantum each time, not just a moment.
      const turns = low?.waits.length ?? 0;
      expect(low?.cpuMilliseconds).toBeGreaterThanOrEqual((turns - 1) * quantumMilliseconds - tolerance);
    }
  });

  it('keeps to the bound when urgent tasks come and go all the time', () => {
    const random = seededRandom(11);
    const urgent: Behaviour = { priority: 0, burst: () => 0.2 + random() * 3, sleep: () => random() * 2 };
    const others = 5;
    const simulation = new Simulation(1, createPolicy('priority'), [
      ...new Array<Behaviour>(others).fill(urgent),
      { priority: 20 },
      { priority: 20 },
    ]);
    simulation.advance(20_000);
    for (const task of simulation.tasks.slice(-2)) {
      expect(task.longestWait).toBeLessThanOrEqual(20 * ageingMilliseconds + (others + 1) * quantumMilliseconds);
    }
  });
});

describe('hrrn', () => {
  it('prefers short bursts to long ones', () => {
    const short: Behaviour = { burst: () => 0.3, sleep: () => 5 };
    const simulation = new Simulation(1, createPolicy('hrrn'), [...hogs(4), short]);
    simulation.advance(100);
    const [task] = simulation.tasks.slice(-1);
    if (task === undefined) throw new Error('no task');
    task.waits = [];
    simulation.advance(5_000);
    expect(task.waits.length).toBeGreaterThan(400);
    expect(Math.max(...task.waits)).toBeLessThanOrEqual(2 * quantumMilliseconds + tolerance);
  });
});

describe('cfs', () => {
  it('divides the CPU 2:1 by weights 2:1', () => {
    const simulation = new Simulation(1, createPolicy('cfs'), [{ weight: 2048 }, { weight: 1024 }]);
    simulation.advance(10_000);
    const [heavy, light] = simulation.shares();
    expect((heavy ?? 0) / (light ?? 1)).toBeCloseTo(2, 1);
  });

  it('divides the CPU by weight among many, also where the least quantum rules', () => {
    const weights = [512, 1024, 1024, 2048, 2048, 4096, 512, 1024, 1024, 2048];
    const simulation = new Simulation(
      1,
      createPolicy('cfs'),
      weights.map((weight) => ({ weight })),
    );
    simulation.advance(60_000);
    const sum = weights.reduce((total, weight) => total + weight, 0);
    for (const [index, share] of simulation.shares().entries()) {
      expect(share / ((weights[index] ?? 0) / sum)).toBeCloseTo(1, 1);
    }
  });

  it('lets a sleeper answer at once, but not make up for a long sleep', () => {
    const interactive: Behaviour = { burst: () => 0.2, sleep: () => 9 };
    const simulation = new Simulation(1, createPolicy('cfs'), [...hogs(4), interactive]);
    simulation.advance(100);
    const [task] = simulation.tasks.slice(-1);
    if (task === undefined) throw new Error('no task');
    task.waits = [];
    simulation.advance(5_000);
    // The waker may have to wait while the one on the CPU is hardly ahead of the machine's virtual time.
    expect(task.waits.reduce((sum, wait) => sum + wait, 0) / task.waits.length).toBeLessThan(0.5);

    let naps = 0;
    const sleeper: Behaviour = { burst: () => (naps++ === 0 ? 0.1 : Number.POSITIVE_INFINITY), sleep: () => 30_000 };
    const night = new Simulation(1, createPolicy('cfs'), [hog, hog, sleeper]);
    night.advance(31_000);
    expect(night.tasks[2]?.cpuMilliseconds).toBeGreaterThan(300);
    for (const other of night.tasks.slice(0, 2)) expect(other.longestWait).toBeLessThan(2 * targetLatencyMilliseconds);
  });
});
