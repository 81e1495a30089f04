// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the braces are those of the shell
/** Completion: which word, of which kind, with which quotes. */
import { describe, expect, it } from 'vitest';
import { type ArgumentCompleter, complete } from '../../../services/shell/completion.ts';

const commands = new Map<string, ArgumentCompleter | null>([
  ['echo', null],
  [
    'service',
    (words) => (words.length === 1 ? ['start', 'stop', 'list'] : ['ata', 'tty', 'my service', "it's", 'a$b']),
  ],
  ['sched', () => ['rr', 'cfs']],
  ['ps', null],
]);
const source = { commands, variables: ['HOME', 'HOST', 'PATH'] };

/** Completes at the mark `|`, or at the end. */
function completed(marked: string): [number, ...string[]] {
  const at = marked.indexOf('^');
  const text = at < 0 ? marked : marked.slice(0, at) + marked.slice(at + 1);
  const { start, candidates } = complete(text, at < 0 ? text.length : at, source);
  return [start, ...candidates];
}

describe('complete', () => {
  it.each([
    ['', [0, 'echo', 'ps', 'sched', 'service']],
    ['s', [0, 'sched', 'service']],
    ['se^rv', [0, 'service']],
    ['ps; s', [4, 'sched', 'service']],
    ['ps && ! s', [8, 'sched', 'service']],
    ['ps | p', [5, 'ps']],
    ['ps &\np', [5, 'ps']],
    ['A=1 p', [4, 'ps']],
    ['A=p', [0]],
    ['x', [0]],
    ['service ', [8, 'list', 'start', 'stop']],
    ['service st', [8, 'start', 'stop']],
    ['service start ', [14, 'a\\$b', 'ata', "it\\'s", 'my\\ service', 'tty']],
    ['service start my', [14, 'my\\ service']],
    ['service start my\\ s', [14, 'my\\ service']],
    ['service start my\\', [14, 'my\\ service']],
    ['service start "my', [14, '"my service"']],
    ['service start "my s', [14, '"my service"']],
    ["service start 'my", [14, "'my service'"]],
    ['service start "a$', [16, '$HOME', '$HOST', '$PATH']],
    ['service start "a\\$', [14, '"a\\$b"']],
    ["service start 'a$", [14, "'a$b'"]],
    ["service start 'i", [14, "it\\'s"]],
    ["'sched' ", [8, 'cfs', 'rr']],
    ['sched\\\n ', [8, 'cfs', 'rr']],
    ['echo ', [5]],
    ['none ', [5]],
    ['echo $', [5, '$HOME', '$HOST', '$PATH']],
    ['echo a$HO', [6, '$HOME', '$HOST']],
    ['echo ${P', [5, '${PATH}']],
    ['echo "${P', [6, '${PATH}']],
    ['$HOME/x', [7]],
    ['service $X', [8]],
    ['service $X ', [11, 'a\\$b', 'ata', "it\\'s", 'my\\ service', 'tty']],
    ['ps # s', [6]],
    ['ps > s', [5]],
    ['ps > s s', [7]],
    ['> f s', [4, 'sched', 'service']],
    ['echo $(s', [8]],
    ['if s', [3]],
  ] as [string, [number, ...string[]]][])('%j', (text, expected) => {
    expect(completed(text)).toEqual(expected);
  });

  const names = ['dir/', 'data', "it's", 'a b', 'my dir/', '.hidden'];
  const withPaths = {
    ...source,
    operands: new Map([
      ['cd', 'directories'],
      ['ps', 'none'],
    ] as const),
    commands: new Map([...commands, ['cd', null] as const]),
    paths: (typed: string, directoriesOnly: boolean) => {
      const directory = /^.*\//s.exec(typed)?.[0] ?? '';
      return names.filter((name) => !directoriesOnly || name.endsWith('/')).map((name) => directory + name);
    },
  };

  it.each([
    ['echo d', [5, 'data', 'dir/']],
    ['echo x | echo d', [14, 'data', 'dir/']],
    ['echo dir/d', [5, 'dir/data', 'dir/dir/']],
    ['echo /d', [5, '/data', '/dir/']],
    ['echo ~/d', [5, '~/data', '~/dir/']],
    ['echo "~/d', [5, '"~/data"', '"~/dir/']],
    ['echo a', [5, 'a\\ b']],
    ['echo "my', [5, '"my dir/']],
    ["echo 'my", [5, "'my dir/"]],
    ['echo my', [5, 'my\\ dir/']],
    ['echo "my dir/d', [5, '"my dir/data"', '"my dir/dir/']],
    ["echo 'i", [5, "it\\'s"]],
    ['cd ', [3, 'dir/', 'my\\ dir/']],
    ['ps d', [3]],
    ['service s', [8, 'start', 'stop']],
    ['echo -d', [5]],
    ['ps > d', [5, 'data', 'dir/']],
    ['ps 2>>d', [6, 'data', 'dir/']],
    ['<d', [1, 'data', 'dir/']],
    ['ps 2>&d', [7]],
    ['ps <<<d', [7]],
    ['d', [0]],
    ['~/d', [0]],
    ['unknown d', [8, 'data', 'dir/']],
  ] as [string, [number, ...string[]]][])('%j with paths', (text, expected) => {
    const { start, candidates } = complete(text, text.length, withPaths);
    expect([start, ...candidates]).toEqual(expected);
  });

  it('leaves out values with control characters and doubles', () => {
    const wild = { commands: new Map([['x', () => ['a\x1b[2J', 'a\nb', 'a', 'a', 'a\u0085']]]), variables: [] };
    expect(complete('x ', 2, wild).candidates).toEqual(['a']);
  });
});
