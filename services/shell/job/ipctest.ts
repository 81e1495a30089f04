/**
 * ipctest: messages between tasks, with the service echo at the other end: values, sizes, rights, queues, and times.
 */
import { MAX_FRAME_BYTES, PORT_QUEUE_MESSAGES } from '../../../protocol/bounds.ts';
import type { Client } from '../../../protocol/interface.ts';
import { kernelNotices } from '../../../protocol/kernel.ts';
import {
  echo,
  getpid,
  ipcCreatePort,
  ipcDestroyPort,
  ipcDuplicate,
  ipcMint,
  ipcRecv,
  ipcRelease,
  ipcSend,
  ipcTryRecv,
  random,
  uptime,
} from '../../lib/index.ts';
import { Checks, equalBytes, expect, expectError, median } from '../checks.ts';
import { expectWords, type Run } from '../command.ts';
import { formatBytes } from '../table.ts';

type EchoClient = Client<typeof echo.methods>;

/** Number of an interface that nobody knows (protocol/interface.ts: free for private use). */
const PRIVATE = 0xffff;

const MAX_TIMED_MS = 1500;

/** Calls timed as one: reading the clock is a call itself. */
const BATCH = 10;

const values: readonly unknown[] = [
  ...[null, true, false, 0, 1, -1, 127, 128, -128, -129, 65535, 65536, -32769, 2 ** 31, 2 ** 32, -(2 ** 31) - 1],
  ...[Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER, 0.5, -1.25e300, 5e-324, Number.POSITIVE_INFINITY],
  ...['', 'text', 'ä€😀', 'x'.repeat(31), 'x'.repeat(32), 'x'.repeat(65536)],
  ...[[], [[], [null]], Array.from({ length: 1000 }, (_, index) => index), { a: 1, b: [2, { c: 'd' }] }],
];

function checkValues(client: EchoClient): string {
  for (const value of values) {
    const answer = JSON.stringify(client.echo(value));
    expect(
      answer === JSON.stringify(value),
      `${JSON.stringify(value).slice(0, 40)} came back as ${String(answer).slice(0, 40)}`,
    );
  }
  return `${values.length} values came back as they were sent`;
}

function checkSizes(client: EchoClient): string {
  const sizes = [0, 1, 31, 32, 255, 256, 4095, 65535, 65536, 500_000, MAX_FRAME_BYTES - 4096];
  for (const size of sizes) {
    const piece = random(Math.min(size, 4096));
    const sent = new Uint8Array(size);
    for (let at = 0; at < size; at += 4096) sent.set(piece.subarray(0, Math.min(4096, size - at)), at);
    const answer = client.echo(sent);
    expect(answer instanceof Uint8Array && equalBytes(answer, sent), `${size} bytes came back changed`);
  }
  expectError('EMSGSIZE', () => client.echo(new Uint8Array(MAX_FRAME_BYTES)));
  return `0 to ${formatBytes(MAX_FRAME_BYTES - 4096)} came back; one of ${formatBytes(MAX_FRAME_BYTES)} is EMSGSIZE`;
}

function checkRights(): string {
  const port = ipcCreatePort();
  const target = ipcMint(port, 1);
  const moved = ipcMint(port, 7);
  const kept = ipcDuplicate(moved);
  ipcSend(target, { interface: PRIVATE, method: 1, data: 'with a right', rights: [moved] });
  expectError('EBADF', () => ipcSend(moved, { interface: PRIVATE, method: 2, data: null }));
  const message = ipcRecv([port]);
  const [arrived] = message.rights;
  expect(message.badge === 1 && arrived !== undefined, 'the right did not arrive');
  ipcSend(arrived, { interface: PRIVATE, method: 3, data: null });
  expect(ipcRecv([port]).badge === 7, 'the right that was sent has lost its badge');
  ipcRelease(arrived);
  expect(ipcTryRecv([port]) === undefined, 'a notice came while a copy of the right was left');
  ipcRelease(kept);
  const notice = ipcTryRecv([port]);
  expect(
    notice?.notice === true && notice.method === kernelNotices.methods.no_senders.number,
    'no notice of the last copy',
  );
  ipcDestroyPort(port);
  expectError('EPIPE', () => ipcSend(target, { interface: PRIVATE, method: 1, data: null }));
  ipcRelease(target);
  expectError('EBADF', () => ipcRelease(target));
  return 'moved with its badge, sender lost it, no_senders after the last copy, EPIPE without the port';
}

function checkQueue(): string {
  const port = ipcCreatePort();
  const target = ipcMint(port, 0);
  for (let count = 0; count < PORT_QUEUE_MESSAGES; count++)
    ipcSend(target, { interface: PRIVATE, method: 1, data: count });
  expectError('EAGAIN', () => ipcSend(target, { interface: PRIVATE, method: 1, data: null }));
  for (let count = 0; count < PORT_QUEUE_MESSAGES; count++) {
    expect(ipcRecv([port]).data === count, `message ${count} did not come in order`);
  }
  expect(ipcTryRecv([port]) === undefined, 'there was a message too many');
  expectError('ETIMEDOUT', () => ipcRecv([port], 10));
  ipcDestroyPort(port);
  ipcRelease(target);
  return `${PORT_QUEUE_MESSAGES} messages in order, then EAGAIN; ETIMEDOUT when it is empty`;
}

function checkCount(client: EchoClient): string {
  const before = client.count();
  for (let call = 0; call < 5; call++) client.echo(call);
  const after = client.count();
  expect(after.calls - before.calls === 5, `5 calls were counted as ${after.calls - before.calls}`);
  return `${after.calls} calls so far, incarnation ${after.incarnation}`;
}

/** Median time of one call in microseconds, and calls a second. */
function timed(act: () => unknown): string {
  const times: number[] = [];
  const end = uptime() + MAX_TIMED_MS;
  for (let batch = 0; batch < 100; batch++) {
    const before = uptime();
    if (before > end) break;
    for (let call = 0; call < BATCH; call++) act();
    times.push((uptime() - before) / BATCH);
  }
  const middle = median(times);
  return `median ${(middle * 1000).toFixed(0)} µs, ${Math.round(1000 / middle)} calls/s`;
}

export const ipctest: Run = (context) => {
  expectWords(context.words, 0, 0);
  const client = context.services.started(echo, 'echo');
  const checks = new Checks(context);
  checks.run('values', () => checkValues(client));
  checks.run('sizes', () => checkSizes(client));
  checks.run('rights', checkRights);
  checks.run('queue', checkQueue);
  checks.run('count', () => checkCount(client));
  checks.run('time of a null call (getpid)', () => timed(getpid));
  for (const size of [64, 4096, 65536]) {
    const data = random(Math.min(size, 65536));
    checks.run(`time of a round trip of ${formatBytes(size)}`, () => timed(() => client.echo(data)));
  }
  return checks.finish();
};
