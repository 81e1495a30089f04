/**
 * The driver of the clock chip. Read docs/first-driver.md, then the Motorola MC146818A data sheet: "Time, Calendar, and
 * Alarm Locations".
 */
import {
  clock,
  ioVector,
  offer,
  run,
  SystemError,
  startInformation,
  vectorOperation,
} from '../../services/lib/index.ts';

const { WRITE8, READ8, POLL8 } = vectorOperation;
const [INDEX, DATA] = [0x70, 0x71] as const;
const noUpdateWithin10ms = [WRITE8, INDEX, 0x0a, POLL8, DATA, 0x80, 0, 10_000];
const readRegister = (register: number) => [WRITE8, INDEX, register, READ8, DATA];
const readClock = [...noUpdateWithin10ms, ...[0, 0x0b, 0x32, 9, 8, 7, 4, 2, 0].flatMap(readRegister)];

function read(): ReturnType<typeof decode> {
  const { ended, results } = ioVector(readClock);
  if (ended !== -1) throw new SystemError('EIO', 'the clock does not stop updating');
  const [firstSecond, ...registers] = results.slice(1).map(Number);
  return firstSecond === registers.at(-1) ? decode(registers) : read();
}

function decode([mode = 0, century = 0, year = 0, month = 0, day = 0, hours = 0, minute = 0, second = 0]: number[]) {
  const number = (byte: number) => (mode & 4 ? byte : (byte >> 4) * 10 + (byte & 15));
  const hour = mode & 2 ? number(hours) : (number(hours & 0x7f) % 12) + (hours & 0x80 ? 12 : 0);
  const date = { year: number(century) * 100 + number(year), month: number(month), day: number(day) };
  return { ...date, hour, minute: number(minute), second: number(second), incarnation: startInformation.incarnation };
}

run({ port: 'clock', ioPorts: [[INDEX, DATA]], offers: [offer(clock, { read })] });
