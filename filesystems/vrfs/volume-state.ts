/**
 * The few numbers of a file system that change all the time. They stand in every record and header of the journal
 * (docs/vrfs.md, "Journal"), so no block of their own has to be written for them.
 */

import type { Geometry } from './geometry.ts';

/** Bytes it takes in a journal block. */
export const STATE_BYTES = 16;

export interface VolumeState {
  freeBlocks: number;
  freeNodes: number;
  /** Blocks of the inode table that have been initialised; behind them there is nothing yet. */
  tableBlocks: number;
  /** First inode of the list of orphans; 0: there are none. */
  orphans: number;
}

export function writeState(bytes: Buffer, at: number, state: VolumeState): void {
  bytes.writeUInt32LE(state.freeBlocks, at);
  bytes.writeUInt32LE(state.freeNodes, at + 4);
  bytes.writeUInt32LE(state.tableBlocks, at + 8);
  bytes.writeUInt32LE(state.orphans, at + 12);
}

export function readState(bytes: Buffer, at: number): VolumeState {
  return {
    freeBlocks: bytes.readUInt32LE(at),
    freeNodes: bytes.readUInt32LE(at + 4),
    tableBlocks: bytes.readUInt32LE(at + 8),
    orphans: bytes.readUInt32LE(at + 12),
  };
}

/** Whether a state can be that of a file system of this shape. */
export function stateIsSound(state: VolumeState, geometry: Geometry): boolean {
  return (
    state.freeBlocks <= geometry.dataEnd - geometry.dataStart &&
    state.freeNodes < geometry.nodes &&
    state.tableBlocks >= 1 &&
    state.tableBlocks <= geometry.tableBlocks &&
    state.orphans < geometry.nodes
  );
}
