/**
 * What each ATA command does, but for EXECUTE DEVICE DIAGNOSTIC, which is the channel's.
 *
 * Codes that are not here are aborted: NOP (which always is), packet and DMA commands (there is no DMA engine), SMART,
 * and what nobody defined.
 *
 * Read: ATA/ATAPI-6, chapter 8; for the older codes of the power commands ATA-3, chapter 7.
 */
import {
  defaultGeometry,
  type Geometry,
  LBA28_LIMIT,
  readAddress,
  translatedGeometry,
  writeAddress,
} from './address.ts';
import { type DriveIdentity, identifyData } from './identify.ts';
import { COMMAND, DEVICE, ERROR, REGISTER, type TaskFile } from './registers.ts';
import { type Extent, ReadTransfer, type Transfer, type TransferDrive, verify, WriteTransfer } from './transfer.ts';

/** The most sectors of a block of READ and WRITE MULTIPLE, and their number after a reset. */
export const MULTIPLE_LIMIT = 16;

/** What commands set and a drive remembers. */
export interface DriveSettings {
  geometry: Geometry;
  /** Sectors of a block of READ and WRITE MULTIPLE; 0 switches them off. */
  multiple: number;
  writeCache: boolean;
  lookAhead: boolean;
  standby: boolean;
  /** A software reset takes back what INITIALIZE DEVICE PARAMETERS set. */
  revertOnReset: boolean;
}

/** The settings of a drive of `capacity` sectors at power-on. */
export function powerOnSettings(capacity: number): DriveSettings {
  return {
    geometry: defaultGeometry(capacity),
    multiple: MULTIPLE_LIMIT,
    writeCache: true,
    lookAhead: true,
    standby: false,
    revertOnReset: false,
  };
}

/** What commands need of their drive. */
export interface CommandDrive extends TransferDrive {
  readonly file: TaskFile;
  readonly identity: DriveIdentity;
  readonly settings: DriveSettings;
  /** Whether the command under way has a 48-bit address. */
  ext: boolean;
  /** Makes `transfer` the one whose blocks go through the data port. */
  begin(transfer: Transfer): void;
  /** Ends the command when everything written is on stable storage. */
  flush(): void;
  /** Ends the command with an interrupt and error bits. */
  refuse(error: number): void;
  /** Sends `data` through the data port with one interrupt, then ends the command. */
  send(data: Buffer): void;
}

type Handler = (drive: CommandDrive) => void;

const ACTIVE_OR_IDLE = 0xff;
const STANDBY = 0x00;

/** The sectors the registers ask for; null when the command has been refused for an address that cannot be. */
function extent(drive: CommandDrive, ext: boolean): Extent | null {
  drive.ext = ext;
  drive.settings.standby = false;
  const lba = readAddress(drive.file, ext, drive.settings.geometry);
  if (lba !== null) return { lba, count: drive.file.sectorCount(ext) };
  drive.refuse(ERROR.IDNF);
  return null;
}

function read(drive: CommandDrive, ext: boolean, sectorsPerBlock: number): void {
  const sectors = extent(drive, ext);
  if (sectors === null) return;
  const transfer = new ReadTransfer(drive, sectors, sectorsPerBlock);
  drive.begin(transfer);
  transfer.start();
}

function write(drive: CommandDrive, ext: boolean, sectorsPerBlock: number): void {
  if (drive.disk.readOnly) {
    drive.refuse(ERROR.ABRT);
    return;
  }
  const sectors = extent(drive, ext);
  if (sectors === null) return;
  const transfer = new WriteTransfer(drive, sectors, sectorsPerBlock);
  drive.begin(transfer);
  transfer.start();
}

function multiple(command: typeof read, ext: boolean): Handler {
  return (drive) => {
    if (drive.settings.multiple === 0) drive.refuse(ERROR.ABRT);
    else command(drive, ext, drive.settings.multiple);
  };
}

function readVerify(drive: CommandDrive, ext: boolean): void {
  const sectors = extent(drive, ext);
  if (sectors !== null) verify(drive, sectors);
}

function identify(drive: CommandDrive): void {
  const { identity, settings } = drive;
  const capacity = drive.disk.sectors;
  drive.send(
    identifyData({
      identity,
      capacity,
      geometry: defaultGeometry(capacity),
      currentGeometry: settings.geometry,
      multipleLimit: MULTIPLE_LIMIT,
      multiple: settings.multiple,
      writeCache: settings.writeCache,
      lookAhead: settings.lookAhead,
    }),
  );
}

function initializeParameters(drive: CommandDrive): void {
  const sectors = drive.file.count;
  if (sectors === 0) {
    drive.refuse(ERROR.ABRT);
    return;
  }
  const heads = (drive.file.device & DEVICE.HEAD) + 1;
  drive.settings.geometry = translatedGeometry(drive.disk.sectors, heads, sectors);
  drive.complete(true);
}

/** A power of two up to the limit, or 0; anything else changes nothing. */
function setMultiple(drive: CommandDrive): void {
  const { count } = drive.file;
  if (count > MULTIPLE_LIMIT || (count & (count - 1)) !== 0) {
    drive.refuse(ERROR.ABRT);
    return;
  }
  drive.settings.multiple = count;
  drive.complete(true);
}

/** SET FEATURES (ATA/ATAPI-6, 8.46). What has no meaning for this disk is taken and has no effect. */
function setFeatures(drive: CommandDrive): void {
  const { settings, file } = drive;
  switch (file.feature) {
    case 0x02:
      settings.writeCache = true;
      break;
    case 0x82:
      settings.writeCache = false;
      drive.flush();
      return;
    case 0x55:
      settings.lookAhead = false;
      break;
    case 0xaa:
      settings.lookAhead = true;
      break;
    case 0x66:
      settings.revertOnReset = false;
      break;
    case 0xcc:
      settings.revertOnReset = true;
      break;
    case 0x03: // transfer mode: default, PIO, single word, multiword or Ultra DMA
      if ([0, 1, 2, 4, 8].includes(file.count >> 3)) break;
      drive.refuse(ERROR.ABRT);
      return;
    case 0x05: // power and acoustic management, and settings of old disks
    case 0x85:
    case 0x42:
    case 0xc2:
    case 0x67:
    case 0x69:
    case 0x96:
    case 0x9a:
      break;
    default:
      drive.refuse(ERROR.ABRT);
      return;
  }
  drive.complete(true);
}

function readNativeMax(drive: CommandDrive, ext: boolean): void {
  const last = drive.disk.sectors - 1;
  writeAddress(drive.file, ext, drive.settings.geometry, ext ? last : Math.min(last, LBA28_LIMIT));
  drive.complete(true);
}

function checkPowerMode(drive: CommandDrive): void {
  drive.file.set(REGISTER.count, drive.settings.standby ? STANDBY : ACTIVE_OR_IDLE);
  drive.complete(true);
}

/** Sleep is as light as standby: it takes no reset to wake up. */
function standby(drive: CommandDrive): void {
  drive.settings.standby = true;
  drive.complete(true);
}

function idle(drive: CommandDrive): void {
  drive.settings.standby = false;
  drive.complete(true);
}

function nothing(drive: CommandDrive): void {
  drive.complete(true);
}

/** There is nothing to freeze, but firmware sends this to every disk and expects it to work. */
function securityFreezeLock(drive: CommandDrive): void {
  drive.file.set(REGISTER.count, 0);
  drive.complete(true);
}

/** What to do for each command code. */
export const COMMANDS: ReadonlyMap<number, Handler> = new Map<number, Handler>([
  [COMMAND.readSectors, (drive) => read(drive, false, 1)],
  [COMMAND.readSectorsNoRetry, (drive) => read(drive, false, 1)],
  [COMMAND.readSectorsExt, (drive) => read(drive, true, 1)],
  [COMMAND.readMultiple, multiple(read, false)],
  [COMMAND.readMultipleExt, multiple(read, true)],
  [COMMAND.writeSectors, (drive) => write(drive, false, 1)],
  [COMMAND.writeSectorsNoRetry, (drive) => write(drive, false, 1)],
  [COMMAND.writeVerify, (drive) => write(drive, false, 1)],
  [COMMAND.writeSectorsExt, (drive) => write(drive, true, 1)],
  [COMMAND.writeMultiple, multiple(write, false)],
  [COMMAND.writeMultipleExt, multiple(write, true)],
  [COMMAND.readVerify, (drive) => readVerify(drive, false)],
  [COMMAND.readVerifyNoRetry, (drive) => readVerify(drive, false)],
  [COMMAND.readVerifyExt, (drive) => readVerify(drive, true)],
  [COMMAND.flushCache, (drive) => drive.flush()],
  [COMMAND.flushCacheExt, (drive) => drive.flush()],
  [COMMAND.identify, identify],
  [COMMAND.initializeParameters, initializeParameters],
  [COMMAND.setMultiple, setMultiple],
  [COMMAND.setFeatures, setFeatures],
  [COMMAND.readNativeMax, (drive) => readNativeMax(drive, false)],
  [COMMAND.readNativeMaxExt, (drive) => readNativeMax(drive, true)],
  [COMMAND.checkPowerMode, checkPowerMode],
  [COMMAND.oldCheckPowerMode, checkPowerMode],
  [COMMAND.standbyImmediate, standby],
  [COMMAND.oldStandbyImmediate, standby],
  [COMMAND.standby, standby],
  [COMMAND.oldStandby, standby],
  [COMMAND.sleep, standby],
  [COMMAND.oldSleep, standby],
  [COMMAND.idleImmediate, idle],
  [COMMAND.oldIdleImmediate, idle],
  [COMMAND.idle, idle],
  [COMMAND.oldIdle, idle],
  [COMMAND.recalibrate, nothing],
  [COMMAND.seek, nothing],
  [COMMAND.securityFreezeLock, securityFreezeLock],
]);
