import { describe, expect, it } from 'vitest';
import { parseNetwork } from '../../../hw/network/options.ts';

describe('the option --netdev', () => {
  it('knows the networks of QEMU', () => {
    expect(parseNetwork('none')).toEqual({ plug: { kind: 'none' }, stationAddress: undefined });
    expect(parseNetwork('user').plug).toEqual({ kind: 'user', forwards: [], restricted: false });
    expect(parseNetwork('tap,ifname=vros0').plug).toEqual({ kind: 'tap', interfaceName: 'vros0' });
    expect(parseNetwork('dgram,local=10.1.2.3:4000,remote=5000').plug).toEqual({
      kind: 'dgram',
      local: { address: '10.1.2.3', port: 4000 },
      remote: { address: '127.0.0.1', port: 5000 },
    });
  });

  it("understands QEMU's long form of dgram", () => {
    const long =
      'dgram,id=n,local.type=inet,local.host=127.0.0.1,local.port=1,remote.type=inet,remote.host=1.2.3.4,remote.port=2';
    expect(parseNetwork(long).plug).toEqual({
      kind: 'dgram',
      local: { address: '127.0.0.1', port: 1 },
      remote: { address: '1.2.3.4', port: 2 },
    });
    expect(() => parseNetwork('dgram,local.type=unix,remote=1')).toThrow('local.type=unix: only inet is known');
  });

  it('reads forwards, which are closed to other hosts unless an address is given', () => {
    const { plug } = parseNetwork('user,hostfwd=tcp::8080-:80,hostfwd=udp:0.0.0.0:53-10.0.2.16:5353,restrict=on');
    expect(plug).toEqual({
      kind: 'user',
      restricted: true,
      forwards: [
        {
          protocol: 'tcp',
          host: { address: '127.0.0.1', port: 8080 },
          guest: { address: '10.0.2.15', port: 80 },
        },
        {
          protocol: 'udp',
          host: { address: '0.0.0.0', port: 53 },
          guest: { address: '10.0.2.16', port: 5353 },
        },
      ],
    });
    expect(parseNetwork('user,hostfwd=tcp::0-:80').plug).toMatchObject({ forwards: [{ host: { port: 0 } }] });
  });

  it('takes the station address with any of them', () => {
    expect(parseNetwork('none,mac=02:00:0a:FF:00:01').stationAddress).toEqual([2, 0, 10, 255, 0, 1]);
    expect(() => parseNetwork('none,mac=02:00:0a')).toThrow('mac=02:00:0a: expected six bytes');
    expect(() => parseNetwork('none,mac=01:00:0a:00:00:00')).toThrow('is the address of a group');
  });

  it.each([
    ['', 'there is no network'],
    ['socket,listen=:1', 'there is no network socket'],
    ['none,x=1', 'there is no setting x='],
    ['user,hostfwd', 'expected NAME=VALUE'],
    ['user,restrict=yes', 'expected on or off'],
    ['user,restrict=on,restrict=off', 'restrict is there 2 times'],
    [`user${',hostfwd=tcp::1-:1'.repeat(65)}`, 'at most 64'],
    ['user,hostfwd=tcp:8080-80', 'expected tcp|udp:[HOST]:PORT-[GUEST]:PORT'],
    ['user,hostfwd=icmp::1-:1', 'expected tcp|udp'],
    ['user,hostfwd=tcp:localhost:1-:1', 'localhost is no IPv4 address'],
    ['user,hostfwd=tcp::65536-:1', '65536 is no port'],
    ['user,hostfwd=tcp::1-:0', '0 is no port'],
    ['dgram', 'local= is missing'],
    ['dgram,local=1', 'remote= is missing'],
    ['dgram,local=0,remote=1', '0 is no port'],
    ['dgram,local=1,remote=65536', '65536 is no port'],
    ['dgram,local=host:1,remote=2', 'host is no IPv4 address'],
    ['dgram,local=1,local=2,remote=3', 'local is there 2 times'],
    ['tap', 'ifname= is missing'],
    ['tap,ifname=', 'is no name of an interface'],
    ['tap,ifname=a/b', 'is no name of an interface'],
    ['tap,ifname=0123456789abcdef', 'is no name of an interface'],
  ])('refuses %s', (text, message) => {
    expect(() => parseNetwork(text)).toThrow(message);
  });
});
