/**
 * The table a task holds its capabilities in (kinds: protocol/capability.ts, objects: kernel/objects.ts).
 *
 * A capability object is shared by its holders (one table entry, messages that carry it) and counts them; whoever lets
 * go of it last undoes what it stood for. A handle is index | generation << 16: the generation of an entry changes each
 * time it is freed, so a stale handle is refused.
 */
import { MAX_CAPABILITIES } from '../../protocol/bounds.ts';

/** What the table needs of a capability. */
interface Held {
  readonly kind: string;
  /** Holders: table entries and messages. */
  references: number;
}

/** Those of a union that have one kind. */
export type OfKind<C extends Held, K extends C['kind']> = Extract<C, { kind: K }>;

/** A task's capabilities. */
export class CapabilityTable<C extends Held> {
  /** Index 0 is never used, so that handle 0 is never valid. */
  private readonly entries: (C | null)[] = [null];
  private readonly generations: number[] = [0];
  private readonly free: number[] = [];
  private used = 0;

  /** Capabilities held. */
  get size(): number {
    return this.used;
  }

  /** Whether `count` more fit. */
  hasRoom(count = 1): boolean {
    return this.used + count <= MAX_CAPABILITIES;
  }

  /**
   * Puts a capability in and counts the table as a holder. Answers its handle. The caller has made sure that there is
   * room.
   */
  insert(capability: C): number {
    capability.references++;
    this.used++;
    const index = this.free.pop() ?? this.entries.length;
    if (index === this.entries.length) this.generations.push(1);
    this.entries[index] = capability;
    return index + (this.generations[index] ?? 1) * 0x10000;
  }

  /** The capability of a handle, or null when it is stale or was never given out. */
  get(handle: number): C | null {
    const index = handle & 0xffff;
    if (this.generations[index] !== handle >>> 16) return null;
    return this.entries[index] ?? null;
  }

  /** The capability of a handle if it is of this kind. */
  of<K extends C['kind']>(handle: number, kind: K): OfKind<C, K> | null {
    const capability = this.get(handle);
    return capability !== null && isKind(capability, kind) ? capability : null;
  }

  /** Takes a capability out without dropping it: the caller takes over the table's reference. Null for a bad handle. */
  take(handle: number): C | null {
    const capability = this.get(handle);
    if (capability === null) return null;
    const index = handle & 0xffff;
    this.entries[index] = null;
    // 16 bits of generation, never 0: a handle is reused after 65,535 uses of its entry at the earliest.
    this.generations[index] = ((this.generations[index] ?? 0) % 0xffff) + 1;
    this.free.push(index);
    this.used--;
    return capability;
  }

  /** Takes all capabilities out, for the caller to drop. */
  takeAll(): C[] {
    const all = [...this.list()].map(([, capability]) => capability);
    this.entries.length = 1;
    this.generations.length = 1;
    this.free.length = 0;
    this.used = 0;
    return all;
  }

  /** Handle and capability of each entry. */
  *list(): Generator<[number, C]> {
    for (let index = 1; index < this.entries.length; index++) {
      const capability = this.entries[index];
      if (capability) yield [index + (this.generations[index] ?? 1) * 0x10000, capability];
    }
  }
}

function isKind<C extends Held, K extends C['kind']>(capability: C, kind: K): capability is OfKind<C, K> {
  return capability.kind === kind;
}
