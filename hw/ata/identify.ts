/**
 * The 256 words a disk tells about itself.
 *
 * Read: ATA/ATAPI-6, 8.15 (IDENTIFY DEVICE), and for the retired words 48 and 54 to 58 ATA/ATAPI-5, 8.12.
 */
import { type Geometry, LBA28_LIMIT } from './address.ts';

/** Who made the disk: at most 40, 20 and 8 characters of ASCII; longer ones are cut. */
export interface DriveIdentity {
  readonly model: string;
  readonly serial: string;
  readonly firmware: string;
}

/** What of the words is not the same for every disk at every time. */
export interface IdentifyFacts {
  readonly identity: DriveIdentity;
  /** Sectors on the disk. */
  readonly capacity: number;
  /** The geometry at power-on. */
  readonly geometry: Geometry;
  /** The geometry now. */
  readonly currentGeometry: Geometry;
  /** The most sectors SET MULTIPLE MODE takes, and what it is set to; 0 is off. */
  readonly multipleLimit: number;
  readonly multiple: number;
  readonly writeCache: boolean;
  readonly lookAhead: boolean;
}

const POWER_MANAGEMENT = 1 << 3;
const WRITE_CACHE = 1 << 5;
const LOOK_AHEAD = 1 << 6;
const NOP = 1 << 14;
const LBA48 = 1 << 10;
const FLUSH_CACHE = 1 << 12;
const FLUSH_CACHE_EXT = 1 << 13;
/** Bits 15 and 14 of a word that say its other bits mean something. */
const VALID = 1 << 14;

/** Builds the 512 bytes of IDENTIFY DEVICE. */
export function identifyData(facts: IdentifyFacts): Buffer {
  const data = Buffer.alloc(512);
  const word = (index: number, value: number): void => {
    data.writeUInt16LE(value & 0xffff, index * 2);
  };
  const doubleWord = (index: number, value: number): void => {
    data.writeUInt32LE(value, index * 2);
  };
  const { geometry, currentGeometry: current } = facts;

  word(0, 0x0040); // an ATA device, not removable
  word(1, geometry.cylinders);
  word(3, geometry.heads);
  word(6, geometry.sectors);
  text(data, 10, 20, facts.identity.serial);
  text(data, 23, 8, facts.identity.firmware);
  text(data, 27, 40, facts.identity.model);
  word(47, 0x8000 | facts.multipleLimit);
  word(48, 1); // the data port takes 32-bit accesses
  word(49, (1 << 11) | (1 << 9)); // IORDY and LBA; no DMA
  word(50, VALID);
  word(51, 2 << 8); // PIO mode 2
  word(53, 0b011); // words 54 to 58 and 64 to 70 are valid
  word(54, current.cylinders);
  word(55, current.heads);
  word(56, current.sectors);
  doubleWord(57, current.cylinders * current.heads * current.sectors);
  word(59, facts.multiple === 0 ? 0 : 0x100 | facts.multiple);
  doubleWord(60, Math.min(facts.capacity, LBA28_LIMIT));
  word(64, 0b11); // PIO modes 3 and 4
  word(67, 120); // nanoseconds a PIO cycle, without and with IORDY
  word(68, 120);
  word(80, 0b1111_0000); // ATA/ATAPI-4 to -7
  word(82, NOP | LOOK_AHEAD | WRITE_CACHE | POWER_MANAGEMENT);
  word(83, VALID | FLUSH_CACHE_EXT | FLUSH_CACHE | LBA48);
  word(84, VALID);
  word(85, NOP | (facts.lookAhead ? LOOK_AHEAD : 0) | (facts.writeCache ? WRITE_CACHE : 0) | POWER_MANAGEMENT);
  word(86, FLUSH_CACHE_EXT | FLUSH_CACHE | LBA48);
  word(87, VALID);
  doubleWord(100, facts.capacity % 2 ** 32);
  doubleWord(102, Math.floor(facts.capacity / 2 ** 32));

  // Signature and check sum: all 512 bytes add up to 0.
  data[510] = 0xa5;
  let sum = 0;
  for (const byte of data) sum += byte;
  data[511] = -sum & 0xff;
  return data;
}

/** Puts a string at a word, padded with spaces, the first character in the upper byte of each word. */
function text(data: Buffer, index: number, length: number, value: string): void {
  const field = data.subarray(index * 2, index * 2 + length);
  field.fill(0x20);
  field.write(value.slice(0, length), 'latin1');
  field.swap16();
}
