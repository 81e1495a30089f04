/**
 * Every bound of the protocol, by name. A peer that goes over one gets an error (EMSGSIZE, EINVAL, EAGAIN, ENAMETOOLONG
 * …) and nothing else happens; where the byte stream itself can no longer be followed the task is killed and the log
 * says why.
 */

/** Version of the frame format and the system calls; a task announces the one it speaks in `task_start`. */
export const PROTOCOL_VERSION = 1;

/** Bytes of the fixed header in front of every frame. */
export const HEADER_BYTES = 16;

/** Largest body of a frame, in bytes (1 MiB). A longer one cannot be skipped safely, so it ends the task. */
export const MAX_FRAME_BYTES = 1024 * 1024;

/** Deepest nesting of msgpack arrays and maps. */
export const MAX_MSGPACK_DEPTH = 32;

/** Longest name of a port, service or key, in bytes of UTF-8. */
export const MAX_NAME_BYTES = 64;

/** Messages that wait in one port before `ipc_send` answers EAGAIN. */
export const PORT_QUEUE_MESSAGES = 16;

/** Callers that may wait behind a full port before `ipc_call` answers EAGAIN. */
export const PORT_WAITING_CALLS = 1024;

/** Bytes of queued and owed messages that one port may hold before further ones get EAGAIN (8 MiB). */
export const PORT_QUEUE_BYTES = 8 * 1024 * 1024;

/**
 * Bytes of messages that one task may have queued or owed, over all ports, before its further ones get EAGAIN (32 MiB).
 */
export const MAX_TASK_MESSAGE_BYTES = 32 * 1024 * 1024;

/** Notices of the kernel that wait in one port; further ones are lost. */
export const MAX_PORT_NOTICES = 65536;

/** Rights that one message may carry. */
export const MAX_RIGHTS = 8;

/** Ports that one task may have made and that still exist. */
export const MAX_PORTS_PER_TASK = 4096;

/** Capabilities that one task may hold. */
export const MAX_CAPABILITIES = 16384;

/** System calls that one task may have under way at the same time. */
export const MAX_OUTSTANDING_CALLS = 1024;

/** Alarms that one task may have set. */
export const MAX_ALARMS = 64;

/**
 * Deaths of a server for which one request is to blame: the one it received last, when it had not asked for another at
 * that port. One that has killed its server this many times is answered EIO.
 */
export const MAX_DELIVERIES = 3;

/**
 * Deliveries of one request, also of one that only waited in servers that died over something else; then it is answered
 * EIO.
 */
export const MAX_WAITING_DELIVERIES = 100;

/** Keys in the recovery store of one service for each MiB of its size. */
export const MAX_STORE_KEYS = 1024;

/** Bytes in the recovery store of one service (keys and values), unless its manifest gives it more. */
export const MAX_STORE_BYTES = 1024 * 1024;

/** Keys that one `store_keys` answers at most. */
export const MAX_LISTED_KEYS = 4096;

/** Services that a configuration may have, and names in one of a service's lists. */
export const MAX_MANIFESTS = 512;
export const MAX_MANIFEST_NAMES = 64;

/** Instances of templates (`vrfs@hda1`), all together. */
export const MAX_INSTANCES = 64;

/** Tasks that exist at the same time, zombies included. */
export const MAX_TASKS = 512;

/**
 * Tasks of one program that exist at the same time, zombies included: so many processes a program that starts itself
 * can make.
 */
export const MAX_TASKS_PER_PROGRAM = 64;

/** Arguments of a task, and bytes of one and of all of them. */
export const MAX_ARGUMENTS = 64;
export const MAX_ARGUMENT_BYTES = 65536;
export const MAX_ARGUMENTS_BYTES = 960 * 1024;

/** Operations in one vector of port accesses. */
export const MAX_VECTOR_OPERATIONS = 1024;

/** Bytes moved by one vector of port accesses, in each direction. */
export const MAX_VECTOR_BYTES = 512 * 1024;

/** Longest wait of one `poll` in a vector of port accesses, in microseconds (10 s). */
export const MAX_POLL_MICROSECONDS = 10_000_000;

/** Longest text of one log line, in bytes; the rest is cut off. */
export const MAX_LOG_BYTES = 4096;

/** Longest reason for the end of the machine, in bytes. */
export const MAX_REASON_BYTES = 300;

/** Bytes that `random` returns at most. */
export const MAX_RANDOM_BYTES = 65536;

/** Longest sleep or timeout in milliseconds (about 24 days); FOREVER stands for none. */
export const MAX_TIMEOUT_MILLISECONDS = 0x7fffffff;

/** Timeout value that means: wait without limit. */
export const FOREVER = 0xffffffff;
