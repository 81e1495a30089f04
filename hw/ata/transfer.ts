/**
 * The data transfers of a disk: READ, WRITE and READ VERIFY, between the back end and the data port.
 *
 * A read fetches up to 256 sectors in one host request, so that every block after the first is there when the host asks
 * for it. A write hands each block to the back end as it arrives and offers room for the next at once; the command ends
 * when the last of them has been written. Addresses are checked block by block, so the good sectors in front of a bad
 * one are transferred.
 *
 * Read: ATA/ATAPI-6, 9.5 (PIO data-in protocol), 9.6 (PIO data-out protocol), chapter 8 (READ and WRITE SECTORS, READ
 * and WRITE MULTIPLE, READ VERIFY SECTORS).
 */
import { type DiskBackend, type DiskDone, type DiskError, SECTOR_BYTES } from '../disk/backend.ts';
import { ERROR } from './registers.ts';

/** Sectors of the buffer between the data port and the back end. */
export const BUFFER_SECTORS = 256;

/** What a transfer needs of its drive. */
export interface TransferDrive {
  readonly disk: DiskBackend;
  /** `BUFFER_SECTORS` sectors. The transfer has it alone until the command has ended. */
  readonly buffer: Buffer;
  /** Requests to the back end that have not ended. */
  readonly outstanding: number;
  /** Starts a request; `answer` gets its end, unless a reset has come in between. */
  request(start: (done: DiskDone) => void, answer: (error: DiskError | null) => void): void;
  /** BSY: the data port is closed. */
  busy(): void;
  /**
   * DRQ: the bytes `start` to `end` of the buffer go through the data port, then the transfer's `blockDone` is called.
   */
  offer(direction: 'in' | 'out', start: number, end: number, interrupt: boolean): void;
  /** Shows in the registers which sector is next and how many are left. */
  progress(lba: number, remaining: number): void;
  /** Ends the command well. */
  complete(interrupt: boolean): void;
  /** Ends the command with an interrupt and error bits, the registers showing the bad sector. */
  fail(error: number, lba: number, remaining: number): void;
  /** Makes the writes of a finished write command durable if the host wants that; then ends it. */
  writesDone(): void;
}

/** Which sectors a command is about: `count` from `lba` on. */
export interface Extent {
  readonly lba: number;
  readonly count: number;
}

/** A command with a data phase under way. */
export interface Transfer {
  /** The whole of the block last offered has gone through the data port. */
  blockDone(): void;
}

/** READ SECTORS and READ MULTIPLE. */
export class ReadTransfer implements Transfer {
  readonly #drive: TransferDrive;
  readonly #sectorsPerBlock: number;
  #lba: number;
  #remaining: number;
  /** Sectors in the buffer, and how many of them have been offered. */
  #fetched = 0;
  #offered = 0;
  /** The sector after the fetched ones that could not be read. */
  #bad: number | null = null;

  constructor(drive: TransferDrive, extent: Extent, sectorsPerBlock: number) {
    this.#drive = drive;
    this.#sectorsPerBlock = sectorsPerBlock;
    this.#lba = extent.lba;
    this.#remaining = extent.count;
  }

  start(): void {
    this.#fetch();
  }

  blockDone(): void {
    if (this.#offered < this.#fetched) this.#offer();
    else if (this.#remaining === 0) this.#drive.complete(false);
    else if (this.#bad !== null) this.#fail(ERROR.UNC, this.#bad);
    else this.#fetch();
  }

  #fetch(): void {
    const there = this.#drive.disk.sectors - this.#lba;
    if (there < Math.min(this.#sectorsPerBlock, this.#remaining)) {
      // Of a block that begins on the disk nothing is transferred, and the count says so.
      this.#drive.fail(ERROR.IDNF, this.#lba + Math.max(0, there), this.#remaining);
      return;
    }
    const room = Math.min(BUFFER_SECTORS, there);
    const count = this.#remaining <= room ? this.#remaining : wholeBlocks(room, this.#sectorsPerBlock);
    this.#drive.busy();
    readGood(this.#drive, this.#lba, count, (good) => {
      if (good < count) this.#bad = this.#lba + good;
      this.#fetched = good < count ? wholeBlocks(good, this.#sectorsPerBlock) : count;
      this.#offered = 0;
      if (this.#fetched > 0) this.#offer();
      else this.#fail(ERROR.UNC, this.#lba + good);
    });
  }

  #offer(): void {
    const start = this.#offered;
    const count = Math.min(this.#sectorsPerBlock, this.#fetched - start);
    this.#offered += count;
    this.#lba += count;
    this.#remaining -= count;
    this.#drive.progress(this.#lba, this.#remaining);
    this.#drive.offer('in', start * SECTOR_BYTES, this.#offered * SECTOR_BYTES, true);
  }

  #fail(error: number, bad: number): void {
    this.#drive.fail(error, bad, this.#lba + this.#remaining - bad);
  }
}

/** WRITE SECTORS and WRITE MULTIPLE. */
export class WriteTransfer implements Transfer {
  readonly #drive: TransferDrive;
  readonly #sectorsPerBlock: number;
  #lba: number;
  #remaining: number;
  /** Sectors of the buffer that hold data under way to the back end. */
  #filled = 0;
  /** No block is on offer: the drive waits for its requests to end. */
  #waiting = false;
  #failure: { readonly error: number; readonly lba: number } | null = null;

  constructor(drive: TransferDrive, extent: Extent, sectorsPerBlock: number) {
    this.#drive = drive;
    this.#sectorsPerBlock = sectorsPerBlock;
    this.#lba = extent.lba;
    this.#remaining = extent.count;
  }

  start(): void {
    this.#offer(false);
  }

  blockDone(): void {
    const lba = this.#lba;
    const count = this.#nextBlock();
    const there = this.#drive.disk.sectors - lba;
    if (there < count) {
      this.#failure = { error: ERROR.IDNF, lba: lba + Math.max(0, there) };
      this.#wait();
      return;
    }
    const data = this.#drive.buffer.subarray(this.#filled * SECTOR_BYTES, (this.#filled + count) * SECTOR_BYTES);
    this.#lba += count;
    this.#remaining -= count;
    this.#filled += count;
    this.#drive.progress(this.#lba, this.#remaining);
    this.#drive.request(
      (done) => this.#drive.disk.write(lba, data, done),
      (error) => {
        if (error !== null) this.#failure ??= { error: ERROR.ABRT, lba: error.lba ?? lba };
        if (this.#waiting || error !== null) this.#wait();
      },
    );
    // A failure reported inside of the call has closed the data port already.
    if (this.#waiting || this.#failure !== null) return;
    if (this.#remaining === 0 || this.#filled + this.#nextBlock() > BUFFER_SECTORS) this.#wait();
    else this.#offer(true);
  }

  #nextBlock(): number {
    return Math.min(this.#sectorsPerBlock, this.#remaining);
  }

  #offer(interrupt: boolean): void {
    const start = this.#filled * SECTOR_BYTES;
    this.#waiting = false;
    this.#drive.offer('out', start, start + this.#nextBlock() * SECTOR_BYTES, interrupt);
  }

  /** Goes on when the last request has ended: the buffer is free then, and no late failure can be missed. */
  #wait(): void {
    this.#waiting = true;
    this.#drive.busy();
    if (this.#drive.outstanding > 0) return;
    if (this.#failure !== null) {
      const { error, lba } = this.#failure;
      this.#drive.fail(error, lba, error === ERROR.IDNF ? this.#remaining : this.#lba + this.#remaining - lba);
    } else if (this.#remaining === 0) {
      this.#drive.writesDone();
    } else {
      this.#filled = 0;
      this.#offer(true);
    }
  }
}

/** READ VERIFY: reads the sectors and drops them. The registers keep the command's address unless a sector is bad. */
export function verify(drive: TransferDrive, { lba, count }: Extent): void {
  const there = drive.disk.sectors - lba;
  if (there < count) {
    const bad = lba + Math.max(0, there);
    drive.fail(ERROR.IDNF, bad, lba + count - bad);
    return;
  }
  const chunk = Math.min(count, BUFFER_SECTORS);
  drive.busy();
  readGood(drive, lba, chunk, (good) => {
    if (good < chunk) drive.fail(ERROR.UNC, lba + good, count - good);
    else if (good < count) verify(drive, { lba: lba + good, count: count - good });
    else drive.complete(true);
  });
}

/** Reads sectors into the buffer; `answer` gets how many of them, from the first on, are good. */
function readGood(drive: TransferDrive, lba: number, count: number, answer: (good: number) => void): void {
  drive.request(
    (done) => drive.disk.read(lba, drive.buffer.subarray(0, count * SECTOR_BYTES), done),
    (error) => {
      if (error === null) answer(count);
      else if (count === 1) answer(0);
      else readSingly(drive, lba, count, 0, answer);
    },
  );
}

/** Reads sector after sector, to find the first bad one where the host only says that one of them is. */
function readSingly(
  drive: TransferDrive,
  lba: number,
  count: number,
  index: number,
  answer: (good: number) => void,
): void {
  const target = drive.buffer.subarray(index * SECTOR_BYTES, (index + 1) * SECTOR_BYTES);
  drive.request(
    (done) => drive.disk.read(lba + index, target, done),
    (error) => {
      if (error !== null) answer(index);
      else if (index + 1 === count) answer(count);
      else readSingly(drive, lba, count, index + 1, answer);
    },
  );
}

function wholeBlocks(sectors: number, sectorsPerBlock: number): number {
  return sectors - (sectors % sectorsPerBlock);
}
