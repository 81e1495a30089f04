/** HTTP as httpd and wget read it: requests and answers in any pieces, targets, ranges, conditions, URLs. */
import { describe, expect, it } from 'vitest';
import { formatDate, logDate, parseDate } from '../../../../services/shell/network/http/dates.ts';
import { HttpError } from '../../../../services/shell/network/http/fields.ts';
import { listedItem, listingPage } from '../../../../services/shell/network/http/listing.ts';
import { parseContentRange, parseRange } from '../../../../services/shell/network/http/ranges.ts';
import { MAX_HEAD_BYTES, RequestReader } from '../../../../services/shell/network/http/request.ts';
import { entityTag, fileAnswer, responseHead } from '../../../../services/shell/network/http/response.ts';
import { ResponseReader } from '../../../../services/shell/network/http/response-reader.ts';
import { parseTarget } from '../../../../services/shell/network/http/target.ts';
import { fileNameOf, parseUrl, redirected, urlText } from '../../../../services/shell/network/http/url.ts';
import { Random } from '../../../support/random.ts';

function statusOf(act: () => unknown): number {
  try {
    act();
  } catch (error) {
    if (error instanceof HttpError) return error.status;
    throw error;
  }
  return 0;
}

/** All requests in a text that comes in pieces of some length. */
function requests(text: string, size: number): string[] {
  const reader = new RequestReader();
  const found: string[] = [];
  const bytes = Buffer.from(text, 'latin1');
  for (let at = 0; at < bytes.length; at += size) {
    reader.add(bytes.subarray(at, at + size));
    for (let request = reader.next(); request !== null; request = reader.next())
      found.push(`${request.method} ${request.target} ${request.keepAlive}`);
  }
  return found;
}

const refused = (text: string): number => statusOf(() => requests(text, 4096));

describe('requests', () => {
  const two =
    'GET /a HTTP/1.1\r\nHost: x\r\n\r\n\r\nHEAD /b?c HTTP/1.0\nX: y\n\nGET / HTTP/1.1\r\nhost:x\r\nConnection: Close\r\n\r\n';

  it('come one behind the other, in pieces of any length', () => {
    for (const size of [1, 2, 3, 5, 7, 1000])
      expect(requests(two, size)).toEqual(['GET /a true', 'HEAD /b?c false', 'GET / false']);
  });

  it('are refused with the right status', () => {
    expect(refused('GET / HTTP/1.1\r\n\r\n')).toBe(400);
    expect(refused('GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n')).toBe(400);
    expect(refused('GET /\r\n\r\n')).toBe(400);
    expect(refused('GET  / HTTP/1.1\r\nHost: x\r\n\r\n')).toBe(400);
    expect(refused('GET / HTTP/2.0\r\nHost: x\r\n\r\n')).toBe(505);
    expect(refused('BREW / HTTP/1.1\r\nHost: x\r\n\r\n')).toBe(501);
    expect(refused('GET / HTTP/1.1\r\nHost: x\r\nbad name: 1\r\n\r\n')).toBe(400);
    expect(refused('GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n')).toBe(400);
    expect(refused('GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1x\r\n\r\n')).toBe(400);
    expect(refused('GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n')).toBe(400);
    expect(refused('GET / HTTP/1.1\r\nHost: x\x01\r\n\r\n')).toBe(400);
    expect(refused(`GET / HTTP/1.1\r\nHost: x\r\n${'a: b\r\n'.repeat(100)}\r\n`)).toBe(431);
    expect(refused(`GET /${'a'.repeat(9000)} HTTP/1.1\r\nHost: x\r\n\r\n`)).toBe(414);
    expect(refused(`GET / HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(MAX_HEAD_BYTES)}`)).toBe(431);
    expect(refused('a'.repeat(MAX_HEAD_BYTES + 1))).toBe(414);
  });

  it('with content end the connection', () => {
    expect(requests('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n', 100)).toEqual(['POST / false']);
    expect(requests('GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0, 0\r\n\r\n', 100)).toEqual(['GET / true']);
  });

  it('of random bytes never do worse than being refused', () => {
    const random = new Random();
    for (let round = 0; round < 2000; round += 1) {
      const bytes = Buffer.from(two, 'latin1');
      for (let change = 0; change < 4; change += 1) bytes[random.below(bytes.length)] = random.below(256);
      const text = bytes.toString('latin1');
      expect(
        statusOf(() => requests(text, 1 + random.below(50))),
        `seed ${random.seed}`,
      ).toBeLessThan(600);
    }
  });
});

describe('targets', () => {
  it('never leave the directory', () => {
    const paths = { '/': '/', '/a/b': '/a/b', '/a/': '/a/', '/../../etc': '/etc', '/a/../b': '/b', '/a//b/.': '/a/b/' };
    for (const [target, path] of Object.entries(paths)) expect(parseTarget(target).path).toBe(path);
    expect(parseTarget('/%2e%2e/%2E%2E/x').path).toBe('/x');
    expect(parseTarget('/a%20b?c=%41').path).toBe('/a b');
    expect(parseTarget('/a?b/../c').query).toBe('?b/../c');
    expect(parseTarget('http://host/x').path).toBe('/x');
    expect(parseTarget('http://host').path).toBe('/');
  });

  it('that make no sense are refused', () => {
    for (const target of ['a', '*', '/%2f', '/%00', '/%', '/%4', '/%zz', '/%ff'])
      expect(
        statusOf(() => parseTarget(target)),
        target,
      ).toBe(400);
    expect(statusOf(() => parseTarget(`/${'a'.repeat(5000)}`))).toBe(414);
  });
});

describe('ranges', () => {
  it('are what RFC 9110 says', () => {
    expect(parseRange('bytes=0-4', 10)).toEqual({ start: 0, end: 5 });
    expect(parseRange('bytes=5-', 10)).toEqual({ start: 5, end: 10 });
    expect(parseRange('bytes=-3', 10)).toEqual({ start: 7, end: 10 });
    expect(parseRange('bytes=-30', 10)).toEqual({ start: 0, end: 10 });
    expect(parseRange('bytes=8-99', 10)).toEqual({ start: 8, end: 10 });
    expect(parseRange('bytes=10-', 10)).toBe('unsatisfiable');
    expect(parseRange('bytes=-0', 10)).toBe('unsatisfiable');
    expect(parseRange('bytes=0-', 0)).toBe('unsatisfiable');
    for (const text of [undefined, '', 'bytes=', 'bytes=-', 'bytes=5-4', 'bytes=0-1,3-4', 'lines=0-1', 'bytes=a-b'])
      expect(parseRange(text, 10)).toBeNull();
  });

  it('of answers are read', () => {
    expect(parseContentRange('bytes 5-9/10')).toEqual({ start: 5, end: 10, size: 10 });
    expect(parseContentRange('bytes 5-9/*')).toEqual({ start: 5, end: 10, size: null });
    for (const text of ['bytes */10', 'bytes 9-5/10', 'bytes 5-10/10', ''])
      expect(parseContentRange(text)).toBeUndefined();
  });
});

describe('answers for files', () => {
  const modified = Date.UTC(1994, 10, 6, 8, 49, 37, 500);
  const facts = { path: '/a/x.html', size: 1000, modified, node: 7, settled: true };
  const answer = (...fields: [string, string][]) => fileAnswer(new Map(fields), facts);

  it('have a type, a length, and marks', () => {
    const head = responseHead(answer(), true, 'now');
    expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\nDate: now\r\n/);
    expect(head).toContain('\r\nContent-Type: text/html; charset=utf-8\r\n');
    expect(head).toContain('\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n');
    expect(head).toMatch(/\r\nContent-Length: 1000\r\nConnection: keep-alive\r\n\r\n$/);
  });

  it('follow conditions', () => {
    expect(answer(['if-modified-since', 'Sun, 06 Nov 1994 08:49:37 GMT']).status).toBe(304);
    expect(answer(['if-modified-since', 'Sun, 06 Nov 1994 08:49:36 GMT']).status).toBe(200);
    expect(answer(['if-modified-since', 'yesterday']).status).toBe(200);
    expect(answer(['if-none-match', `"x", W/${entityTag(facts)}`]).status).toBe(304);
    expect(answer(['if-none-match', '"x"'], ['if-modified-since', 'Sun, 06 Nov 1994 08:49:37 GMT']).status).toBe(200);
    expect(answer(['if-match', '"x"']).status).toBe(412);
    expect(answer(['if-unmodified-since', 'Sun, 06 Nov 1994 08:49:36 GMT']).status).toBe(412);
  });

  it('have no marks, and no condition finds them known, while a change may not show', () => {
    const fresh = (...fields: [string, string][]) => fileAnswer(new Map(fields), { ...facts, settled: false });
    expect(responseHead(fresh(), true, 'now')).not.toMatch(/ETag|Last-Modified/);
    const tag = entityTag(facts);
    expect(fresh(['if-none-match', tag]).status).toBe(200);
    expect(fresh(['if-modified-since', 'Sun, 06 Nov 1994 08:49:37 GMT']).status).toBe(200);
    expect(fresh(['range', 'bytes=0-1'], ['if-range', tag]).status).toBe(200);
    expect(fresh(['range', 'bytes=0-1']).status).toBe(206);
    expect(fresh(['if-none-match', '*']).status).toBe(304);
  });

  it('have parts', () => {
    const part = answer(['range', 'bytes=10-19']);
    expect([part.status, part.start, part.length]).toEqual([206, 10, 10]);
    expect(responseHead(part, false, '')).toContain('Content-Range: bytes 10-19/1000\r\n');
    expect(answer(['range', 'bytes=1000-']).status).toBe(416);
    expect(answer(['range', 'bytes=0-1'], ['if-range', '"x"']).status).toBe(200);
    expect(answer(['range', 'bytes=0-1'], ['if-range', entityTag(facts)]).status).toBe(206);
    expect(answer(['range', 'bytes=0-1'], ['if-range', 'Sun, 06 Nov 1994 08:49:37 GMT']).status).toBe(206);
  });
});

it('times are read and written', () => {
  expect(parseDate(formatDate(784111777000))).toBe(784111777000);
  expect(parseDate('Sunday, 06-Nov-94 08:49:37 GMT')).toBeNull();
  expect(logDate(784111777000)).toBe('06/Nov/1994:08:49:37 +0000');
});

it('listings show any name as what it is', () => {
  const page = listingPage('/<d>/', [listedItem('b&"x', false), listedItem('a:b', true)]);
  expect(page).toContain('<h1>Index of /&lt;d&gt;/</h1>');
  expect(page.indexOf('a:b/')).toBeLessThan(page.indexOf('b&amp;'));
  expect(page).toContain('<a href="./b%26%22x">b&amp;&quot;x</a>');
  expect(page).toContain('<a href="./a%3Ab/">a:b/</a>');
});

/** Reads an answer that comes in pieces of some length. */
function answerOf(text: string, size: number): { status: number; content: string } {
  const bytes = Buffer.from(text, 'latin1');
  let at = 0;
  const reader = new ResponseReader(() => {
    const piece = bytes.subarray(at, at + size);
    at += size;
    return piece;
  });
  const head = reader.head();
  return { status: head.status, content: Buffer.concat([...reader.content(head)]).toString('latin1') };
}

describe('answers of servers', () => {
  const ok = 'HTTP/1.1 200 OK\r\n';
  const cases: Record<string, [string, string]> = {
    'a length': [`${ok}Content-Length: 5\r\n\r\nhelloxx`, 'hello'],
    'no length': ['HTTP/1.0 200\r\n\r\nto the end', 'to the end'],
    chunks: [
      `${ok}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0A;x=y\r\n0123456789\r\n0\r\nX: y\r\n\r\n`,
      'abc0123456789',
    ],
    'an announcement before it': [`HTTP/1.1 100 Continue\r\n\r\n${ok}Content-Length: 1\r\n\r\n!`, '!'],
    nothing: [`${ok}Content-Length: 0\r\n\r\n`, ''],
  };
  for (const [name, [text, content]] of Object.entries(cases)) {
    it(`with ${name}`, () => {
      for (const size of [1, 2, 3, 17, 1000]) expect(answerOf(text, size)).toEqual({ status: 200, content });
    });
  }

  it('have a reason that no terminal obeys', () => {
    const head = 'HTTP/1.1 404 \x1b]0;x\x07 \x9b31m\r\n\r\n';
    expect(new ResponseReader(() => Buffer.from(head, 'latin1')).head().reason).toBe('^[]0;x^G \u{fffd}31m');
    expect(() => answerOf('HTTP/1.1 200 OK\r\nTransfer-Encoding: \x9b31m\r\n\r\n', 1000)).toThrow(
      'the transfer coding \u{fffd}31m is not',
    );
  });

  it('that are broken are errors', () => {
    const broken = [
      '',
      'SSH-2.0\r\n\r\n',
      ok,
      `${ok}Content-Length: 5\r\n\r\nhell`,
      `${ok}Content-Length: 5, 6\r\n\r\nhello`,
      `${ok}Transfer-Encoding: chunked\r\n\r\nx\r\n`,
      `${ok}Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n`,
      `${ok}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`,
      `${ok}Transfer-Encoding: gzip\r\n\r\n`,
      `${ok}A: ${'a'.repeat(70_000)}\r\n\r\n`,
      'HTTP/1.1 100 Continue\r\n\r\n'.repeat(20),
    ];
    for (const text of broken)
      expect(
        statusOf(() => answerOf(text, 100)),
        text.slice(0, 60),
      ).toBeGreaterThan(0);
  });
});

describe('URLs', () => {
  it('are taken apart', () => {
    expect(parseUrl('http://a.b:8080/x?y#z')).toEqual({ host: 'a.b', port: 8080, target: '/x?y' });
    expect(parseUrl('10.0.2.2')).toEqual({ host: '10.0.2.2', port: 80, target: '/' });
    expect(parseUrl('http://h?q').target).toBe('/?q');
    expect(parseUrl('http://h/ü x').target).toBe('/%C3%BC%20x');
    expect(() => parseUrl('https://h/')).toThrow('https is not supported');
    for (const text of ['ftp://h/', 'http://', 'http://u:p@h/', 'http://h:0/', 'http://h:99999/', 'http://a b/'])
      expect(() => parseUrl(text), text).toThrow();
  });

  it('lead on', () => {
    const base = parseUrl('http://h:81/a/b?c');
    const places = {
      'http://i/': 'http://i/',
      '//i/x': 'http://i/x',
      '/x': 'http://h:81/x',
      x: 'http://h:81/a/x',
      '?d': 'http://h:81/a/b?d',
    };
    for (const [location, url] of Object.entries(places)) expect(urlText(redirected(base, location))).toBe(url);
    expect(() => redirected(base, 'https://h/')).toThrow();
    expect(() => redirected(base, 'https://h/\x9b31m')).toThrow('https://h/\u{fffd}31m: https is not supported');
  });

  it('name files that stay where they are', () => {
    const names = {
      'h/a/b.txt?x': 'b.txt',
      'h/': 'index.html',
      'h/%2e%2e': 'index.html',
      'h/..': 'index.html',
      'h/a%2fb': 'a_b',
      'h/a%1b%c2%9bb': 'a__b',
      'h/%zz': '%zz',
    };
    for (const [url, name] of Object.entries(names)) expect(fileNameOf(parseUrl(url))).toBe(name);
  });
});
