/** Cases on messages: posting, receiving, calling, answering, forwarding. */
import { MAX_TASK_MESSAGE_BYTES, MAX_TIMEOUT_MILLISECONDS, PORT_QUEUE_BYTES } from '../../../protocol/bounds.ts';
import { errno } from '../../../protocol/errno.ts';
import {
  type Handle,
  ipcCreatePort,
  ipcDestroyPort,
  ipcMint,
  ipcRecv,
  ipcResting,
  ipcTryRecv,
  kill,
  uptime,
} from '../../../services/lib/index.ts';
import { type Cases, equal, fails, holds, present } from './check.ts';
import { eventually, Puppet, post } from './puppet.ts';

/** A server with its port, and a client with a right to it. */
function pair(): { server: Puppet; client: Puppet; port: Handle; right: Handle } {
  const server = new Puppet('server');
  const client = new Puppet('client');
  const port = server.do('ipcCreateNamedPort', 'server');
  return { server, client, port, right: client.do('ipcFindPort', 'server') };
}

export const messageCases: Cases = {
  'a message says who sent it, through which right, what it asks, and its number': () => {
    const { server, client, port, right } = pair();
    client.do('ipcSend', right, { interface: 0x8002, method: 7, data: { text: 'é', list: [1, null, true, -2.5] } });
    client.do('ipcSend', right, { interface: 0xffff, method: 0xffff, data: null });
    const first = server.do('ipcRecv', [port]);
    equal(
      first,
      {
        ...first,
        ...{ sender: client.pid, badge: 0, interface: 0x8002, method: 7, deliveries: 1, port, retry: false },
        ...{ notice: false, reply: 0, rights: [], data: { text: 'é', list: [1, null, true, -2.5] } },
      },
      'first message',
    );
    const second = server.do('ipcRecv', [port]);
    equal([second.interface, second.method], [0xffff, 0xffff], 'largest numbers');
    equal(second.sequence, first.sequence + 1, 'sequence');
  },
  'messages of a megabyte pass unchanged, longer ones are refused by the library': () => {
    const { server, client, port, right } = pair();
    const sum = client.do('sendBytes', right, 1024 * 1024 - 100);
    equal(server.do('receiveSum', port), sum, 'checksum');
    fails('EMSGSIZE', () => client.do('sendBytes', right, 1024 * 1024));
  },
  'a receive takes from the ports it names in turn, or from all': () => {
    const { server, client, port, right } = pair();
    const extra = server.do('ipcCreateNamedPort', 'extra');
    const extraRight = client.do('ipcFindPort', 'extra');
    for (const data of ['first', 'second']) client.do('ipcSend', right, post(data));
    client.do('ipcSend', extraRight, post('extra'));
    const taken = [1, 2, 3].map(() => server.do('ipcRecv', [extra, port]));
    equal(
      taken.map((message) => [message.data, message.port]),
      [
        ['first', port],
        ['extra', extra],
        ['second', port],
      ],
      'in turn',
    );
    const mine = ipcCreatePort();
    const given = client.give(ipcMint(mine, 5));
    client.do('ipcSend', given, post('to any'));
    equal([ipcRecv().badge, ipcTryRecv() ?? null], [5, null], 'any port');
    ipcDestroyPort(mine);
  },
  'who waits for messages and has none is listed as resting, and nobody else': () => {
    const { server, client, right } = pair();
    const resting = (): boolean[] => [server, client].map(({ pid }) => ipcResting().includes(pid));
    equal(resting(), [true, true], 'waiting for what they are told');
    kill(client.pid, 'STOP');
    equal(resting(), [true, false], 'stopped');
    kill(client.pid, 'CONT');
    server.begin('ipcRecv', [server.do('ipcCreatePort')]);
    server.waitsIn('ipc_recv');
    equal(resting(), [true, true], 'waiting at one of its ports');
    client.do('ipcSend', right, post('at another one'));
    equal(resting(), [false, true], 'with a message at another port');
    client.begin('spin');
    eventually(() => !ipcResting().includes(client.pid), 'it computes');
    equal(server.row?.waitsFor, 'ipc_recv', 'what the server waits in');
  },
  'a receive ends after its time': () => {
    const { server, port } = pair();
    const before = uptime();
    fails('ETIMEDOUT', () => server.do('ipcRecv', [port], 50));
    const took = uptime() - before;
    holds(took >= 50 && took < 150, `took ${took} ms instead of 50`);
    fails('EINVAL', () => server.do('ipcRecv', [port], MAX_TIMEOUT_MILLISECONDS + 1));
    equal(server.do('ipcTryRecv', [port]), null, 'nothing is there');
  },
  'a waiting receive gets what comes, also when it waits for several ports': () => {
    const { server, client, port, right } = pair();
    const extra = server.do('ipcCreateNamedPort', 'extra');
    const receive = server.begin('ipcRecv', [extra, port], 5000);
    client.do('ipcSend', right, post('hello'));
    equal(receive.result().data, 'hello', 'message');
  },
  'a call is answered with data or an error, once': () => {
    const { server, client, port, right } = pair();
    const good = client.begin('ipcCall', right, post('question'));
    const first = server.do('ipcRecv', [port]);
    holds(first.reply !== 0, 'a reply right');
    equal(first.data, 'question', 'request');
    server.do('ipcReply', first.reply, 0, ['answer', 42]);
    equal(good.result(), { data: ['answer', 42], rights: [] }, 'answer');
    const bad = client.begin('ipcCall', right, post('question'));
    const second = server.do('ipcRecv', [port]);
    server.do('ipcReply', first.reply, 0, 'answered already');
    server.do('ipcReply', second.reply, errno.ENOSPC, 'no room');
    fails('ENOSPC', () => bad.result());
  },
  'reply_recv answers and takes the next request in one entry': () => {
    const { server, client, port, right } = pair();
    const second = new Puppet('second');
    const calls = [client.begin('ipcCall', right, post('one'))];
    client.waitsIn('ipc_call');
    calls.push(second.begin('ipcCall', second.do('ipcFindPort', 'server'), post('two')));
    second.waitsIn('ipc_call');
    const one = server.do('ipcRecv', [port]);
    const two = server.do('ipcReplyRecv', one.reply, 0, one.data);
    equal(two.data, 'two', 'the next request');
    server.do('ipcReply', two.reply, 0, two.data);
    equal(
      calls.map((call) => call.result().data),
      ['one', 'two'],
      'answers',
    );
    fails('EBADF', () => server.do('ipcReplyRecv', two.reply, 0, null));
  },
  'a call ends after its time, and its late answer is dropped': () => {
    const { server, client, port, right } = pair();
    const before = uptime();
    const call = client.begin('ipcCall', right, post('slow'), 300);
    const { reply } = server.do('ipcRecv', [port]);
    fails('ETIMEDOUT', () => call.result());
    const took = uptime() - before;
    holds(took >= 300 && took < 400, `took ${took} ms instead of 300`);
    server.do('ipcReply', reply, 0, 'late');
    // One that waits in the queue is taken off it.
    fails('ETIMEDOUT', () => client.do('ipcCall', right, post('never seen'), 10));
    equal(server.do('ipcTryRecv', [port]), null, 'the queue');
    const next = client.begin('ipcCall', right, post('next'));
    server.do('ipcReply', server.do('ipcRecv', [port]).reply, 0, 'in time');
    equal(next.result().data, 'in time', 'the next answer');
    fails('EINVAL', () => client.do('ipcCall', right, post('x'), MAX_TIMEOUT_MILLISECONDS + 1));
  },
  'a forwarded request is answered by the last server, with the number and sender of the first': () => {
    const { server, client, port, right } = pair();
    const second = new Puppet('second');
    const secondPort = second.do('ipcCreateNamedPort', 'second');
    const onward = server.do('ipcFindPort', 'second');
    const call = client.begin('ipcCall', right, post('question'));
    const request = server.do('ipcRecv', [port]);
    fails('EBADF', () => server.do('ipcForward', request.reply, port, post('x')));
    server.do('ipcForward', request.reply, onward, post('rewritten'));
    fails('EBADF', () => server.do('ipcForward', request.reply, onward, post('again')));
    const forwarded = second.do('ipcRecv', [secondPort]);
    equal(
      [forwarded.sender, forwarded.sequence, forwarded.data],
      [client.pid, request.sequence, 'rewritten'],
      'sender, sequence, data',
    );
    second.do('ipcReply', forwarded.reply, 0, 'from the last');
    equal(call.result().data, 'from the last', 'answer');
  },
  'a forwarded request keeps its time limit, and one that cannot be forwarded its reply right': () => {
    const { server, client, port, right } = pair();
    const second = new Puppet('second');
    const secondPort = second.do('ipcCreateNamedPort', 'second');
    const onward = server.do('ipcFindPort', 'second');
    const call = client.begin('ipcCall', right, post('question'), 300);
    server.do('ipcForward', server.do('ipcRecv', [port]).reply, onward, post('question'));
    const { reply } = second.do('ipcRecv', [secondPort]);
    fails('ETIMEDOUT', () => call.result(1000));
    second.do('ipcReply', reply, 0, 'late');
    const kept = client.begin('ipcCall', right, post('question'));
    const request = server.do('ipcRecv', [port]);
    second.do('ipcDestroyPort', secondPort);
    fails('EPIPE', () => server.do('ipcForward', request.reply, onward, post('question')));
    server.do('ipcReply', request.reply, 0, 'myself');
    equal(kept.result().data, 'myself', 'answer');
  },
  'who receives from a port cannot wait for an answer from it': () => {
    const { server, port } = pair();
    const own = server.do('ipcMint', port, 0);
    fails('EDEADLK', () => server.do('ipcCall', own, post('x')));
    server.do('ipcSend', own, post('a note to myself'));
    equal(server.do('ipcRecv', [port]).data, 'a note to myself', 'a post');
  },
  'a reply right that is given up answers EIO': () => {
    const { server, client, port, right } = pair();
    const call = client.begin('ipcCall', right, post('question'));
    server.do('ipcRelease', server.do('ipcRecv', [port]).reply);
    fails('EIO', () => call.result());
  },
  'the death of a caller leaves an answer nobody waits for': () => {
    const { server, client, port, right } = pair();
    client.begin('ipcCall', right, post('owed'));
    const { reply } = server.do('ipcRecv', [port]);
    const second = new Puppet('second');
    second.begin('ipcCall', second.do('ipcFindPort', 'server'), post('queued'));
    second.waitsIn('ipc_call');
    client.kill();
    second.kill();
    equal(server.do('ipcTryRecv', [port]), null, 'the queue');
    server.do('ipcReply', reply, 0, 'to nobody');
    fails('EBADF', () => server.do('ipcReplyRecv', reply, 0, null));
  },
  'bytes in a port and bytes of a sender are bounded, owed ones too': () => {
    const { server, client, port, right } = pair();
    const bytes = 1000 * 1024;
    const fit = Math.floor(PORT_QUEUE_BYTES / bytes);
    const calls = client.do('callMany', right, fit + 3, bytes);
    equal(calls[errno.EAGAIN], 3, 'calls refused');
    equal(server.do('receiveMany', port, fit), fit, 'requests received');
    fails('EAGAIN', () => client.do('sendBytes', right, bytes));
    const [accepted, refused] = client.do('flood', bytes);
    const free = MAX_TASK_MESSAGE_BYTES - fit * bytes;
    equal([accepted, refused], [Math.floor(free / (bytes + 64)), true], 'posts to ports of its own');
  },
  'asking for the next message counts as having dealt with the last, found or not': () => {
    const { server, client, port, right } = pair();
    client.do('ipcSend', right, post('once'));
    equal(server.do('ipcRecv', [port]).data, 'once', 'message');
    equal(server.do('ipcTryRecv', [port]), null, 'no other');
    server.kill();
    const next = new Puppet('server');
    equal(next.do('ipcTryRecv', [next.do('ipcCreateNamedPort', 'server')]), null, 'the next incarnation gets nothing');
    holds(present(next.row, 'row').incarnation > 1, 'an incarnation later');
  },
};
