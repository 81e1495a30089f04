/**
 * Rights in messages: taking them from the sender, giving them to the receiver, and what happens when the last holder
 * of a capability lets go of it.
 *
 * A message is a holder of each of its rights until it is done, so that the next incarnation of a server gets them
 * again. A receive right has one holder that receives: given a second time, it goes to nobody while somebody has it.
 */
import { readUint32, writeUint32 } from '../../protocol/bytes.ts';
import type { ErrorName } from '../../protocol/errno.ts';
import { ENVELOPE_AT, ENVELOPE_BYTES, messageRights } from '../../protocol/message.ts';
import { bufferPool } from '../mm/buffer-pool.ts';
import type { Capability, CapabilityOf, Message, Port, Task } from '../objects.ts';
import type { Frame } from './frame.ts';
import type { PortTable } from './port-table.ts';

/** Offset of the first right in a message frame. */
const RIGHTS_AT = ENVELOPE_AT + ENVELOPE_BYTES;

/** Moves rights and drops them. */
export class Rights {
  private readonly ports: PortTable;
  private readonly replyDropped: (capability: CapabilityOf<'reply'>) => void;
  /** Capabilities without a holder that have still to be undone. */
  private readonly unheld: Capability[] = [];
  private undoing = false;

  /** `replyDropped`: a request's reply right was given up unused. */
  constructor(ports: PortTable, replyDropped: (capability: CapabilityOf<'reply'>) => void) {
    this.ports = ports;
    this.replyDropped = replyDropped;
  }

  /**
   * Takes the rights of a message from its sender; on an error it keeps all of them. `destination` is the port the
   * message goes to, null for an answer. EINVAL: no message; EBADF: not held, or of a kind that cannot travel; EDEADLK:
   * a receive right would travel through its own port.
   */
  take(task: Task, frame: Frame, destination: Port | null): Capability[] | ErrorName {
    const count = messageRights(frame.buffer, frame.start, frame.end);
    if (count < 0) return 'EINVAL';
    if (count === 0) return [];
    const handles: number[] = [];
    for (let i = 0; i < count; i++) {
      const handle = readUint32(frame.buffer, frame.start + RIGHTS_AT + 4 * i);
      const capability = task.capabilities.get(handle);
      if ((capability?.kind !== 'send' && capability?.kind !== 'receive') || handles.includes(handle)) return 'EBADF';
      if (capability.kind === 'receive' && travelsThrough(capability.port, destination)) return 'EDEADLK';
      handles.push(handle);
    }
    const rights: Capability[] = [];
    for (const handle of handles) {
      const capability = task.capabilities.take(handle);
      if (capability === null) continue;
      if (capability.kind === 'receive') {
        this.ports.detach(capability.port);
        capability.port.transit = destination;
      }
      rights.push(capability);
    }
    return rights;
  }

  /**
   * Puts the rights of a message into its receiver's table and their new handles into the frame at `start`. The
   * receiver has room.
   */
  give(task: Task, rights: readonly Capability[], buffer: Buffer, start: number): void {
    let at = start + RIGHTS_AT;
    for (const capability of rights) {
      const taken = capability.kind === 'receive' && (capability.port.receiver !== null || capability.port.destroyed);
      const handle = taken ? 0 : task.capabilities.insert(capability);
      if (capability.kind === 'receive' && !taken) this.ports.attach(capability.port, task, handle);
      writeUint32(buffer, handle, at);
      at += 4;
    }
  }

  /** A message is done: it lets go of its rights and counts as bytes nowhere. */
  finish(message: Message): void {
    if (message.state === 'done') return;
    message.state = 'done';
    message.port.bytes -= message.frame.length;
    message.origin.messageBytes -= message.frame.length;
    bufferPool.give(message.frame);
    const { rights } = message;
    message.rights = [];
    this.dropAll(rights);
  }

  /** One holder of each lets go of it. */
  dropAll(rights: readonly Capability[]): void {
    for (const capability of rights) this.drop(capability);
  }

  /**
   * One holder of a capability lets go of it. The last one ends what it stood for, which can end further ones: a port
   * destroyed, the messages in it, the rights in those. One after the other, so that no chain of ports can exhaust the
   * stack.
   */
  drop(capability: Capability): void {
    if (--capability.references > 0) return;
    this.unheld.push(capability);
    if (this.undoing) return;
    this.undoing = true;
    for (let next = this.unheld.pop(); next !== undefined; next = this.unheld.pop()) this.undo(next);
    this.undoing = false;
  }

  private undo(capability: Capability): void {
    if (capability.kind === 'send') this.ports.senderGone(capability.port, capability.badge);
    else if (capability.kind === 'receive') this.ports.receiverGone(capability.port);
    else if (capability.kind === 'reply') this.replyDropped(capability);
  }
}

/**
 * Whether a port's receive right, sent to `destination`, could only be received by whoever has it: through itself, or a
 * chain of rights on their way.
 */
function travelsThrough(port: Port, destination: Port | null): boolean {
  for (let next = destination; next !== null; next = next.transit) if (next === port) return true;
  return false;
}
