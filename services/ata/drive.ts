/**
 * One ATA drive: reads, writes and flushes, with retries.
 *
 * Read: ATA/ATAPI-6 clause 8: READ and WRITE SECTORS (EXT), READ and WRITE MULTIPLE (EXT), SET MULTIPLE MODE, READ
 * VERIFY SECTORS (EXT), FLUSH CACHE (EXT), IDENTIFY DEVICE; clause 6.2 and 6.20 for addresses.
 */
import { SECTOR_BYTES } from '../../protocol/block.ts';
import { SystemError } from '../lib/index.ts';
import type { Channel, Outcome } from './channel.ts';
import { type Command, MAX_BLOCKS_PER_COMMAND, type Transfer } from './command.ts';
import { type Identity, LBA28_SECTORS, parseIdentity } from './identity.ts';
import { commandCode, errorBits, errorText, status } from './registers.ts';
import type { Log, Statistics } from './report.ts';

/** Longest wait for each step of a command. */
const COMMAND_MILLISECONDS = 5000;

/** The same for a cache flush, which may have much to write. */
const FLUSH_MILLISECONDS = 10000;

/** How often a failed command is issued again. */
const MAX_RETRIES = 3;

/** From this attempt on a command moves single sectors, which a drive in any mode understands. */
const FIRST_PLAIN_ATTEMPT = 2;

const NO_DATA = { direction: 'none' } as const;

/** The command codes for one direction, by address size and number of sectors in a block. */
interface Codes {
  readonly plain: number;
  readonly plainExt: number;
  readonly multiple: number;
  readonly multipleExt: number;
}

const READ: Codes = {
  plain: commandCode.READ_SECTORS,
  plainExt: commandCode.READ_SECTORS_EXT,
  multiple: commandCode.READ_MULTIPLE,
  multipleExt: commandCode.READ_MULTIPLE_EXT,
};

const WRITE: Codes = {
  plain: commandCode.WRITE_SECTORS,
  plainExt: commandCode.WRITE_SECTORS_EXT,
  multiple: commandCode.WRITE_MULTIPLE,
  multipleExt: commandCode.WRITE_MULTIPLE_EXT,
};

/** A command that is not about sectors. */
function plainCommand(device: 0 | 1, code: number, count: number, transfer: Transfer = NO_DATA): Command {
  return { device, code, count, lba: 0, extended: false, transfer, timeoutMilliseconds: COMMAND_MILLISECONDS };
}

/** Asks the device at a place what it is; a string says why there is no usable drive. */
export function identify(channel: Channel, device: 0 | 1): Identity | string {
  const transfer: Transfer = { direction: 'in', sectors: 1, blockSectors: 1 };
  const outcome = channel.executePolled(plainCommand(device, commandCode.IDENTIFY_DEVICE, 0, transfer));
  if (outcome.kind === 'stuck') return `IDENTIFY DEVICE: ${outcome.why}`;
  if (outcome.kind === 'error') return `IDENTIFY DEVICE: ${errorText(outcome.error)}`;
  return parseIdentity(outcome.blocks[0] ?? new Uint8Array(0));
}

/**
 * A drive that has identified itself. Sectors are counted from the start of the disk; callers keep them inside of it.
 */
export class Drive {
  readonly name: string;
  readonly identity: Identity;
  /** The drive has refused a write to sectors that it can read. */
  readOnly = false;
  readonly #channel: Channel;
  readonly #device: 0 | 1;
  readonly #statistics: Statistics;
  readonly #log: Log;
  /** Sectors a block of READ and WRITE MULTIPLE has now; 1: they cannot be used. */
  #multiple = 1;
  /** The value of `channel.resets` that the settings were made at. */
  #configuredAt = -1;

  constructor(name: string, channel: Channel, device: 0 | 1, identity: Identity, statistics: Statistics, log: Log) {
    this.name = name;
    this.identity = identity;
    this.#channel = channel;
    this.#device = device;
    this.#statistics = statistics;
    this.#log = log;
  }

  /** Sectors the drive moves for each interrupt. */
  get sectorsPerInterrupt(): number {
    return this.#multiple;
  }

  /** Makes the settings that a reset takes back. They are made again before a command whenever there was one. */
  configure(): Outcome | null {
    if (this.#configuredAt === this.#channel.resets) return null;
    this.#multiple = 1;
    const { multiple } = this.identity;
    if (multiple > 1) {
      const set = plainCommand(this.#device, commandCode.SET_MULTIPLE_MODE, multiple);
      const outcome = this.#channel.executePolled(set);
      if (outcome.kind === 'stuck') return outcome;
      if (outcome.kind === 'done') this.#multiple = multiple;
      else this.#log(`${this.name}: SET MULTIPLE MODE ${multiple}: ${errorText(outcome.error)}`, 'warning');
    }
    this.#configuredAt = this.#channel.resets;
    return null;
  }

  /** Reads sectors. Throws EIO. */
  read(sector: number, count: number): Uint8Array {
    const blocks: Uint8Array[] = [];
    for (let done = 0; done < count; ) {
      const { outcome, command } = this.#perform((attempt) => this.#reading(sector + done, count - done, attempt));
      if (outcome.kind !== 'done') throw this.#failure('read', command, outcome);
      blocks.push(...outcome.blocks);
      done += command.count;
    }
    const [first] = blocks;
    return blocks.length === 1 && first !== undefined ? first : Buffer.concat(blocks);
  }

  /**
   * Writes whole sectors. After an error any part of them may have been written. Throws EIO; EROFS: the drive takes no
   * writes.
   */
  write(sector: number, data: Uint8Array): void {
    if (this.readOnly) throw this.#writeProtected();
    for (let done = 0; done < data.length / SECTOR_BYTES; ) {
      const rest = data.subarray(done * SECTOR_BYTES);
      const { outcome, command } = this.#perform((attempt) => this.#writing(sector + done, rest, attempt));
      if (outcome.kind !== 'done') throw this.#writeFailure(command, outcome);
      done += command.count;
    }
  }

  /**
   * Returns when the drive's cache is on the medium. A flush that ends with an error is not repeated: the drive has
   * dropped the sector it could not write, so that the next flush would end well although the data is lost. Throws EIO.
   */
  flush(): void {
    const { flushCache, flushCacheExt } = this.identity;
    if (!flushCache && !flushCacheExt) return;
    const flushing: Command = {
      device: this.#device,
      code: flushCacheExt ? commandCode.FLUSH_CACHE_EXT : commandCode.FLUSH_CACHE,
      count: 0,
      lba: 0,
      extended: flushCacheExt,
      transfer: NO_DATA,
      timeoutMilliseconds: FLUSH_MILLISECONDS,
    };
    const { outcome, command } = this.#perform(() => flushing, false);
    if (outcome.kind !== 'done') throw this.#failure('flush', command, outcome);
  }

  #reading(sector: number, count: number, attempt: number): Command {
    const blockSectors = this.#blockSectors(attempt);
    const sectors = Math.min(count, blockSectors * MAX_BLOCKS_PER_COMMAND);
    return this.#transferring(READ, sector, sectors, { direction: 'in', sectors, blockSectors });
  }

  #writing(sector: number, rest: Uint8Array, attempt: number): Command {
    const blockSectors = this.#blockSectors(attempt);
    const sectors = Math.min(rest.length / SECTOR_BYTES, blockSectors * MAX_BLOCKS_PER_COMMAND);
    const data = rest.subarray(0, sectors * SECTOR_BYTES);
    return this.#transferring(WRITE, sector, sectors, { direction: 'out', data, blockSectors });
  }

  #blockSectors(attempt: number): number {
    return attempt < FIRST_PLAIN_ATTEMPT ? this.#multiple : 1;
  }

  #transferring(codes: Codes, lba: number, count: number, transfer: Exclude<Transfer, typeof NO_DATA>): Command {
    const extended = lba + count > LBA28_SECTORS;
    const plain = extended ? codes.plainExt : codes.plain;
    const multiple = extended ? codes.multipleExt : codes.multiple;
    const code = transfer.blockSectors > 1 ? multiple : plain;
    return { device: this.#device, code, count, lba, extended, transfer, timeoutMilliseconds: COMMAND_MILLISECONDS };
  }

  /**
   * Issues a command up to four times and answers how the last attempt ended. A channel that does not follow the
   * protocol is reset; where that does not help nothing is tried again.
   */
  #perform(build: (attempt: number) => Command, retryErrors = true): { outcome: Outcome; command: Command } {
    for (let attempt = 0; ; attempt++) {
      const problem = this.configure();
      const command = build(attempt);
      const outcome = problem ?? this.#channel.execute(command);
      if (outcome.kind === 'done') return { outcome, command };
      const usable = this.#recover(outcome);
      const again = usable && attempt < MAX_RETRIES && (retryErrors || outcome.kind === 'stuck');
      if (!again) return { outcome, command };
      this.#statistics.commandRetries++;
    }
  }

  /** Brings the channel into a state in which it takes commands. False: it cannot be done. */
  #recover(outcome: Exclude<Outcome, { kind: 'done' }>): boolean {
    if (outcome.kind === 'error' && (outcome.status & (status.DRQ | status.DF)) === 0) {
      // It may have lost its settings: they are made again.
      if (outcome.refused) this.#configuredAt = -1;
      return true;
    }
    if (outcome.kind === 'stuck') this.#log(`${this.name}: ${outcome.why}: reset`, 'warning');
    const usable = this.#channel.reset();
    if (!usable) this.#log(`${this.name}: does not come out of reset`, 'error');
    return usable;
  }

  /**
   * A write that the drive refused before it took any data, to sectors that it can read, means that it takes no writes.
   * (The standard has the bit WP for media that can be removed, and nothing for others; an error while writing is
   * reported after data was taken.)
   */
  #writeFailure(command: Command, outcome: Exclude<Outcome, { kind: 'done' }>): SystemError {
    const refused = outcome.kind === 'error' && outcome.refused && (outcome.error & ~errorBits.ABRT) === 0;
    if (!refused || !this.#verifies(command)) return this.#failure('write', command, outcome);
    this.readOnly = true;
    this.#log(`${this.name}: refuses writes, is read-only from now on`, 'warning');
    return this.#writeProtected();
  }

  #writeProtected(): SystemError {
    return new SystemError('EROFS', `${this.name} is read-only`);
  }

  #verifies(written: Command): boolean {
    const { READ_VERIFY_SECTORS, READ_VERIFY_SECTORS_EXT } = commandCode;
    const code = written.extended ? READ_VERIFY_SECTORS_EXT : READ_VERIFY_SECTORS;
    const { outcome } = this.#perform(() => ({ ...written, code, transfer: NO_DATA }));
    return outcome.kind === 'done';
  }

  #failure(what: string, { lba, count }: Command, outcome: Exclude<Outcome, { kind: 'done' }>): SystemError {
    this.#statistics.errors++;
    const range = count === 0 ? '' : ` of ${count} sectors from ${lba}`;
    const why =
      outcome.kind === 'stuck'
        ? outcome.why
        : `${errorText(outcome.error)}${inside(outcome.lba, lba, count) ? ` at sector ${outcome.lba}` : ''}`;
    const text = `${this.name}: ${what}${range}: ${why}`;
    this.#log(text, 'error');
    return new SystemError('EIO', text);
  }
}

function inside(sector: number, first: number, count: number): boolean {
  return sector >= first && sector < first + count;
}
