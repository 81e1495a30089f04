/**
 * The states in which a disk can be after a loss of power, given what was written and flushed: what was written before
 * the last flush is there; of what was written since, any part may be, whole sectors of it. All such states cannot be
 * tried, so they are chosen: every prefix; every subset where there are few writes, otherwise those that lack one or
 * have only one, and random ones; writes torn within, at every sector if they are short.
 */
import { SECTOR_BYTES } from '../../../filesystems/block-device.ts';
import type { Random } from '../random.ts';
import { type DeviceEvent, layOver, OverlayDevice, type Sectors } from './devices.ts';

/** How many states to choose. */
export interface Thoroughness {
  /** Writes since a flush up to which all subsets are tried. */
  readonly allSubsets: number;
  /** Random subsets for each write, beyond those. */
  readonly randomSubsets: number;
  /** Sectors up to which a write is torn everywhere; a longer one is torn at so many random places. */
  readonly tornPlaces: number;
  /** Random sets of sectors for each write. */
  readonly randomSectors: number;
}

type Write = Extract<DeviceEvent, { readonly kind: 'write' }>;

/** A part of a write: sectors of it, by number within. null: all. */
interface Part {
  /** Number among the writes since the flush. */
  readonly write: number;
  readonly sectors: readonly number[] | null;
}

/** A disk after a crash. */
export interface CrashState {
  readonly device: OverlayDevice;
  /** The crash can have been when so many events were over, at the earliest. */
  readonly earliest: number;
  /** … and at the latest. */
  readonly latest: number;
  /** For people. */
  readonly text: string;
}

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

function subsetsOf(count: number): number[][] {
  return range(2 ** count).map((bits) => range(count).filter((index) => (bits >> index) & 1));
}

/** Subsets of writes, as lists of their numbers. */
function chooseSubsets(count: number, { allSubsets, randomSubsets }: Thoroughness, random: Random): number[][] {
  if (count <= allSubsets) return subsetsOf(count);
  const subsets: number[][] = [];
  for (let length = 0; length <= count; length++) {
    const prefix = range(length);
    subsets.push(prefix);
    if (length === 0) continue;
    subsets.push([length - 1]);
    // One is missing from what came before: the latest ones, and one of the others.
    const missing = new Set([length - 2, length - 3, random.below(length)]);
    for (const gap of missing) if (gap >= 0) subsets.push(prefix.filter((index) => index !== gap));
    for (let round = 0; round < randomSubsets; round++) {
      const share = random.next();
      subsets.push(prefix.filter((index) => index === length - 1 || random.next() < share));
    }
  }
  return subsets;
}

/** Sets of sectors of one write that is torn. */
function chooseTears(sectors: number, { tornPlaces, randomSectors }: Thoroughness, random: Random): number[][] {
  if (sectors < 2) return [];
  const lengths = new Set([1, sectors - 1]);
  if (sectors <= tornPlaces) for (const length of range(sectors)) lengths.add(length);
  else for (let round = 0; round < tornPlaces; round++) lengths.add(random.below(sectors));
  lengths.delete(0);
  const tears = [...lengths].map((length) => range(length));
  tears.push(range(sectors).slice(1));
  for (let round = 0; round < randomSectors; round++) tears.push(range(sectors).filter(() => random.next() < 0.5));
  return tears;
}

/** What is chosen of the writes since a flush. */
function chooseParts(writes: readonly Write[], thoroughness: Thoroughness, random: Random): Part[][] {
  const whole = (write: number): Part => ({ write, sectors: null });
  const chosen: Part[][] = chooseSubsets(writes.length, thoroughness, random).map((subset) => subset.map(whole));
  for (const [write, { data }] of writes.entries()) {
    for (const sectors of chooseTears(data.length / SECTOR_BYTES, thoroughness, random)) {
      chosen.push([...range(write).map(whole), { write, sectors }]);
      // Torn, and something of what came before is missing.
      if (write > 0 && random.below(3) === 0) {
        chosen.push([
          ...range(write)
            .filter(() => random.below(2) === 0)
            .map(whole),
          { write, sectors },
        ]);
      }
    }
  }
  const texts = new Set<string>();
  return chosen.filter((parts) => {
    const text = partsText(parts);
    if (texts.has(text)) return false;
    texts.add(text);
    return true;
  });
}

function partsText(parts: readonly Part[]): string {
  return parts
    .map(({ write, sectors }) => (sectors === null ? `${write}` : `${write}[${sectors.join(' ')}]`))
    .join(', ');
}

function build(durable: Buffer, writes: readonly Write[], parts: readonly Part[]): OverlayDevice {
  const over: Sectors = new Map();
  for (const { write, sectors } of parts) {
    const { sector, data } = writes[write] ?? { sector: 0, data: new Uint8Array() };
    if (sectors === null) layOver(over, sector, data);
    for (const within of sectors ?? []) {
      over.set(sector + within, data.subarray(within * SECTOR_BYTES, (within + 1) * SECTOR_BYTES));
    }
  }
  return new OverlayDevice(durable, over);
}

/**
 * States of a disk that had the content `base` when the events began. Only those in which something of the events from
 * number `from` on has arrived; with `from` 0 also the one in which nothing has. `ignoreFlushes`: as if the disk lied
 * about every flush.
 *
 * A device is good until the next one is asked for.
 */
export function* crashStates(
  base: Buffer,
  events: readonly DeviceEvent[],
  from: number,
  thoroughness: Thoroughness,
  random: Random,
  ignoreFlushes = false,
): Generator<CrashState> {
  const durable = Buffer.from(base);
  let begin = 0;
  while (begin <= events.length) {
    let end = events.findIndex(({ kind }, index) => index >= begin && kind === 'flush' && !ignoreFlushes);
    if (end === -1) end = events.length;
    const epoch = events.slice(begin, end);
    const numbers = range(epoch.length).filter((index) => epoch[index]?.kind === 'write');
    const writes = epoch.filter((event): event is Write => event.kind === 'write');
    if (end >= from) {
      for (const parts of chooseParts(writes, thoroughness, random)) {
        const last = parts.at(-1);
        // Nothing of this epoch has arrived: that is all of the one before, except at the beginning.
        if (last === undefined && begin > 0) continue;
        const earliest = last === undefined ? 0 : begin + (numbers[last.write] ?? 0) + 1;
        if (earliest <= from && from > 0) continue;
        const text = `flushed ${begin}, then ${partsText(parts) || 'nothing'} of ${writes.length} writes`;
        yield { device: build(durable, writes, parts), earliest, latest: end, text };
      }
    }
    for (const { sector, data } of writes) durable.set(data, sector * SECTOR_BYTES);
    begin = end + 1;
  }
}
