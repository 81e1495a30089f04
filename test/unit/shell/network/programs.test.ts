/** What the network commands understand and show. */
import { describe, expect, it } from 'vitest';
import {
  formatHardware,
  maskOf,
  parseHardware,
  parseMask,
  parseNetwork,
} from '../../../../services/shell/network/addresses.ts';
import { icmpErrorText } from '../../../../services/shell/network/icmp-texts.ts';
import { flagLetters, interfaceLines, parseSettings } from '../../../../services/shell/network/ifconfig.ts';
import { parseNc } from '../../../../services/shell/network/nc-options.ts';
import { counterLines, type SocketRow, socketLines } from '../../../../services/shell/network/netstat.ts';
import { parsePing } from '../../../../services/shell/network/ping.ts';
import { PingStatistics, roundTripText } from '../../../../services/shell/network/ping-statistics.ts';
import { parseRoute, routeLines } from '../../../../services/shell/network/route.ts';
import type { InterfaceRow } from '../../../../services/shell/network/stack.ts';
import { rateText, transferLine } from '../../../../services/shell/network/transfer-line.ts';

describe('addresses', () => {
  it('are read and refused', () => {
    expect(parseNetwork('10.0.2.15/24', 'x', 32)).toEqual({ address: 0x0a00020f, prefix: 24 });
    expect(parseNetwork('10.0.2.15', 'x', 32).prefix).toBe(32);
    for (const text of ['10.0.2', '10.0.2.256', '10.0.2.15/33', '10.0.2.15/', 'x'])
      expect(() => parseNetwork(text, 'x', 1)).toThrow('x: ');
    for (let prefix = 0; prefix <= 32; prefix += 1)
      expect(parseMask([24, 16, 8, 0].map((by) => (maskOf(prefix) >>> by) & 255).join('.'))).toBe(prefix);
    expect(() => parseMask('255.0.255.0')).toThrow('ones behind zeros');
    expect(formatHardware(parseHardware('52:54:0:12:34:AB'))).toBe('52:54:00:12:34:ab');
    expect(() => parseHardware('52:54:00:12:34')).toThrow();
  });
});

const ne0: InterfaceRow = {
  ...{ name: 'ne0', up: true, link: true, loopback: false, hardware: Buffer.from('525400123456', 'hex'), mtu: 1500 },
  ...{ address: 0x0a00020f, prefix: 24, origin: 'dhcp', framesReceived: 12, bytesReceived: 2048, receiveErrors: 1 },
  ...{ receiveDrops: 2, framesSent: 3, bytesSent: 100, sendErrors: 4, sendDrops: 5 },
};

describe('ifconfig', () => {
  it('shows an interface', () => {
    expect(interfaceLines(ne0)).toEqual([
      'ne0: flags=4163<UP,BROADCAST,RUNNING,MULTICAST>  mtu 1500',
      '        inet 10.0.2.15  netmask 255.255.255.0  broadcast 10.0.2.255  (dhcp)',
      '        ether 52:54:00:12:34:56  (Ethernet)',
      '        RX packets 12  bytes 2048 (2 KiB)',
      '        RX errors 1  dropped 2',
      '        TX packets 3  bytes 100 (100 B)',
      '        TX errors 4  dropped 5',
    ]);
    expect(flagLetters(ne0)).toBe('BMRU');
  });

  it('understands what is to be set', () => {
    const address = { address: 0x0a000214, prefix: 24 };
    expect(parseSettings(['10.0.2.20/24', 'up'])).toEqual({ up: true, address, dhcp: false });
    expect(parseSettings(['10.0.2.20', 'netmask', '255.255.255.0'])).toEqual({ up: null, address, dhcp: false });
    expect(parseSettings(['10.0.2.20']).address?.prefix).toBe(8);
    expect(parseSettings(['dhcp'])).toEqual({ up: null, address: null, dhcp: true });
    for (const words of ['x', '10.0.2.20 10.0.2.21', 'netmask', 'netmask 255.0.0.0', 'dhcp 10.0.0.1'])
      expect(() => parseSettings(words.split(' ')), words).toThrow();
  });
});

describe('route', () => {
  it('shows routes', () => {
    const rows = [
      { destination: 0, prefix: 0, gateway: 0x0a000202, interface: 'ne0', metric: 100, origin: 'dhcp' },
      { destination: 0x0a000200, prefix: 24, gateway: null, interface: 'ne0', metric: 0, origin: 'connected' },
    ] as const;
    expect(routeLines(rows, true)).toEqual([
      'Kernel IP routing table',
      'Destination Gateway  Genmask       Flags Metric Iface',
      '0.0.0.0     10.0.2.2 0.0.0.0       UGD      100 ne0',
      '10.0.2.0    0.0.0.0  255.255.255.0 U          0 ne0',
    ]);
    expect(routeLines(rows, false)[2]).toMatch(/^default /);
  });

  it('understands changes', () => {
    expect(parseRoute(['default', 'gw', '10.0.2.2'])).toEqual({
      ...{ destination: 0, prefix: 0, gateway: 0x0a000202, interface: null, metric: 0 },
    });
    expect(parseRoute('-net 10.1.0.0 netmask 255.255.0.0 dev ne0 metric 5'.split(' '))).toMatchObject({
      prefix: 16,
      interface: 'ne0',
      metric: 5,
    });
    expect(parseRoute(['192.168.1.1']).prefix).toBe(32);
    for (const words of ['', '10.0.2.15/24', 'default gw', 'default up x', '-host 10.0.0.0/8'])
      expect(() => parseRoute(words === '' ? [] : words.split(' ')), words).toThrow();
  });
});

describe('netstat', () => {
  const socket = (row: Partial<SocketRow>): SocketRow => ({
    ...{ type: 'stream', protocol: 6, state: 'established', local: { address: 0x0a00020f, port: 40000 } },
    ...{ remote: { address: 0x0a000202, port: 80 }, receiveQueue: 0, sendQueue: 0, pid: 9, ...row },
  });
  const none = { address: 0, port: 0 };
  const rows = [
    socket({ state: 'listen', local: { address: 0, port: 80 }, remote: none }),
    socket({ state: 'fin-wait-2', pid: 0 }),
    socket({ type: 'datagram', protocol: 17, state: 'bound', remote: none, sendQueue: 12 }),
  ];
  const types = new Set(['stream', 'datagram', 'raw'] as const);
  const lines = (roles: 'servers' | 'connections' | 'all', numeric = true) =>
    socketLines(rows, { types, roles, numeric }, () => 'nc').slice(2);

  it('shows sockets', () => {
    expect(lines('all')).toEqual([
      'tcp        0      0 0.0.0.0:80      0.0.0.0:*       LISTEN    9/nc',
      'tcp        0      0 10.0.2.15:40000 10.0.2.2:80     FIN_WAIT2 -',
      'udp        0     12 10.0.2.15:40000 0.0.0.0:*                 9/nc',
    ]);
    expect(lines('connections')).toHaveLength(1);
    expect(lines('servers', false)[0]).toMatch(/ \*:http +\*:\* /);
  });

  it('shows counters', () => {
    const counters = [
      { name: 'udp.datagramsSent', value: 1 },
      { name: 'ip.packetsReceived', value: 2 },
    ];
    expect(counterLines(counters)).toEqual(['ip:', '    2 packets received', 'udp:', '    1 datagrams sent']);
  });
});

describe('ping', () => {
  it('counts and tells as iputils does', () => {
    const statistics = new PingStatistics();
    expect(statistics.send(1000)).toBe(1);
    expect(statistics.receive(1, 1001.5)).toEqual({ time: 1.5, kind: 'first' });
    expect(statistics.receive(1, 1002).kind).toBe('duplicate');
    expect(statistics.receive(9, 1002).kind).toBe('unknown');
    statistics.send(2000);
    statistics.send(3000);
    expect(statistics.error(2, 3001)).toBe(true);
    expect(statistics.error(2, 3001)).toBe(false);
    statistics.receive(3, 3002.5);
    expect(statistics.summary('host')).toEqual([
      '',
      '--- host ping statistics ---',
      '3 packets transmitted, 2 received, +1 duplicates, +1 errors, 33.3333% packet loss, time 2003ms',
      'rtt min/avg/max/mdev = 1.500/2.000/2.500/0.500 ms',
    ]);
    expect(statistics.shortSummary()).toBe('2/3 packets, 33% loss, min/avg/ewma/max = 1.500/2.000/1.625/2.500 ms');
  });

  it('tells of silence, and of answers that overlap', () => {
    const silence = new PingStatistics();
    silence.send(0);
    expect(silence.summary('x')).toEqual([
      '',
      '--- x ping statistics ---',
      '1 packets transmitted, 0 received, 100% packet loss, time 0ms',
      '',
    ]);
    const overlap = new PingStatistics();
    for (const time of [0, 1, 2]) overlap.send(time);
    for (const sequence of [1, 2, 3]) overlap.receive(sequence, 10);
    expect(overlap.summary('x').at(-1)).toMatch(/ ms, pipe 3$/);
  });

  it('counts sequence numbers round and round', () => {
    const statistics = new PingStatistics();
    for (let sent = 1; sent <= 65_540; sent += 1)
      expect(statistics.receive(statistics.send(sent), sent).kind).toBe('first');
    expect(statistics.received).toBe(65_540);
  });

  it('shows times with three digits', () => {
    expect([0.0447, 0.9996, 1.234, 12.34, 99.96, 1234.5].map(roundTripText)).toEqual(
      ['0.045', '1.00', '1.23', '12.3', '100', '1235'].map((text) => text),
    );
  });

  it('understands its options', () => {
    expect(parsePing(['-c', '3', '-i.2', '-s', '0', '-W', '2', 'h'])).toMatchObject({
      count: 3,
      interval: 200,
      bytes: 0,
      wait: 2000,
      deadline: null,
      host: 'h',
    });
    for (const words of ['', 'a b', '-c 0 h', '-s 65508 h', '-t 0 h', '-i 0 h', '-x h'])
      expect(() => parsePing(words === '' ? [] : words.split(' ')), words).toThrow();
  });

  it('names errors', () => {
    expect(icmpErrorText({ type: 3, code: 1, rest: 0 })).toBe('Destination Host Unreachable');
    expect(icmpErrorText({ type: 3, code: 4, rest: 1400 })).toBe('Frag needed and DF set (mtu = 1400)');
    expect(icmpErrorText({ type: 11, code: 0, rest: 0 })).toBe('Time to live exceeded');
    expect(icmpErrorText({ type: 0, code: 0, rest: 0 })).toBeNull();
  });
});

it('nc understands its options', () => {
  expect(parseNc(['host', '80'])).toMatchObject({
    mode: 'connect',
    host: 'host',
    ports: [80, 80],
    local: { address: 0, port: 0 },
  });
  expect(parseNc(['-l', '80'])).toMatchObject({ mode: 'listen', host: null, local: { address: 0, port: 80 } });
  expect(parseNc(['-lk', '-p', '80'])).toMatchObject({
    mode: 'listen',
    keepListening: true,
    local: { address: 0, port: 80 },
  });
  expect(parseNc(['-lu', '10.0.2.15', '53'])).toMatchObject({
    datagrams: true,
    local: { address: 0x0a00020f, port: 53 },
  });
  expect(parseNc(['-zv', '-w', '1.5', 'h', '20-25'])).toMatchObject({
    mode: 'scan',
    ports: [20, 25],
    timeout: 1500,
    verbose: true,
  });
  for (const words of ['host', 'h 0', 'h 70000', 'h 1-2', '-z h 2-1', '-lz 80', '-k h 80', '-l', 'h 80 81'])
    expect(() => parseNc(words.split(' ')), words).toThrow();
});

describe('the line of wget', () => {
  const line = (received: number, total: number | null, start = 0, columns = 80) =>
    transferLine({ name: 'file', start, received, total, milliseconds: 1000 }, columns);

  it('shows how far it is', () => {
    expect(line(512 * 1024, 1024 * 1024)).toBe(
      'file                 50%[========>          ]    512K    512KB/s    eta 1s',
    );
    expect(line(1024 * 1024, 1024 * 1024)).toMatch(/ 100%\[=+>\] +1\.0M +1\.00MB\/s {4}in 1\.0s$/);
    expect(line(100, null)).toMatch(/^file +\[ +<=> +\] +100 +100B\/s$/);
    expect(line(0, 0)).toMatch(/100%/);
    for (const columns of [1, 20, 40, 80, 200])
      expect(line(999, 12345, 5, columns).length).toBeLessThanOrEqual(Math.max(columns, 69));
  });

  it('has rates', () => {
    expect([0, 999, 1000, 1048576, 1e8].map(rateText)).toEqual(['0B/s', '999B/s', '0.98KB/s', '1.00MB/s', '95.4MB/s']);
  });
});
