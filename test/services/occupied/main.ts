/**
 * A task that is busy in the way its first argument says: `loop` for ever, or `wait` for a message that never comes.
 */
import { ipcCreatePort, ipcRecv, log, startInformation } from '../../../services/lib/index.ts';

const [way = ''] = startInformation.arguments;
log(`busy: ${way}`);
while (way === 'loop');
ipcCreatePort();
ipcRecv();
