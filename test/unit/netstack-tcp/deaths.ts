/**
 * Exchanges between two programs whose network stacks die. The programs must not notice: each byte arrives once, in
 * order, and the end of the stream after it. Only what was not established may be lost, with ECONNRESET.
 */
import { expect } from 'vitest';
import { Random } from '../../support/random.ts';
import { MortalHost, type Plan } from './mortal.ts';
import { type Faults, SimulatedNet } from './simulated-net.ts';

const CLIENT = 0x0a000001;
const SERVER = 0x0a000002;
const PORT = 7;

export interface Scenario {
  readonly client: Plan;
  readonly server: Plan;
  readonly faults: Faults;
}

/** Both ends, ready to begin. */
export function hosts(
  random: Random,
  { client, server, faults }: Scenario,
): {
  net: SimulatedNet;
  client: MortalHost;
  server: MortalHost;
} {
  const net = new SimulatedNet(random, faults);
  const listening = new MortalHost(net, SERVER, server, { listen: PORT });
  const connecting = new MortalHost(net, CLIENT, client, { connect: { address: SERVER, port: PORT } });
  return { net, client: connecting, server: listening };
}

/** Runs a scenario to its end and checks it. Answers what happened: all arrived, or the connection was reset. */
export function play(
  random: Random,
  scenario: Scenario,
  prepare: (client: MortalHost, server: MortalHost) => void,
): 'whole' | 'reset' {
  const { net, client, server } = hosts(random, scenario);
  prepare(client, server);
  const done = (): boolean =>
    (client.finished && server.finished) || client.failure !== null || server.failure !== null;
  const finished = net.run(done, 3_600_000);
  const early = client.diedEarly || server.diedEarly;
  const say = `${client.failure} ${server.failure}, deaths ${client.deaths} ${server.deaths}, sent ${client.sendOffset} ${server.sendOffset}, received ${client.receiveOffset} ${server.receiveOffset}`;
  const received = { client: Buffer.concat(client.received), server: Buffer.concat(server.received) };
  const whole = finished && client.failure === null && server.failure === null;
  expect(finished, `hangs: ${say}`).toBe(true);
  if (!early || whole) {
    expect([client.failure, server.failure], say).toEqual([null, null]);
    expect(received.server.equals(scenario.client.sends), `server: ${say}`).toBe(true);
    expect(received.client.equals(scenario.server.sends), `client: ${say}`).toBe(true);
  }
  // What was received is right in any case, as far as it goes.
  expect(scenario.client.sends.subarray(0, received.server.length).equals(received.server), say).toBe(true);
  expect(scenario.server.sends.subarray(0, received.client.length).equals(received.client), say).toBe(true);
  client.close(net.now);
  server.close(net.now);
  client.mortal(() => Number.POSITIVE_INFINITY);
  server.mortal(() => Number.POSITIVE_INFINITY);
  net.run(() => false, 400_000);
  expect([...client.keptKeys, ...server.keptKeys], `left in the store: ${say}`).toEqual([]);
  return whole ? 'whole' : 'reset';
}

/** A short exchange in which most of what can happen happens. */
export const small = (random: Random): Scenario => ({
  client: { sends: random.bytes(20_000), sendMost: 2500, receiveMost: 1500, pause: 3 },
  server: { sends: random.bytes(30_000), sendMost: 4000, receiveMost: 2000, pause: 40 },
  faults: { delay: 5 },
});

/** Lets one end die after each of its effects in turn, one death in each run. */
export function playAll(seed: number, who: 'client' | 'server'): { total: number; whole: number } {
  const rehearsal = hosts(new Random(seed), small(new Random(seed)));
  rehearsal.net.run(() => rehearsal.client.finished && rehearsal.server.finished, 60_000);
  const total = rehearsal[who].effects;
  let whole = 0;
  for (let at = 0; at < total; at++) {
    try {
      const result = play(new Random(seed), small(new Random(seed)), (client, server) => {
        let lives = at;
        (who === 'client' ? client : server).mortal(() => {
          const now = lives;
          lives = Number.POSITIVE_INFINITY;
          return now;
        });
      });
      if (result === 'whole') whole++;
    } catch (error) {
      throw new Error(`seed ${seed}, death at effect ${at} of ${total}`, { cause: error });
    }
  }
  return { total, whole };
}

/** A random exchange over a random net, with deaths again and again. */
export function playRandom(seed: number): 'whole' | 'reset' {
  const random = new Random(seed);
  const plan = (): Plan => ({
    sends: random.bytes(random.pick([0, 1, 5000, 60_000])),
    sendMost: random.pick([100, 3000, 65_536]),
    receiveMost: random.pick([200, 5000, 65_536]),
    pause: random.pick([0, 1, 30, 100]),
  });
  const faults = {
    delay: random.pick([0, 1, 20]),
    loss: random.pick([0, 0.02, 0.1]),
    reordering: random.pick([0, 0.1]),
    duplication: random.pick([0, 0.05]),
  };
  const life = random.pick([10, 60, 300]);
  // A life of a few effects would end before a restart has sent its first window again.
  return play(random, { client: plan(), server: plan(), faults }, (client, server) => {
    for (const host of [client, server]) if (random.next() < 0.8) host.mortal(() => 30 + random.below(life));
  });
}
