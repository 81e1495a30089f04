/**
 * Linux and the machine as neighbours on a TAP device: ARP, ping, fragments, routes, UDP, a port scan. tshark judges
 * what the machine has sent.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ask,
  hostileCommand,
  LINUX,
  MACHINE,
  MACHINE_HARDWARE,
  NetworkLab,
  peerCommand,
  trafficServices,
} from '../support/network/lab.ts';
import { missingForNetwork } from '../support/network/namespace.ts';
import { framesOf, violationsOf } from '../support/network/tshark.ts';

const missing = missingForNetwork('ping', 'arping', 'traceroute', 'nmap', 'tshark', 'python3');

/** Bytes of data of an ICMP message; an Ethernet frame holds 1,472. */
const SIZES = [0, 1, 17, 56, 1471, 1472, 1473, 2952, 2953, 8000, 32_000, 65_507];

describe.skipIf(missing !== '')(`IP between Linux and the machine ${missing}`, () => {
  let lab: NetworkLab;
  beforeAll(async () => {
    lab = await NetworkLab.start({ services: trafficServices('traffic') });
    await lab.machine.logged(/traffic\[\d+\]: serving/);
  });
  afterAll(() => lab?.close());

  it('answers arping with the address of its card', async () => {
    const output = await lab.linux.run(`arping -c 2 -w 5 -I vros0 ${MACHINE}`);
    expect(output.match(/bytes from|reply from/gi), output).toHaveLength(2);
    expect(output.toLowerCase()).toContain(MACHINE_HARDWARE);
  });

  it('says that its address is taken to whoever asks for it (RFC 5227)', async () => {
    expect(await ask(lab, hostileCommand('probe', MACHINE))).toEqual({ hardware: MACHINE_HARDWARE });
    expect(await ask(lab, hostileCommand('probe', '10.0.3.77'))).toEqual({ hardware: null });
  });

  it('answers ping of every size', async () => {
    for (const size of SIZES) {
      // One at a time: once it has an answer, ping waits for the next only twice as long as that took.
      for (let count = 0; count < 2; count++) {
        const output = await lab.linux.run(`ping -c 1 -W 2 -s ${size} ${MACHINE}`);
        expect(output, `size ${size}`).toMatch(/1 received, 0% packet loss/);
      }
    }
  });

  it('answers pings in quick succession, each once', async () => {
    const output = await lab.linux.run(`ping -q -c 400 -i 0.003 -W 2 ${MACHINE}`);
    expect(output).toMatch(/400 received, 0% packet loss/);
    expect(output).not.toMatch(/duplicates|errors/);
  });

  it('pings Linux with every size', async () => {
    for (const size of SIZES) {
      // An answer may be late by as much as the interval.
      const output = await lab.shell(`ping -c 2 -i 0.2 -s ${size} ${LINUX}`);
      expect(output, `size ${size}`).toMatch(/2 received, 0% packet loss/);
    }
  });

  it('tells its programs when nobody has an address', async () => {
    expect(await lab.shell('ping -c 1 -W 1 10.0.3.99; echo status $?')).toMatch(/100% packet loss[\s\S]*status 1\n$/);
    expect(await lab.shell('nc -w 8 10.0.3.99 80 < /dev/null; echo status $?')).toMatch(
      /unreachable[\s\S]*status 1\n$/i,
    );
  });

  it('is one hop away for traceroute, by UDP and by ICMP', async () => {
    for (const way of ['', '-I']) {
      const output = await lab.linux.run(`traceroute -n ${way} -q 2 -w 2 -m 3 ${MACHINE}`);
      expect(output.trim().split('\n')[1], output).toMatch(/^ 1 {2}10\.0\.3\.2 {2}[\d.]+ ms/);
    }
  });

  it('finds the way to what lies behind Linux by traceroute', async () => {
    // Another network behind Linux, which forwards: the far end is two hops away.
    const far = 'ip tuntap add dev far mode tap && ip addr add 10.0.9.1/24 dev far && ip link set far up';
    await lab.linux.run(`${far} && echo 1 > /proc/sys/net/ipv4/ip_forward`);
    await lab.shell(`route add default gw ${LINUX}`);
    expect(await lab.shell('traceroute -n -q 1 -m 3 10.0.9.1')).toMatch(/^ *1 +10\.0\.9\.1 +[\d.]+ ms/m);
    expect(await lab.shell('traceroute -n -q 1 -w 1 -m 2 10.0.9.77')).toMatch(/^ *1 +10\.0\.3\.1 +[\d.]+ ms/m);
  });

  it('echoes datagrams of every size, with fragments', async () => {
    const sizes = [0, 1, 511, 1471, 1472, 1473, 4096, 16_000, 40_000, 65_507];
    expect(await ask(lab, peerCommand('datagrams', MACHINE, 7, ...sizes))).toEqual({ right: sizes.length });
  });

  it('exchanges datagrams with nc in both directions', async () => {
    const listener = lab.linux.start('timeout 10 nc -u -l -W 1 4000');
    await lab.linux.run('until ss -lun | grep -q :4000; do sleep 0.05; done');
    await lab.shell(`echo over UDP | nc -u -w 1 ${LINUX} 4000`);
    expect((await listener.ended).stdout).toBe('over UDP\n');
    const reply = await lab.linux.run(`printf hello | nc -u -w 1 ${MACHINE} 7`);
    expect(reply).toBe('hello');
  });

  it('says that a port has nobody: the next datagram is refused', async () => {
    const script = `import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5); s.connect(('${MACHINE}', 9999)); s.send(b'x')
try: s.recv(10)
except ConnectionRefusedError: print('refused')`;
    expect(await lab.linux.run('python3 -', 10_000, script)).toBe('refused\n');
  });

  it('answers a scan of 100 ports as it should', async () => {
    const output = await lab.linux.run(`nmap -n -Pn -sS -p 1-100 --reason ${MACHINE}`, 60_000);
    const open = [...output.matchAll(/^(\d+)\/tcp +open .*syn-ack/gm)].map(([, port]) => Number(port));
    expect(open, output).toEqual([7, 9, 11, 13, 19]);
    expect(output).toMatch(/Not shown: 95 closed tcp ports \(reset\)/);
    const udp = await lab.linux.run(`nmap -n -Pn -sU -p 5,7,8 --reason --max-retries 2 ${MACHINE}`, 60_000);
    expect(udp).toMatch(/^5\/udp +closed .*port-unreach/m);
    expect(udp).toMatch(/^8\/udp +closed .*port-unreach/m);
    expect(udp).not.toMatch(/^7\/udp +closed/m);
  });

  it('answers other kinds of scans by the rules of RFC 9293, 3.10.7', async () => {
    for (const kind of ['-sN', '-sF', '-sX', '-sA']) {
      const output = await lab.linux.run(`nmap -n -Pn ${kind} -p 1,7 --reason ${MACHINE}`, 60_000);
      if (kind === '-sA') expect(output, kind).toMatch(/2 unfiltered tcp ports \(reset\)|7\/tcp unfiltered/);
      else {
        expect(output, kind).toMatch(/^1\/tcp +closed .*reset/m);
        expect(output, kind).toMatch(/^7\/tcp +open\|filtered/m);
      }
    }
  });

  it('has sent nothing that tshark finds wrong', async () => {
    await lab.endMachine();
    // Replies to scans are outside of any connection, so rules for streams say nothing of them.
    expect(await violationsOf(lab.recording, MACHINE_HARDWARE, 'rough')).toEqual([]);
    expect((await framesOf(lab.recording, `eth.src == ${MACHINE_HARDWARE}`)).length).toBeGreaterThan(900);
  });
});
