// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the braces are those of the shell
/** The shell grammar: trees, faults, incomplete input, bounds; and random input, which must never throw. */
import { describe, expect, it } from 'vitest';
import { parse } from '../../../services/shell/parser.ts';
import type { Program, Word, WordPart } from '../../../services/shell/syntax.ts';

function partText(part: WordPart): string {
  if (part.kind === 'text') return part.quoted ? `[${part.text}]` : part.text;
  const inside = `${part.name}${part.operator ?? ''}${part.word.map(partText).join('')}`;
  return part.quoted ? `[\${${inside}}]` : `\${${inside}}`;
}

const wordText = (word: Word): string => word.parts.map(partText).join('');

/** The tree in short: quoted pieces in brackets, words divided by `,`, assignments before a colon. */
function short(program: Program): string[] {
  return program.lists.map(({ items, background }) => {
    const text = items.map(({ operator, pipeline }) => {
      const commands = pipeline.commands.map(({ assignments, words, redirections }) =>
        [
          ...assignments.map(({ name, value }) => `${name}=${wordText(value)}:`),
          words.map(wordText).join(','),
          ...redirections.map((each) => ` ${each.descriptor}${each.operator}${wordText(each.target)}`),
        ].join(''),
      );
      return `${operator ?? ''}${pipeline.negated ? '!' : ''}${commands.join('|')}`;
    });
    return text.join('') + (background ? '&' : '');
  });
}

function program(source: string): Program {
  const result = parse(source);
  if (result.kind !== 'program') throw new Error(JSON.stringify(result));
  return result.program;
}

function message(source: string): string {
  const result = parse(source);
  return result.kind === 'error' ? result.fault.message : result.kind;
}

describe('parse', () => {
  it.each([
    ['', []],
    ['  # nothing\n\n', []],
    ['ps', ['ps']],
    ['  echo  a\tb ', ['echo,a,b']],
    ['a;b\nc', ['a', 'b', 'c']],
    ['a; b;\n', ['a', 'b']],
    ['a && b || c; d', ['a&&b||c', 'd']],
    ['a &&\n\n b', ['a&&b']],
    ['a & b &', ['a&', 'b&']],
    ['! a && ! b', ['!a&&!b']],
    ['echo ! a', ['echo,!,a']],
    ['A=1', ['A=1:']],
    ['A=1 B="x y" cmd C=3', ['A=1:B=[x y]:cmd,C=3']],
    ['A= B=$C', ['A=:B=${C}:']],
    ['"A"=1 A\\=2 1A=3', ['[A]=1,A[=]2,1A=3']],
    [`echo 'a "b" \\ $c' "d 'e' f"`, [`echo,[a "b" \\ $c],[d 'e' f]`]],
    ['echo "a\\"b\\$c\\\\d\\e\\}"', ['echo,[a"b$c\\d\\e\\}]']],
    ["echo a\\ b\\' \\#x", ["echo,a[ ]b['],[#]x"]],
    [`echo "" '' a""`, ['echo,[],[],a[]']],
    ['echo a\\\nb \\\n c', ['echo,ab,c']],
    ['echo "a\\\nb"', ['echo,[ab]']],
    ['echo a#b #c', ['echo,a#b']],
    ['echo $A$B-$1 $10 $? $$ $# $! $@ $*', ['echo,${A}${B}-${1},${1}0,${?},${$},${#},${!},${@},${*}']],
    ['echo ${A}b ${10} ${#} "${?}"', ['echo,${A}b,${10},${#},[${?}]']],
    ['echo ${A:-b c} ${A-} ${A:+"x y"}', ['echo,${A:-b c},${A-},${A:+[x y]}']],
    ['echo "${A:-b \'c\' \\} }"', ["echo,[${A:-[b 'c' } ]}]"]],
    ['echo ${A:-${B:-c}}', ['echo,${A:-${B:-c}}']],
    ['echo $ $- $% a$', ['echo,$,$-,$%,a$']],
    ['a | b |\n c', ['a|b|c']],
    ['a <in >out 2>>log', ['a 0<in 1>out 2>>log']],
    ['a 2 >x 12>y "3">z', ['a,2,[3] 1>x 12>y 1>z']],
    ['>x', [' 1>x']],
    ['a 2>&1 <&3 >|x 2>&- <<<"y z"', ['a 2>&1 0<&3 1>|x 2>&- 0<<<[y z]']],
    ['a<x|b>y', ['a 0<x|b 1>y']],
    ['echo *.c ~ {a,b} a=b', ['echo,*.c,~,{a,b},a=b']],
    ['echo if then', ['echo,if,then']],
  ] as [string, string[]][])('%j', (source, tree) => {
    expect(short(program(source))).toEqual(tree);
  });

  it('keeps the source of each list', () => {
    expect(program(' a  &&  b & c "d"; e # x').lists.map((list) => list.text)).toEqual(['a  &&  b', 'c "d"', 'e']);
  });

  it.each([
    ["echo 'a", 'single quote'],
    ['echo "a', 'double quote'],
    ['echo "a\\', 'backslash'],
    ['echo a\\', 'backslash'],
    ['echo ${A', 'parameter'],
    ['echo "${A:-b"', 'double quote'],
    ['echo ${A:-b', 'parameter'],
    ['a &&', 'command'],
    ['a ||\n', 'command'],
    ['a | # comment\n\n', 'command'],
  ])('%j is incomplete: %s', (source, reason) => {
    expect(parse(source)).toEqual({ kind: 'incomplete', reason });
  });

  it.each([
    ['&& a', "line 1, column 1: syntax error: unexpected '&&'"],
    ['a ;; b', "line 1, column 3: syntax error: unexpected ';;'"],
    ['a; ; b', "line 1, column 4: syntax error: unexpected ';'"],
    ['a &&& b', "line 1, column 5: syntax error: unexpected '&'"],
    ['a && ; b', "line 1, column 6: syntax error: unexpected ';'"],
    ['日本\n a | | b', "line 2, column 6: syntax error: unexpected '|'"],
    ['日 ; ;', "line 1, column 5: syntax error: unexpected ';'"],
    ['(a)', "line 1, column 1: syntax error: unexpected '('"],
    ['a )', "line 1, column 3: syntax error: unexpected ')'"],
    ['a <<x', 'line 1, column 3: here-documents are not supported'],
    ['a 3<> x', 'line 1, column 3: opening a file for reading and writing is not supported'],
    ['a >', 'line 1, column 4: syntax error: unexpected end of input'],
    ['a >\nb', 'line 1, column 4: syntax error: unexpected end of line'],
    ['!', 'line 1, column 2: syntax error: unexpected end of input'],
    ['! ! a', "line 1, column 3: syntax error: unexpected '!'"],
    ['if true', "line 1, column 1: 'if' is not supported by this shell"],
    ['a; while', "line 1, column 4: 'while' is not supported by this shell"],
    ['echo $(a)', 'line 1, column 6: command substitution is not supported'],
    ['echo $((1+1))', 'line 1, column 6: arithmetic expansion is not supported'],
    ['echo "x`a`"', 'line 1, column 8: command substitution is not supported'],
    ['echo ${A:x}', 'line 1, column 6: bad substitution'],
    ['echo ${}', 'line 1, column 6: bad substitution'],
    ['; echo $(a)', "line 1, column 1: syntax error: unexpected ';'"],
    ["; 'open", "line 1, column 1: syntax error: unexpected ';'"],
  ])('%j is wrong: %s', (source, text) => {
    expect(message(source)).toBe(text);
  });

  it('names what was found and where', () => {
    const result = parse('ps ;; ls');
    expect(result).toMatchObject({ kind: 'error', fault: { position: 3, found: ';;' } });
  });
});

describe('bounds', () => {
  it('takes 65536 characters and no more', () => {
    expect(message(`echo ${'x'.repeat(65531)}`)).toBe('program');
    expect(message(`echo ${'x'.repeat(65532)}`)).toMatch('more than 65536 characters');
  });

  it('takes 8192 words and no more', () => {
    expect(message('a '.repeat(8192))).toBe('program');
    expect(message('a '.repeat(8193))).toMatch('more than 8192 words');
  });

  it('takes 16 nested parameters and no more', () => {
    const nested = (depth: number): string => `echo ${'${A:-'.repeat(depth)}x${'}'.repeat(depth)}`;
    expect(message(nested(16))).toBe('program');
    expect(message(nested(17))).toMatch('nested too deeply');
    expect(message(nested(5000))).toMatch('nested too deeply');
  });
});

describe('random input', () => {
  it('never makes the parser throw, and a prefix of a program is no worse than incomplete where a quote is open', () => {
    const seed = Math.floor(Math.random() * 2 ** 32);
    let state = seed;
    const random = (below: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const pieces = [
      ...['a', 'echo', ' ', ' ', '\n', ';', '&', '&&', '|', '||', '!', '<', '>', '>>', '2>', '(', ')', '#', '=', 'A='],
      ...[
        '"',
        '"',
        "'",
        "'",
        '\\',
        '$',
        '${',
        '}',
        '${A',
        ':-',
        '-',
        '+',
        '$1',
        '$?',
        '`',
        '日',
        '\u{d800}',
        '\0',
        'if',
      ],
    ];
    const kinds = new Set<string>();
    for (let round = 0; round < 20000; round += 1) {
      const source = Array.from({ length: random(16) }, () => pieces[random(pieces.length)] ?? '').join('');
      const where = `seed ${seed} round ${round} source ${JSON.stringify(source)}`;
      const result = parse(source);
      kinds.add(result.kind);
      if (result.kind === 'error') {
        expect(result.fault.position, where).toBeGreaterThanOrEqual(0);
        expect(result.fault.position, where).toBeLessThanOrEqual(source.length);
        expect(result.fault.message, where).toMatch(/^line [0-9]+, column [0-9]+: ./);
      } else if (result.kind === 'program') {
        for (const list of result.program.lists) {
          expect(source, where).toContain(list.text);
          const again = parse(list.text);
          expect(again.kind, where).toBe('program');
        }
      }
    }
    expect([...kinds].sort()).toEqual(['error', 'incomplete', 'program']);
  });
});
