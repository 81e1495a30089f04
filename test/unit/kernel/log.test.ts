/** The kernel log, and the trace of frames that crash records show. */
import { describe, expect, it } from 'vitest';
import { KernelLog } from '../../../kernel/log.ts';
import { CrashRecords } from '../../../kernel/task/crashes.ts';
import { FrameTrace } from '../../../kernel/task/trace.ts';
import { MAX_LOG_BYTES, MAX_NAME_BYTES } from '../../../protocol/bounds.ts';
import { encodeFrame, encodeMessage } from '../../../protocol/codec.ts';
import { echo } from '../../../protocol/echo.ts';
import { errno } from '../../../protocol/errno.ts';
import { emptyFrame, RESULT } from '../../../protocol/frame.ts';
import { logLine } from '../../../protocol/records.ts';
import { systemCalls } from '../../../protocol/syscall.ts';

describe('KernelLog', () => {
  it('keeps the last lines with time, level and source, and writes them to the file', () => {
    const written: string[] = [];
    let now = 0;
    const log = new KernelLog(() => now, false);
    log.record((line) => written.push(line));
    log.debug('not kept');
    log.info('one');
    now = 1234.5678;
    log.write('warn', 'two', 'ata[7]');
    expect(log.lines(10)).toEqual([
      { time: 0, level: 30, source: 'kernel', text: 'one' },
      { time: 1234.568, level: 40, source: 'ata[7]', text: 'two' },
    ]);
    expect(log.lines(1).map(({ text }) => text)).toEqual(['two']);
    expect(written.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(['one', 'two']);
    for (let index = 0; index < 5000; index++) log.info(`line ${index}`);
    const lines = log.lines(100_000);
    expect([lines.length, lines[0]?.text, lines.at(-1)?.text]).toEqual([4096, 'line 904', 'line 4999']);
  });

  it('cuts long lines at a character and shows control characters, so that no service can forge lines or colours', () => {
    const log = new KernelLog(() => 0, true);
    log.info(`${'é'.repeat(MAX_LOG_BYTES)}`);
    log.info('red \x1b[31m, CSI \x9b31m, return \r, null \0, tab\t');
    const [long, control] = log.lines(2);
    expect(Buffer.byteLength(long?.text ?? '')).toBeLessThanOrEqual(MAX_LOG_BYTES);
    expect(long?.text).toMatch(/^é{2000,}$/);
    expect(control?.text).toBe('red \\x1b[31m, CSI \\x9b31m, return \\x0d, null \\x00, tab\t');
    for (const line of log.lines(2)) expect(() => logLine.fromWire(logLine.toWire(line, []), [])).not.toThrow();
  });

  it('keeps lines that its readers take, whatever a service writes, and however long its name is', () => {
    const log = new KernelLog(() => 0, true);
    const source = `${'n'.repeat(MAX_NAME_BYTES)}[4294967295]`;
    for (const character of ['\x01', '\u0085', '漢', '\u{1f600}', '\ud800', 'é'])
      for (const count of [MAX_LOG_BYTES - 1, MAX_LOG_BYTES, 2 * MAX_LOG_BYTES])
        log.write('info', character.repeat(count), source);
    for (const line of log.lines(100)) {
      expect(() => logLine.fromWire(logLine.toWire(line, []), [])).not.toThrow();
      expect(Buffer.byteLength(line.text)).toBeGreaterThan(MAX_LOG_BYTES - 4);
    }
  });

  it('tells listeners until they have had enough', () => {
    const log = new KernelLog(() => 0, false);
    const heard: string[] = [];
    const end = log.listen(({ text }) => heard.push(text));
    log.info('one');
    end();
    log.info('two');
    expect(heard).toEqual(['one']);
  });
});

describe('FrameTrace', () => {
  const note = (trace: FrameTrace, frame: Buffer, now: number): void => trace.note(frame, 0, frame.length, now);

  it('puts the last 32 frames into words, messages with interface and method', () => {
    const trace = new FrameTrace();
    for (let id = 1; id <= 40; id++) note(trace, emptyFrame(systemCalls.getpid.number, 0, id, 0), id);
    const lines = trace.describe();
    expect([lines.length, lines[0], lines.at(-1)]).toEqual([32, '0.009000 s -> 9 getpid', '0.040000 s -> 40 getpid']);
    const head = {
      interface: echo.number,
      method: echo.methods.count.number,
      timeoutMilliseconds: 0,
      port: 0,
      rights: [],
    };
    note(trace, encodeMessage(systemCalls.ipc_call.number, 0, 41, 0x10002, head, null), 1500);
    note(trace, encodeMessage(RESULT, 0, 41, 0, head, 'x'), 1500.25);
    note(trace, encodeMessage(systemCalls.ipc_reply.number, errno.EROFS, 0, 0x20003, head, null), 1501);
    note(trace, encodeFrame(RESULT, 0, 42, 0, [1, 2, 3]), 1502);
    note(trace, emptyFrame(RESULT, errno.ENOENT, 43, 0), 1503);
    note(trace, emptyFrame(0x7abc, 0, 44, 0), 1504);
    expect(trace.describe().slice(-6)).toEqual([
      '1.500000 s -> 41 ipc_call echo.count handle 0x10002 36 bytes',
      '1.500250 s <- result of 41: ok echo.count 37 bytes',
      '1.501000 s -> posted ipc_reply EROFS echo.count handle 0x20003 36 bytes',
      '1.502000 s <- result of 42: ok 4 bytes',
      '1.503000 s <- result of 43: ENOENT',
      '1.504000 s -> 44 call 31420',
    ]);
  });
});

describe('CrashRecords', () => {
  it('number records from 1 and keep the last ones', () => {
    const records = new CrashRecords();
    const crash = { time: 1, name: 'ata', pid: 7, incarnation: 2, reason: 'x', output: [], frames: ['f'] };
    for (let count = 1; count <= 70; count++) expect(records.add(crash)).toBe(count);
    expect([records.list().length, records.list()[0]?.number, records.get(6), records.get(70)?.frames]).toEqual([
      64,
      7,
      undefined,
      ['f'],
    ]);
  });
});
