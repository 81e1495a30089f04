/** Disk images for the measurements. */
import fs from 'node:fs';
import path from 'node:path';

const SECTOR_BYTES = 512;

/** Makes an image of `bytes` in which every sector begins with its own number, and answers its path. */
export function makeImage(folder: string, name: string, bytes: number): string {
  const file = path.join(folder, name);
  const content = Buffer.alloc(bytes, 0xa5);
  for (let sector = 0; sector < bytes / SECTOR_BYTES; sector++) content.writeUInt32LE(sector, sector * SECTOR_BYTES);
  fs.writeFileSync(file, content);
  return file;
}
