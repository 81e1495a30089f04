/** Commands on files, pipelines and redirections in whole machines; where the host's shell has the same, beside it. */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runCommands } from '../support/machine.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vros-files-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

let cases = 0;

/** What the host's shell makes of a script, in an empty directory. */
function onHost(script: string): string {
  cases += 1;
  const directory = path.join(folder, `case${cases}`);
  fs.mkdirSync(directory);
  const environment = { PATH: process.env.PATH, LC_ALL: 'C.UTF-8' };
  return spawnSync('sh', ['-c', script], { cwd: directory, env: environment, encoding: 'utf8' }).stdout;
}

const scripts: Readonly<Record<string, string>> = {
  'pipelines of three and more': `
seq 1 100 | sort -rn | head -n 3
seq 20 | grep 1 | sort -r | head -n 2 | cat -n
yes | head -n 2; echo $?
true | false; echo $?; false | true; echo $?; ! true | false; echo $?
echo a b c | wc -w; echo x | cat - | cat | cat | cat
seq 100000 | tail -n 1
echo "no newline" | head -c 2; echo
cat < /dev/null | wc -c
`,
  redirections: `
echo one > f; echo two >> f; cat f; cat < f; wc -l < f
> empty; wc -c empty; cat 2> /dev/null < missing || echo failed
cat missing > out 2> err; echo $?; wc -c < out; wc -l < err
cat f missing > both 2>&1; wc -l < both
cat missing 2>&1 > g | wc -l; wc -c < g
echo three >| f; cat f; echo x > f > h; wc -c f h
echo to error >&2; echo again 1>&2 2> /dev/null
A=name; echo y > "$A file"; cat name*; < f cat; > i echo hidden; cat i
echo stage > s1 | cat; cat s1; seq 5 | cat > s2 | wc -c; wc -l < s2
seq 3 > t; while_not=1; cat < t > u; cmp t u && echo same
dd if=f of=g 2> err; wc -c g; grep -c bytes err
`,
  'redirections that fail in pipelines, whose messages are read there': `
echo a 2>&1 > no/o | wc -l; cat 2>&1 < no | wc -l; echo $?; true | ls 2>&1 < no | cat | wc -l
seq 3 | cat 2> e < no > o || echo failed; wc -l < e; ls o 2> /dev/null || echo none
echo a > h 2> /dev/null < no | cat; wc -c < h; > g | cat; echo $?; wc -c < g
ls 2>&1 < no | wc -l & wait; yes | cat 2> /dev/null < no || echo failed
jobs --none 2>&1 | grep -c jobs: | head -c 1; echo
`,
  patterns: `
mkdir d e; touch a.c b.c d/x.c e/y.c .hidden 'a b' '*'
echo *; echo *.c; echo */*.c; echo .h*; echo '*' "*" \\*; echo [ab].c; echo no*; echo d*; echo ?.c
echo */; echo ./*.c; A='*.c'; echo $A "$A"; echo [!a]*; cat a*b | wc -c; ls *.c | sort
`,
  'copying, moving and removing': `
mkdir -p x/y/z; echo 1 > x/a; echo 2 > x/y/b; ln -s a x/link; mkdir -p x/y
cp x/a c; cat c; cp -r x w; cat w/y/b w/link; find w | sort
cp x/a x/y; cat x/y/a; cp x/a x/y/b w/y/z; ls w/y/z
cp x q 2> /dev/null; echo $?; cp none q 2> /dev/null; echo $?
cp x/a x/a 2> /dev/null; echo $?; cp -r x x/y/in 2> /dev/null; echo $?; ls x
mv c moved; cat moved; mv moved x; ls x; mv x/y x/z2; ls x; mv none n 2> /dev/null; echo $?
rm x/a; ls x; rm x 2> /dev/null; echo $?; rm none 2> /dev/null; echo $?; rm -f none; echo $?
rm -r x; ls; rmdir w 2> /dev/null; echo $?; mkdir w 2> /dev/null; echo $?; rm -rf w none; ls
mkdir a b; echo 3 > a/f; mv a b; cat b/a/f; rmdir b/a 2> /dev/null; echo $?
`,
  'links and names': `
echo t > file; ln file hard; ln -s file soft; cat hard soft; echo more >> hard; cat file
rm file; cat hard; cat soft 2> /dev/null; echo $?; ln -s nowhere dangling; ls
ln -s d1 loop1; ln -s loop1 d1; cat loop1 2> /dev/null; echo $?
mkdir dir; ln hard dir; ls dir; ln -s ../hard dir/up; cat dir/up; cd dir; pwd | grep -c dir; cat ../hard; cd ..
find . -type l | sort; find . -name 'h*' | sort; find . -maxdepth 1 -type d | sort; find dir -size -1k -type f | sort
`,
  'ends of texts': `
seq 1000 > n; head n | tail -n 1; head -n 0 n; tail -n 3 n; tail -n +998 n; head -c 5 n; tail -c 5 n; tail -c +3890 n
head -2 n n; tail -1 n; cat n | tail -n 2; cat n | tail -c 3; head -n 1 n missing 2> /dev/null; echo $?
wc -l n; wc -w n; wc -c n; cat n n | wc -l; cat -n n | head -2; cat - n < n | wc -l
`,
  'searching and sorting': `
seq 50 > n; grep 7 n; grep -c 1 n; grep -v 1 n | wc -l; grep -n 33 n; grep -q 5 n; echo $?; grep x n; echo $?
grep -E '^(1|2)0$' n; grep -F . n; grep '^4[2-4]$' n; grep -i A n; echo aAb | grep -i AAB; grep -x 1 n
mkdir d; echo needle > d/a; echo hay > d/b; grep -r needle d; grep -l needle d/a d/b; grep needle d/a d/b; grep -h needle d/*
grep x missing 2> /dev/null; echo $?; grep -r needle d missing 2> /dev/null; echo $?
seq 12 | sort; seq 12 | sort -n | head -3; seq 3 | sort -r; echo b > x; echo a >> x; echo b >> x; sort -u x; sort x x | wc -l
sort x missing 2> /dev/null || echo $?
grep -c '' n /dev/null
`,
  'sums, copies and comparisons': `
seq 10000 > n; sha256sum n; sha256sum < n; sha256sum n > sums; sha256sum -c sums; echo x >> n; sha256sum -c sums 2> /dev/null; echo $?
cp n m; cmp n m; echo $?; echo y >> m; cmp -s n m; echo $?
dd if=n of=k bs=100 count=3 2> /dev/null; wc -c k; dd if=n of=k bs=10 skip=2 seek=1 count=1 conv=notrunc 2> /dev/null; wc -c k
dd if=n bs=4 count=2 2> /dev/null; seq 3 | dd bs=2 skip=1 2> /dev/null; dd if=n of=z bs=1K seek=2 count=1 2> /dev/null; wc -c z
dd if=missing of=q 2> /dev/null; echo $?
seq 5 | tee t1 t2 | tail -n 1; cat t1 t2 | wc -l; seq 2 | tee -a t1 > /dev/null; wc -l t1
seq 3 2 9; seq 3 -1 1
`,
};

describe("what the host's shell does too", () => {
  it.each(Object.keys(scripts))('%s', async (name) => {
    const script = scripts[name] ?? '';
    const { stdout } = await runCommands(`mkdir work; cd work\n${script}`);
    // Errors go to the terminal, as output does; the host's were left out.
    expect(stdout.replace(/^(?:to error|again)\n/gm, '')).toBe(onHost(script));
  });
});

describe('sort', () => {
  it('prints nothing of more than it can sort', async () => {
    const { stdout } = await runCommands('yes | sort > out; echo $?; wc -c < out');
    expect(stdout).toBe('sort: more than 32 MiB or 1000000 lines cannot be sorted\n2\n0\n');
  });
});
