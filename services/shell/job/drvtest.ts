/**
 * drvtest: kills a driver while it works, and shows that its clients only notice the time. The driver is that of the
 * clock chip.
 */
import { clock, kill, taskList, uptime } from '../../lib/index.ts';
import { Checks, expect, median } from '../checks.ts';
import { expectWords, type Run } from '../command.ts';
import { formatMilliseconds } from '../table.ts';

const DRIVER = 'rtc';
const PORT = 'clock';
const KILLS = 5;

const twoDigits = (value: number): string => String(value).padStart(2, '0');

const pidOf = (name: string): number =>
  taskList().find((task) => task.name === name && task.state !== 'ZOMBIE')?.pid ?? 0;

export const drvtest: Run = (context) => {
  expectWords(context.words, 0, 0);
  const client = context.services.started(clock, DRIVER, PORT);
  const checks = new Checks(context);
  let incarnation = 0;
  checks.run('the clock', () => {
    const now = client.read();
    expect(now.month >= 1 && now.month <= 12 && now.day >= 1 && now.day <= 31, 'that is no date');
    expect(now.hour < 24 && now.minute < 60 && now.second < 60, 'that is no time');
    incarnation = now.incarnation;
    const date = [now.year, ...[now.month, now.day].map(twoDigits)].join('-');
    return `${date} ${[now.hour, now.minute, now.second].map(twoDigits).join(':')} UTC, incarnation ${incarnation}`;
  });
  const times: number[] = [];
  for (let count = 1; count <= KILLS; count++) {
    checks.run(`kill ${count} of ${KILLS}`, () => {
      const victim = pidOf(DRIVER);
      expect(victim !== 0, 'the driver is not there');
      const before = uptime();
      kill(victim, 'KILL');
      const now = client.read();
      times.push(uptime() - before);
      expect(now.incarnation > incarnation, `incarnation ${now.incarnation} answered, not a new one`);
      incarnation = now.incarnation;
      return `pid ${victim} killed, incarnation ${incarnation} answered after ${formatMilliseconds(times.at(-1) ?? 0)}`;
    });
    // Crashes right after the start count as a crash loop; one call shows that this incarnation works.
    client.read();
  }
  context.lines(
    `recovery: median ${formatMilliseconds(median(times))}, worst ${formatMilliseconds(Math.max(...times))}`,
  );
  return checks.finish();
};
