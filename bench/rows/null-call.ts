/** The cheapest system call, getpid: what it costs to enter the kernel and come back. */
import { alternate } from '../alternate.ts';
import { peerLine, plainLine, type Row } from '../row.ts';
import { C_PING_PONG, inC, type Load, leftOut, machine, VROS } from './calls.ts';

const ROUNDS = 7;
const BOUND = 3;
/** Bytes of a frame without a body. */
const FRAME_BYTES = 16;
const load: Load = { bytes: FRAME_BYTES, warmUp: 4000, batches: 10, calls: 500 };

export const nullCall: Row = {
  name: 'null-call',
  async run(bench) {
    const contenders = [machine(bench, VROS, load), ...inC(bench, C_PING_PONG, 'ping-pong', load)];
    const all = await alternate(bench.rounds(ROUNDS), contenders);
    const ours = plainLine(VROS, all.get(VROS)?.null ?? []);
    const floor = all.get(C_PING_PONG)?.call;
    const lines = floor === undefined ? [ours] : [ours, peerLine(C_PING_PONG, floor, ours, BOUND)];
    return [{ name: 'null-call', title: 'null call (getpid)', unit: 'µs', lines, notes: leftOut(bench) }];
  },
};
