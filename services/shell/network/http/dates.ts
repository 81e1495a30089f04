/** Times as HTTP writes them. Read RFC 9110, 5.6.7. */

/** `Sun, 06 Nov 1994 08:49:37 GMT`. @param milliseconds since 1970 */
export const formatDate = (milliseconds: number): string => new Date(milliseconds).toUTCString();

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/**
 * Milliseconds since 1970 of a time in the preferred form; null for anything else, which is then as if it were not
 * there.
 */
export function parseDate(text: string): number | null {
  const parts = /^(?:Sun|Mon|Tue|Wed|Thu|Fri|Sat), (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT$/.exec(text);
  if (parts === null) return null;
  const [, day, month = '', year, hour, minute, second] = parts;
  const index = months.indexOf(month);
  if (index < 0) return null;
  return Date.UTC(Number(year), index, Number(day), Number(hour), Number(minute), Number(second));
}

/** `25/Nov/2026:21:18:03 +0000`, as in the logs of servers. */
export function logDate(milliseconds: number): string {
  const [date = '', time = ''] = new Date(milliseconds).toISOString().split('T');
  const [year = '', month = '', day = ''] = date.split('-');
  return `${day}/${months[Number(month) - 1] ?? ''}/${year}:${time.slice(0, 8)} +0000`;
}
