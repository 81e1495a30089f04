/**
 * The bytes of files. They are written in place at once, to clusters that belong to the file already or to nobody; what
 * then makes them part of the file, the table and the entry, follows with the commit. Clusters are read and written as
 * far as they follow one another with one request.
 */
import { SystemError } from '../../protocol/errno.ts';
import { SECTOR_BYTES } from '../block-device.ts';
import type { NodeNumber } from '../file-system.ts';
import { isCluster, sectorOf } from './boot-sector.ts';
import { attribute, clampTime, type EntryFields, MAX_FILE_BYTES } from './entry.ts';
import type { Nodes } from './nodes.ts';
import { LAST } from './table.ts';
import type { Volume } from './volume.ts';

/**
 * Bytes that one step of a long write moves. Its clusters lie in so few sectors of the table, wherever they are, that a
 * commit can carry them.
 */
const STEP_BYTES = 256 * 1024;

const NOTHING = new Uint8Array(0);

/** What one step writes: zeros where there is no data. */
interface Step {
  readonly from: number;
  readonly to: number;
  readonly data: Uint8Array | null;
}

/** See the head of this file. */
export class Content {
  private readonly volume: Volume;
  private readonly nodes: Nodes;

  constructor(volume: Volume, nodes: Nodes) {
    this.volume = volume;
    this.nodes = nodes;
  }

  private file(node: NodeNumber): EntryFields {
    const fields = this.nodes.load(node);
    if ((fields.attributes & attribute.DIRECTORY) !== 0) throw new SystemError('EISDIR');
    return fields;
  }

  private clusters(bytes: number): number {
    return Math.ceil(bytes / this.volume.geometry.clusterBytes);
  }

  /** See FileSystem.read. */
  read(node: NodeNumber, offset: number, count: number): Uint8Array {
    const { first, size } = this.file(node);
    const length = Math.min(count, size - offset);
    if (length <= 0) return NOTHING;
    let result: Buffer | undefined;
    for (let done = 0; done < length; ) {
      const { sector, within, bytes } = this.locate(first, offset + done, length - done);
      const sectors = Math.ceil((within + bytes) / SECTOR_BYTES);
      const part = this.volume.device.read(sector, sectors).subarray(within, within + bytes);
      if (bytes === length) return part;
      result ??= Buffer.allocUnsafe(length);
      result.set(part, done);
      done += bytes;
    }
    return result ?? NOTHING;
  }

  /**
   * Where the byte at `offset` is, and how many of `wanted` bytes follow one another from there. Throws SystemError
   * EUCLEAN.
   */
  private locate(first: number, offset: number, wanted: number): { sector: number; within: number; bytes: number } {
    const { geometry, chains } = this.volume;
    const { clusterBytes } = geometry;
    if (!isCluster(geometry, first))
      throw new SystemError('EUCLEAN', `a file begins at cluster ${first}, which does not exist`);
    const index = Math.floor(offset / clusterBytes);
    const inCluster = offset - index * clusterBytes;
    const extent = chains.locate(first, index, Math.ceil((inCluster + wanted) / clusterBytes));
    if (extent === undefined)
      throw new SystemError('EUCLEAN', `the file at cluster ${first} has fewer clusters than its size says`);
    const sector = sectorOf(geometry, extent.cluster) + Math.floor(inCluster / SECTOR_BYTES);
    const bytes = Math.min(wanted, extent.count * clusterBytes - inCluster);
    return { sector, within: inCluster % SECTOR_BYTES, bytes };
  }

  /** See FileSystem.write. */
  write(node: NodeNumber, offset: number, data: Uint8Array): void {
    const { size } = this.file(node);
    if (data.length === 0) return;
    const end = offset + data.length;
    this.checkRoom(node, end);
    if (offset > size) this.fill(node, size, offset);
    for (let at = 0; at < data.length; at += STEP_BYTES) {
      const part = data.subarray(at, at + STEP_BYTES);
      this.step(node, { from: offset + at, to: offset + at + part.length, data: part });
    }
  }

  /** See FileSystem.truncate. */
  truncate(node: NodeNumber, size: number): void {
    const old = this.file(node).size;
    if (size > old) {
      this.checkRoom(node, size);
      this.fill(node, old, size);
    } else this.volume.change(0, () => this.shorten(node, size));
  }

  /** Throws SystemError: EFBIG; ENOSPC: the file cannot become so long. */
  private checkRoom(node: NodeNumber, end: number): void {
    if (end > MAX_FILE_BYTES) throw new SystemError('EFBIG', 'a file on FAT has less than 4 GiB');
    const { volume } = this;
    const { first, size } = this.file(node);
    if (!volume.writable) return;
    const needed = this.clusters(end) - this.clusters(size);
    if (needed <= 0 || volume.canGive(needed)) return;
    // A file can have more clusters than its size needs.
    const has = first === 0 ? 0 : volume.chains.end(first, volume.geometry.clusters).count;
    if (!volume.canGive(this.clusters(end) - has)) throw new SystemError('ENOSPC');
  }

  private fill(node: NodeNumber, from: number, to: number): void {
    for (let at = from; at < to; at += STEP_BYTES)
      this.step(node, { from: at, to: Math.min(to, at + STEP_BYTES), data: null });
  }

  /** Writes some bytes and makes the file so long. */
  private step(node: NodeNumber, step: Step): void {
    const { volume } = this;
    volume.change(this.clusters(step.to - step.from) + 1, () => {
      const fields = this.file(node);
      const first = this.ensure(fields, this.clusters(step.to));
      this.put(first, step, fields.size);
      const attributes = fields.attributes | attribute.ARCHIVE;
      const size = Math.max(fields.size, step.to);
      this.nodes.store(node, { ...fields, attributes, first, size, modified: clampTime(volume.now()) });
    });
    volume.pause();
  }

  /** Sees to it that a file has so many clusters. Answers its first one. */
  private ensure({ first, size }: EntryFields, count: number): number {
    const { geometry, table, chains } = this.volume;
    if (first === 0) {
      if (size > 0) throw new SystemError('EUCLEAN', `a file of ${size} bytes has no clusters`);
      const [extent] = table.allocate(count, 0);
      if (extent === undefined) return 0;
      this.volume.cache.undo(() => chains.forget(extent.cluster));
      return extent.cluster;
    }
    if (!isCluster(geometry, first))
      throw new SystemError('EUCLEAN', `a file begins at cluster ${first}, which does not exist`);
    if (chains.locate(first, count - 1, 1) !== undefined) return first;
    const end = chains.end(first, geometry.clusters);
    if (end.count < this.clusters(size))
      throw new SystemError('EUCLEAN', `the file at cluster ${first} has fewer clusters than its size says`);
    this.volume.cache.undo(() => chains.forget(first));
    chains.extended(first, table.allocate(count - end.count, end.cluster));
    return first;
  }

  /** Writes into the clusters of a file that has been `size` bytes long. */
  private put(first: number, { from, to, data }: Step, size: number): void {
    for (let at = from; at < to; ) {
      const { sector, within, bytes } = this.locate(first, at, to - at);
      const part = data === null ? null : data.subarray(at - from, at - from + bytes);
      this.putSectors(sector, within, bytes, part, size > at + bytes);
      at += bytes;
    }
  }

  /** Writes bytes into sectors; `keepTail`: what lies behind them in the last sector belongs to the file. */
  private putSectors(sector: number, within: number, bytes: number, data: Uint8Array | null, keepTail: boolean): void {
    const { device } = this.volume;
    const end = within + bytes;
    if (data !== null && within === 0 && end % SECTOR_BYTES === 0) {
      device.write(sector, data);
      return;
    }
    const sectors = Math.ceil(end / SECTOR_BYTES);
    const image = Buffer.alloc(sectors * SECTOR_BYTES);
    if (within > 0) image.set(device.read(sector, 1));
    const needsTail = keepTail && end % SECTOR_BYTES !== 0 && (sectors > 1 || within === 0);
    if (needsTail) image.set(device.read(sector + sectors - 1, 1), (sectors - 1) * SECTOR_BYTES);
    if (data === null) image.fill(0, within, keepTail ? end : undefined);
    else image.set(data, within);
    if (!keepTail) image.fill(0, end);
    device.write(sector, image);
  }

  private shorten(node: NodeNumber, size: number): void {
    const { volume } = this;
    const fields = this.file(node);
    let { first } = fields;
    if (first !== 0) {
      volume.cache.undo(() => volume.chains.forget(fields.first));
      if (size === 0) {
        volume.free(first);
        first = 0;
      } else this.cut(first, this.clusters(size));
    }
    const attributes = fields.attributes | attribute.ARCHIVE;
    this.nodes.store(node, { ...fields, attributes, first, size, modified: clampTime(volume.now()) });
  }

  /** Leaves a chain so many clusters. */
  private cut(first: number, count: number): void {
    const { chains, table } = this.volume;
    const last = chains.locate(first, count - 1, 1);
    if (last === undefined)
      throw new SystemError('EUCLEAN', `the file at cluster ${first} has fewer clusters than its size says`);
    const rest = table.following(last.cluster);
    chains.forget(first);
    if (rest === LAST) return;
    table.set(last.cluster, LAST);
    this.volume.free(rest);
  }
}
