/**
 * The loop of commands that wait for several things at once: answers of asynchronous calls, times, signals. Everything
 * comes to one port as a notice of the kernel (protocol/kernel.ts), so nothing is asked for again and again.
 */
import { FOREVER, MAX_TIMEOUT_MILLISECONDS } from '../../../protocol/bounds.ts';
import type { Interface, Methods } from '../../../protocol/interface.ts';
import { kernelNotices } from '../../../protocol/kernel.ts';
import {
  type AsynchronousClient,
  alarm,
  asynchronousClient,
  callAnswered,
  type Handle,
  ipcCreatePort,
  ipcRecv,
  isOwnPort,
  signalPort,
} from '../../lib/index.ts';

/** See the head of this file. */
export class EventLoop {
  private readonly port: Handle = ipcCreatePort();
  private readonly alarms = new Map<number, () => void>();
  private lastAlarm = 0;
  private onSignal: ((signal: number) => void) | null = null;
  private finished = false;

  /** A client whose calls are answered while the loop runs. They end after `timeout` milliseconds at the latest. */
  client<M extends Methods>(
    definition: Interface<M>,
    right: Handle,
    timeout: number = MAX_TIMEOUT_MILLISECONDS,
  ): AsynchronousClient<M> {
    return asynchronousClient(definition, right, this.port, timeout);
  }

  /** From now on signals come to `act` and do not end the task. */
  signals(act: (signal: number) => void): void {
    if (this.onSignal === null) signalPort(this.port);
    this.onSignal = act;
  }

  /** Does something after some milliseconds. Answers what calls it off. At most 64 at a time. */
  after(milliseconds: number, act: () => void): () => void {
    this.lastAlarm += 1;
    const number = this.lastAlarm;
    this.alarms.set(number, act);
    alarm(this.port, number, Math.min(Math.max(1, Math.ceil(milliseconds)), MAX_TIMEOUT_MILLISECONDS));
    return () => {
      if (this.alarms.delete(number)) alarm(this.port, number, 0);
    };
  }

  /** Ends `run` after the event at hand. */
  finish(): void {
    this.finished = true;
  }

  /** Hands events on until `finish` is called, or has been. */
  run(): void {
    const { answered, alarm: due, signal } = kernelNotices.methods;
    while (!this.finished) {
      const message = ipcRecv([this.port], FOREVER);
      if (!message.notice || !isOwnPort(message.port)) continue;
      const { method, data, rights } = message;
      if (method === answered.number) callAnswered(answered.request.fromWire(data, rights).call);
      else if (method === due.number) this.alarmed(due.request.fromWire(data, rights).alarm);
      else if (method === signal.number) this.onSignal?.(signal.request.fromWire(data, rights).signal);
    }
    this.finished = false;
  }

  private alarmed(number: number): void {
    const act = this.alarms.get(number);
    this.alarms.delete(number);
    act?.();
  }
}
