/**
 * Capabilities and the table a task holds them in (kinds: protocol/capability.ts).
 *
 * A capability object is shared by its holders (one table entry, messages that carry it) and counts them; when the count reaches 0, `onDrop` undoes what it
 * stood for. A handle is index | generation << 16: the generation of an entry changes each time it is freed, so a stale handle is refused.
 */
import { MAX_CAPABILITIES } from '../../protocol/bounds.ts';
import type { Message } from './message.ts';
import type { Port } from './port.ts';

interface Common {
  /** Holders: table entries and messages. */
  references: number;
}

/** What a task may hold. */
export type Capability =
  | (Common & { readonly kind: 'receive'; readonly port: Port })
  | (Common & { readonly kind: 'send'; readonly port: Port; readonly badge: number })
  | (Common & { readonly kind: 'reply'; readonly message: Message })
  | (Common & { readonly kind: 'irq'; readonly irq: number })
  | (Common & { readonly kind: 'io'; readonly first: number; readonly last: number });

/** A capability of one kind. */
export type CapabilityOf<K extends Capability['kind']> = Extract<Capability, { kind: K }>;

/** A task's capabilities. */
export class CapabilityTable {
  /** Index 0 is never used, so that handle 0 is never valid. */
  private readonly entries: (Capability | null)[] = [null];
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

  /** Puts a capability in and counts the table as a holder. Answers its handle. The caller has made sure that there is room. */
  insert(capability: Capability): number {
    capability.references++;
    this.used++;
    const index = this.free.pop() ?? this.entries.length;
    if (index === this.entries.length) this.generations.push(1);
    this.entries[index] = capability;
    return index + (this.generations[index] ?? 1) * 0x10000;
  }

  /** The capability of a handle, or null when it is stale or was never given out. */
  get(handle: number): Capability | null {
    const index = handle & 0xffff;
    if (this.generations[index] !== handle >>> 16) return null;
    return this.entries[index] ?? null;
  }

  /** The capability of a handle if it is of this kind. */
  of<K extends Capability['kind']>(handle: number, kind: K): CapabilityOf<K> | null {
    const capability = this.get(handle);
    return capability !== null && isKind(capability, kind) ? capability : null;
  }

  /** Takes a capability out without dropping it: the caller takes over the table's reference. Null for a bad handle. */
  take(handle: number): Capability | null {
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
  takeAll(): Capability[] {
    const all = [...this.list()].map(([, capability]) => capability);
    this.entries.length = 1;
    this.generations.length = 1;
    this.free.length = 0;
    this.used = 0;
    return all;
  }

  /** Handle and capability of each entry. */
  *list(): Generator<[number, Capability]> {
    for (let index = 1; index < this.entries.length; index++) {
      const capability = this.entries[index];
      if (capability) yield [index + (this.generations[index] ?? 1) * 0x10000, capability];
    }
  }
}

function isKind<K extends Capability['kind']>(capability: Capability, kind: K): capability is CapabilityOf<K> {
  return capability.kind === kind;
}
