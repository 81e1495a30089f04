/**
 * Registers and bits of an ATA channel, by the names of the standard.
 *
 * Read: ATA/ATAPI-6 (T13/1410D), clauses 7 (register definitions), 8 (commands) and 9 (protocols); the addresses are
 * those of a PC's two channels in compatibility mode.
 */

/** Port addresses and interrupt line of one channel. */
export interface ChannelRegisters {
  /** Its name in log lines. */
  readonly name: string;
  readonly irq: number;
  readonly data: number;
  /** Read: Error. Write: Features. */
  readonly error: number;
  readonly sectorCount: number;
  readonly lbaLow: number;
  readonly lbaMid: number;
  readonly lbaHigh: number;
  readonly device: number;
  /** Read: Status, which also withdraws the interrupt. Write: Command. */
  readonly status: number;
  /** Read: Alternate Status, which leaves the interrupt alone. Write: Device Control. */
  readonly control: number;
}

function channelAt(name: string, base: number, control: number, irq: number): ChannelRegisters {
  return {
    name,
    irq,
    data: base,
    error: base + 1,
    sectorCount: base + 2,
    lbaLow: base + 3,
    lbaMid: base + 4,
    lbaHigh: base + 5,
    device: base + 6,
    status: base + 7,
    control,
  };
}

/** The two channels of a PC. */
export const CHANNELS: readonly ChannelRegisters[] = [
  channelAt('ata0', 0x1f0, 0x3f6, 14),
  channelAt('ata1', 0x170, 0x376, 15),
];

/** The ranges of I/O ports the driver needs, each [first, last]. */
export const IO_PORTS = CHANNELS.flatMap(
  (channel) =>
    [
      [channel.data, channel.status],
      [channel.control, channel.control],
    ] as const,
);

/** Bits of the Status register (7.15). */
export const status = { BSY: 0x80, DRDY: 0x40, DF: 0x20, DRQ: 0x08, ERR: 0x01 } as const;

/** Bits of the Error register (7.9 and the commands' error outputs). */
export const errorBits = { ICRC: 0x80, UNC: 0x40, IDNF: 0x10, ABRT: 0x04 } as const;

/** Bits of the Device Control register (7.8). */
export const control = { HOB: 0x80, SRST: 0x04, nIEN: 0x02 } as const;

/** Bits of the Device register (7.7). Bits 7 and 5 are obsolete and written as ones, as older devices want them. */
export const deviceBits = { OBSOLETE: 0xa0, LBA: 0x40, DEV: 0x10 } as const;

/** Command codes (clause 8). */
export const commandCode = {
  READ_SECTORS: 0x20,
  READ_SECTORS_EXT: 0x24,
  READ_MULTIPLE_EXT: 0x29,
  WRITE_SECTORS: 0x30,
  WRITE_SECTORS_EXT: 0x34,
  WRITE_MULTIPLE_EXT: 0x39,
  READ_VERIFY_SECTORS: 0x40,
  READ_VERIFY_SECTORS_EXT: 0x42,
  READ_MULTIPLE: 0xc4,
  WRITE_MULTIPLE: 0xc5,
  SET_MULTIPLE_MODE: 0xc6,
  FLUSH_CACHE: 0xe7,
  FLUSH_CACHE_EXT: 0xea,
  IDENTIFY_DEVICE: 0xec,
} as const;

/** The words of an Error register for log lines, for example `UNC ABRT`. */
export function errorText(value: number): string {
  const set = Object.entries(errorBits).filter(([, bit]) => (value & bit) !== 0);
  return set.length === 0 ? `error register 0x${value.toString(16)}` : set.map(([name]) => name).join(' ');
}
