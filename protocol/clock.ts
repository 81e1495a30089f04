/** Interface `clock` (8): the battery-backed clock of the machine. */
import { defineInterface, method } from './interface.ts';
import { nothing, record, u8, u16, u32 } from './schema.ts';

export const clock = defineInterface('clock', 8, {
  /** Date and time as the clock chip shows them (UTC). `incarnation` is that of the driver. */
  read: method(
    1,
    nothing,
    record({ year: u16, month: u8, day: u8, hour: u8, minute: u8, second: u8, incarnation: u32 }),
  ),
});
