/** Cases on capabilities: badges, copies, rights in messages, and the notice that nobody holds a badge any more. */
import { MAX_CAPABILITIES, MAX_RIGHTS } from '../../../protocol/bounds.ts';
import { kernelNotices } from '../../../protocol/kernel.ts';
import {
  type Handle,
  ipcCreatePort,
  ipcDestroyPort,
  ipcInfo,
  ipcMint,
  ipcRecv,
  ipcRelease,
  spawn,
  taskCapabilities,
} from '../../../services/lib/index.ts';
import { type Cases, equal, fails, holds, present } from './check.ts';
import { Puppet, post } from './puppet.ts';

/** Sends a right from one puppet to another through a port the receiver serves. */
function move(from: Puppet, to: Puppet, port: Handle, through: Handle, right: Handle): Handle {
  from.do('ipcSend', through, { ...post('a right'), rights: [right] });
  return present(to.do('ipcRecv', [port]).rights[0], 'right');
}

/** Takes the notices waiting at a port: badges that nobody holds. */
function noSenders(server: Puppet, port: Handle): number[] {
  const badges: number[] = [];
  for (let message = server.do('ipcTryRecv', [port]); message; message = server.do('ipcTryRecv', [port])) {
    equal(
      [message.notice, message.sender, message.interface, message.method],
      [true, 0, kernelNotices.number, kernelNotices.methods.no_senders.number],
      'a notice no_senders',
    );
    badges.push((message.data as number[])[0] ?? 0);
  }
  return badges;
}

function trio() {
  const server = new Puppet('server');
  const client = new Puppet('client');
  const second = new Puppet('second');
  const port = server.do('ipcCreateNamedPort', 'server');
  const secondPort = second.do('ipcCreateNamedPort', 'second');
  const [toServer, toSecond] = [client.do('ipcFindPort', 'server'), client.do('ipcFindPort', 'second')];
  return { server, client, second, port, secondPort, toServer, toSecond };
}

export const rightCases: Cases = {
  'a right has the badge it was minted with, and so have its copies': () => {
    const { server, client, port, toServer } = trio();
    const onward = server.do('ipcFindPort', 'second');
    const back = client.do('ipcCreatePort');
    const toClient = move(client, server, port, toServer, client.do('ipcMint', back, 1));
    server.do('ipcSend', toClient, { ...post(''), rights: [server.do('ipcMint', port, 0xffffffff)] });
    const right = present(client.do('ipcRecv', [back]).rights[0], 'right');
    const copy = client.do('ipcDuplicate', right);
    for (const handle of [right, copy]) {
      client.do('ipcSend', handle, post('x'));
      equal(server.do('ipcRecv', [port]).badge, 0xffffffff, 'badge');
    }
    server.do('ipcRelease', onward);
    const rows = client.do('taskCapabilities', client.pid).filter(({ badge }) => badge === 0xffffffff);
    equal(
      rows.map(({ kind, what }) => [kind, what]),
      [
        ['send', 'server'],
        ['send', 'server'],
      ],
      'rows of the table',
    );
  },
  'rights in a message move to the receiver': () => {
    const { client, second, server, port, secondPort, toServer, toSecond } = trio();
    const moved = move(client, second, secondPort, toSecond, toServer);
    fails('EBADF', () => client.do('ipcSend', toServer, post('x')));
    second.do('ipcSend', moved, post('from the second'));
    equal(server.do('ipcRecv', [port]).sender, second.pid, 'sender');
    // As many as the bound at once, in a request and in its answer.
    const many = Array.from({ length: MAX_RIGHTS }, () => client.do('ipcDuplicate', toSecond));
    const call = client.begin('ipcCall', toSecond, { ...post('eight'), rights: many });
    const request = second.do('ipcRecv', [secondPort]);
    equal(new Set(request.rights).size, MAX_RIGHTS, 'rights received');
    second.do('ipcReply', request.reply, 0, 'back', request.rights);
    equal(call.result().rights.length, MAX_RIGHTS, 'rights in the answer');
    fails('EBADF', () => second.do('ipcSend', present(request.rights[0], 'right'), post('x')));
  },
  'rights given at the start are the child’s, and gone with it': () => {
    const { server, second } = trio();
    const port = ipcCreatePort();
    const [first, badged] = [ipcMint(port, 0), ipcMint(port, 5)];
    fails('EBADF', () => spawn('helper', [], 0, [badged, badged]));
    fails('EINVAL', () => spawn('helper', [], 0, Array(MAX_RIGHTS + 1).fill(badged)));
    fails('ENOENT', () => spawn('nobody', [], 0, [first, badged]));
    const helper = new Puppet('helper', 0, [first, badged]);
    fails('EBADF', () => ipcRelease(badged));
    const [, right] = helper.do('startRights');
    helper.do('ipcSend', present(right, 'second right'), post('from the child'));
    equal(ipcRecv([port]).badge, 5, 'badge');
    equal(server.do('startRights'), [], 'rights of a task that was given none');
    helper.kill();
    equal(ipcRecv([port]).data, [5], 'the notice that nobody holds the badge');
    second.kill();
    ipcDestroyPort(port);
  },
  'a message with a right too many, or a bad one, is refused and the sender keeps all': () => {
    const { client, server, port, toServer, toSecond } = trio();
    const nine = Array.from({ length: MAX_RIGHTS + 1 }, () => client.do('ipcDuplicate', toSecond));
    fails('EINVAL', () => client.do('ipcSend', toServer, { ...post('nine'), rights: nine }));
    const [first = toSecond, second = toSecond] = nine;
    fails('EBADF', () => client.do('ipcSend', toServer, { ...post('x'), rights: [first, 0 as Handle] }));
    fails('EBADF', () => client.do('ipcSend', toServer, { ...post('x'), rights: [first, first] }));
    fails('EBADF', () => client.do('ipcCall', toServer, { ...post('x'), rights: [second, 0xfff0000 as Handle] }));
    const call = client.begin('ipcCall', toServer, post('question'));
    const { reply } = server.do('ipcRecv', [port]);
    const self = server.do('ipcMint', port, 0);
    // A reply right does not travel.
    fails('EBADF', () => server.do('ipcSend', self, { ...post('x'), rights: [reply] }));
    server.do('ipcReply', reply, 0, 'refused', [self, self]);
    server.do('ipcReply', reply, 0, 'still there');
    equal(call.result().data, 'still there', 'answer');
    for (const right of nine) client.do('ipcSend', right, post('kept'));
  },
  'a receive right moves with what waits in its port': () => {
    const { client, server, second, secondPort, port } = trio();
    const box = server.do('ipcCreatePort');
    const clientBox = client.do('ipcCreatePort');
    const toClient = move(client, server, port, client.do('ipcFindPort', 'server'), client.do('ipcMint', clientBox, 0));
    server.do('ipcSend', toClient, { ...post(''), rights: [server.do('ipcMint', box, 9)] });
    const toBox = present(client.do('ipcRecv', [clientBox]).rights[0], 'right');
    client.do('ipcSend', toBox, post('before'));
    const call = client.begin('ipcCall', toBox, post('call'));
    client.waitsIn('ipc_call');
    const moved = move(server, second, secondPort, server.do('ipcFindPort', 'second'), box);
    fails('EBADF', () => server.do('ipcRecv', [box]));
    equal(second.do('ipcRecv', [moved]).data, 'before', 'the message from before');
    second.do('ipcReply', second.do('ipcRecv', [moved]).reply, 0, 'from the new receiver');
    equal(call.result().data, 'from the new receiver', 'answer');
    client.do('ipcSend', toBox, post('after'));
    equal(second.do('ipcRecv', [moved]).data, 'after', 'a later message');
    second.kill();
    fails('EPIPE', () => client.do('ipcSend', toBox, post('gone')));
  },
  'a receive right does not travel through its own port, nor around a corner': () => {
    const { server } = trio();
    const one = server.do('ipcCreatePort');
    const two = server.do('ipcCreatePort');
    const [toOne, toTwo] = [server.do('ipcMint', one, 0), server.do('ipcMint', two, 0)];
    fails('EDEADLK', () => server.do('ipcSend', toOne, { ...post('x'), rights: [one] }));
    server.do('ipcSend', toOne, { ...post('x'), rights: [two] });
    fails('EDEADLK', () => server.do('ipcSend', toTwo, { ...post('x'), rights: [one] }));
    const back = present(server.do('ipcRecv', [one]).rights[0], 'right');
    server.do('ipcSend', toTwo, { ...post('x'), rights: [one] });
    holds(present(server.do('ipcRecv', [back]).rights[0], 'right') !== 0, 'the right arrives');
  },
  'the server hears when the last copy of a badge is gone': () => {
    const { server, client, second, port, secondPort, toServer, toSecond } = trio();
    const box = client.do('ipcCreatePort');
    const toClient = move(client, server, port, toServer, client.do('ipcMint', box, 0));
    const give = (badge: number): Handle => {
      server.do('ipcSend', toClient, { ...post(badge), rights: [server.do('ipcMint', port, badge)] });
      return present(client.do('ipcRecv', [box]).rights[0], 'right');
    };
    // Released, once there is no copy.
    const first = give(11);
    const copy = client.do('ipcDuplicate', first);
    client.do('ipcRelease', first);
    equal(noSenders(server, port), [], 'a copy is left');
    client.do('ipcRelease', copy);
    equal(noSenders(server, port), [11], 'released');
    // On its way in a message that is destroyed with its port.
    const box2 = second.do('ipcCreatePort');
    const toBox2 = move(
      second,
      client,
      box,
      move(client, second, secondPort, toSecond, client.do('ipcMint', box, 0)),
      second.do('ipcMint', box2, 0),
    );
    client.do('ipcSend', toBox2, { ...post('x'), rights: [give(12)] });
    equal(noSenders(server, port), [], 'on its way');
    second.do('ipcDestroyPort', box2);
    equal(noSenders(server, port), [12], 'destroyed on its way');
    // A badge given out again before the notice was taken has senders.
    const again = give(13);
    client.do('ipcRelease', again);
    const renewed = give(13);
    equal(noSenders(server, port), [], 'given out again');
    client.do('ipcRelease', renewed);
    // The holder dies.
    give(14);
    client.kill();
    equal(noSenders(server, port).sort(), [13, 14], 'the holder died');
  },
  "a right that came in a post is its receiver's alone once that asks for the next message": () => {
    const { server, client, second, secondPort, port, toServer, toSecond } = trio();
    const box = client.do('ipcCreatePort');
    const toClient = move(client, server, port, toServer, client.do('ipcMint', box, 0));
    server.do('ipcSend', toClient, { ...post(''), rights: [server.do('ipcMint', port, 21)] });
    const right = present(client.do('ipcRecv', [box]).rights[0], 'right');
    const moved = move(client, second, secondPort, toSecond, right);
    equal(noSenders(server, port), [], 'held');
    second.do('ipcRelease', moved);
    equal(noSenders(server, port), [21], 'released');
  },
  'a task holds a bounded number of capabilities, and a message that does not fit stays': () => {
    const { server, client, port, toServer } = trio();
    // The reply right of the command itself takes a place.
    const held = taskCapabilities(client.pid).length + 1;
    equal(client.do('duplicateAll', toServer), MAX_CAPABILITIES - held, 'copies');
    fails('EMFILE', () => client.do('ipcCreatePort'));
    fails('EMFILE', () => client.do('ipcFindPort', 'server'));
    const call = client.begin('ipcCall', toServer, post('question'));
    const { reply } = server.do('ipcRecv', [port]);
    server.do('ipcReply', reply, 0, 'with a right', [server.do('ipcMint', port, 31)]);
    fails('EMFILE', () => call.result());
    equal(noSenders(server, port), [31], 'the right that had no room');
  },
  'a long chain of ports in messages comes undone with its last port': () => {
    const server = new Puppet('server');
    const before = ipcInfo().length;
    const last = server.do('chain', 3000);
    equal(ipcInfo().length, Math.min(4096, before + 3000), 'ports');
    server.do('ipcDestroyPort', last);
    equal(ipcInfo().length, before, 'ports after the last was destroyed');
  },
};
