/**
 * Entries of directories: 32 bytes of attributes, times, first cluster and size. Read: fatgen103, "FAT Directory
 * Structure" and "Date and Time Formats". FAT has local time without a zone; here that is UTC.
 */
import { ENTRY_BYTES, type FatBits } from './boot-sector.ts';

/** Bits of `DIR_Attr`. */
export const attribute = {
  READ_ONLY: 0x01,
  HIDDEN: 0x02,
  SYSTEM: 0x04,
  VOLUME: 0x08,
  DIRECTORY: 0x10,
  ARCHIVE: 0x20,
} as const;

/** The attributes of an entry that is part of a long name, and those that are looked at to tell. */
export const LONG_NAME = 0x0f;
export const LONG_NAME_MASK = 0x3f;

/** First bytes of a name: the entry is free; it and all behind it are; the first byte is really 0xe5. */
export const DELETED = 0xe5;
export const END = 0x00;
export const REALLY_E5 = 0x05;

/** Offsets in an entry. */
const AT = {
  attributes: 11,
  nameCase: 12,
  createdTenths: 13,
  createdTime: 14,
  createdDate: 16,
  accessedDate: 18,
  firstHigh: 20,
  modifiedTime: 22,
  modifiedDate: 24,
  firstLow: 26,
  size: 28,
} as const;

/** What an entry says, without its name. Times in milliseconds since 1970; 0 where there is none. */
export interface EntryFields {
  readonly attributes: number;
  /** 0: no cluster. */
  readonly first: number;
  readonly size: number;
  readonly created: number;
  readonly accessed: number;
  readonly modified: number;
}

/** A file has one byte less than 4 GiB at most. */
export const MAX_FILE_BYTES = 0xffff_ffff;

const FIRST_YEAR = 1980;
const EARLIEST = Date.UTC(FIRST_YEAR, 0, 1);
/** The last time that can be written, as one of creation. */
const LATEST = Date.UTC(2107, 11, 31, 23, 59, 59, 990);

/**
 * A date and a time of day, with the 10 ms steps of a time of creation (0 to 199), in milliseconds since 1970. A date
 * of 0 is none: 0.
 */
export function decodeTime(date: number, time: number, tenths = 0): number {
  if (date === 0) return 0;
  const month = Math.min(11, Math.max(0, ((date >> 5) & 0xf) - 1));
  const day = Math.max(1, date & 0x1f);
  const seconds = (time >> 11) * 3600 + ((time >> 5) & 0x3f) * 60 + (time & 0x1f) * 2;
  return Date.UTC(FIRST_YEAR + (date >> 9), month, day) + seconds * 1000 + Math.min(199, tenths) * 10;
}

/** The next time that can be written, so that it is not taken for none. */
export function clampTime(milliseconds: number): number {
  return Math.min(LATEST, Math.max(EARLIEST, Number.isFinite(milliseconds) ? milliseconds : EARLIEST));
}

/** The fields for a time; it is moved into the years 1980 to 2107. */
export function encodeTime(milliseconds: number): { date: number; time: number; tenths: number } {
  const clamped = clampTime(milliseconds);
  const at = new Date(clamped);
  const date = ((at.getUTCFullYear() - FIRST_YEAR) << 9) | ((at.getUTCMonth() + 1) << 5) | at.getUTCDate();
  const time = (at.getUTCHours() << 11) | (at.getUTCMinutes() << 5) | (at.getUTCSeconds() >> 1);
  return { date, time, tenths: Math.floor((clamped % 2000) / 10) };
}

/** The fields of the entry at `offset`. */
export function decodeEntry(bytes: Uint8Array, offset: number, bits: FatBits): EntryFields {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, ENTRY_BYTES);
  const word = (at: number): number => view.getUint16(at, true);
  return {
    attributes: view.getUint8(AT.attributes),
    first: word(AT.firstLow) + (bits === 32 ? word(AT.firstHigh) * 0x1_0000 : 0),
    size: view.getUint32(AT.size, true),
    created: decodeTime(word(AT.createdDate), word(AT.createdTime), view.getUint8(AT.createdTenths)),
    accessed: decodeTime(word(AT.accessedDate), 0),
    modified: decodeTime(word(AT.modifiedDate), word(AT.modifiedTime)),
  };
}

/** Writes fields into the entry at `offset`; its name stays. A time of 0 is left as it is. */
export function encodeEntry(bytes: Uint8Array, offset: number, fields: EntryFields, bits: FatBits): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, ENTRY_BYTES);
  view.setUint8(AT.attributes, fields.attributes);
  view.setUint16(AT.firstLow, fields.first & 0xffff, true);
  if (bits === 32) view.setUint16(AT.firstHigh, fields.first >>> 16, true);
  view.setUint32(AT.size, fields.size, true);
  if (fields.created !== 0) {
    const { date, time, tenths } = encodeTime(fields.created);
    view.setUint8(AT.createdTenths, tenths);
    view.setUint16(AT.createdTime, time, true);
    view.setUint16(AT.createdDate, date, true);
  }
  if (fields.accessed !== 0) view.setUint16(AT.accessedDate, encodeTime(fields.accessed).date, true);
  if (fields.modified !== 0) {
    const { date, time } = encodeTime(fields.modified);
    view.setUint16(AT.modifiedTime, time, true);
    view.setUint16(AT.modifiedDate, date, true);
  }
}

/** A new entry with a short name of 11 bytes. */
export function newEntry(shortName: Uint8Array, fields: EntryFields, bits: FatBits): Buffer {
  const bytes = Buffer.alloc(ENTRY_BYTES);
  bytes.set(shortName);
  encodeEntry(bytes, 0, fields, bits);
  return bytes;
}

/** The bits that say that the base name, or the extension, is to be shown in small letters (Windows NT). */
export function nameCase(bytes: Uint8Array, offset: number): number {
  return bytes[offset + AT.nameCase] ?? 0;
}
