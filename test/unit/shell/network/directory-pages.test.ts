/** Pages of directories: how many are made at the same time. */
import { expect, it } from 'vitest';
import { type Outcome, SystemError } from '../../../../services/lib/index.ts';
import { DirectoryPages } from '../../../../services/shell/network/httpd/directory-pages.ts';

it('two pages of directories are made at a time, and one that fails keeps no place', () => {
  const asked: ((outcome: Outcome<never>) => void)[] = [];
  const directory = { read_directory: (_: unknown, done: (outcome: Outcome<never>) => void) => asked.push(done) };
  const pages = new DirectoryPages();
  const answers: string[] = [];
  for (const path of ['/a/', '/b/', '/c/', '/d/'])
    pages.make(path, directory as never, (outcome) =>
      answers.push(
        outcome.ok
          ? (/Index of ([^<]*)/.exec(Buffer.from(outcome.value).toString())?.[1] ?? '')
          : path + outcome.error.code,
      ),
    );
  expect(asked).toHaveLength(2);
  asked[0]?.({ ok: false, error: new SystemError('EIO') });
  expect(asked).toHaveLength(3);
  asked[1]?.({ ok: true, value: { entries: [], cursor: null } as never });
  asked[2]?.({ ok: true, value: { entries: [], cursor: null } as never });
  asked[3]?.({ ok: true, value: { entries: [], cursor: null } as never });
  expect(answers).toEqual(['/a/EIO', '/b/', '/c/', '/d/']);
});
