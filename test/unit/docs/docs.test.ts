/** What the documentation says is so: generated parts are up to date, and what it names exists. */
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { sectionNames } from '../../../docs/generate/text.ts';
import { page, pages, sections } from '../../../docs/generate.ts';
import { parseConfiguration } from '../../../kernel/config.ts';
import { usage } from '../../../kernel/options.ts';
import packageDescription from '../../../package.json' with { type: 'json' };
import { HEADER_BYTES, MAX_OUTSTANDING_CALLS } from '../../../protocol/bounds.ts';
import { FrameCutter } from '../../../protocol/frame.ts';
import { systemCalls } from '../../../protocol/syscall.ts';
import { commands } from '../../../services/shell/commands/index.ts';
import { parse } from '../../../services/shell/parser.ts';

const root = path.resolve(import.meta.dirname, '../../..');
const read = (name: string): string => fs.readFileSync(path.join(root, name), 'utf8');
const names = [
  'README.md',
  ...fs
    .readdirSync(path.join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

/** Code and anything else that is not prose: fenced blocks by their language. */
function fences(text: string): { language: string; code: string }[] {
  return [...text.matchAll(/^```(\S*)\n([\s\S]*?)^```$/gm)].map(([, language = '', code = '']) => ({ language, code }));
}

/** The anchors of a page, as GitHub makes them from headings. */
function anchors(text: string): Set<string> {
  const headings = [...text.replace(/^```[\s\S]*?^```$/gm, '').matchAll(/^#+ (.+)$/gm)];
  return new Set(
    headings.map(([, title = '']) =>
      title
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replace(/\s/g, '-'),
    ),
  );
}

describe('generated sections', () => {
  it.each(pages.map((name) => [name]))('%s is what `npm run docs` makes', (name) => {
    const { present, wanted } = page(name);
    expect(present).toBe(wanted);
  });

  it('stand on some page, each one', () => {
    const used = pages.flatMap((name) => sectionNames(read(name)));
    expect([...new Set(used)].sort()).toEqual(Object.keys(sections).sort());
  });

  it('name every system call', () => {
    const text = read('docs/system-calls.md');
    for (const name of Object.keys(systemCalls)) expect(text).toContain(`### ${name}\n`);
  });
});

describe('the example of the protocol', () => {
  it('is made of whole frames', () => {
    const [, text = ''] =
      /<!-- generated: example -->([\s\S]*?)<!-- end of example -->/.exec(read('docs/protocol.md')) ?? [];
    const dumps = fences(text).map(({ code }) => code);
    expect(dumps.length).toBe(9);
    for (const dump of dumps) {
      const lines = dump.trimEnd().split('\n');
      const bytes = Buffer.from(lines.map((line) => line.slice(5, 52).replaceAll(' ', '')).join(''), 'hex');
      const offsets = lines.map((line) => Number(line.slice(0, 3)));
      expect(offsets[0]).toBe(0);
      const frames: number[] = [];
      const cutter = new FrameCutter(
        (_buffer, start, end) => frames.push(end - start),
        () => frames.push(-1),
      );
      cutter.feed(bytes, 0, bytes.length);
      expect(frames).toEqual([bytes.length]);
      expect(bytes.readUInt32LE(0)).toBe(bytes.length - HEADER_BYTES);
    }
  });
});

describe('every page', () => {
  it.each(names.map((name) => [name]))('%s names only scripts and options that exist', (name) => {
    const text = read(name);
    for (const [, script = ''] of text.matchAll(/\bnpm run (?:--silent )?([a-z:-]+)/g))
      expect(Object.keys(packageDescription.scripts)).toContain(script);
    const known = new Set([...usage.matchAll(/--[a-z-]+/g)].map(([option]) => option));
    // hdb and hdc stand between hda and hdd, and these belong to other programs.
    for (const option of ['--hdb', '--hdc']) known.add(option);
    for (const [, option = ''] of text.matchAll(/`npm (?:start|run dev) -- ([^`]*)`/g))
      for (const [word] of option.matchAll(/--[a-z-]+/g)) expect(known).toContain(word);
    for (const [, option = ''] of text.matchAll(/(?<![\w-])`(--[a-z-]+)/g))
      expect([...known, ...otherOptions]).toContain(option);
  });

  it.each(names.map((name) => [name]))('%s has links that lead somewhere', (name) => {
    const text = read(name);
    for (const [, target = ''] of text.matchAll(/\]\(([^)]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [file = '', anchor] = target.split('#');
      const linked = file === '' ? path.join(root, name) : path.join(root, path.dirname(name), file);
      expect(fs.existsSync(linked), `${target} in ${name}`).toBe(true);
      if (anchor !== undefined) expect(anchors(fs.readFileSync(linked, 'utf8')), target).toContain(anchor);
    }
  });

  it.each(names.map((name) => [name]))('%s shows listings as their files have them', (name) => {
    for (const [, file = '', listing = ''] of read(name).matchAll(/<!-- file: (\S+) -->\n```\w+\n([\s\S]*?)```/g)) {
      const text = read(file);
      if (!file.endsWith('.json')) {
        expect(listing).toBe(text);
        continue;
      }
      const shown = JSON.parse(listing) as { name: string };
      const all = JSON.parse(text) as { services: { name: string }[] };
      expect(all.services.find((manifest) => manifest.name === shown.name)).toEqual(shown);
    }
  });

  it.each(names.map((name) => [name]))('%s uses shell commands that exist', (name) => {
    const shells = fences(read(name)).flatMap(({ code }) => [...code.matchAll(/^vros\$ (.+)$/gm)]);
    const known = new Set(commands.map((command) => command.name));
    for (const [, line = ''] of shells) {
      const parsed = parse(line);
      expect(parsed.kind, line).toBe('program');
      expect(known, line).toContain(/^(?:[A-Z]\w*=\S* )*(\w+)/.exec(line)?.[1]);
    }
  });
});

describe('the page on the configuration', () => {
  it('has every field of a manifest, and none that does not exist', () => {
    const [, text = ''] = /## The fields of a manifest\n([\s\S]*?)\n## /.exec(read('docs/configuration.md')) ?? [];
    const [fields = '', privileges = ''] = text.split('| privilege |');
    const namesOf = (table: string): string[] => [...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, field = '']) => field);
    const [init] = parseConfiguration({ services: [{ name: 'init', entry: 'init' }] }, '/services.json');
    expect(namesOf(fields).sort()).toEqual([...Object.keys(init ?? {}), 'about'].sort());
    for (const privilege of namesOf(privileges)) {
      const [manifest] = parseConfiguration(
        { services: [{ name: 'init', entry: 'init', privileges: [privilege] }] },
        '/services.json',
      );
      expect(manifest?.privileges).toEqual([privilege]);
    }
  });

  it('has the bound on calls of a task', () => {
    const bound = `${MAX_OUTSTANDING_CALLS.toLocaleString('en')} calls of this task`;
    expect(read('docs/system-calls.md')).toContain(bound);
  });

  it('has the defaults of a manifest', () => {
    const text = read('docs/configuration.md');
    const [init] = parseConfiguration({ services: [{ name: 'init', entry: 'init' }] }, '/services.json');
    for (const field of ['memory', 'store', 'priority', 'weight'] as const)
      expect(text).toMatch(new RegExp(`^\\| \`${field}\` \\| [^|]+ \\| ${init?.[field]} \\|`, 'm'));
  });
});

/** Options of other programs that the pages mention. */
const otherOptions = [
  '--max-old-space-size',
  '--no-memory-reducer',
  '--silent',
  '--json',
  '--only',
  '--rounds',
  '--netdev',
  '--help',
  '--long',
];
