/** httpd with one small file, over kept connections through a forwarded port of the host; beside Node's own server. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { alternate } from '../alternate.ts';
import { BenchMachine, standardManifests } from '../machine.ts';
import { nodePeer, nodePeerCommand } from '../peers.ts';
import { type Line, peerLine, plainLine, type Row } from '../row.ts';
import { VROS } from './calls.ts';

const ROUNDS = 5;
const BYTES = 1024;
const CONNECTIONS = 16;
const MILLISECONDS = 3000;
const LEAST = 400;
const PEER = "Node's own server";
const SITE = `mkdir /site; dd if=/dev/zero of=/site/file bs=${BYTES} count=1 2> /dev/null; httpd -p 80 /site`;

function load(port: number): Promise<Record<string, number[]>> {
  return nodePeer('http-load', port, '/file', CONNECTIONS, MILLISECONDS);
}

export const httpdRow: Row = {
  name: 'httpd',
  async run(bench) {
    const machine = new BenchMachine(bench.folder, {
      services: standardManifests(),
      order: SITE,
      options: ['--no-disk', '--netdev', 'user,hostfwd=tcp:127.0.0.1:0-:80'],
    });
    const [program = '', ...words] = nodePeerCommand('http-server', BYTES).split(' ');
    const peer = spawn(program, words, { stdio: ['ignore', 'pipe', 'ignore'] });
    try {
      const [text] = (await once(peer.stdout, 'data')) as [Buffer];
      const [, port = ''] = await machine.logged(/network: .*127\.0\.0\.1:(\d+)/);
      // Until httpd answers, and warm.
      for (let tries = 0; tries < 20; tries++) if (((await load(Number(port))).errors?.[0] ?? 1) === 0) break;
      const all = await alternate(bench.rounds(ROUNDS), [
        { name: VROS, sample: () => load(Number(port)) },
        { name: PEER, sample: () => load(Number(text)) },
      ]);
      const line = plainLine(VROS, all.get(VROS)?.rate ?? []);
      const errors = (all.get(VROS)?.errors ?? []).reduce((sum, each) => sum + each, 0);
      const must = { text: `≥ ${LEAST} requests/s, no error`, met: line.median >= LEAST && errors === 0 };
      const lines: Line[] = [{ ...line, must }, peerLine(PEER, all.get(PEER)?.rate ?? [], line)];
      const title = `httpd, ${BYTES} B, ${CONNECTIONS} kept connections through hostfwd`;
      return [{ name: 'httpd', title, unit: 'requests/s', lines, notes: [`${errors} errors`] }];
    } finally {
      peer.kill();
      await machine.stop();
    }
  },
};
