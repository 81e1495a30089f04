/** A call from one service to another: service → kernel → service → kernel → service, in the full sandbox. */
import { alternate } from '../alternate.ts';
import { type Bench, type Line, peerLine, plainLine, type Row, type RowResult } from '../row.ts';
import {
  C_RELAY,
  C_RELAY_ONE_CPU,
  firstCpu,
  inC,
  type Load,
  leftOut,
  machine,
  NODE,
  nodeRelay,
  VROS,
  WINDOW,
} from './calls.ts';

/** Greatest ratios to the peers; none: for information. */
interface Bounds {
  readonly node?: number;
  readonly c?: number;
}

const ROUNDS = 7;

async function run(bench: Bench, name: string, size: string, load: Load, bounds: Bounds): Promise<RowResult[]> {
  const contenders = [
    machine(bench, VROS, load, { window: WINDOW }),
    nodeRelay(load),
    ...inC(bench, C_RELAY, 'relay', load),
    ...(firstCpu === '' ? [] : inC(bench, C_RELAY_ONE_CPU, 'relay', load, firstCpu)),
  ];
  const all = await alternate(bench.rounds(ROUNDS), contenders);
  const table = (kind: string, against: [peer: string, bound: number | undefined][]): Line[] => {
    const ours = plainLine(VROS, all.get(VROS)?.[kind] ?? []);
    const peers = against.flatMap(([peer, bound]) => {
      const figures = all.get(peer)?.[kind];
      return figures === undefined ? [] : [peerLine(peer, figures, ours, bound)];
    });
    return [ours, ...peers];
  };
  return [
    {
      name,
      title: `RPC between services, ${size}`,
      unit: 'µs',
      lines: table('rpc', [
        [NODE, bounds.node],
        [C_RELAY, bounds.c],
        [C_RELAY_ONE_CPU, undefined],
      ]),
      notes: leftOut(bench),
    },
    {
      name: `${name}-pipelined`,
      title: `the same, ${WINDOW} under way`,
      unit: 'calls/s',
      lines: table('pipelined', [[NODE, undefined]]),
      notes: [],
    },
  ];
}

function row(name: string, size: string, load: Load, bounds: Bounds): Row {
  return { name, run: (bench) => run(bench, name, size, load, bounds) };
}

/** 64 bytes. */
export const smallRpc = row('rpc', '64 B', { bytes: 64, warmUp: 4000, batches: 10, calls: 500 }, { node: 0.45, c: 3 });

/** 4 KiB, for information. */
export const pageRpc = row('rpc-4k', '4 KiB', { bytes: 4096, warmUp: 2000, batches: 10, calls: 200 }, {});

/** 64 KiB. */
export const largeRpc = row(
  'rpc-64k',
  '64 KiB',
  { bytes: 65536, warmUp: 1000, batches: 10, calls: 100 },
  { node: 0.7 },
);
