/**
 * The label of a FAT file system: an entry of the root directory. Read: fatgen103, "FAT Volumes and the root
 * directory".
 */
import type { BlockCache } from '../block-cache.ts';
import { SECTOR_BYTES } from '../block-device.ts';
import { ENTRY_BYTES, type Geometry, sectorOf } from './boot-sector.ts';
import { decodeText } from './code-page.ts';
import { DELETED, END, REALLY_E5 } from './entry.ts';
import { isLabel, SHORT_NAME_BYTES } from './names.ts';

/** The label in the beginning of the root directory, where systems put it; undefined: there is none. */
export function readLabel(cache: BlockCache, geometry: Geometry): string | undefined {
  const { rootCluster, root, rootSectors, sectorsPerCluster } = geometry;
  const [first, count] = rootCluster === 0 ? [root, rootSectors] : [sectorOf(geometry, rootCluster), sectorsPerCluster];
  for (let sector = first; sector < first + count; sector++) {
    const bytes = cache.read(sector);
    for (let offset = 0; offset < SECTOR_BYTES; offset += ENTRY_BYTES) {
      if (bytes[offset] === END) return undefined;
      if (bytes[offset] === DELETED || !isLabel(bytes, offset)) continue;
      const raw = Buffer.from(bytes.subarray(offset, offset + SHORT_NAME_BYTES));
      if (raw[0] === REALLY_E5) raw[0] = 0xe5;
      return decodeText(raw).trimEnd();
    }
  }
  return undefined;
}
