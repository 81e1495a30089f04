/**
 * Days and dates of the Gregorian calendar, for any year, also before 1970 and for fields out of range.
 *
 * Read: ISO 8601. Years are counted from March, so that the leap day is the last one, and in eras of 400 years, which
 * all have the same number of days.
 */

const DAYS_PER_ERA = 146_097;
/** Days from 1 March of year 0 to 1 January 1970. */
const EPOCH_DAYS = 719_468;
const SECONDS_PER_DAY = 86_400;

export interface CalendarTime {
  readonly year: number;
  /** 1 to 12 */
  readonly month: number;
  /** 1 to 31 */
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

/** Seconds since 1970-01-01T00:00:00; fields beyond their range count on (a 31st of April is the 1st of May). */
export function toSeconds(time: CalendarTime): number {
  const monthsFromMarch = time.month - 3 + time.year * 12;
  const year = Math.floor(monthsFromMarch / 12);
  const dayOfYear = Math.floor((153 * (monthsFromMarch - year * 12) + 2) / 5) + time.day - 1;
  const leapDays = Math.floor(year / 4) - Math.floor(year / 100) + Math.floor(year / 400);
  const days = year * 365 + leapDays + dayOfYear - EPOCH_DAYS;
  return days * SECONDS_PER_DAY + time.hour * 3600 + time.minute * 60 + time.second;
}

/** The calendar time of a number of seconds since 1970-01-01T00:00:00, with the day of the week, 0 being Sunday. */
export function fromSeconds(seconds: number): CalendarTime & { readonly weekday: number } {
  const days = Math.floor(seconds / SECONDS_PER_DAY);
  const secondOfDay = seconds - days * SECONDS_PER_DAY;
  const shifted = days + EPOCH_DAYS;
  const era = Math.floor(shifted / DAYS_PER_ERA);
  const dayOfEra = shifted - era * DAYS_PER_ERA;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1,
    hour: Math.floor(secondOfDay / 3600),
    minute: Math.floor(secondOfDay / 60) % 60,
    second: secondOfDay % 60,
    weekday: (((days + 4) % 7) + 7) % 7,
  };
}
