/**
 * The service library: what a service imports. In a built service this module is `require('vros')`.
 */

export { block } from '../../protocol/block.ts';
export { FOREVER } from '../../protocol/bounds.ts';
export { clock } from '../../protocol/clock.ts';
export { echo } from '../../protocol/echo.ts';
export { SystemError } from '../../protocol/errno.ts';
export { type DirectoryEntry, type FileAttributes, type FileType, file } from '../../protocol/file.ts';
export { filesystem } from '../../protocol/filesystem.ts';
export { init } from '../../protocol/init.ts';
export { defineInterface, LATER, method } from '../../protocol/interface.ts';
export { net } from '../../protocol/net.ts';
export { capture, network } from '../../protocol/network.ts';
export type { Handle } from '../../protocol/schema.ts';
export * as schema from '../../protocol/schema.ts';
export { pollEvents, socket } from '../../protocol/socket.ts';
export { tty, ttyEvent } from '../../protocol/tty.ts';
export { vectorOperation } from '../../protocol/vector.ts';
export { type FileSystemFigures, type MountRow, openFlags, vfs } from '../../protocol/vfs.ts';
export {
  type AsynchronousClient,
  asynchronousClient,
  beginCall,
  callAnswered,
  type Ended,
  findPortLater,
  MAX_ASYNCHRONOUS_CALLS,
  type Outcome,
} from './asynchronous.ts';
export { client, connect, poster } from './client.ts';
export { type DeviceType, registerDevice } from './device.ts';
export { type AttributeChange, File, Files, type OpenOptions } from './files.ts';
export type { Gathering } from './inbox.ts';
export * from './ipc.ts';
export type { PlayedMessage, Rehearsal } from './rehearsal.ts';
export {
  type Deferred,
  fail,
  type NoticeHandlers,
  type Offer,
  offer,
  type Program,
  type RequestContext,
  run,
  runRehearsed,
  turnUptime,
} from './server.ts';
export { type Datagram, type Endpoint, ICMP_PROTOCOL, Network, Socket, type SocketOption } from './sockets.ts';
export { startInformation } from './start-information.ts';
export * from './syscalls.ts';
