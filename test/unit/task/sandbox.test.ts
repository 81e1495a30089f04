/** The command line that starts a task, for hosts with and without the tools. */
import { describe, expect, it } from 'vitest';
import { commandLine, type HostTools, layersInForce, type SandboxRequest } from '../../../kernel/task/sandbox.ts';
import { taskFlags } from '../../../loader/engine.ts';

const everything: HostTools = {
  namespaces: 'bwrap',
  ownProc: true,
  prlimit: true,
  setpriv: true,
  libraries: ['/lib/libc.so.6', '/lib64/ld.so'],
  codeMebibytes: 512,
};
const nothing: HostTools = {
  ...{ namespaces: 'none', ownProc: false, prlimit: false, setpriv: false, libraries: [], codeMebibytes: 0 },
};
const standard: SandboxRequest = {
  layers: ['permission', 'namespaces', 'lock-down'],
  tools: everything,
  loader: '/code/start.cjs',
  readable: ['/code', '/more'],
  memory: 64,
  command: [],
  inspected: false,
  fromSources: false,
};

function line(changes: Partial<SandboxRequest>): string {
  return commandLine({ ...standard, ...changes }).join(' ');
}

describe('layers in force', () => {
  it('are those asked for that the host has', () => {
    expect(layersInForce(standard)).toEqual(['permission', 'namespaces', 'lock-down']);
    expect(layersInForce({ ...standard, tools: nothing })).toEqual(['permission', 'lock-down']);
    expect(layersInForce({ ...standard, tools: { ...nothing, namespaces: 'unshare' } })).toEqual([...standard.layers]);
    expect(layersInForce({ ...standard, layers: ['lock-down'] })).toEqual(['lock-down']);
    expect(layersInForce({ ...standard, layers: [] })).toEqual([]);
  });

  it('leave out what a debugger, other languages and the sources cannot run under', () => {
    expect(layersInForce({ ...standard, inspected: true })).toEqual([]);
    expect(layersInForce({ ...standard, command: ['python3', '/x/main.py'] })).toEqual(['namespaces']);
    expect(layersInForce({ ...standard, fromSources: true })).toEqual([]);
  });
});

describe('the command line', () => {
  it('shows a task its engine, libraries and code, read-only, and nothing else', () => {
    const words = line({});
    expect(words).toMatch(
      /prlimit --data=\d+ --core=0 -- \S*bwrap --unshare-all --die-with-parent --as-pid-1 --cap-drop ALL/,
    );
    const binds = [...words.matchAll(/--(?:ro-)?bind(?:-try)? (\S+) (\S+)/g)].map(([, from]) => from);
    expect(binds).toEqual(['/lib/libc.so.6', '/lib64/ld.so', process.execPath, '/usr/share/nodejs', '/code', '/more']);
    expect(words).not.toMatch(/ --bind |--dev|--proc /);
    expect(words).toContain('--remount-ro / --chdir / -- ');
    expect(words).toMatch(/--allow-fs-read=\/code\/\* --allow-fs-read=\/more\/\*/);
    expect(words).not.toMatch(/--allow-(fs-write|child-process|worker|addons)/);
    expect(words).toMatch(/ --disallow-code-generation-from-strings .* \/code\/start\.cjs --lock-down$/);
  });

  it('shows the library folders of the host when the libraries are not known', () => {
    expect(line({ tools: { ...everything, libraries: [] } })).toContain('--ro-bind-try /usr/lib /usr/lib');
  });

  it('gives the capabilities of a user namespace up and ends with the kernel under unshare', () => {
    const words = line({ tools: { ...everything, namespaces: 'unshare' } });
    expect(words).toMatch(
      /setpriv --pdeathsig KILL -- \S*unshare --user --map-root-user --net --ipc --uts --pid --mount --mount-proc/,
    );
    expect(words).toMatch(/--kill-child -- \S*setpriv --no-new-privs --inh-caps=-all --bounding-set=-all -- /);
    expect(line({ tools: { ...everything, namespaces: 'unshare', ownProc: false } })).not.toContain('--mount-proc');
  });

  it('leaves room for the engine above what the program may have, and for the code it reserves', () => {
    const limit = (changes: Partial<SandboxRequest>): number =>
      Number(/--data=(\d+)/.exec(line(changes))?.[1]) / 2 ** 20;
    expect(limit({})).toBe(64 + 128 + 512);
    expect(limit({ tools: { ...everything, codeMebibytes: 0 } })).toBe(64 + 128);
    expect(limit({ command: ['/usr/bin/env'] })).toBe(64);
  });

  it('needs no tool of the host', () => {
    expect(commandLine({ ...standard, tools: nothing, layers: [] })).toEqual([
      process.execPath,
      '--no-warnings',
      ...taskFlags(64, false),
      '/code/start.cjs',
    ]);
  });

  it('runs a command of another language among the programs of the host', () => {
    const words = line({ command: ['/usr/bin/env', 'x'], readable: ['/service'] });
    expect(words).toContain('--ro-bind-try /usr /usr');
    expect(words).toContain('--ro-bind /service /service --proc /proc --dev /dev --remount-ro /dev --remount-ro /');
    expect(words).toMatch(/--data=67108864 .* -- \/usr\/bin\/env x$/);
    expect(words).not.toContain('--max-old-space-size');
  });

  it('opens the inspector on this host only, and limits nothing then', () => {
    const words = line({ inspected: true });
    expect(words).toContain('--inspect=127.0.0.1:0');
    expect(words).not.toMatch(/prlimit|bwrap|permission|lock-down/);
  });
});
