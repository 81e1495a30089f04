/** All interfaces of this folder, so that traces know their names. */
import './block.ts';
import './clock.ts';
import './echo.ts';
import './file.ts';
import './filesystem.ts';
import './init.ts';
import './kernel.ts';
import './net.ts';
import './network.ts';
import './service.ts';
import './socket.ts';
import './tty.ts';
import './vfs.ts';

export { methodName } from './interface.ts';
