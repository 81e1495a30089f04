/**
 * The open files of one file system. A badge names a slot of this table and the slot's generation, so the badge of a
 * file that was closed is refused and never taken for its successor. The table is kept in the recovery store, in chunks
 * of a few slots, so that open files survive the process.
 */
import type { Keeper } from '../../../filesystems/block-device.ts';
import type { NodeNumber } from '../../../filesystems/file-system.ts';
import { SystemError } from '../../../protocol/errno.ts';
import { type Infer, list, nullable, record, text, u16, u32, u53 } from '../../../protocol/schema.ts';

/** Files open at a time in one file system. */
export const MAX_OPEN_FILES = 4096;

/** Of these, files that one task has opened; it may have passed some on. */
export const MAX_OPEN_FILES_PER_TASK = 1024;

/** Characters of a path that are kept, its end: they only tell people which file it is. */
const PATH_CHARACTERS = 60;

const SLOT_BITS = 12;
const GENERATIONS = 2 ** 12;
const CHUNK_SLOTS = 32;
const KEY_PREFIX = 'open.';

/**
 * An open file. `flags` as in protocol/vfs.ts; `sender` and `sequence` are the number of the request that opened it.
 */
export interface OpenFile {
  readonly badge: number;
  readonly node: NodeNumber;
  readonly flags: number;
  readonly sender: number;
  readonly sequence: number;
  readonly path: string;
}

/** What is kept of a slot; without a file only its generation. */
const keptSlot = record({
  generation: u16,
  file: nullable(record({ node: u53, flags: u16, sender: u32, sequence: u53, path: text(4 * PATH_CHARACTERS) })),
});
const keptChunk = list(keptSlot, CHUNK_SLOTS);

interface Slot {
  generation: number;
  file: OpenFile | null;
}

/** See the head of this file. */
export class OpenFiles {
  private readonly keeper: Keeper;
  private readonly kind: number;
  private readonly slots: Slot[] = [];
  private readonly free: number[] = [];
  private readonly bySender = new Map<number, number>();
  private used = 0;

  /** Takes up what an earlier incarnation kept. `kind`: the top byte of all badges, 1 to 255. */
  constructor(keeper: Keeper, kind: number) {
    this.keeper = keeper;
    this.kind = kind;
    this.load();
  }

  get size(): number {
    return this.used;
  }

  /** All of them. */
  *list(): Generator<OpenFile> {
    for (const { file } of this.slots) if (file !== null) yield file;
  }

  /** The file of a badge. Throws SystemError EBADF. */
  get(badge: number): OpenFile {
    const file = this.slots[badge & (MAX_OPEN_FILES - 1)]?.file ?? null;
    if (file === null || file.badge !== badge) throw new SystemError('EBADF', 'not an open file');
    return file;
  }

  /** The file that a request has opened already. */
  openedBy(sender: number, sequence: number): OpenFile | undefined {
    return [...this.list()].find((file) => file.sender === sender && file.sequence === sequence);
  }

  /** Throws SystemError EMFILE when a task can open no more. */
  checkRoom(sender: number): void {
    if (this.used >= MAX_OPEN_FILES) throw new SystemError('EMFILE', `${MAX_OPEN_FILES} files are open`);
    if ((this.bySender.get(sender) ?? 0) >= MAX_OPEN_FILES_PER_TASK)
      throw new SystemError('EMFILE', `the task has ${MAX_OPEN_FILES_PER_TASK} files open`);
  }

  /** Enters a file; it is kept when this returns. Throws SystemError: EMFILE; ENOSPC: the store is full. */
  add(opened: Omit<OpenFile, 'badge'>): OpenFile {
    this.checkRoom(opened.sender);
    const index = this.free.pop() ?? this.slots.length;
    if (index === this.slots.length) this.slots.push({ generation: 0, file: null });
    const slot = this.slots[index] as Slot;
    slot.generation = (slot.generation + 1) % GENERATIONS;
    const path = [...opened.path].slice(-PATH_CHARACTERS).join('');
    const file = { ...opened, path, badge: this.badgeOf(index, slot.generation) };
    this.fill(slot, file);
    try {
      this.save(index);
    } catch (error) {
      this.empty(index, slot);
      throw error;
    }
    return file;
  }

  /** Takes a file out; answers it, or undefined if the badge stands for none any more. */
  remove(badge: number): OpenFile | undefined {
    const index = badge & (MAX_OPEN_FILES - 1);
    const slot = this.slots[index];
    const file = slot?.file;
    if (slot === undefined || !file || file.badge !== badge) return undefined;
    this.empty(index, slot);
    this.save(index);
    return file;
  }

  private badgeOf(index: number, generation: number): number {
    return (this.kind * GENERATIONS + generation) * 2 ** SLOT_BITS + index;
  }

  private fill(slot: Slot, file: OpenFile): void {
    slot.file = file;
    this.used++;
    this.bySender.set(file.sender, (this.bySender.get(file.sender) ?? 0) + 1);
  }

  private empty(index: number, slot: Slot): void {
    const sender = slot.file?.sender ?? 0;
    const left = (this.bySender.get(sender) ?? 1) - 1;
    if (left === 0) this.bySender.delete(sender);
    else this.bySender.set(sender, left);
    slot.file = null;
    this.used--;
    this.free.push(index);
  }

  private save(index: number): void {
    const chunk = Math.floor(index / CHUNK_SLOTS);
    const slots = this.slots.slice(chunk * CHUNK_SLOTS, (chunk + 1) * CHUNK_SLOTS);
    this.keeper.put(`${KEY_PREFIX}${chunk}`, keptChunk.toWire(slots, []));
  }

  private load(): void {
    for (let chunk = 0; chunk * CHUNK_SLOTS < MAX_OPEN_FILES; chunk++) {
      const wire = this.keeper.get(`${KEY_PREFIX}${chunk}`);
      if (wire === undefined) break;
      for (const kept of keptChunk.fromWire(wire, [])) this.restore(kept);
    }
  }

  private restore({ generation, file }: Infer<typeof keptSlot>): void {
    const index = this.slots.length;
    const slot: Slot = { generation, file: null };
    this.slots.push(slot);
    if (file === null) this.free.push(index);
    else this.fill(slot, { ...file, badge: this.badgeOf(index, generation) });
  }
}
