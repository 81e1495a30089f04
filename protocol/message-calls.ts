/** The system calls of ports and messages; the table of all is syscall.ts. */
import { MAX_PORTS_PER_TASK, MAX_TASKS } from './bounds.ts';
import { portRow } from './records.ts';
import { anything, list, nameText, nothing, record, u32 } from './schema.ts';
import { call, portHandle } from './system-call.ts';

export const messageCalls = {
  ipc_create_port: call(
    0x20,
    'Makes a port without a name; answers the receive right.',
    nothing,
    nothing,
    {
      EMFILE: 'too many ports or capabilities',
    },
    { handle: 'result: the receive right' },
  ),
  ipc_create_named_port: call(
    0x21,
    'Makes a port with a name the manifest lists under `serves`. When an earlier incarnation had it, the port is taken over with its queue and the ' +
      'requests that incarnation owed.',
    record({ name: nameText }),
    nothing,
    {
      EPERM: 'the manifest does not list the name',
      EEXIST: 'another task has the port',
      EMFILE: 'too many ports or capabilities',
      ENAMETOOLONG: 'the name has more than 64 bytes',
    },
    { handle: 'result: the receive right' },
  ),
  ipc_find_port: call(
    0x22,
    'Answers a send right to a named port; waits up to `timeout` milliseconds for the port to be made. With the flag 1 in the header the task goes on, and its ' +
      'port in the handle gets the notice `answered` when the result is there. With the flag 2 it waits also for a service that has been given up.',
    record({ name: nameText, timeout: u32 }),
    nothing,
    {
      ENOENT: 'no port has this name, or no program of the configuration serves it: that is not waited for',
      EPERM: 'the manifest does not list the name under `looksUp`',
      EIO: 'the service that has the port has been given up',
      EMFILE: 'too many capabilities',
      EBADF: 'flag 1: the handle is not a receive right of the caller',
    },
    { handle: 'flag 1: the port to be told; result: the send right' },
  ),
  ipc_destroy_port: call(
    0x23,
    'Destroys a port: waiting and owed requests are answered EPIPE.',
    nothing,
    nothing,
    {
      EBADF: 'not a receive right of the caller',
    },
    portHandle,
  ),
  ipc_send: call(
    0x24,
    'Posts a message; nobody answers it.',
    nothing,
    nothing,
    {
      EBADF: 'not a send right, or a right in the message is not held',
      EAGAIN: 'the queue of the port is full (16 messages, 8 MiB), or too much of this task is queued (32 MiB)',
      EPIPE: 'the port is gone',
      EIO: 'the service has been given up',
      EDEADLK: 'the message would carry the receive right of a port through that port itself',
    },
    { ...portHandle, message: true },
  ),
  ipc_recv: call(
    0x25,
    'Waits for a message on some ports (none listed: every port the task has). The handle of the result is the reply right, 0 for none.',
    record({ ports: list(u32, MAX_PORTS_PER_TASK), timeout: u32 }),
    anything,
    {
      EBADF: 'not a receive right of the caller',
      ETIMEDOUT: 'no message in time',
      EBUSY: 'the task is receiving already',
      EPIPE: 'the last port waited for is gone',
      EMFILE: 'there is no room for the reply right and the rights of the next message, which stays',
    },
    { handle: 'result: the reply right' },
  ),
  ipc_try_recv: call(
    0x26,
    'Takes a message if there is one.',
    record({ ports: list(u32, MAX_PORTS_PER_TASK) }),
    anything,
    {
      EBADF: 'not a receive right of the caller',
      EAGAIN: 'no message is waiting',
      EBUSY: 'the task is receiving already',
      EMFILE: 'there is no room for the rights of the next message, which stays',
    },
    { handle: 'result: the reply right' },
  ),
  ipc_call: call(
    0x27,
    'Sends a request and waits for its answer. The status of the answer is the errno of this call.',
    nothing,
    anything,
    {
      EBADF:
        'not a send right, or a right in the message is not held; the port to be told is not a receive right of the caller',
      EAGAIN:
        'too many callers wait at the port, or too much is queued or owed (8 MiB at the port, 32 MiB of this task)',
      EPIPE: 'the port is gone',
      EIO: 'the server was given up or dropped the request, or this request has killed it three times',
      ETIMEDOUT: 'no answer in time',
      EDEADLK: 'the caller is the receiver of the port, or a receive right would travel through its own port',
      EMFILE: 'there was no room for the rights in the answer',
    },
    { ...portHandle, message: true },
  ),
  ipc_reply: call(
    0x28,
    'Answers a request; the flags of the header are its status. When the caller is gone, the answer is dropped.',
    nothing,
    nothing,
    { EBADF: 'not a reply right, or a right in the message is not held' },
    { handle: 'the reply right', message: true },
  ),
  ipc_reply_recv: call(
    0x29,
    'Answers a request and waits for the next message in one entry.',
    nothing,
    anything,
    {
      EBADF: 'not a reply right or port',
      ETIMEDOUT: 'no message in time',
      EBUSY: 'the task is receiving already; nothing was answered',
      EPIPE: 'the last port waited for is gone',
      EMFILE: 'there is no room for the reply right and the rights of the next message, which stays',
    },
    { handle: 'the reply right; result: the next reply right', message: true },
  ),
  ipc_forward: call(
    0x2a,
    'Hands a request on, with a new message, to another port, whose server answers the client directly.',
    nothing,
    nothing,
    {
      EBADF: 'not a reply right or send right, or a right in the message is not held',
      EPIPE: 'the port is gone (the caller still has the reply right)',
      EIO: 'the service has been given up (the caller still has the reply right)',
      EAGAIN: 'too many callers wait at the port, or too much is queued',
      EDEADLK: 'a receive right would travel through its own port',
    },
    { handle: "the reply right; the envelope's port is the send right", message: true },
  ),
  ipc_mint: call(
    0x2b,
    'Makes a send right with a badge (1 to 2^32-1; 0 for none) to a port of the caller.',
    record({ badge: u32 }),
    nothing,
    { EBADF: 'not a receive right of the caller', EMFILE: 'too many capabilities' },
    { handle: 'the port; result: the send right' },
  ),
  ipc_duplicate: call(
    0x2c,
    'Makes a second handle for a send right.',
    nothing,
    nothing,
    {
      EBADF: 'not a send right',
      EMFILE: 'too many capabilities',
    },
    { handle: 'the send right; result: the copy' },
  ),
  ipc_release: call(
    0x2d,
    'Gives a capability up.',
    nothing,
    nothing,
    { EBADF: 'no such handle' },
    {
      handle: 'the capability',
    },
  ),
  ipc_info: call(0x2e, 'All ports with their counters (at most 4,096 are listed).', nothing, list(portRow, 4096)),
  ipc_resting: call(
    0x2f,
    'Pids of the tasks that wait in `ipc_recv` or `ipc_reply_recv` while nothing is in any of their ports: they do nothing, so they do not hang.',
    nothing,
    list(u32, MAX_TASKS),
  ),
} as const;
