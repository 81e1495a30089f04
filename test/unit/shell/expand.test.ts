// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the braces are those of the shell
/** Expansion of words: parameters, quotes, field splitting, assignments, bounds. */
import { describe, expect, it } from 'vitest';
import { type ExpansionContext, type ExpansionResult, expandCommand } from '../../../services/shell/expand.ts';
import { parse } from '../../../services/shell/parser.ts';

const variables = new Map([
  ['A', 'one'],
  ['B', 'two  three'],
  ['SPACE', ' x '],
  ['EMPTY', ''],
]);

const context: ExpansionContext = {
  variable: (name) => variables.get(name),
  commandName: 'shell',
  arguments: ['first', 'second word'],
  status: 3,
  pid: 42,
  backgroundPid: null,
  paths: () => [],
};

function expand(source: string, changes: Partial<ExpansionContext> = {}): ExpansionResult {
  const result = parse(source);
  const command = result.kind === 'program' ? result.program.lists[0]?.items[0]?.pipeline.commands[0] : undefined;
  if (command === undefined) throw new Error('no command');
  return expandCommand(command, { ...context, ...changes });
}

function words(source: string, changes: Partial<ExpansionContext> = {}): readonly string[] {
  const result = expand(source, changes);
  if (result.kind === 'error') throw new Error(result.message);
  return result.command.words;
}

describe('words', () => {
  it.each([
    ['$A ${A}s $Ab', ['one', 'ones']],
    ['x$B', ['xtwo', 'three']],
    ['"x$B"y', ['xtwo  threey']],
    ["'$A' \\$A", ['$A', '$A']],
    ['a${SPACE}b', ['a', 'x', 'b']],
    ['$SPACE', ['x']],
    ['"$SPACE"', [' x ']],
    ['$EMPTY $NONE', []],
    ['"$EMPTY" "$NONE" \'\'', ['', '', '']],
    ['a$EMPTY', ['a']],
    ['"a b"\' c\'d', ['a b cd']],
    [
      '$? $$ $# $0 $1 $2 "$2" $3 ${2}',
      ['3', '42', '2', 'shell', 'first', 'second', 'word', 'second word', 'second', 'word'],
    ],
    ['$!', []],
    ['$@', ['first', 'second', 'word']],
    ['"$@"', ['first', 'second word']],
    ['"a$@b"', ['afirst', 'second wordb']],
    ['$*', ['first', 'second', 'word']],
    ['"$*"', ['first second word']],
    ['${NONE:-x y} "${NONE:-x y}"', ['x', 'y', 'x y']],
    ['${NONE:-"x y"}', ['x y']],
    ['${A:-x} ${EMPTY:-x} ${EMPTY-x}', ['one', 'x']],
    ['${NONE:-$B}', ['two', 'three']],
    ['${NONE:-${NONE2:-z}}', ['z']],
    ['"${NONE:-}" ${NONE:-}', ['']],
    ['${A:+x y} ${EMPTY:+x} ${EMPTY+y} ${NONE+x} "${NONE:+x}"', ['x', 'y', 'y', '']],
    ['${#} $', ['2', '$']],
    ['* {a,b} [x] "*" \\*', ['*', '{a,b}', '[x]', '*', '*']],
    ['~ ~/x ~x "~" \\~ a~ ~"x" ~$A ~/$A ~/', ['/', '/x', '~x', '~', '~', 'a~', '~x', '~one', '/one', '/']],
  ] as [string, string[]][])('%s', (source, expected) => {
    expect(words(`echo ${source}`)).toEqual(['echo', ...expected]);
  });

  it('has no field for "$@" without arguments, and the pid of the last background command', () => {
    expect(words('echo "$@" x', { arguments: [] })).toEqual(['echo', 'x']);
    expect(words('echo "$*" $#', { arguments: [] })).toEqual(['echo', '', '0']);
    expect(words('echo $!', { backgroundPid: 17 })).toEqual(['echo', '17']);
  });

  it('may leave no command at all', () => {
    expect(words('$NONE')).toEqual([]);
  });
});

describe('assignments', () => {
  it('are not split, come in order, and the words do not see them', () => {
    expect(expand('X=$B Y=a"$X"$* Z= echo $X')).toEqual({
      kind: 'command',
      command: {
        words: ['echo'],
        redirections: [],
        assignments: [
          { name: 'X', value: 'two  three' },
          { name: 'Y', value: 'atwo  threefirst second word' },
          { name: 'Z', value: '' },
        ],
      },
    });
  });
});

describe('patterns', () => {
  const asked: string[] = [];
  const paths = (pattern: string): string[] => {
    asked.push(pattern);
    return pattern.startsWith('no') ? [] : ['a b', 'c*'];
  };

  it.each([
    ['*.c "x"*[1-9] y', ['*.c', 'x*[1-9]'], ['a b', 'c*', 'a b', 'c*', 'y']],
    ['"*"? \\[a]* "[a]*"', ['\\*?', '\\[a]*'], ['a b', 'c*', 'a b', 'c*', '[a]*']],
    ['no* "no*"', ['no*'], ['no*', 'no*']],
    ['$STAR "$STAR" $SLASHED', ['*', '\\\\*'], ['a b', 'c*', '*', 'a b', 'c*']],
    ['${NONE:-*} "${NONE:-*}" ${NONE:-"*"}', ['*'], ['a b', 'c*', '*', '*']],
    ['[a [] a]', ['[a', '[]'], ['a b', 'c*', 'a b', 'c*', 'a]']],
    ['~/*', ['/*'], ['a b', 'c*']],
  ] as [string, string[], string[]][])('%s asks for %j', (source, patterns, expected) => {
    asked.length = 0;
    const values: Readonly<Record<string, string>> = { STAR: '*', SLASHED: '\\*' };
    const changes = { paths, variable: (name: string) => values[name] };
    expect(words(`echo ${source}`, changes)).toEqual(['echo', ...expected]);
    expect(asked).toEqual(patterns);
  });

  it('are not looked for in assignments', () => {
    expect(expand('X=* Y=~/* Z="~"', { paths })).toMatchObject({
      command: { assignments: [{ value: '*' }, { value: '/*' }, { value: '~' }] },
    });
  });
});

describe('redirections', () => {
  const redirections = (source: string, changes: Partial<ExpansionContext> = {}): unknown => {
    const result = expand(source, changes);
    return result.kind === 'error' ? result.message : result.command.redirections.map(({ target }) => target);
  };

  it('have one path each', () => {
    expect(redirections('echo <$A >"$B" 2>~/x 3>&1 <<<$B')).toEqual(['one', 'two  three', '/x', '1', 'two  three']);
    expect(redirections('echo >f*', { paths: () => ['foo'] })).toEqual(['foo']);
    expect(redirections('echo >f*')).toEqual(['f*']);
  });

  it('are refused when they have several or none', () => {
    expect(redirections('echo >$B')).toBe("two three: ambiguous target of '>'");
    expect(redirections('echo <*', { paths: () => ['a', 'b'] })).toBe("a b: ambiguous target of '<'");
    expect(redirections('echo >>$NONE')).toBe(": ambiguous target of '>>'");
  });
});

describe('bounds', () => {
  const long = { variable: () => 'x'.repeat(60000) };

  it('refuses what expands to more than 256 Ki characters', () => {
    expect(words('echo $X$X$X$X', long)[1]?.length).toBe(240000);
    for (const source of ['echo $X$X$X$X$X', 'echo $X $X $X $X $X', 'Y=$X$X$X$X$X', 'Y=$X$X Z=$X$X W=$X']) {
      expect(expand(source, long).kind).toBe('error');
    }
  });

  it('refuses more than 8192 fields', () => {
    expect(expand('echo $X', { variable: () => 'a '.repeat(8000) }).kind).toBe('command');
    expect(expand('echo $X', { variable: () => 'a '.repeat(9000) }).kind).toBe('error');
  });

  it('gives up early', () => {
    const source = `echo ${'$X'.repeat(30000)}`;
    let asked = 0;
    const result = expand(source, {
      variable: () => {
        asked += 1;
        return 'x'.repeat(65536);
      },
    });
    expect(result.kind).toBe('error');
    expect(asked).toBeLessThan(10);
  });
});
