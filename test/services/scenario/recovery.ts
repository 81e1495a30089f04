/** Cases on recovery: what the next incarnation of a service gets, and what callers see when there is none. */
import {
  MAX_DELIVERIES,
  MAX_LISTED_KEYS,
  MAX_NAME_BYTES,
  MAX_STORE_BYTES,
  MAX_STORE_KEYS,
} from '../../../protocol/bounds.ts';
import { errno } from '../../../protocol/errno.ts';
import {
  block,
  crashList,
  crashShow,
  dmesg,
  echo,
  FOREVER,
  type Handle,
  ipcInfo,
  serviceLost,
  sleep,
} from '../../../services/lib/index.ts';
import { type Cases, equal, fails, holds, present } from './check.ts';
import { eventually, Puppet, post } from './puppet.ts';

/** A new incarnation of the server, with its port. */
function revive(): { server: Puppet; port: Handle } {
  const server = new Puppet('server');
  return { server, port: server.do('ipcCreateNamedPort', 'server') };
}

function pair() {
  const client = new Puppet('client');
  const { server, port } = revive();
  return { server, client, port, right: client.do('ipcFindPort', 'server') };
}

const logged = (pattern: RegExp): boolean => dmesg().some(({ text }) => pattern.test(text));

export const recoveryCases: Cases = {
  'requests owed by a dead server come again, marked and numbered as before, and the queue after them': () => {
    const { server, client, port, right } = pair();
    const others = [new Puppet('helper'), new Puppet('helper')];
    const calls = [client.begin('ipcCall', right, post('first'))];
    const before = [server.do('ipcRecv', [port])];
    for (const [index, other] of others.entries()) {
      calls.push(other.begin('ipcCall', other.do('ipcFindPort', 'server'), post(`other ${index}`)));
      other.waitsIn('ipc_call');
    }
    before.push(server.do('ipcRecv', [port]));
    const { redelivered } = present(
      ipcInfo().find(({ name }) => name === 'server'),
      'row',
    );
    equal(server.kill(), { status: 137, signal: 9 }, 'how it ended');
    client.waitsIn('ipc_call');
    const next = revive();
    const after = [1, 2, 3].map(() => next.server.do('ipcRecv', [next.port]));
    for (const [index, message] of before.entries()) {
      const again = present(after[index], 'request');
      equal(
        [again.sender, again.sequence, again.data, again.retry, again.deliveries],
        [message.sender, message.sequence, message.data, true, 2],
        `request ${index} again`,
      );
    }
    const last = present(after[2], 'third');
    equal([last.data, last.retry, last.deliveries], ['other 1', false, 1], 'the one that was only queued');
    for (const message of after) next.server.do('ipcReply', message.reply, 0, message.data);
    equal(
      calls.map((call) => call.result().data),
      ['first', 'other 0', 'other 1'],
      'answers',
    );
    const row = present(
      ipcInfo().find(({ name }) => name === 'server'),
      'row',
    );
    equal(
      [row.redelivered - redelivered, row.owed, row.receiver],
      [2, 0, next.server.pid],
      'redelivered, owed, receiver',
    );
  },
  'rights in a request come again with it, a receive right too': () => {
    const { server, client, port, right } = pair();
    const box = client.do('ipcCreatePort');
    const toBox = client.do('ipcMint', box, 3);
    const given = client.do('ipcCreatePort');
    const toGiven = client.do('ipcMint', given, 0);
    const call = client.begin('ipcCall', right, { ...post('with rights'), rights: [toBox, given] });
    equal(server.do('ipcRecv', [port]).rights.length, 2, 'rights');
    server.kill();
    const next = revive();
    const { rights, reply } = next.server.do('ipcRecv', [next.port]);
    const [again = 0 as Handle, receive = 0 as Handle] = rights;
    next.server.do('ipcSend', again, post('to the client'));
    next.server.do('ipcReply', reply, 0, null);
    call.result();
    equal(client.do('ipcRecv', [box]).data, 'to the client', 'through the send right');
    client.do('ipcSend', toGiven, post('to the server'));
    equal(next.server.do('ipcRecv', [receive]).data, 'to the server', 'through the receive right');
  },
  'a post or notice whose receiver dies before it asks for the next comes again': () => {
    const { server, client, port, right } = pair();
    const box = client.do('ipcCreatePort');
    client.do('ipcSend', right, { ...post('hello'), rights: [client.do('ipcMint', box, 0)] });
    const toClient = present(server.do('ipcRecv', [port]).rights[0], 'right');
    server.do('ipcSend', toClient, { ...post(''), rights: [server.do('ipcMint', port, 77)] });
    client.do('ipcSend', right, post('twice'));
    server.begin('takeAndHang', port);
    server.waitsIn('sleep');
    server.kill();
    const next = revive();
    const again = next.server.do('ipcRecv', [next.port]);
    equal([again.data, again.retry, again.deliveries, again.reply], ['twice', true, 2, 0], 'the post');
    client.do('ipcRelease', present(client.do('ipcRecv', [box]).rights[0], 'right'));
    next.server.begin('takeAndHang', next.port);
    next.server.waitsIn('sleep');
    next.server.kill();
    const last = revive();
    const notice = last.server.do('ipcRecv', [last.port]);
    equal([notice.data, notice.retry, notice.deliveries, notice.notice], [[77], true, 2, true], 'the notice');
    equal(last.server.do('ipcTryRecv', [last.port]), null, 'nothing else');
  },
  'a request that kills its server again and again is answered EIO and named in the log': () => {
    const { client, right, ...first } = pair();
    const message = { interface: echo.number, method: echo.methods.echo.number, data: 'poison' };
    const call = client.begin('ipcCall', right, message);
    const other = new Puppet('helper');
    let { server, port } = first as { server: Puppet; port: Handle };
    equal(server.do('ipcRecv', [port]).deliveries, 1, 'deliveries');
    const waiting = other.begin('ipcCall', other.do('ipcFindPort', 'server'), post('innocent'));
    other.waitsIn('ipc_call');
    for (let delivery = 2; delivery <= MAX_DELIVERIES; delivery++) {
      server.kill();
      ({ server, port } = revive());
      equal(server.do('ipcRecv', [port]).deliveries, delivery, 'deliveries');
    }
    equal(call.done(), false, 'answered before the last delivery');
    server.kill();
    fails('EIO', () => call.result());
    const line = `echo\\.echo from client\\[${client.pid}\\] \\(sequence \\d+\\) was answered EIO: server died 3 times`;
    holds(logged(new RegExp(line)), 'the log names request and server');
    ({ server, port } = revive());
    const innocent = server.do('ipcRecv', [port]);
    equal([innocent.data, innocent.retry], ['innocent', false], 'the next request');
    server.do('ipcReply', innocent.reply, 0, 'fine');
    equal(waiting.result().data, 'fine', 'its answer');
  },
  'a post that kills its receiver again and again is dropped': () => {
    const { client, right, ...first } = pair();
    client.do('ipcSend', right, post('poison'));
    let { server, port } = first as { server: Puppet; port: Handle };
    for (let delivery = 1; delivery <= MAX_DELIVERIES; delivery++) {
      server.begin('takeAndHang', port);
      server.waitsIn('sleep');
      server.kill();
      ({ server, port } = revive());
    }
    equal(server.do('ipcTryRecv', [port]), null, 'nothing is left');
    holds(logged(/0x8002\.1 from client\[\d+\] \(sequence \d+\) was dropped: server died 3 times/), 'the log says so');
  },
  'callers of a service that was given up get EIO, until it is started again': () => {
    const { server, client, port, right } = pair();
    const owed = client.begin('ipcCall', right, post('owed'));
    server.do('ipcRecv', [port]);
    const other = new Puppet('second');
    const queued = other.begin('ipcCall', other.do('ipcFindPort', 'server'), post('queued'));
    other.waitsIn('ipc_call');
    const finder = new Puppet('helper');
    serviceLost('server');
    equal([owed.done(), queued.done()], [false, false], 'it still runs: nothing is lost');
    server.kill();
    client.waitsIn('ipc_call');
    const found = finder.begin('ipcFindPort', 'second', FOREVER);
    finder.waitsIn('ipc_find_port');
    serviceLost('server');
    serviceLost('second');
    equal(found.done(), false, 'second is running');
    fails('EIO', () => owed.result());
    fails('EIO', () => queued.result());
    fails('EIO', () => client.do('ipcCall', right, post('later')));
    fails('EIO', () => client.do('ipcSend', right, post('later')));
    fails('EIO', () => client.do('ipcFindPort', 'server', 1000));
    other.kill();
    serviceLost('second');
    fails('EIO', () => found.result());
    const next = revive();
    equal(next.server.do('ipcTryRecv', [next.port]), null, 'nothing is left from before');
    const call = client.begin('ipcCall', right, post('welcome back'));
    next.server.do('ipcReply', next.server.do('ipcRecv', [next.port]).reply, 0, 'thanks');
    equal(call.result().data, 'thanks', 'answer');
    fails('EPERM', () => client.do('serviceLost', 'server'));
    fails('ENOENT', () => serviceLost('nobody'));
  },
  'a request whose caller is dead, or has given up, does not come again': () => {
    const { server, client, port, right } = pair();
    client.begin('ipcCall', right, post('of a dead caller'));
    server.do('ipcRecv', [port]);
    client.kill();
    const helper = new Puppet('helper');
    const call = helper.begin('ipcCall', helper.do('ipcFindPort', 'server'), post('too late'), 300);
    server.do('ipcRecv', [port]);
    fails('ETIMEDOUT', () => call.result());
    server.kill();
    const next = revive();
    equal(next.server.do('ipcTryRecv', [next.port]), null, 'nothing comes');
  },
  'the recovery store is there for every incarnation, and for nobody else': () => {
    const { server, client } = pair();
    const value = { list: [1, 'two', null], bytes: [3], nested: { deep: true } };
    const { incarnation } = present(server.row, 'row');
    server.do('storePut', 'state', value);
    server.do('storePut', 'gone', 1);
    server.do('storeDelete', 'gone');
    fails('ENOENT', () => server.do('storeDelete', 'gone'));
    fails('ENAMETOOLONG', () => server.do('storePut', 'x'.repeat(MAX_NAME_BYTES + 1), 1));
    server.kill();
    const next = revive();
    equal(present(next.server.row, 'row').incarnation, incarnation + 1, 'incarnation');
    equal(next.server.do('storeGet', 'state'), value, 'value');
    equal(next.server.do('storeGet', 'gone'), null, 'a deleted value');
    equal(next.server.do('storeKeys'), ['state'], 'keys');
    equal(client.do('storeKeys'), [], 'keys of another service');
    fails('EPERM', () => new Puppet('helper').do('storePut', 'x', 1));
    next.server.do('storeDelete', 'state');
  },
  'the recovery store is bounded in keys and bytes': () => {
    const { server } = revive();
    equal(server.do('fillStore', MAX_STORE_KEYS + 5, 8), MAX_STORE_KEYS, 'keys');
    server.do('storePut', 'key 0', 'another value of a key that is there');
    equal(server.do('emptyStore'), MAX_STORE_KEYS, 'keys deleted');
    const bytes = 100_000;
    equal(server.do('fillStore', 100, bytes), Math.floor(MAX_STORE_BYTES / bytes), 'large values');
    server.do('storePut', 'key 0', 'small');
    server.do('storePut', 'key 1', Buffer.alloc(bytes));
    server.do('emptyStore');
  },
  'the store of a service has the size that its manifest says, and its keys are listed in parts': () => {
    const large = new Puppet('disk@a');
    const keys = large.do('fillStore', 2 * MAX_LISTED_KEYS, 8);
    equal(keys, 5 * MAX_STORE_KEYS, 'keys');
    equal(large.do('emptyStore'), keys, 'keys listed');
    equal(large.do('fillStore', 100, 100_000), Math.floor((5 * MAX_STORE_BYTES) / 100_000), 'large values');
    large.kill();
    equal(
      new Puppet('disk@a').do('emptyStore'),
      Math.floor((5 * MAX_STORE_BYTES) / 100_000),
      'for the next incarnation',
    );
    equal(new Puppet('disk@b').do('storeKeys'), [], 'keys of another instance');
  },
  'a death leaves a crash record with the reason, the stack and the last frames': () => {
    const { server, client, port, right } = pair();
    const call = client.begin('ipcCall', right, {
      interface: block.number,
      method: block.methods.read.number,
      data: [7, 1],
    });
    server.do('ipcRecv', [port]);
    server.begin('fail', 'the disk is made of cheese');
    equal(server.reap(), { status: 70, signal: 0 }, 'how it ended');
    const row = present(crashList().at(-1), 'crash record');
    equal([row.name, row.pid], ['server', server.pid], 'whose');
    equal(row.reason, 'exit status 70: Error: the disk is made of cheese', 'reason');
    const record = crashShow(row.number);
    holds(
      record.output.some((line) => /^\s+at fail/.test(line)),
      `stack in ${JSON.stringify(record.output)}`,
    );
    const frames = record.frames.join('\n');
    holds(/<- result of \d+: ok block\.read handle 0x\w+ \d+ bytes/.test(frames), `the request in ${frames}`);
    holds(/-> \d+ ipc_recv/.test(frames) && /-> \d+ crash_report/.test(frames), 'calls by name');
    holds(/-> \d+ exit/.test(frames), 'the exit');
    fails('ENOENT', () => crashShow(100_000));
    serviceLost('server');
    fails('EIO', () => call.result());
  },
  'a warm spare takes over': () => {
    const warm = (puppet: Puppet): boolean =>
      logged(new RegExp(`server\\[${puppet.pid}\\] incarnation \\d+: warm spare`));
    let server = revive().server;
    eventually(() => {
      server.kill();
      sleep(50);
      server = revive().server;
      return warm(server);
    }, 'a warm start');
  },
  'the status of an answer reaches the caller, known or not': () => {
    const { server, client, port, right } = pair();
    const call = client.begin('ipcCall', right, post('question'));
    server.do('ipcReply', server.do('ipcRecv', [port]).reply, errno.EROFS, 'read only');
    fails('EROFS', () => call.result());
    const odd = client.begin('ipcCall', right, post('question'));
    server.do('ipcReply', server.do('ipcRecv', [port]).reply, 60_000, 'what is this');
    fails('EIO', () => odd.result());
  },
};
