/** The network commands in whole machines, with the host's own HTTP and sockets as peers. */
import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { afterAll, describe, expect, it } from 'vitest';
import { eventually, runCommands, startMachine, type TestMachine } from '../support/machine.ts';
import { nodePty, startInTerminal, whyNoTerminal } from '../support/terminal.ts';

const CTRL_C = '\x03';
const ROUTER = '10.0.2.2';

/** Listens on a free port of the host, which the guest reaches at the router's address. */
async function listen(server: net.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const servers: net.Server[] = [];
afterAll(() => {
  for (const server of servers) server.close();
});

async function serve<T extends net.Server>(server: T): Promise<number> {
  servers.push(server);
  return listen(server);
}

describe('commands', () => {
  it('ping right after the boot waits for the network, and does not count that', async () => {
    const { stdout } = await runCommands(`ping -c 1 ${ROUTER}`, ['--no-disk'], { network: true });
    const [, time] = /time=([\d.]+) ms/.exec(stdout) ?? [];
    expect(time, stdout).toBeDefined();
    // The address alone takes longer: its probes are two seconds.
    expect(Number(time), stdout).toBeLessThan(1500);
  });

  it('show and test the network', async () => {
    const commands = [
      ...[
        'nettest',
        'netstacktest',
        'ifconfig ne0',
        'route -n',
        'arp -n',
        'netstat -i',
        'netstat -rn',
        'netstat -tuln',
      ],
      ...[`ping -c 3 -i 0.1 ${ROUTER}`, `ping -q -c 1 -s 65507 127.0.0.1; echo status $?`],
      ...['nslookup localhost', `traceroute -q 1 -w 2 ${ROUTER}`, 'nc -zv 127.0.0.1 1-3; echo status $?'],
      ...['ifconfig ne0 10.0.2.20/24', 'ifconfig ne0', 'route add default gw 10.0.2.2', `ping -c 1 ${ROUTER}`],
      ...['route add 10.9.0.0/16 gw 10.0.2.3', 'route del 10.9.0.0/16', 'route del 10.9.0.0/16; echo status $?'],
      ...['arp -s 10.0.2.9 02:00:00:00:00:09', 'arp 10.0.2.9', 'arp -d 10.0.2.9', 'wget https://host/; echo status $?'],
    ];
    const { stdout, stderr, machine } = await runCommands(commands.join('\n'), ['--no-disk'], { network: true });
    const text = stdout + stderr;
    expect(text, machine.logText).toMatch(/nettest: 8 passed, 0 failed/);
    expect(text).toMatch(/netstacktest: 12 passed, 0 failed/);
    expect(text).toMatch(
      /ne0: flags=4163<UP,BROADCAST,RUNNING,MULTICAST> {2}mtu 1500\n +inet 10\.0\.2\.15 {2}netmask 255\.255\.255\.0/,
    );
    expect(text).toMatch(/0\.0\.0\.0 +10\.0\.2\.2 +0\.0\.0\.0 +UGD +100 ne0/);
    expect(text).toMatch(/10\.0\.2\.2 +ether +52:55:0a:00:02:02 +reachable/);
    expect(text).toMatch(
      /PING 10\.0\.2\.2 \(10\.0\.2\.2\) 56\(84\) bytes of data\.\n64 bytes from 10\.0\.2\.2: icmp_seq=1 ttl=64 time=[\d.]+ ms\n/,
    );
    expect(text).toMatch(/3 packets transmitted, 3 received, 0% packet loss, time \d+ms\nrtt min\/avg\/max\/mdev = /);
    expect(text).toMatch(/1 packets transmitted, 1 received, 0% packet loss[^\n]*\n[^\n]*\nstatus 0/);
    expect(text).toContain('Name: localhost\nAddress: 127.0.0.1\n');
    expect(text).toMatch(/ 1 {2}10\.0\.2\.2 {2}[\d.]+ ms\n/);
    expect(text).toMatch(/connect to 127\.0\.0\.1 port 3 \(tcp\) failed: connection refused/);
    expect(text).toMatch(/inet 10\.0\.2\.20 {2}netmask 255\.255\.255\.0 {2}broadcast 10\.0\.2\.255\n/);
    expect(text).toMatch(/route: 10\.9\.0\.0\/16: there is no such route/);
    expect(text).toMatch(/10\.0\.2\.9 +ether +02:00:00:00:00:09 +permanent +ne0/);
    expect(text).toMatch(/wget: https:\/\/host\/: https is not supported/);
  });

  it('record and show packets', async () => {
    const machine = startMachine({ network: true });
    machine.process.stdin.write('mkdir /d; tcpdump -i ne0 -w /d/all.pcap -c 6 icmp &\n');
    await eventually(() => machine.stdout.includes('listening on ne0'), 'tcpdump listens', 20_000);
    const commands = [
      ...[
        `ping -c 3 -i 0.1 ${ROUTER}`,
        'wait',
        'tcpdump -n -r /d/all.pcap',
        'tcpdump -nv -c 1 -r /d/all.pcap icmp and src host 10.0.2.15',
      ],
      ...['tcpdump -r /d/none; echo status $?', 'tcpdump "(tcp"; echo status $?', 'exit'],
    ];
    machine.process.stdin.end(`${commands.join('\n')}\n`);
    expect(await machine.end()).toBe(0);
    const text = machine.stdout;
    expect(text).toMatch(
      /\d\d:\d\d:\d\d\.\d{6} IP 10\.0\.2\.15 > 10\.0\.2\.2: ICMP echo request, id \d+, seq 1, length 64\n/,
    );
    expect(text).toMatch(/ IP 10\.0\.2\.2 > 10\.0\.2\.15: ICMP echo reply, id \d+, seq 1, length 64\n/);
    expect(text).toMatch(
      / IP \(tos 0x0, ttl \d+, id \d+, offset 0, flags \[\w+\], proto ICMP \(1\), length 84\)\n {4}10/,
    );
    expect(text).toMatch(/6 packets captured/);
    expect(text).toMatch(/tcpdump: \/d\/none: no such file or directory\nstatus 1\n/);
    expect(text).toMatch(/filter: [^\n]*\nusage: [^\n]*\nstatus 2\n/);
  });
});

describe('wget', () => {
  it('fetches what servers send in any way, goes on, and follows redirections', async () => {
    const content = Buffer.from(Array.from({ length: 300_000 }, (_, at) => at % 251));
    const port = await serve(
      http.createServer((request, response) => {
        const range = /bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1];
        if (request.url === '/moved') response.writeHead(302, { Location: 'chunks' }).end();
        else if (request.url === '/loop') response.writeHead(302, { Location: '/loop' }).end();
        else if (request.url === '/chunks') {
          for (let at = 0; at < content.length; at += 7000) response.write(content.subarray(at, at + 7000));
          response.end();
        } else if (request.url === '/short') {
          response.writeHead(200, { 'Content-Length': 1000 });
          response.write('too little', () => response.destroy());
        } else if (range !== undefined) {
          const where = `bytes ${range}-${content.length - 1}/${content.length}`;
          response.writeHead(206, { 'Content-Range': where }).end(content.subarray(Number(range)));
        } else if (request.url === '/missing') response.writeHead(404).end();
        else response.writeHead(200, { 'Content-Length': content.length }).end(content);
      }),
    );
    const base = `http://${ROUTER}:${port}`;
    const commands = [
      ...['mkdir /d', 'cd /d', `wget -q ${base}/length`, `wget -q ${base}/length`, `wget -q -O chunks ${base}/moved`],
      ...['head -c 1000 length > part', `wget -c -O part ${base}/length`, `wget -qO - ${base}/length | cmp - length`],
      ...['echo same $?', 'sha256sum length length.1 chunks part', `wget ${base}/short; echo status $?`],
      ...[`wget ${base}/loop; echo status $?`, `wget ${base}/missing; echo status $?`, 'wget http://127.0.0.1:9/'],
    ];
    const { stdout, stderr } = await runCommands(commands.join('\n'), ['--no-disk'], { network: true });
    const sums = [...stdout.matchAll(/^([0-9a-f]{64}) {2}\S+$/gm)].map(([, sum]) => sum);
    expect(sums, stdout + stderr).toHaveLength(4);
    expect(new Set(sums).size).toBe(1);
    const text = stdout + stderr;
    expect(text).toContain('same 0\n');
    expect(text).toMatch(/206 Partial Content\nLength: 300000 \(293K\) \[no type\]\nSaving to: 'part'\n/);
    expect(text).toMatch(/the connection ended 990 bytes before the end|connection reset/);
    expect(text).toMatch(/redirected more than 20 times/);
    expect(text).toMatch(/missing: 404 Not Found/);
    expect(text).toMatch(/wget: 127\.0\.0\.1:9: connection refused/);
  });

  it('shows nothing of an answer that a terminal would obey', async () => {
    const port = await serve(
      net.createServer((socket) => {
        socket.on('error', () => {});
        socket.once('data', (request) => {
          const moved = request.includes('GET /moved ');
          const head = moved ? '302 Moved \x9b1m\r\nLocation: /\x9b2m' : '200 \x1b]0;O\x07K\r\nContent-Type: \x9b3m';
          socket.end(Buffer.from(`HTTP/1.1 ${head}\r\nContent-Length: 0\r\n\r\n`, 'latin1'));
        });
      }),
    );
    const command = `wget -O /file http://${ROUTER}:${port}/moved`;
    const { stdout, stderr } = await runCommands(command, ['--no-disk'], { network: true });
    const text = stdout + stderr;
    expect(text).toContain('302 Moved \u{fffd}1m\nLocation: /\u{fffd}2m [following]\n');
    expect(text).toMatch(/200 \^\[\]0;O\^GK\nLength: 0 [^\n]* \[\ufffd3m\]\n/);
    expect(text).not.toMatch(/[\x80-\x9f\x1b\x07]/);
  });
});

/** A machine that serves `/d`, and the port of the host that leads to it. */
async function startServer(commands: readonly string[]): Promise<{ machine: TestMachine; port: number }> {
  const probe = net.createServer();
  const port = await listen(probe);
  await new Promise((resolve) => probe.close(resolve));
  const machine = startMachine({
    network: true,
    options: ['--no-disk', '--netdev', `user,hostfwd=tcp:127.0.0.1:${port}-:80`],
  });
  machine.process.stdin.write(`mkdir -p /d/sub; echo outside > /secret; ${commands.join('; ')}; httpd -v /d &\n`);
  await eventually(() => machine.stdout.includes('serving /d'), 'httpd serves', 20_000);
  return { machine, port };
}

/** Sends bytes, and answers everything that comes until the end. */
async function exchange(port: number, pieces: readonly string[], ends = true): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = net.connect(port, '127.0.0.1', () => {
      for (const piece of pieces) socket.write(piece);
      if (ends) socket.end();
    });
    socket.on('data', (data) => {
      text += data.toString('latin1');
    });
    socket.on('close', () => resolve(text));
    socket.on('error', reject);
  });
}

describe('httpd', () => {
  it('serves the host', async () => {
    const { machine, port } = await startServer([
      ...['echo hello > /d/index.html', 'seq 100000 > /d/numbers', 'echo x > "/d/sub/a <b>"', 'ln -s /secret /d/leak'],
      ...['head -c 1024 /dev/zero > /d/kilobyte'],
    ]);
    const url = `http://127.0.0.1:${port}`;
    const get = (path: string, headers: Record<string, string> = {}) =>
      fetch(url + path, { headers, redirect: 'manual' });

    // What has just been written has no marks to ask for it by.
    let index = await get('/');
    for (let tries = 0; tries < 50 && index.headers.get('etag') === null; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      index = await get('/');
    }
    expect([index.status, index.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(await index.text()).toBe('hello\n');
    const whole = Buffer.from(await (await get('/numbers')).arrayBuffer());
    expect(whole.toString()).toBe(`${Array.from({ length: 100_000 }, (_, at) => at + 1).join('\n')}\n`);
    const part = await get('/numbers', { Range: 'bytes=10-19' });
    expect([part.status, part.headers.get('content-range')]).toEqual([206, `bytes 10-19/${whole.length}`]);
    expect(await part.text()).toBe(whole.toString('latin1', 10, 20));
    expect((await get('/numbers', { Range: `bytes=${whole.length}-` })).status).toBe(416);
    const since = index.headers.get('last-modified') ?? '';
    expect((await get('/', { 'If-Modified-Since': since })).status).toBe(304);
    expect((await get('/', { 'If-None-Match': index.headers.get('etag') ?? '' })).status).toBe(304);
    expect((await get('/sub')).headers.get('location')).toBe('/sub/');
    expect(await (await get('/sub/')).text()).toContain('<a href="./a%20%3Cb%3E">a &lt;b&gt;</a>');
    expect(await (await get('/sub/a%20%3cb%3e')).text()).toBe('x\n');
    for (const [path, status] of Object.entries({
      '/none': 404,
      '/index.html/': 404,
      '/leak': 403,
      '/%2e%2e/secret': 404,
    }))
      expect((await get(path)).status, path).toBe(status);
    expect((await fetch(url, { method: 'HEAD' })).headers.get('content-length')).toBe('6');
    expect((await fetch(url, { method: 'POST', body: 'x' })).status).toBe(405);

    const request = 'GET /index.html HTTP/1.1\r\nHost: x\r\n\r\n';
    expect((await exchange(port, [request.repeat(50)])).match(/hello\n/g)).toHaveLength(50);
    expect((await exchange(port, [...request])).match(/hello\n/g)).toHaveLength(1);
    expect(await exchange(port, ['nonsense\r\n\r\n'], false)).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(await exchange(port, [`GET /../../secret HTTP/1.0\r\n\r\n`])).toMatch(/^HTTP\/1\.1 404 /);
    expect(machine.stdout).toMatch(/10\.0\.2\.2 - - \[.* \+0000\] "GET \/numbers HTTP\/1\.1" 206 10\n/);

    machine.process.stdin.write('echo changed > /d/index.html\n');
    await eventually(() => machine.stdout.length > 0, 'the file is written');
    let text = '';
    for (let tries = 0; tries < 50 && text !== 'changed\n'; tries += 1) {
      text = await (await get('/')).text();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(text).toBe('changed\n');
  });

  it('serves 256 connections at once, and a slow client harms nobody', async () => {
    const { port } = await startServer(['head -c 1024 /dev/zero > /d/kilobyte']);
    const sockets: net.Socket[] = [];
    /** Opens connections, which stay. More at once than may wait to be accepted would have some of them come late. */
    const open = (count: number): Promise<unknown> =>
      Promise.all(
        Array.from({ length: count }, async () => {
          const socket = net.connect(port, '127.0.0.1');
          sockets.push(socket);
          await once(socket, 'connect');
        }),
      );
    const request = (socket: net.Socket): Promise<void> =>
      new Promise((resolve, reject) => {
        let text = '';
        const take = (data: Buffer): void => {
          text += data.toString('latin1');
          if (!text.endsWith(`\r\n\r\n${'\0'.repeat(1024)}`)) return;
          socket.off('data', take);
          resolve();
        };
        socket.on('data', take);
        socket.on('close', () => reject(new Error(`a connection ended after '${text.slice(0, 100)}'`)));
        socket.on('error', reject);
        socket.write('GET /kilobyte HTTP/1.1\r\nHost: x\r\n\r\n');
      });
    await open(1);
    const [slow] = sockets.splice(0);
    slow?.write('GET / HT');
    for (let batch = 0; batch < 4; batch += 1) {
      await open(64);
      await Promise.all(sockets.slice(-64).map(request));
    }
    await Promise.all(sockets.map(request));
    expect(sockets).toHaveLength(256);
    for (const socket of [slow, ...sockets])
      socket
        ?.removeAllListeners()
        .on('error', () => undefined)
        .destroy();
  });
});

describe('nc', () => {
  it('moves bytes both ways, to their ends', async () => {
    const echo = await serve(net.createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket)));
    const machine = startMachine({ network: true });
    /** Has a server started, waits until it listens, and runs commands. */
    const listening = async (options: string, port: number, commands: readonly string[]): Promise<void> => {
      machine.process.stdin.write(`nc -v ${options} ${port} > /got${port} &\n`);
      await eventually(
        () => machine.stdout.includes(`Listening on 0.0.0.0 ${port}\n`),
        `nc listens on ${port}`,
        20_000,
      );
      machine.process.stdin.write(`${commands.join('\n')}\n`);
    };
    machine.process.stdin.write(`seq 50000 > /in; nc -N ${ROUTER} ${echo} < /in | cmp - /in && echo echoed\n`);
    await listening('-l', 9000, ['nc -N 127.0.0.1 9000 < /in', 'wait', 'cmp /in /got9000 && echo same']);
    await listening('-lu -w 0.5', 9001, ['echo datagram | nc -u -w 2 127.0.0.1 9001', 'wait', 'cat /got9001']);
    await listening('-lk', 9002, ['echo one | nc -N 127.0.0.1 9002; echo two | nc -N 127.0.0.1 9002; cat /got9002']);
    const commands = [`nc -z ${ROUTER} ${echo}; echo status $?`, 'nc 127.0.0.1 9; echo status $?', 'kill $!', 'exit'];
    machine.process.stdin.end(`${commands.join('\n')}\n`);
    expect(await machine.end()).toBe(0);
    const text = machine.stdout;
    for (const line of ['echoed', 'same', 'datagram', 'one']) expect(text).toMatch(new RegExp(`^${line}$`, 'm'));
    expect(text).toMatch(/status 0\nnc: connect to 127\.0\.0\.1 port 9 \(tcp\) failed: connection refused\nstatus 1\n/);
  });
});

describe.skipIf(nodePty === null)(`in a terminal${whyNoTerminal}`, () => {
  it('^C ends ping with its sums, nc and httpd at once', async () => {
    const machine = await startInTerminal({ network: true });
    machine.type(`ping -i 0.1 ${ROUTER}\r`);
    await machine.see(/icmp_seq=3 /);
    machine.type(CTRL_C);
    await machine.see(/\^C[\s\S]*--- 10\.0\.2\.2 ping statistics ---\r+\n\d+ packets transmitted, \d+ received/);
    await machine.prompt();
    expect(await machine.run('echo $?')).toBe('130\n');
    machine.type('nc -l 9000\r');
    await machine.see(/2004l/);
    machine.type(CTRL_C);
    await machine.prompt();
    machine.type('tcpdump -n icmp\r');
    await machine.see(/listening on any/);
    machine.type(CTRL_C);
    await machine.see(/0 packets captured/);
    await machine.prompt();
    expect(await machine.run('nc -l 9000 > /got & nc -v 127.0.0.1 9000 < /none; echo end')).toContain('end');
  });
});
