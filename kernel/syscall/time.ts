/** System calls on time and randomness. */
import crypto from 'node:crypto';
import { MAX_ALARMS, MAX_RANDOM_BYTES } from '../../protocol/bounds.ts';
import { SystemError } from '../../protocol/errno.ts';
import { kernelNotices } from '../../protocol/kernel.ts';
import { type Handler, typed, valued } from './context.ts';

export const timeCalls = {
  uptime: valued('uptime', (kernel) => kernel.time.now()),
  time: valued('time', () => Date.now()),
  alarm: typed('alarm', (kernel, task, { alarm, milliseconds }, frame) => {
    const right = task.capabilities.of(frame.handle, 'receive');
    if (right === null) throw new SystemError('EBADF');
    if (milliseconds < 0 || milliseconds > 0x7fffffff) throw new SystemError('EINVAL');
    task.alarms.get(alarm)?.cancel();
    task.alarms.delete(alarm);
    if (milliseconds > 0) {
      if (task.alarms.size >= MAX_ALARMS) throw new SystemError('EAGAIN');
      const { port } = right;
      const timer = kernel.timers.set(milliseconds, () => {
        task.alarms.delete(alarm);
        const content = [alarm, kernel.time.now()];
        kernel.ipc.notify(port, kernelNotices.methods.alarm.number, content, `alarm ${task.pid} ${alarm}`);
      });
      task.alarms.set(alarm, timer);
    }
    kernel.execution.answer(task, frame.id, 0);
  }),
  random: valued('random', (_kernel, _task, { count }) => {
    if (count > MAX_RANDOM_BYTES) throw new SystemError('EINVAL');
    return crypto.randomBytes(count);
  }),
} satisfies Record<string, Handler>;
