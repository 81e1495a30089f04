/**
 * The device of a FAT file system with all copies of the table behind the one in use: what is written to it goes to the
 * copies, too, and where it cannot be read they are asked.
 */
import { SystemError } from '../../protocol/errno.ts';
import { type BlockDevice, SECTOR_BYTES } from '../block-device.ts';
import type { Geometry } from './boot-sector.ts';

/** See the head of this file. */
export class TableCopies implements BlockDevice {
  readonly sectors: number;
  readonly readOnly: boolean;
  private readonly device: BlockDevice;
  private readonly geometry: Geometry;

  constructor(device: BlockDevice, geometry: Geometry) {
    this.device = device;
    this.geometry = geometry;
    this.sectors = device.sectors;
    this.readOnly = device.readOnly;
  }

  read(sector: number, count: number): Uint8Array {
    try {
      return this.device.read(sector, count);
    } catch (error) {
      const { table, tableSectors, copies } = this.geometry;
      const elsewhere = copies.length === 0 || sector < table || sector + count > table + tableSectors;
      if (!(error instanceof SystemError) || elsewhere) throw error;
      return this.readCopies(sector, count, error);
    }
  }

  private readCopies(sector: number, count: number, error: SystemError): Uint8Array {
    for (const copy of this.geometry.copies) {
      try {
        return this.device.read(copy + sector - this.geometry.table, count);
      } catch (second) {
        if (!(second instanceof SystemError)) throw second;
      }
    }
    throw error;
  }

  write(sector: number, data: Uint8Array): void {
    this.device.write(sector, data);
    const { table, tableSectors, copies } = this.geometry;
    const from = Math.max(sector, table);
    const to = Math.min(sector + data.length / SECTOR_BYTES, table + tableSectors);
    if (from >= to) return;
    const part = data.subarray((from - sector) * SECTOR_BYTES, (to - sector) * SECTOR_BYTES);
    for (const copy of copies) this.device.write(copy + from - table, part);
  }

  flush(): void {
    this.device.flush();
  }
}
