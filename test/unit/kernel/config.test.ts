/** The configuration file: every field, right and wrong. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  ConfigurationError,
  instanceManifest,
  type Manifest,
  parseConfiguration,
  readConfiguration,
} from '../../../kernel/config.ts';
import { defaultConfiguration, programFile } from '../../../kernel/paths.ts';
import { MAX_MANIFEST_NAMES, MAX_MANIFESTS, MAX_NAME_BYTES } from '../../../protocol/bounds.ts';

const init = { name: 'init', entry: 'init' };

const parse = (...services: unknown[]): Manifest[] =>
  parseConfiguration({ services: [init, ...services] }, '/etc/x.json');

function refusal(...services: unknown[]): string {
  try {
    parse(...services);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message;
    throw error;
  }
  return 'accepted';
}

describe('configuration', () => {
  it('fills in what a manifest does not say', () => {
    const [, manifest] = parse({ name: 'x', entry: 'x' });
    expect(manifest).toEqual({
      ...{ name: 'x', enabled: true, start: 'boot', program: false, entry: programFile('x'), command: [], serves: [] },
      ...{
        looksUp: [],
        ioPorts: [],
        irqs: [],
        restart: 'always',
        dependsOn: [],
        memory: 128,
        standby: false,
        essential: false,
        store: 1,
        priority: 16,
        weight: 1024,
      },
      ...{ privileges: [], maySpawn: [] },
    });
  });

  it('knows templates by their sign', () => {
    const [, template] = parse({ name: 'disk@', entry: 'x', store: 4, looksUp: ['ata'] });
    expect(template).toMatchObject({ name: 'disk@', start: 'demand', serves: [], store: 4 });
    if (template === undefined) return;
    expect(instanceManifest(template, 'disk@hda1')).toEqual({ ...template, name: 'disk@hda1', serves: ['disk@hda1'] });
    for (const wrong of [{ serves: ['x'] }, { program: true }, { start: 'boot' }, { store: 0 }, { store: 257 }]) {
      expect(refusal({ name: 'disk@', entry: 'x', ...wrong }), JSON.stringify(wrong)).toContain('disk@');
    }
    expect(refusal({ name: '@', entry: 'x' })).toContain('name');
    expect(refusal({ name: 'a@b', entry: 'x' })).toContain('name');
  });

  it('cannot do without services only', () => {
    expect(parse({ name: 'x', entry: 'x', essential: true })[1]).toMatchObject({ essential: true });
    for (const wrong of [{ program: true }, { name: 'x@' }])
      expect(refusal({ name: 'x', entry: 'x', essential: true, ...wrong })).toContain('essential');
  });

  it('has standbys for services in JavaScript of the usual memory only', () => {
    expect(parse({ name: 'x', entry: 'x', standby: true })[1]).toMatchObject({ standby: true });
    for (const wrong of [{ program: true }, { memory: 256 }, { name: 'x@' }, { entry: undefined, command: ['x'] }]) {
      expect(refusal({ name: 'x', entry: 'x', standby: true, ...wrong }), JSON.stringify(wrong)).toContain('standby');
    }
  });

  it('takes every field', () => {
    const fields = {
      ...{
        name: 'x-1.b_c',
        about: 'for people',
        enabled: false,
        start: 'demand',
        entry: 'code/x.cjs',
        serves: ['p', 'q'],
      },
      ...{
        looksUp: ['*'],
        irqs: [0, 15],
        restart: 'on-failure',
        dependsOn: ['init'],
        memory: 64,
        priority: 0,
        weight: 65_535,
      },
      ...{
        ioPorts: ['0x1f0-0x1F7', '0x3f6', '96-100', '0xffff'],
        privileges: ['signal', 'supervise'],
        maySpawn: ['init'],
      },
    };
    const [, manifest] = parse(fields);
    expect(manifest).toMatchObject({
      ...{ enabled: false, start: 'demand', entry: '/etc/code/x.cjs', serves: ['p', 'q'], irqs: [0, 15], memory: 64 },
      ioPorts: [
        [0x1f0, 0x1f7],
        [0x3f6, 0x3f6],
        [96, 100],
        [0xffff, 0xffff],
      ],
    });
    expect(parse({ name: 'p', command: ['python3', '/x.py'] })[1]).toMatchObject({
      entry: '',
      command: ['python3', '/x.py'],
    });
    expect(parse({ name: 'p', entry: 'test/services/x' })[1]?.entry).toBe(programFile('test/services/x'));
  });

  it('refuses each field when it is wrong, and says which', () => {
    const wrong: [Record<string, unknown>, RegExp][] = [
      [{ name: '' }, /service 2|: : name:/],
      [{ name: 7 }, /service 2: name: expected a name/],
      [{ name: 'with space' }, /with space: name: expected a name/],
      [{ name: '-x' }, /name: expected a name/],
      [{ name: '../x' }, /name: expected a name/],
      [{ name: 'x'.repeat(MAX_NAME_BYTES + 1) }, /name: expected a name/],
      [{ enabled: 'yes' }, /x: enabled: expected true or false/],
      [{ enabled: null, start: 'late' }, /x: start: expected one of boot, demand/],
      [{ program: 1 }, /x: program: expected true or false/],
      [{ program: true, serves: ['p'] }, /x: serves: a program of many tasks cannot serve/],
      [{ entry: undefined }, /x: entry: give either entry or command/],
      [{ command: ['python3'] }, /x: entry: give either entry or command/],
      [{ entry: undefined, command: 'python3' }, /x: command: expected a list of strings/],
      [{ serves: 'p' }, /x: serves: expected a list of strings/],
      [{ serves: ['a b'] }, /x: serves: expected a name/],
      [{ serves: ['p', 'p'] }, /x and x both serve p/],
      [{ looksUp: [1] }, /x: looksUp: expected a list of strings/],
      [{ restart: 'sometimes' }, /x: restart: expected one of always, on-failure, never/],
      [{ dependsOn: {} }, /x: dependsOn: expected a list of strings/],
      [{ irqs: [16] }, /x: irqs: expected a whole number from 0 to 15/],
      [{ irqs: [1.5] }, /x: irqs: expected a whole number/],
      [{ irqs: 14 }, /x: irqs: expected a list of numbers/],
      [{ memory: 63 }, /x: memory: expected a whole number from 64 to 65536/],
      [{ memory: '128' }, /x: memory: expected a whole number/],
      [{ priority: 32 }, /x: priority: expected a whole number from 0 to 31/],
      [{ priority: -1 }, /x: priority/],
      [{ weight: 0 }, /x: weight: expected a whole number from 1 to 65535/],
      [{ privileges: ['root'] }, /x: privileges: unknown privilege root; there are supervise/],
      [{ dependsOn: ['n'.repeat(MAX_NAME_BYTES + 1)] }, /x: dependsOn: a name has 1 to 64 bytes/],
      [{ dependsOn: [''] }, /x: dependsOn: a name has 1 to 64 bytes/],
      [
        { serves: Array.from({ length: MAX_MANIFEST_NAMES + 1 }, (_, index) => `p${index}`) },
        /x: serves: at most 64 names/,
      ],
      [{ maySpawn: [null] }, /x: maySpawn: expected a list of strings/],
      [{ typo: 1 }, /x: unknown field "typo"/],
    ];
    for (const [fields, message] of wrong)
      expect(refusal({ name: 'x', entry: 'x', ...fields }), JSON.stringify(fields)).toMatch(message);
    for (const range of [
      '',
      '0x10000',
      '5-4',
      '0x1f0-',
      '-5',
      '1-2-3',
      'x',
      '1e3',
      ' 5',
      '0x',
      '70000',
      '0x1f0 - 0x1f7',
      '-1-5',
    ])
      expect(refusal({ name: 'x', entry: 'x', ioPorts: [range] }), range).toMatch(
        /x: ioPorts: expected a port or a range/,
      );
    for (const value of [null, 'x', 7, []]) expect(refusal(value)).toMatch(/service 2 is not an object/);
  });

  it('refuses a file whose services do not fit together', () => {
    expect(refusal({ name: 'x', entry: 'x' }, { name: 'x', entry: 'y' })).toMatch(/two services are named x/);
    expect(refusal({ name: 'x', entry: 'x', serves: ['p'] }, { name: 'y', entry: 'y', serves: ['p'] })).toMatch(
      /x and y both serve p/,
    );
    for (const content of [null, [], 'x', {}, { services: {} }])
      expect(() => parseConfiguration(content, 'x.json')).toThrow(/x\.json: expected \{ "services"/);
    const many = Array.from({ length: MAX_MANIFESTS }, (_, index) => ({ name: `n${index}`, entry: 'x' }));
    expect(refusal(...many)).toMatch(/513 services; at most 512 are possible/);
    expect(() => parseConfiguration({ services: [] }, 'x.json')).toThrow(/there has to be a service named init/);
  });

  it('reads files, and names the file that cannot be read', () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'vros-config-'));
    onTestFinished(() => fs.rmSync(folder, { recursive: true }));
    const file = path.join(folder, 'x.json');
    fs.writeFileSync(file, JSON.stringify({ services: [{ name: 'init', entry: './init.cjs' }] }));
    expect(readConfiguration(file)[0]?.entry).toBe(path.join(folder, 'init.cjs'));
    fs.writeFileSync(file, '{ "services": [');
    expect(() => readConfiguration(file)).toThrow(new RegExp(`^${file}: .*JSON`));
    expect(() => readConfiguration(path.join(folder, 'none.json'))).toThrow(/none\.json: ENOENT/);
  });

  it('the standard configuration is right, and its names refer to something', () => {
    const manifests = readConfiguration(defaultConfiguration);
    const names = new Set(manifests.map(({ name }) => name));
    const served = new Set(manifests.flatMap(({ serves }) => serves));
    for (const { name, looksUp, dependsOn, maySpawn } of manifests) {
      for (const other of [...dependsOn, ...maySpawn]) expect(names.has(other), `${name}: ${other}`).toBe(true);
      // The name of a template stands for those of its instances.
      for (const port of looksUp) expect(served.has(port) || names.has(port), `${name} looks up ${port}`).toBe(true);
    }
  });
});
